"""Walking the local disk for the files that patterns name.

Only folders that can hold a match are read: a walk begins at the fixed part of a pattern and
leaves out what is excluded. Links are followed, but not into a folder they lie in. Sockets,
pipes and devices are no files here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ess.lake.dates import AUTO, DateFinder, DateRule
from ess.lake.entry import FileEntry
from ess.lake.patterns import Pattern, compile_globs


@dataclass(frozen=True)
class Listing:
    """The files found, sorted by (date, number, path), and the folders that could not be read."""

    files: tuple[FileEntry, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files)


@dataclass
class _Walk:
    """The findings of a walk so far."""

    label: str
    exclude: re.Pattern[str] | None
    finder: DateFinder
    found: dict[str, FileEntry] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)

    def excluded(self, path: str) -> bool:
        return self.exclude is not None and self.exclude.match(path) is not None

    def keep(self, path: str, status: os.stat_result, base_length: int, *, folder: bool = False) -> None:
        date = self.finder.find(path, base_length)
        self.found[path] = FileEntry(
            path, 0 if folder else status.st_size, status.st_mtime, date.date, self.label, date.number, folder
        )

    def entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return []  # gone since its parent was read, or never there: nothing matches
        except OSError:
            self.unreadable.add(folder)
            return []

    def listing(self) -> Listing:
        return Listing(
            tuple(sorted(self.found.values(), key=lambda entry: entry.order)), tuple(sorted(self.unreadable))
        )


def list_files(
    patterns: Sequence[Pattern],
    *,
    label: str,
    exclude: re.Pattern[str] | None = None,
    rule: DateRule = AUTO,
) -> Listing:
    """Every file whose path matches one of ``patterns`` (``*`` crosses folders) and not ``exclude``.

    A file that several patterns match is listed once. A pattern without a wildcard names one
    file, or everything below one folder.
    """
    walk = _Walk(label, exclude, DateFinder(rule))
    for given in patterns:
        pattern = given.with_content
        match = compile_globs((pattern.text,)).match
        _walk_all(walk, pattern.base, pattern.prefix, match)
    return walk.listing()


def _walk_all(walk: _Walk, base: str, prefix: str, match: Callable[[str], object]) -> None:
    """Visit ``base`` and all below it that begins like ``prefix``, without recursion (paths can be deep)."""
    pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [(base, ())]
    while pending:
        folder, above = pending.pop()
        for entry in walk.entries(folder):
            path = folder + entry.name
            if not (path.startswith(prefix) or prefix.startswith(path + "/")):
                continue
            try:
                if entry.is_dir():
                    below = path + "/"
                    if not walk.excluded(below) and not walk.excluded(path):
                        identity = _identity(entry)
                        if identity not in above:
                            pending.append((below, (*above, identity)))
                elif entry.is_file() and match(path) and path not in walk.found and not walk.excluded(path):
                    walk.keep(path, entry.stat(), len(base))
            except FileNotFoundError:
                continue  # deleted while we looked
            except OSError:
                walk.unreadable.add(path)


def _identity(entry: os.DirEntry[str]) -> tuple[int, int]:
    status = entry.stat()
    return status.st_dev, status.st_ino


def list_level(
    patterns: Sequence[Pattern],
    *,
    label: str,
    exclude: re.Pattern[str] | None = None,
    rule: DateRule = AUTO,
) -> Listing:
    """The files and folders that the patterns name when ``*`` stops at ``/``, as in a shell.

    A pattern that ends in ``/``, or names a folder without a wildcard, lists what is in it.
    """
    walk = _Walk(label, exclude, DateFinder(rule))
    for pattern in patterns:
        _walk_levels(walk, pattern.with_content)
    return walk.listing()


def _walk_levels(walk: _Walk, pattern: Pattern) -> None:
    base = pattern.base
    folders = [base]
    parts = pattern.text[len(base) :].split("/")
    for depth, part in enumerate(parts):
        match = compile_globs((part,), cross=False).match
        folders = [name for folder in folders for name in _level(walk, folder, match, base, depth == len(parts) - 1)]


def _level(walk: _Walk, folder: str, match: Callable[[str], object], base: str, last: bool) -> Iterator[str]:
    for entry in walk.entries(folder):
        path = folder + entry.name
        if not match(entry.name) or walk.excluded(path):
            continue
        try:
            if entry.is_dir():
                if last:
                    walk.keep(path + "/", entry.stat(), len(base), folder=True)
                else:
                    yield path + "/"
            elif last and entry.is_file():
                walk.keep(path, entry.stat(), len(base))
        except FileNotFoundError:
            continue
        except OSError:
            walk.unreadable.add(path)
