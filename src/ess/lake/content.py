"""Opening a file of a datastore, as it is or decompressed."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from ess.errors import InputOpenError, InputReadError
from ess.lake.entry import FileEntry

#: What ``--compression`` takes.
COMPRESSIONS = ("none", "gzip", "bzip2", "xz", "zstd", "zip", "tar")


def compression_of(head: bytes) -> str:
    """The compression that the first 512 bytes of a file show: one of :data:`COMPRESSIONS`."""
    from ess.formats import codecs  # loads the decompressors

    return codecs.compression_of(head)


def open_raw(entry: FileEntry) -> BinaryIO:
    """The file's bytes as they are stored.

    Raises:
        InputOpenError: If it cannot be opened.
    """
    try:
        return open(entry.path, "rb")  # noqa: PTH123 - the caller closes it
    except OSError as error:
        raise InputOpenError(
            f"cannot open it: {error.strerror}", where=entry.path, hint="check that the file is there and readable"
        ) from error


def open_data(entry: FileEntry, compression: str = "") -> BinaryIO:
    """The file's content, decompressed.

    Args:
        entry: The file.
        compression: What the file must have: ``none`` takes its bytes as they are; blank: its
            first bytes decide.

    Raises:
        InputOpenError: If it cannot be opened.
        InputReadError: If it has another compression; from ``read``, if the data is damaged.
    """
    if compression == "none":
        return open_raw(entry)
    if compression:
        with open_raw(entry) as raw:
            found = compression_of(raw.read(512))
        if found != compression:
            raise InputReadError(
                f"its compression is {found}, not {compression}", where=entry.path, hint="leave out --compression"
            )
    from ess.formats.codecs import open_decompressed  # loads the decompressors

    return io.BufferedReader(cast(io.RawIOBase, open_decompressed(entry.path)))
