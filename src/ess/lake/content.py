"""Opening a file of a datastore, as it is or decompressed."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import BinaryIO, cast

from ess.errors import InputReadError
from ess.formats.attributes import PARQUET_MAGIC
from ess.lake.entry import FileEntry
from ess.stores.kinds import Access
from ess.stores.seekable import SeekableObject
from ess.stores.store import Entry, changed

#: The local datastore.
THIS_DISK = Access()

#: Bytes that are taken of an object at a time.
READ_AHEAD = 1 << 20

#: What ``--compression`` takes.
COMPRESSIONS = ("none", "gzip", "bzip2", "xz", "zstd", "zip", "tar")


def compression_of(head: bytes) -> str:
    """The compression that the first 512 bytes of a file show: one of :data:`COMPRESSIONS`."""
    from ess.formats import codecs  # loads the decompressors

    return codecs.compression_of(head)


def open_raw(entry: FileEntry, source: Access = THIS_DISK) -> BinaryIO:
    """The file's bytes as they are stored; the caller closes it.

    Args:
        entry: The file.
        source: Where it is, and what lets us in there. An object that was replaced since it was listed is an error; a
            file of this disk may have grown meanwhile.

    Raises:
        InputOpenError: If it cannot be opened.
        InputReadError: If it is a file in an archive that cannot be read.
    """
    if entry.member is not None:
        from ess.lake.archives import open_member  # most files are in no archive

        return open_member(entry, source)
    store = source.open()
    key = entry.path.removeprefix(store.at(""))
    if not store.flat:
        return store.open(key)
    known = Entry(key, entry.size, entry.modified, entry.version) if entry.version else store.head(key)
    if known.size != entry.size:  # a listing without versions tells at least this
        raise changed(entry.path)
    raw: io.RawIOBase = SeekableObject(store, known)
    return io.BufferedReader(raw, READ_AHEAD)


def open_parquet(entry: FileEntry, source: Access = THIS_DISK) -> BinaryIO | None:
    """A Parquet file as it is stored, so that no more is read than is needed; None if it is none, or compressed."""
    file = open_raw(entry, source)
    if file.seekable() and file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
        file.seek(0)
        return file
    file.close()
    return None


def open_data(entry: FileEntry, compression: str = "", source: Access = THIS_DISK) -> BinaryIO:
    """The file's content, decompressed; the caller closes it.

    Args:
        entry: The file.
        compression: What the file must have: ``none`` takes its bytes as they are; blank: its
            first bytes decide.
        source: As for :func:`open_raw`.

    Raises:
        InputOpenError: If it cannot be opened.
        InputReadError: If it has another compression; from ``read``, if the data is damaged.
    """
    if entry.member is not None and compression in (_form(entry.member.form), entry.member.form, "zip", "tar"):
        if compression != entry.member.form and compression != _form(entry.member.form):
            raise InputReadError(
                f"its archive is {_form(entry.member.form)}, not {compression}",
                where=entry.path,
                hint="leave out --compression",
            )
        compression = ""  # asked for is that of the archive
    if compression == "none":
        return open_raw(entry, source)
    if compression:
        with open_raw(entry, source) as raw:
            found = compression_of(raw.read(512))
        if found != compression:
            raise InputReadError(
                f"its compression is {found}, not {compression}", where=entry.path, hint="leave out --compression"
            )
    return _Decompressed(open_raw(entry, source), entry.path)


#: What begins like that is compressed in a way that nothing here undoes; a program that does.
_OTHERS = (
    (b"7z\xbc\xaf\x27\x1c", "7z", "7z x"),
    (b"Rar!\x1a\x07", "rar", "unrar x"),
    (b"\x1f\x9d\x90", "compress", "uncompress"),
    (b"\x04\x22\x4d\x18", "lz4", "unlz4"),
)


def open_undone(entry: FileEntry, source: Access = THIS_DISK) -> BinaryIO:
    """The file's content for somebody who wants it decompressed; the caller closes it.

    Raises:
        InputOpenError: If it cannot be opened.
        InputReadError: If it has a compression that is known by name only; from ``read``, if the data is damaged.
    """
    content = open_data(entry, source=source)
    head = b""
    with contextlib.suppress(InputReadError):  # for whoever reads it
        head = cast(io.BufferedReader, content).peek(8)
    for magic, name, program in _OTHERS:
        if head.startswith(magic):
            content.close()
            hint = f"get the file as it is, and unpack it with {program}"
            raise InputReadError(f"its compression is {name}, which is not undone here", where=entry.path, hint=hint)
    return content


_keepers: list[None] = []


@contextlib.contextmanager
def keeping_archives() -> Iterator[None]:
    """Keep compressed archives open behind the file that was read, for the next one: several are wanted."""
    _keepers.append(None)
    try:
        yield
    finally:
        _keepers.pop()
        passes = sys.modules.get("ess.lake.archive_passes")  # not loaded: none is open
        if passes is not None and not _keepers:
            passes.close_waiting()


def archives_are_kept() -> bool:
    """True while somebody wants several files."""
    return bool(_keepers)


def _form(form: str) -> str:
    """The kind of an archive, whatever its compression."""
    return form if form in ("", "zip") else "tar"


class _Decompressed(io.BufferedReader):
    """The content of an open file, which is closed with it."""

    def __init__(self, raw: BinaryIO, path: str) -> None:
        from ess.formats.codecs import open_decompressed  # loads the decompressors

        super().__init__(cast(io.RawIOBase, open_decompressed(raw, name=path)))
        self._stored = raw

    def close(self) -> None:
        """Close both."""
        super().close()
        self._stored.close()
