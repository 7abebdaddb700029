"""Listing the keys of a store that has no folders: by folders where dates stand in them, else all.

Keys are listed in parallel where that is faster: where the store takes its time. Then those after the first few
thousand are listed in pieces, each from one key to the next. Nothing depends on where the pieces end. They are cut at
the names of folders, which one more request tells, or without folders where names like those before may go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from string import ascii_lowercase, ascii_uppercase, digits

from ess.stores.counting import asked
from ess.stores.store import Entry, Folder, Store

#: Keys that are listed one page after the other before anything else is thought of.
_FIRST_KEYS = 5000
#: So many more, where there are no folders: a guess costs up to as many requests as there are pieces.
_MORE_KEYS = 15_000
#: Requests at a time.
_THREADS = 8
#: The most pieces: one that was long shall not be alone at the end.
_PIECES = 64
#: What may stand in one place of names: digits, perhaps of hexadecimal numbers, or letters.
_SORTS = (digits + "abcdef", ascii_uppercase, ascii_lowercase)
#: Parallel is faster where at least this many times as long is spent with waiting as with working.
_WAITS = 2.0


@dataclass(frozen=True)
class Asked:
    """A listing that a store was asked for.

    Attributes:
        what: ``keys`` that begin with ``prefix``, what is directly in a ``folder``, ``folders`` of a disk that were
            read; files that the ``index`` knew, or that it knew where ``dates`` stand.
        prefix: The beginning of the keys, or the folder, with what the store puts before it.
        start_after: The key after which the listing began.
        pages: The requests that it took, or the folders that were read.
        keys: The number of keys, and for a folder also of folders, that came.
    """

    what: str
    prefix: str
    start_after: str = ""
    pages: int = 0
    keys: int = 0

    def __str__(self) -> str:
        """One line, as ``ess ls --explain`` has it."""
        after = f" after {self.start_after}" if self.start_after else ""
        match self.what:
            case "index":
                return f"index: {self.keys} files below {self.prefix}; the store was not asked"
            case "dates":
                return f"index: dates stand in the names of folders below {self.prefix}; others are left out"
            case "folders":
                return f"disk: folders below {self.prefix}: {self.pages} read"
            case "folder":
                return f"folder {self.prefix}: requests {self.pages}, files and folders {self.keys}"
        return f"keys {self.prefix}*{after}: requests {self.pages}, keys {self.keys}"


@dataclass(frozen=True)
class _Piece:
    """The keys that begin with ``prefix``, after ``start`` and up to ``end``; blank for no end."""

    prefix: str
    start: str = ""
    end: str = ""


def _order(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _waits(seconds: float, worked: float) -> bool:
    """True if a store takes its time, told by how long its first keys took, and how much of that was work of ours."""
    return seconds > worked * (1 + _WAITS)


def list_keys(store: Store, prefix: str, tell: Callable[[Asked], None]) -> Iterator[Entry]:
    """All entries whose keys begin with ``prefix``, in any order; ``tell`` gets the requests."""
    begun, worked, before, count = time.perf_counter(), time.thread_time(), asked(), 0
    first = last = ""
    found = iter(store.entries(prefix))
    for entry in islice(found, _FIRST_KEYS):
        yield entry
        first, last, count = first or entry.key, entry.key, count + 1
    more = next(found, None) if count == _FIRST_KEYS else None
    if more is not None and store.ranged and _waits(time.perf_counter() - begun, time.thread_time() - worked):
        so_far = Asked("keys", store.at(prefix), "", asked() - before, count)
        pieces = _cut(store, prefix, last, tell)
        if len(pieces) == 1:
            looked, more_found = asked(), 0
            for entry in islice(chain((more,), found), _MORE_KEYS):
                yield entry
                last, more_found = entry.key, more_found + 1
            more = next(found, None)
            so_far = replace(so_far, pages=so_far.pages + asked() - looked, keys=count + more_found)
            pieces = _guess(prefix, first, last) if more is not None else []
        tell(so_far)
        if pieces:
            yield from _in_parallel(store, pieces, tell)
        return
    if more is not None:
        yield more
        count += 1
        for entry in found:
            yield entry
            count += 1
    tell(Asked("keys", store.at(prefix), "", asked() - before, count))


def list_folders(
    store: Store,
    prefix: str,
    *,
    leaves_out: Callable[[str], bool],
    takes_all: Callable[[str], bool],
    tell: Callable[[Asked], None],
) -> Iterator[Entry]:
    """The entries whose keys begin with ``prefix``, but not those in folders that are left out; in any order.

    Args:
        store: The store.
        prefix: The beginning of the keys.
        leaves_out: True for a folder in which nothing is wanted, told by its path with a ``/`` at its end.
        takes_all: True for a folder that is listed as a whole.
        tell: Gets the requests.
    """
    pending = [prefix if store.ranged else prefix[: prefix.rfind("/") + 1]]
    whole: list[_Piece] = []
    while pending:
        folder, before, count = pending.pop(), asked(), 0
        for item in store.level(folder):
            count += 1
            if isinstance(item, Entry) and item.key.startswith(prefix):
                yield item
            elif isinstance(item, Folder) and (item.key.startswith(prefix) or prefix.startswith(item.key)):
                path = store.at(item.key)
                if leaves_out(path):
                    continue
                if item.key.startswith(prefix) and takes_all(path):
                    whole.append(_Piece(item.key))
                else:
                    pending.append(item.key)
        tell(Asked("folder", store.at(folder), "", asked() - before, count))
    if len(whole) > 1 and store.ranged:
        yield from _in_parallel(store, whole, tell)
        return
    for piece in whole:
        yield from list_keys(store, piece.prefix, tell)


def _cut(store: Store, prefix: str, last: str, tell: Callable[[Asked], None]) -> list[_Piece]:
    """The keys after ``last`` in pieces, cut at the first thousand folders that the next level has."""
    folder, before = prefix, asked()
    for _ in range(3):  # a folder in which there is only one other is no place to cut
        items = list(islice(store.level(folder), 1000))
        ends = [item.key for item in items if isinstance(item, Folder)]
        tell(Asked("folder", store.at(folder), "", asked() - before, len(items)))
        if len(items) != 1 or len(ends) != 1:
            break
        folder, before = ends[0], asked()
    ends = [key for key in sorted(ends, key=_order) if _order(key) > _order(last)]
    step = max(1, len(ends) // _PIECES)
    borders = [last, *ends[step - 1 :: step], ""]
    return [_Piece(prefix, start, end) for start, end in pairwise(borders)]


def _guess(prefix: str, first: str, last: str) -> list[_Piece]:
    """The keys after ``last`` in pieces, cut where a later digit or letter takes the place of one of its own.

    Args:
        prefix: The beginning of all keys.
        first: The first key: what it has in common with ``last`` may stay so for long.
        last: The last key that is known.

    >>> [piece.end for piece in _guess("log-", "log-2014-08-01", "log-2014-09-28")][5:9]
    ['log-2014-0f', 'log-2014-1', 'log-2014-2', 'log-2014-3']
    >>> [piece.end for piece in _guess("", "06", "0d")]
    ['0e', '0f', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f', '']
    """
    differs = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    ends = []
    for at in range(min(differs, len(last) - 1), len(prefix) - 1, -1):
        sort = next((sort for sort in _SORTS if last[at] in sort), last[at])
        ends += [last[:at] + later for later in sort[sort.index(last[at]) + 1 :]]
    borders = [last, *sorted(ends, key=_order)[: _PIECES - 1], ""]
    return [_Piece(prefix, start, end) for start, end in pairwise(borders)]


def _in_parallel(store: Store, pieces: Iterable[_Piece], tell: Callable[[Asked], None]) -> Iterator[Entry]:
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="ess-list") as pool:
        contexts = [(copy_context(), piece) for piece in pieces]  # whose settings these are
        try:
            for entries, request in pool.map(lambda each: each[0].run(_listed, store, each[1]), contexts):
                tell(request)
                yield from entries
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _listed(store: Store, piece: _Piece) -> tuple[list[Entry], Asked]:
    before, found, end = asked(), [], _order(piece.end)
    plain = piece.end if piece.end.isascii() else ""
    for entry in store.entries(piece.prefix, start_after=piece.start):
        key = entry.key
        if end and (key > plain if plain and key.isascii() else _order(key) > end):
            break
        found.append(entry)
    return found, Asked("keys", store.at(piece.prefix), piece.start, asked() - before, len(found))
