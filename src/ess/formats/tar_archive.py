"""Tar archives, read from their beginning to their end as they come: the list of files, and the content of one file.

Python's ``tarfile`` reads the headers. What it passes over in silence is found here: a damaged header, which ends its
list, and headers that would take more memory than there is.
"""

from __future__ import annotations

import functools
import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from ess.errors import InputReadError
from ess.formats.archive_names import inner_path

_BLOCK = 512
#: A header with its long name and its list of holes may have so many bytes.
_LONGEST_HEADER = 8 << 20
_SKIP = 1 << 20
#: So many bytes are passed over by opening the archive again behind them, where that is possible.
_HOP = 4 << 20


class _DamagedHeader(tarfile.ReadError):
    """Raised for a header that is none, in place of the end of the list."""


class _NoEnd(tarfile.ReadError):
    """Raised where an archive ends without the mark of its end."""


class _Header(tarfile.TarInfo):
    """A header that says when it is damaged, or not there."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """Read a header."""
        if not buf:
            raise _NoEnd("the mark of its end is missing")
        if len(buf) == _BLOCK and not buf.strip(b"\0"):
            return super().frombuf(buf, encoding, errors)  # raises what means the end
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            raise _DamagedHeader(str(error)) from None


@dataclass(frozen=True)
class TarFile:
    """A file in an archive.

    Attributes:
        name: Its name. Bytes that are no text stand in it as ``os.fsdecode`` leaves them.
        kind: ``file``, ``folder``, ``link`` or ``device``.
        size: Its bytes.
        at: The place of its header, behind which its content comes, in the archive without its compression.
        end: The place behind it.
        modified: When it was changed, in UTC.
    """

    name: str
    kind: str
    size: int
    at: int
    end: int
    modified: datetime


@dataclass(frozen=True)
class Trouble:
    """Something about an archive; ``lost``: a part of it cannot be read, though what comes behind it may be."""

    what: str
    lost: bool = True


class TarStream(io.RawIOBase):
    """An archive without its compression, which can be gone through forwards.

    Args:
        source: Its bytes.
        at: The place in the archive where ``source`` begins.
        reopen: Opens it at another place, if that costs little.
    """

    def __init__(self, source: BinaryIO, at: int = 0, reopen: Callable[[int], BinaryIO] | None = None) -> None:
        self._source = source
        self._at = at
        self._reopen = reopen
        self._again = b""  # what was read to look at it
        self._allowed: int | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Forwards."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` with what is next."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def limit(self, size: int | None) -> None:
        """Let no more than so many bytes be read from here on, but for those that are passed over."""
        self._allowed = size

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; fewer only at the end.

        Raises:
            tarfile.ReadError: If that is more than the limit.
        """
        if self._allowed is not None:
            if not 0 <= size <= self._allowed:
                raise tarfile.ReadError("a header is longer than 8 MB")
            self._allowed -= size
        return self._next(size)

    def _next(self, size: int) -> bytes:
        parts, self._again = [self._again[:size]], self._again[size:]
        left = size - len(parts[0])
        while left and (piece := self._source.read(left)):
            parts.append(piece)
            left -= len(piece)
        self._at += size - left
        return b"".join(parts)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go forwards; at the end it stays there."""
        if whence != io.SEEK_SET or offset < self._at:
            raise ValueError("an archive is read forwards only")
        if self._reopen is not None and offset - self._at > _HOP:
            self._source.close()
            self._source, self._at, self._again = self._reopen(offset), offset, b""
        while self._at < offset and self._next(min(offset - self._at, _SKIP)):
            pass
        return self._at

    def peek(self, size: int) -> bytes:
        """The next bytes, which are still to come."""
        data = self._next(size)
        self.push_back(data)
        return data

    def push_back(self, data: bytes) -> None:
        """Take back the bytes that were read last."""
        self._again = data + self._again
        self._at -= len(data)

    def close(self) -> None:
        """Close what the bytes come from."""
        if not self.closed:
            self._source.close()
        super().close()


def files(stream: TarStream) -> Iterator[TarFile | Trouble]:
    """All files, folders, links and devices from the place of ``stream`` on, and what cannot be read.

    Raises:
        InputReadError: If the compressed data is damaged, behind what comes before.
    """
    for found in _all(stream):
        yield found if isinstance(found, Trouble) else found[0]


def _all(stream: TarStream) -> Iterator[tuple[TarFile, Callable[[str], BinaryIO]] | Trouble]:
    while True:
        try:
            yield from _files(stream)
            break
        except _NoEnd as error:
            yield Trouble(f"{error}, so files may be missing", lost=False)
            return
        except tarfile.TarError as error:
            yield Trouble(f"it is damaged before byte {stream.tell()} ({error})")
        stream.limit(None)
        if not _next_header(stream):
            return
    stream.limit(None)
    if _next_header(stream):
        yield Trouble(f"another archive begins behind its end, at byte {stream.tell()}; tar -i reads both", lost=False)
    while stream.read(_SKIP):  # the checksum of compressed data stands at its end
        pass


def contents(stream: TarStream, label: str) -> Iterator[tuple[str, BinaryIO]]:
    """The name and the content of each file; each has to be read before the next is asked for.

    Raises:
        InputReadError: At the first damage.
    """
    for found in _all(stream):
        if isinstance(found, Trouble):
            if found.lost:
                raise _damaged(label, found.what)
        elif found[0].kind == "file":
            yield found[0].name, found[1](f"{label}/{inner_path(found[0].name)}")


def _opened(archive: tarfile.TarFile, found: tarfile.TarInfo, label: str) -> BinaryIO:
    """The content of a file."""
    cast(TarStream, archive.fileobj).limit(None)
    return cast(BinaryIO, _Content(cast(BinaryIO, archive.extractfile(found)), label))


def _files(stream: TarStream) -> Iterator[tuple[TarFile, Callable[[str], BinaryIO]]]:
    stream.limit(_LONGEST_HEADER)
    with tarfile.TarFile(fileobj=stream, tarinfo=_Header, errors="surrogateescape") as archive:
        while True:
            stream.limit(_LONGEST_HEADER)
            found = archive.next()
            if found is None:
                return
            cast(Any, archive).members.clear()  # else all of them stay in memory
            file = TarFile(found.name, _kind(found), found.size, found.offset, archive.offset, _time(found.mtime))
            yield file, functools.partial(_opened, archive, found)


def _kind(found: tarfile.TarInfo) -> str:
    if found.isreg():
        return "file"
    if found.isdir():
        return "folder"
    return "link" if found.issym() or found.islnk() else "device"


def _time(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return datetime(1970, 1, 1)


def _next_header(stream: TarStream) -> bool:
    """Go to the next header; false if there is none."""
    while block := stream.peek(_BLOCK):
        if is_header(block):
            return True
        stream.read(len(block))
    return False


def is_header(block: bytes) -> bool:
    """True if an archive can begin so; also one of the oldest kind, which says so only by its checksum."""
    try:
        return bool(_Header.frombuf(block, "utf-8", "surrogateescape").name)
    except tarfile.TarError:
        return False


def content(stream: TarStream, at: int, label: str) -> BinaryIO:
    """The content of the file whose header is at a place that ``stream`` has not passed.

    It must be closed, or read to its end, before ``stream`` is used again.

    Raises:
        InputReadError: If there is no such header; from ``read``, where it breaks off.
    """
    stream.seek(at)
    stream.limit(_LONGEST_HEADER)
    try:
        with tarfile.TarFile(fileobj=stream, tarinfo=_Header, errors="surrogateescape") as archive:
            found = archive.next()
            if found is not None:
                return _opened(archive, found, label)
    except tarfile.TarError as error:
        raise _damaged(label, f"its header at byte {at} of the archive is damaged ({error})") from None
    raise _damaged(label, f"its header at byte {at} of the archive is not there")


class _Content(io.RawIOBase):
    """The content of a file; an end that comes too early is an error."""

    def __init__(self, source: BinaryIO, label: str) -> None:
        self._source = source
        self._label = label

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` with what is next.

        Raises:
            InputReadError: If the archive breaks off in it.
        """
        try:
            return self._source.readinto(buffer)  # type: ignore[attr-defined,no-any-return]
        except tarfile.TarError as error:
            raise _damaged(self._label, f"the archive breaks off in it ({error})") from None


def _damaged(label: str, what: str) -> InputReadError:
    return InputReadError(what, where=label, hint="get the archive again; try it with: tar -t")
