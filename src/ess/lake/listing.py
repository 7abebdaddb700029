"""Walking a store for the files that patterns name: decisions only, the store does the looking.

Where there are folders, only those that can hold a match are looked into: a walk begins at the fixed part of a pattern
and leaves out what is excluded. Links are followed, but not into a folder they lie in. Where there are keys only, those
that begin with the fixed part are listed.
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter

from ess.errors import InputOpenError
from ess.lake.dates import AUTO, DateRule
from ess.lake.entry import FileEntry, file_entries
from ess.lake.keys import Asked, list_folders, list_keys
from ess.lake.narrow import Narrowing
from ess.lake.patterns import Pattern, compile_globs
from ess.lake.repeated_dates import RepeatedDates
from ess.stores.counting import asked
from ess.stores.disk import Disk
from ess.stores.store import Dangling, Entry, Folder, Item, Store, Unreadable, all_names

#: The store of the local datastore: its keys are absolute paths without the first slash.
THIS_DISK = Disk()
#: Keys whose dates are looked for together.
_AT_A_TIME = 1000


@dataclass(frozen=True)
class Listing:
    """The files found, sorted by (date, number, path), the folders that could not be read, and the links to nothing.

    ``notes`` are sentences about files that are left out; ``requests`` says what the store was asked for,
    and what the index knew.
    """

    files: tuple[FileEntry, ...]
    unreadable: tuple[str, ...] = ()
    dangling: tuple[FileEntry, ...] = ()
    notes: tuple[str, ...] = ()
    requests: tuple[Asked, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files)


@dataclass
class _Walk:
    """The findings of a walk so far. Paths are keys with what the store puts before them."""

    store: Store
    label: str
    exclude: re.Pattern[str] | None
    finder: RepeatedDates
    found: dict[str, FileEntry] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    dangling: dict[str, FileEntry] = field(default_factory=dict)
    requests: list[Asked] = field(default_factory=list)

    def excluded(self, path: str) -> bool:
        return self.exclude is not None and self.exclude.match(path) is not None

    def key(self, path: str) -> str:
        return path.removeprefix(self.store.at(""))

    def keep(self, path: str, entry: Entry, base_length: int) -> None:
        date = self.finder.find(path, base_length)
        self.found[path] = FileEntry(
            path, entry.size, entry.modified, date.date, self.label, date.number, version=entry.version
        )

    def keep_dangling(self, path: str, base_length: int) -> None:
        date = self.finder.find(path, base_length)
        self.dangling[path] = FileEntry(path, 0, 0.0, date.date, self.label, date.number)

    def keep_folder(self, path: str, folder: Folder, base_length: int) -> None:
        date = self.finder.find(path, base_length)
        self.found[path] = FileEntry(path, 0, folder.modified, date.date, self.label, date.number, folder=True)

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        """The files and folders in a folder; none if it cannot be read."""
        before, count = asked(), 0
        try:
            for item in self.store.level(self.key(folder), wanted):
                count += 1
                if isinstance(item, Unreadable):
                    self.unreadable.add(self.store.at(item.key))
                else:
                    yield item
        except InputOpenError as error:
            if self.store.flat:
                raise error  # a store that does not answer is no folder without rights
            self.unreadable.add(folder)
        if self.store.flat:
            self.requests.append(Asked("folder", folder, "", asked() - before, count))

    def with_content(self, pattern: Pattern) -> Pattern:
        """The pattern of everything in it, if it names a folder; else the pattern itself."""
        text = pattern.text
        if not text.endswith("/") and not pattern.has_wildcard and self.store.is_folder(self.key(text)):
            text += "/"
        return Pattern(text + "*") if text.endswith("/") else pattern

    def listing(self) -> Listing:
        files = in_order(self.found.values())
        return Listing(
            tuple(files), tuple(sorted(self.unreadable)), tuple(self.dangling.values()), requests=tuple(self.requests)
        )


def list_files(
    patterns: Sequence[Pattern],
    *,
    label: str,
    exclude: re.Pattern[str] | None = None,
    rule: DateRule = AUTO,
    store: Store = THIS_DISK,
    narrowing: Narrowing | None = None,
) -> Listing:
    """Every file whose path matches one of ``patterns`` (``*`` crosses folders) and not ``exclude``.

    A file that several patterns match is listed once. A pattern without a wildcard names one
    file, or everything below one folder. With ``narrowing``, files of other dates may be left out.
    """
    walk = _Walk(store, label, exclude, RepeatedDates(rule))
    with uncollected():
        for given in patterns:
            pattern = walk.with_content(given)
            match = compile_globs((pattern.text,)).match
            if store.flat:
                # all that is listed begins like the pattern, so nothing is left to compare
                everything = pattern.text.rstrip("*") == pattern.prefix != pattern.text
                _walk_keys(walk, pattern.base, pattern.prefix, all_names if everything else match, narrowing)
            else:
                before = asked()
                _walk_all(walk, pattern.base, pattern.prefix, match, narrowing)
                walk.requests.append(Asked("folders", pattern.base, "", asked() - before))
        return walk.listing()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let Python not look for garbage meanwhile: a listing makes none, and looking took a quarter of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def in_order(files: Iterable[FileEntry]) -> list[FileEntry]:
    """Files by date, number and path; quick where they come by path and few have numbers."""
    found = sorted(files, key=attrgetter("path"))
    if any(number is not None for number in map(attrgetter("number"), found)):
        found.sort(key=attrgetter("order"))
    else:
        found.sort(key=attrgetter("date"))
    return found


def _walk_all(walk: _Walk, base: str, prefix: str, match: Callable[[str], object], narrowing: Narrowing | None) -> None:
    """Visit ``base`` and all below it that begins like ``prefix``, without recursion (paths can be deep)."""
    pending: list[tuple[str, tuple[object, ...]]] = [(base, ())]
    while pending:
        folder, above = pending.pop()

        def wanted(name: str, folder: str = folder) -> bool:
            path = folder + name
            return bool(match(path)) and path not in walk.found and not walk.excluded(path)

        for item in walk.level(folder, wanted):
            path = walk.store.at(item.key)
            if isinstance(item, Entry):
                walk.keep(path, item, len(base))
                continue
            if isinstance(item, Dangling):
                walk.keep_dangling(path, len(base))
                continue
            leads_there = path.startswith(prefix) or prefix.startswith(path)
            if not leads_there or walk.excluded(path) or walk.excluded(path[:-1]):
                continue
            if narrowing is not None and narrowing.leaves_out(path):
                continue
            if isinstance(item, Folder) and (item.identity is None or item.identity not in above):
                pending.append((path, (*above, item.identity)))


class Exclusion:
    """The keys below a folder that a pattern leaves out; what is excluded takes all below it along, as on a disk."""

    def __init__(self, pattern: re.Pattern[str], base: str) -> None:
        self._match = pattern.match
        self._folders: dict[str, bool] = {base: False}

    def covers(self, path: str) -> bool:
        """True if a path, or a folder above it, is left out."""
        return self._match(path) is not None or self._folder(path[: path.rindex("/") + 1])

    def _folder(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is None:
            above = folder[: folder.rindex("/", 0, -1) + 1]
            known = self._folder(above) or bool(self._match(folder) or self._match(folder[:-1]))
            self._folders[folder] = known
        return known


def _walk_keys(
    walk: _Walk, base: str, prefix: str, match: Callable[[str], object], narrowing: Narrowing | None
) -> None:
    """List the keys that begin like ``prefix``."""
    exclusion = Exclusion(walk.exclude, base) if walk.exclude is not None else None
    key, tell = walk.key(prefix), walk.requests.append
    if narrowing is None:
        entries = list_keys(walk.store, key, tell)
    else:
        out, whole = narrowing.leaves_out, narrowing.takes_all
        entries = list_folders(walk.store, key, leaves_out=out, takes_all=whole, tell=tell)
    root, base_length, label, found = walk.store.at(""), len(base), walk.label, walk.found
    while some := list(islice(entries, _AT_A_TIME)):  # of which there may be millions
        if match is not all_names:
            some = [entry for entry in some if match(root + entry.key)]
        if exclusion is not None:
            some = [entry for entry in some if not exclusion.covers(root + entry.key)]
        paths = [root + entry.key for entry in some]
        dates = walk.finder.find_all(paths, base_length)
        for path, file in zip(paths, file_entries(paths, some, dates, label), strict=True):
            found.setdefault(path, file)


def list_level(
    patterns: Sequence[Pattern],
    *,
    label: str,
    exclude: re.Pattern[str] | None = None,
    rule: DateRule = AUTO,
    store: Store = THIS_DISK,
) -> Listing:
    """The files and folders that the patterns name when ``*`` stops at ``/``, as in a shell.

    A pattern that ends in ``/``, or names a folder without a wildcard, lists what is in it.
    """
    walk = _Walk(store, label, exclude, RepeatedDates(rule))
    for given in patterns:
        pattern, before = walk.with_content(given), asked()
        _walk_levels(walk, pattern)
        if not store.flat:
            walk.requests.append(Asked("folders", pattern.base, "", asked() - before))
    return walk.listing()


def _walk_levels(walk: _Walk, pattern: Pattern) -> None:
    base = pattern.base
    folders = [base]
    parts = pattern.text[len(base) :].split("/")
    for depth, part in enumerate(parts):
        match = compile_globs((part,), cross=False).match
        folders = [name for folder in folders for name in _level(walk, folder, match, base, depth == len(parts) - 1)]


def _level(walk: _Walk, folder: str, match: Callable[[str], object], base: str, last: bool) -> Iterator[str]:
    def wanted(name: str) -> bool:
        return last and bool(match(name)) and not walk.excluded(folder + name)

    for item in walk.level(folder, wanted):
        path = walk.store.at(item.key)
        if isinstance(item, Entry):
            walk.keep(path, item, len(base))
        elif isinstance(item, Dangling):
            walk.keep_dangling(path, len(base))
        elif isinstance(item, Folder) and match(path[len(folder) : -1]) and not walk.excluded(path[:-1]):
            if last:
                walk.keep_folder(path, item, len(base))
            else:
                yield path
