"""Passes through compressed tar archives: which file comes where is known, but what comes before has to be read.

A pass that has given a file waits behind it for the next one (:func:`ess.lake.content.keeping_archives`), so that all
files of an archive, in its order, take one pass, and as many threads as want files of it at a time take a pass each.
Files that are wanted in another order come from :mod:`ess.lake.archive_spool`.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from ess.errors import EssError
from ess.formats import tar_archive
from ess.formats.codecs import open_decompressed
from ess.formats.tar_archive import TarStream
from ess.lake.archive_spool import Spool
from ess.lake.content import archives_are_kept
from ess.lake.entry import FileEntry
from ess.lake.member import Member
from ess.stores.kinds import Access
from ess.stores.store import Store

#: So many passes wait at most; each holds an open file or connection and the memory of its decompressor.
_WAITING = 8
_BUFFER = 1 << 20


@dataclass(frozen=True)
class _Archive:
    """A version of an archive. By process as well: one that was forked must not read on for its parent."""

    process: int
    source: Access
    path: str
    version: str


_waiting: list[tuple[_Archive, TarStream]] = []
_spools: dict[_Archive, Spool] = {}
_lock = threading.Lock()


def open_content(entry: FileEntry, store: Store, key: str, member: Member, source: Access) -> BinaryIO:
    """The content of a file in a compressed tar archive.

    Raises:
        EssError: If the archive cannot be opened or read up to the file.
    """
    archive = _Archive(os.getpid(), source, key, entry.version)
    if archives_are_kept() and (part := _spooled(archive, entry, store, key, member)) is not None:
        return content(part, member.at, entry.path, part.close)
    stream = _take(archive, member.at) or _opened(entry, store, key, member.form)
    try:
        return content(stream, member.at, entry.path, lambda: _give_back(archive, stream))
    except BaseException:
        stream.close()
        raise


def content(stream: TarStream, at: int, label: str, close: Callable[[], None]) -> BinaryIO:
    """The content of a file in a tar archive; ``close`` is called when it is closed."""
    found = _Content(tar_archive.content(stream, at, label), stream, close)
    return cast(BinaryIO, io.BufferedReader(found, _BUFFER))


@contextlib.contextmanager
def begin(entry: FileEntry, store: Store, key: str, form: str) -> Iterator[TarStream]:
    """An archive from its beginning, to be listed."""
    stream = _opened(entry, store, key, form)
    try:
        yield stream
    finally:
        stream.close()


def close_waiting() -> None:
    """Close what waits: no more files are wanted."""
    with _lock:
        waiting: list[TarStream | Spool] = [*(stream for _, stream in _waiting), *_spools.values()]
        _waiting.clear()
        _spools.clear()
    for each in waiting:
        each.close()


def _opened(entry: FileEntry, store: Store, key: str, form: str) -> TarStream:
    def reopen(at: int) -> BinaryIO:
        return store.open(key, offset=at, version=entry.version)

    raw = store.open(key, version=entry.version)
    if form in ("tar", "zip"):
        return TarStream(raw, reopen=reopen)
    return TarStream(cast(BinaryIO, _Unpacked(raw, entry.stored_path)))


class _Unpacked(io.RawIOBase):
    """The content of a compressed file; both are closed together."""

    def __init__(self, raw: BinaryIO, label: str) -> None:
        self._raw = raw
        self._inner = open_decompressed(raw, name=label, archives=False)

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        return self._inner.read(size)

    def close(self) -> None:
        """Close both."""
        if not self.closed:
            self._inner.close()
            self._raw.close()
        super().close()


class _Content(io.RawIOBase):
    """The content of a file. A pass that has failed gives no other file."""

    def __init__(self, source: BinaryIO, stream: TarStream, close: Callable[[], None]) -> None:
        self._source = source
        self._stream = stream
        self._give_back = close
        self._failed = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` with what is next."""
        try:
            return self._source.readinto(buffer)  # type: ignore[attr-defined,no-any-return]
        except EssError:
            self._failed = True
            raise

    def close(self) -> None:
        """Leave the archive to the next file."""
        if not self.closed:
            if self._failed:
                self._stream.close()
            else:
                self._give_back()
        super().close()


def _take(archive: _Archive, at: int) -> TarStream | None:
    """The pass that waits nearest before a place."""
    with _lock:
        usable = [pair for pair in _waiting if pair[0] == archive and pair[1].tell() <= at]
        if not usable:
            return None
        found = max(usable, key=lambda pair: pair[1].tell())
        _waiting.remove(found)
        return found[1]


def _spooled(archive: _Archive, entry: FileEntry, store: Store, key: str, member: Member) -> TarStream | None:
    """The file from a temporary file, if files of the archive are wanted in another order than that of the archive."""
    with _lock:
        spool = _spools.get(archive)
        if spool is None:
            places = [stream.tell() for each, stream in _waiting if each == archive]
            if not places or min(places) <= member.at:
                return None  # it is the first file that is wanted, or comes behind another
            spool = _spools[archive] = Spool(_opened(entry, store, key, member.form))
    return spool.part(member.at, member.end)


def _give_back(archive: _Archive, stream: TarStream) -> None:
    if not archives_are_kept():
        stream.close()
        return
    with _lock:
        _waiting.append((archive, stream))
        oldest = _waiting.pop(0)[1] if len(_waiting) > _WAITING else None
    if oldest is not None:
        oldest.close()
