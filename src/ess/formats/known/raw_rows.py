"""Raw values of rows to a block, column by column: each different number is converted once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from ess.formats.parse_exact import Block, BlockReject
from ess.formats.values import STRING_LIMIT, BadValueError, Value, converter
from ess.schema.batch import PHYSICAL, blank
from ess.schema.columns import Column
from ess.schema.types import ColumnType


class RawRows:
    """The records of a block, as they are found.

    Args:
        columns: The columns of a record; the unwanted ones have values too, which are not looked at.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._rows: list[Sequence[bytes]] = []
        #: Of rejected records: how many records precede each, its column and why.
        self._rejects: list[tuple[int, int, str]] = []

    def add(self, values: Sequence[bytes]) -> None:
        """Add a record with the values of its columns."""
        self._rows.append(values)

    def reject(self, column: int, reason: str) -> None:
        """Add a record without values."""
        self._rejects.append((len(self._rows) + len(self._rejects), column, reason))

    def take(self, consumed: int) -> Block:
        """The block of what was added."""
        rows = self._rows
        bad: dict[int, tuple[int, str]] = {}
        series: list[pl.Series] = []
        values = list(zip(*rows, strict=True)) if rows else [()] * len(self._columns)
        for index, column in enumerate(self._columns):
            if not column.wanted:
                continue
            converted = _converted(values[index], column, index, bad)
            if column.used:
                series.append(pl.Series(column.key, converted, dtype=PHYSICAL[column.type]))
        frame = pl.DataFrame(series) if series else pl.DataFrame(height=len(rows))
        if bad:
            kept = [row for row in range(len(rows)) if row not in bad]
            frame = frame[kept] if series else pl.DataFrame(height=len(kept))
        return Block(frame, self._in_order(bad), consumed)

    def _in_order(self, bad: dict[int, tuple[int, str]]) -> tuple[BlockReject, ...]:
        """All rejected records, each with the number of good rows before it."""
        if not bad and not self._rejects:
            return ()
        places = {place: (column, reason) for place, column, reason in self._rejects}
        at, row = 0, 0
        for row in range(len(self._rows)):
            while at in places:
                at += 1
            if row in bad:
                places[at] = bad[row]
            at += 1
        return tuple(BlockReject(place - number, place, *places[place]) for number, place in enumerate(sorted(places)))


def _converted(values: Sequence[bytes], column: Column, index: int, bad: dict[int, tuple[int, str]]) -> Sequence[Value]:
    """The values of a column; rows without one are added to ``bad``, if they are not there."""
    own = column.attributes
    as_it_is = column.type is ColumnType.S and not (own.trim or own.lower or own.upper)
    if as_it_is and all(len(value) <= STRING_LIMIT for value in values):
        return values
    convert: Callable[[bytes], Value] = converter(column)
    instead = blank(column.type)
    known: dict[bytes, Value] = {}
    wrong: dict[bytes, str] = {}
    made: list[Value] = []
    for row, raw in enumerate(values):
        value = known.get(raw)
        if value is None:
            if raw not in wrong:
                try:
                    value = known[raw] = convert(raw)
                except BadValueError as error:
                    wrong[raw] = str(error)
            if value is None:
                bad.setdefault(row, (index, wrong[raw]))
                value = instead
        made.append(value)
    return made
