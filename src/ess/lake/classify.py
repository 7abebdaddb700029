"""The categories of the keys of a store, and their dates there: many keys, many categories, one look.

The answers are those of listing each category by itself (:func:`ess.lake.listing.list_files`). A key is compared only
with the patterns whose fixed beginning it has, and of those only where a word that the pattern holds is in the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ess.lake.dates import DateRule, FileDate
from ess.lake.entry import FileEntry
from ess.lake.keys import Asked, list_keys
from ess.lake.listing import Exclusion, Listing, in_order, uncollected
from ess.lake.patterns import Pattern, compile_globs
from ess.lake.repeated_dates import RepeatedDates
from ess.stores.store import Store


@dataclass(frozen=True)
class Group:
    """The rules of a category: its patterns (folders with their ``*``), what it leaves out, and its dates."""

    patterns: tuple[Pattern, ...]
    exclude: re.Pattern[str] | None
    rule: DateRule


@dataclass(frozen=True)
class _Test:
    """A pattern of a category, for keys that begin with its fixed part: its number there, and what it takes."""

    group: int
    number: int
    match: Callable[[str], object] | None  # of the whole key; None: everything matches
    base_length: int
    excluded: Exclusion | None
    find: Callable[[str, int], FileDate]

    def takes(self, key: str) -> bool:
        return (self.match is None or self.match(key) is not None) and not (
            self.excluded is not None and self.excluded.covers(key)
        )


class Classifier:
    """Compares keys with the rules of several categories."""

    def __init__(self, groups: Sequence[Group]) -> None:
        dates: dict[DateRule, RepeatedDates] = {}
        tests: dict[str, list[tuple[str, _Test]]] = {}
        for at, group in enumerate(groups):
            if group.rule not in dates:
                dates[group.rule] = RepeatedDates(group.rule)
            for number, pattern in enumerate(group.patterns):
                rest = pattern.text[len(pattern.prefix) :]
                everything = rest != "" and not rest.strip("*")
                test = _Test(
                    at,
                    number,
                    None if everything else compile_globs((pattern.text,)).match,
                    len(pattern.base),
                    Exclusion(group.exclude, pattern.base) if group.exclude is not None else None,
                    dates[group.rule].find,
                )
                tests.setdefault(pattern.prefix, []).append((_longest_word(rest), test))
        self._by_length = [
            (length, {prefix: tuple(found) for prefix, found in tests.items() if len(prefix) == length})
            for length in sorted({len(prefix) for prefix in tests})
        ]

    def of(self, key: str) -> list[tuple[int, FileDate]]:
        """The categories of a key, by number, and its date in each; ``key`` has what its store puts before it."""
        found: list[_Test] = []
        for length, by_prefix in self._by_length:
            tests = by_prefix.get(key[:length])
            if tests is not None:
                rest = key[length:]
                found += [test for word, test in tests if word in rest and test.takes(key)]
        if len(found) > 1:  # of several patterns of a category the first counts
            found.sort(key=lambda test: (test.group, -test.number))
            found = [*{test.group: test for test in found}.values()]
        return [(test.group, test.find(key, test.base_length)) for test in found]


def list_groups(groups: Sequence[Group], *, label: str, store: Store) -> list[Listing]:
    """The files of several categories of a store without folders; a key that several may have is listed once.

    Args:
        groups: The categories, whose patterns all have wildcards.
        label: The datastore.
        store: Its store.
    """
    classifier, root = Classifier(groups), store.at("")
    found: list[list[FileEntry]] = [[] for _ in groups]
    requests: list[Asked] = []
    prefixes = shared_prefixes(pattern for group in groups for pattern in group.patterns)
    with uncollected():
        for prefix in prefixes:
            for entry in list_keys(store, prefix.removeprefix(root), requests.append):
                path = root + entry.key
                for number, date in classifier.of(path):
                    found[number].append(
                        FileEntry(
                            path, entry.size, entry.modified, date.date, label, date.number, version=entry.version
                        )
                    )
        return [Listing(tuple(in_order(each)), requests=tuple(requests)) for each in found]


def shared_prefixes(patterns: Iterable[Pattern]) -> list[str]:
    """The fixed parts of patterns, without those that begin like another: together they lead to the same keys.

    >>> shared_prefixes([Pattern("/logs/a*"), Pattern("/logs/*"), Pattern("/x*")])
    ['/logs/', '/x']
    """
    found: list[str] = []
    for prefix in sorted({pattern.prefix for pattern in patterns}):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found


def _longest_word(rest: str) -> str:
    """The longest text that is in everything that the rest of a glob, from its first wildcard on, matches."""
    return max(re.split(r"[*?]", rest.partition("[")[0]), key=len)
