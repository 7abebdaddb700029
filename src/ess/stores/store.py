"""The interface of a store of files: a disk, a bucket, a container."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, Protocol

from ess.errors import InputOpenError, OutputWriteError

#: Bytes that are sent or asked for at a time, and so held in memory.
PIECE = 8 << 20


class NoSuchObject(InputOpenError):
    """Raised if there is no object under that key, or no bucket."""


class ObjectChanged(InputOpenError):
    """Raised if an object is not (or no longer) the version that was asked for."""


class Conflict(OutputWriteError):
    """Raised if a conditional write finds another object than it expects."""


class Entry(NamedTuple):
    """An object. A tuple: a listing makes hundreds of thousands, and a frozen dataclass takes three times as long.

    Attributes:
        key: Its key.
        size: Its bytes.
        modified: When it was written, by the clock of the store, in seconds since 1970.
        version: Differs for any other content: the ETag of a store; size, time and inode of a file. Blank where a
            listing does not tell it; :meth:`Store.head` does.
    """

    key: str
    size: int
    modified: float
    version: str = ""


@dataclass(frozen=True)
class Folder:
    """A folder, or the part that keys have in common up to a ``/``, with which its ``key`` ends.

    ``identity`` is the same for one folder that is reached on several ways; None where there are no links.
    """

    key: str
    identity: tuple[int, int] | None = None
    modified: float = 0.0


@dataclass(frozen=True)
class Unreadable:
    """Something that cannot be looked at."""

    key: str


@dataclass(frozen=True)
class Dangling:
    """A link to something that is not there."""

    key: str


Item = Entry | Folder | Unreadable | Dangling


def all_names(_name: str) -> bool:
    """Every name is wanted."""
    return True


class Sink(Protocol):
    """Takes the bytes of an object, in order."""

    def write(self, data: bytes, /) -> object:
        """Take some more."""


class Store(Protocol):
    """A disk, a bucket or a container. A key is text, its parts joined by ``/``, and goes to the store as it is.

    Everything raises an EssError that names the address and the key, after a bounded time also where nobody answers:
    OutputWriteError where something was to be written, InputOpenError where it was to be read.
    """

    #: Its name in messages, without a ``/`` at its end: ``s3://bucket``.
    address: str
    #: Whether keys are all there is. Otherwise there are folders, and links to them, and reading one of them is cheap.
    flat: bool
    #: Whether a listing can begin at any key, with no more requests than those for what comes after it.
    ranged: bool
    #: Whether a write that seems to have failed may still be carried out.
    late: bool

    def at(self, key: str) -> str:
        """The name of an object, as a user writes it."""

    def require(self, *, writing: bool) -> None:
        """See that the store is there and lets us in."""

    # Looking ---------------------------------------------------------------------------------------------------------

    def entries(self, prefix: str = "", *, start_after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin with ``prefix`` and come after ``start_after``, in the order of their bytes.

        They come as the store tells them: what is not asked for any more is not listed.
        """

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        """The objects and folders directly in ``folder`` (blank, or with a ``/`` at its end), in any order.

        Args:
            folder: Where to look; one that is not there is empty.
            wanted: Told the last part of the key of an object; one that is not wanted is left out, and may not even
                be looked at. Folders always come.
        """

    def is_folder(self, key: str) -> bool:
        """True if there is a folder of that name, which has no ``/`` at its end."""

    def head(self, key: str) -> Entry:
        """The size, time and version of an object.

        Raises:
            NoSuchObject: If it is not there.
        """

    # Reading and writing ---------------------------------------------------------------------------------------------

    def open(self, key: str, *, offset: int = 0, length: int | None = None, version: str = "") -> BinaryIO:
        """The bytes of an object from ``offset`` on; the opener closes it.

        Args:
            key: The object.
            offset: The number of bytes to leave out.
            length: The number of bytes to read at most, and to ask for; None for all.
            version: What it has to be; blank for whatever it is. Bytes of two versions are never mixed unnoticed.

        Raises:
            NoSuchObject: If it is not there.
            ObjectChanged: If it is another version; also from ``read``.
        """

    def create(self, key: str) -> AbstractContextManager[Sink]:
        """Write an object in parts. It is there, whole, at the end; after a failure a part of it may be there."""

    def put(self, key: str, content: bytes, *, expected: str | None = None) -> None:
        """Write an object in one step: readers see all of it, or what was there before.

        Args:
            key: The object.
            content: All of it.
            expected: The version to be replaced; blank if there must be none; None for whatever is there.

        Raises:
            Conflict: If something else is there.
            OutputWriteError: Also if the store has no conditions.
        """

    def delete(self, key: str) -> None:
        """Remove an object; none there is no error."""

    def remove(self, folder: str) -> None:
        """Remove all objects whose keys begin with ``folder/``."""


def pieces(opened: BinaryIO) -> Iterator[bytes]:
    """The rest of an open object, in pieces; it is closed at last."""
    with opened:
        while piece := opened.read(PIECE):
            yield piece


class PieceReader(io.RawIOBase):
    """A stream of pieces that come one after the other, as a file."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` with what is next."""
        if not self._rest:
            self._rest = memoryview(next(self._source, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Ask for no more."""
        if not self.closed:
            close = getattr(self._source, "close", None)  # a generator's
            if close is not None:
                close()
        super().close()


def opened(source: Iterator[bytes]) -> BinaryIO:
    """Pieces as an open file."""
    return io.BufferedReader(PieceReader(source), 1 << 20)


def no_condition(where: str) -> OutputWriteError:
    """The error for a condition that a store does not know."""
    return OutputWriteError("the store does not know such a condition", where=where, hint="use another kind of store")


def changed(where: str) -> ObjectChanged:
    """The error for another version."""
    return ObjectChanged("it has been replaced since it was listed", where=where, hint="list it again")


def damaged(where: str) -> InputOpenError:
    """The error for content that is not what its checksum says."""
    return InputOpenError("what came is not what the store's checksum says", where=where, hint="try again")


def conflict(where: str) -> Conflict:
    """The error for a condition that does not hold."""
    return Conflict("somebody else has written it", where=where, hint="look at what is there now, and try again")
