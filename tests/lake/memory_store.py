"""A bucket in memory, for what listings ask of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

from ess.stores.counting import count_request
from ess.stores.store import Entry, Folder, Item, Sink, all_names

PAGE = 1000


def order(key: str) -> bytes:
    """Keys are in the order of their bytes."""
    return key.encode("utf-8", "surrogateescape")


class MemoryBucket:
    """The keys of a bucket; it counts its pages as others do, and remembers what it was asked for."""

    flat = True
    ranged = True
    late = False
    address = "s3://memory"

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = set(keys)
        self.asked: list[tuple[str, str]] = []
        self.before_page: Callable[[], None] = lambda: None

    def at(self, key: str) -> str:
        return f"{self.address}/{key}"

    def require(self, *, writing: bool) -> None:
        """It is there."""

    def entries(self, prefix: str = "", *, start_after: str = "") -> Iterator[Entry]:
        self.asked.append((prefix, start_after))
        after = order(start_after)
        found = sorted((key for key in self.keys if key.startswith(prefix) and order(key) > after), key=order)
        for at, key in enumerate(found or [None]):
            if at % PAGE == 0:
                count_request()
                self.before_page()
            if key is not None:
                yield self.head(key)

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        self.asked.append((folder, "/"))
        count_request()
        self.before_page()
        names = {key[len(folder) :].partition("/") for key in self.keys if key.startswith(folder)}
        for name in sorted({first + slash for first, slash, _ in names}, key=order):
            if name.endswith("/"):
                yield Folder(folder + name)
            elif wanted(name):
                yield self.head(folder + name)

    def is_folder(self, key: str) -> bool:
        return any(each.startswith(f"{key}/") for each in self.keys)

    def head(self, key: str) -> Entry:
        return Entry(key, len(key), 0.0, "1")

    def open(self, key: str, *, offset: int = 0, length: int | None = None, version: str = "") -> BinaryIO:
        raise NotImplementedError

    def create(self, key: str) -> AbstractContextManager[Sink]:
        raise NotImplementedError

    def put(self, key: str, content: bytes, *, expected: str | None = None) -> None:
        raise NotImplementedError

    def delete(self, key: str) -> None:
        raise NotImplementedError

    def remove(self, folder: str) -> None:
        raise NotImplementedError
