"""Keys that no record of a file has, although records have one that is spelled nearly so."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ess.language.nearest import nearest
from ess.schema.columns import Column

#: So many records are looked at, down to this depth, for so many keys.
_MOST_RECORDS, _DEEPEST, _MOST_KEYS = 200, 6, 1000
_NUMBER = re.compile(r"\[(?:\*|[0-9]+)\]")


class Mistyped:
    """The keys of the first records of a file, beside those that are wanted.

    Args:
        columns: The columns of the input, each with its key spec as ``path``.
        base: Stands before every key spec.
    """

    def __init__(self, columns: Sequence[Column], base: str) -> None:
        self._columns = columns
        self._keys = [".".join(filter(None, (base, column.path))) for column in columns]
        self._seen: dict[str, None] = {}
        self._left = _MOST_RECORDS

    def look(self, record: Any) -> None:
        """Remember the keys of a record, if it is one of the first."""
        if self._left:
            self._left -= 1
            for path in itertools.islice(_paths(record, "", _DEEPEST), max(0, _MOST_KEYS - len(self._seen))):
                self._seen.setdefault(path)

    def notes(self, met: Sequence[int]) -> tuple[str, ...]:
        """Sentences about wanted keys that no record had, if there is one that was perhaps meant.

        Args:
            met: For each column, whether a record had its key.
        """
        if not self._seen:
            return ()
        wanted = set(map(_without_numbers, self._keys))
        others = [path for path in self._seen if path.lower() not in wanted]
        notes: list[str] = []
        for column, key, found in zip(self._columns, self._keys, met, strict=True):
            near = nearest(_without_numbers(key), others) if column.wanted and not found else ""
            if near:
                notes.append(f"no record has the key {key} of column {column.name}; is {near} meant?")
        return tuple(notes)


def _without_numbers(path: str) -> str:
    return _NUMBER.sub("[*]", path).lower()


def _paths(value: Any, path: str, depth: int) -> Iterator[str]:
    if isinstance(value, dict) and depth:
        for name, member in value.items():
            below = f"{path}.{name}" if path else name
            yield below
            yield from _paths(member, below, depth - 1)
    elif isinstance(value, list) and depth:
        for item in value[:_DEEPEST]:
            yield from _paths(item, f"{path}[*]", depth - 1)
