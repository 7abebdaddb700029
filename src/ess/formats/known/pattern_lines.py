"""Records that are lines of a form: a regular expression for the whole line, whose groups are the fields."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ess.formats.blocks import RawBlock
from ess.formats.known.raw_rows import RawRows
from ess.formats.parse_exact import Block
from ess.formats.records import Layout, too_long, unescaped
from ess.formats.values import shown

#: The column of a record that has no fields.
NO_COLUMN = -1


def fields_of(pattern: re.Pattern[bytes]) -> list[int]:
    """The numbers of the groups that are fields: those with names, if there are any; else all.

    >>> fields_of(re.compile(rb"(?P<a>x)(y)")), fields_of(re.compile(rb"(x)(y)"))
    ([1], [1, 2])
    """
    return sorted(pattern.groupindex.values()) or list(range(1, pattern.groups + 1))


class PatternParser:
    """Parses the blocks of one file, line by line.

    Args:
        layout: Its columns are the fields of the pattern, in order.
        pattern: Matches a whole line without its end; a group that takes no part is blank.
        groups: The groups of each field, if they are not those of the pattern in order.
    """

    def __init__(self, layout: Layout, pattern: re.Pattern[bytes], groups: Sequence[Sequence[int]] = ()) -> None:
        self._groups = groups
        self._layout = layout
        numbers = [number - 1 for number in fields_of(pattern)]
        self._numbers = None if numbers == list(range(pattern.groups)) else numbers
        self._match = pattern.fullmatch
        self._limit = layout.attributes.record_limit
        self._escaped = [
            index for index, column in enumerate(layout.columns) if column.wanted and layout.escapes(index)
        ]

    def parse(self, raw: RawBlock, start: int) -> Block:
        """The records of a block from ``start``."""
        layout = self._layout
        rows = RawRows(layout.columns)
        lines = raw.data[start : raw.end].split(b"\n")
        if not lines[-1]:
            lines.pop()
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if len(line) > self._limit:
                record = too_long(0, len(line), layout)
                rows.reject(record.column, record.reason)
                continue
            match = self._match(line)
            if match is None:
                rows.reject(NO_COLUMN, f"{shown(line)} is no line of this form")
                continue
            values: Sequence[bytes] = match.groups(b"")
            if self._groups:
                values = [
                    next((value for number in numbers if (value := values[number - 1])), b"")
                    for numbers in self._groups
                ]
            elif self._numbers is not None:
                values = [values[number] for number in self._numbers]
            if self._escaped and b"\\" in line:
                undone = list(values)
                for index in self._escaped:
                    undone[index] = unescaped(undone[index], layout, index)
                values = undone
            rows.add(values)
        return rows.take(raw.end)
