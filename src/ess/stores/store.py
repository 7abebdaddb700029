"""The interface of an object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ess.errors import InputOpenError

#: Bytes that are sent or asked for at a time, and so held in memory.
PIECE = 8 << 20


class NoSuchObject(InputOpenError):
    """Raised if there is no object under that key, or no bucket."""


@dataclass(frozen=True)
class Entry:
    """An object: its key, its bytes, and when it was written by the clock of the store."""

    key: str
    size: int
    modified: datetime


class Sink(Protocol):
    """Takes the bytes of an object, in order."""

    def write(self, data: bytes, /) -> object:
        """Take some more."""


class Store(Protocol):
    """A bucket or a container. A key is text, its parts joined by ``/``, and goes to the store as it is.

    Everything raises an EssError that names the address and the key, after a bounded time also where nobody answers:
    OutputWriteError where something was to be written, InputOpenError where it was to be read.
    """

    #: ``s3://bucket``.
    address: str

    def require(self, *, writing: bool) -> None:
        """See that the bucket is there and lets us in."""

    def create(self, key: str) -> AbstractContextManager[Sink]:
        """Write an object in pieces. It is there, whole, at the end; after a failure a part of it may be there."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object with one request: readers see all of it, or what was there before."""

    def read(self, key: str) -> Iterator[bytes]:
        """The bytes of an object, in pieces.

        Raises:
            NoSuchObject: If it is not there.
        """

    def folders(self, folder: str) -> list[str]:
        """The first parts of the keys behind ``folder/`` that have more parts behind them."""

    def entries(self, folder: str) -> list[Entry]:
        """All objects whose keys begin with ``folder/``."""

    def remove(self, folder: str) -> None:
        """Remove all objects whose keys begin with ``folder/``."""
