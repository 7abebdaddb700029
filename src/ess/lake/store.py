"""Opening a file of a datastore, as it is or decompressed."""

from __future__ import annotations

from typing import BinaryIO

from ess.errors import InputOpenError
from ess.lake.entry import FileEntry


def open_raw(entry: FileEntry) -> BinaryIO:
    """The file's bytes as they are stored.

    Raises:
        InputOpenError: If it cannot be opened.
    """
    try:
        return open(entry.path, "rb")  # noqa: PTH123, SIM115 - the caller closes it
    except OSError as error:
        raise InputOpenError(
            f"cannot open ({error.strerror})", where=entry.path, hint="check that the file is there and readable"
        ) from error


def open_data(entry: FileEntry, compression: str = "") -> BinaryIO:
    """The file's content, decompressed by what its first bytes say.

    Args:
        entry: The file.
        compression: ``none`` to take the bytes as they are; anything else: look at the bytes.

    Raises:
        InputOpenError: If it cannot be opened.
        InputReadError: From ``read``, if the compressed data is damaged.
    """
    raw = open_raw(entry)
    if compression == "none":
        return raw
    from ess.formats.codecs import open_decompressed  # loads the decompressors

    return open_decompressed(raw)
