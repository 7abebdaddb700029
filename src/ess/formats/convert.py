"""Fields of a block to the columns of a batch, all at once.

Plain numbers are computed from their digits (`ess.formats.digits`). Others are parsed by Polars, whose grammar is a
part of the one in `ess.formats.values`; what it does not take, and what is not finite, goes there. Strings are views
into the block's bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ess.formats.digits import WordReader, plain_floats, plain_integers
from ess.formats.field_views import INLINE, FieldViews
from ess.formats.fields import FRONT, Positions
from ess.formats.values import STRING_LIMIT, BadValueError, Value, converter
from ess.schema.batch import PHYSICAL, blank
from ess.schema.columns import Column
from ess.schema.types import INTEGER_RANGES, ColumnType

_BLANKS = np.zeros(256, dtype=np.bool_)
_BLANKS[list(b" \t\n\v\f\r")] = True
_LOWER = bytes(range(256)).lower()
_UPPER = bytes(range(256)).upper()
_NUMPY: dict[ColumnType, type[np.generic]] = {
    ColumnType.F: np.float64,
    ColumnType.L: np.uint64,
    ColumnType.LS: np.int64,
    ColumnType.I: np.uint32,
    ColumnType.IS: np.int32,
}
_DASH = np.uint64((ord("-") << 32) | 1)
#: The exact definition takes up to this many distinct fields of a block ...
_FEW = 64
#: ... or up to this many fields, whose values are remembered from block to block; Polars takes more.
_SOME = 2048
_MOST_REMEMBERED, _LONGEST_REMEMBERED = 4096, 40
_SCATTER = np.uint64(0x9E3779B97F4A7C15)
_LOW_HIGH_BITS = np.uint64(0x8080808000000000)
_HIGH_BITS = np.uint64(0x8080808080808080)


@dataclass(frozen=True)
class BadRows:
    """The rows of a column that have no value, and in the same order why."""

    rows: Positions
    reasons: Callable[[], Sequence[str]]


@dataclass(frozen=True)
class ColumnValues:
    """A column of a block.

    Args:
        bad: The rows that have no value.
        make: Gives the values of some rows, or of all for None.
    """

    bad: BadRows
    make: Callable[[Positions | None], pl.Series]


class BlockBytes:
    """The bytes of a block, as the columns' values are made from them.

    Args:
        content: `ess.formats.fields.Fields.content`.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        #: The bytes behind the front.
        self.bytes = np.frombuffer(content, dtype=np.uint8)[FRONT:]
        self.is_ascii = content.isascii()
        self._views = FieldViews(content)
        self.words = WordReader(content)
        self._high: Positions | None = None
        self._cases: dict[bytes, BlockBytes] = {}

    def field(self, start: int, length: int) -> bytes:
        """One field."""
        return self._content[FRONT + start : FRONT + start + length]

    def fields(self, starts: Positions, lengths: Positions) -> list[bytes]:
        """Several fields."""
        begins = starts + FRONT
        return [
            self._content[begin:end] for begin, end in zip(begins.tolist(), (begins + lengths).tolist(), strict=True)
        ]

    def translated(self, table: bytes) -> BlockBytes:
        """The same block with every byte replaced."""
        if table not in self._cases:
            self._cases[table] = BlockBytes(self._content.translate(table))
        return self._cases[table]

    def views(self, starts: Positions, lengths: Positions) -> NDArray[np.uint64]:
        """The fields as Arrow views, two words a field."""
        return self._views.views(starts, lengths)

    def series(self, views: NDArray[np.uint64]) -> pl.Series:
        """The fields as a Binary series that refers to the block's bytes."""
        return self._views.series(views)

    def beyond_ascii(self, starts: Positions, lengths: Positions, views: NDArray[np.uint64]) -> Positions:
        """The rows whose field has bytes that are not ASCII."""
        if self.is_ascii:
            return np.empty(0, dtype=np.int64)
        found = ((views[:, 0] & _LOW_HIGH_BITS) | (views[:, 1] & _HIGH_BITS)) != 0
        long = np.flatnonzero(lengths > INLINE)
        if len(long):
            if self._high is None:
                self._high = np.flatnonzero(self.bytes > 127).astype(np.int64, copy=False)
            begin = np.searchsorted(self._high, starts[long])
            found[long] = np.searchsorted(self._high, starts[long] + lengths[long]) > begin
        return np.flatnonzero(found).astype(np.int64, copy=False)


def convert_column(block: BlockBytes, starts: Positions, lengths: Positions, column: Column) -> ColumnValues:
    """The values of one column.

    Args:
        block: The bytes.
        starts: Where the fields begin in it.
        lengths: How long they are.
        column: Type and attributes.
    """
    if column.attributes.trim:
        starts, lengths = _trimmed(block.bytes, starts, lengths)
    if column.type is ColumnType.S:
        return _strings(block, starts, lengths, column)
    if column.type is ColumnType.IP or (column.type.is_integer and column.attributes.hexadecimal):
        return _one_by_one(block, starts, lengths, column)
    return _numbers(block, starts, lengths, column)


def _trimmed(content: NDArray[np.uint8], starts: Positions, lengths: Positions) -> tuple[Positions, Positions]:
    starts, lengths = starts.copy(), lengths.copy()
    rows = np.arange(len(starts))
    while len(rows := rows[(lengths[rows] > 0) & _BLANKS[content[starts[rows]]]]):
        starts[rows] += 1
        lengths[rows] -= 1
    rows = np.arange(len(starts))
    while len(rows := rows[(lengths[rows] > 0) & _BLANKS[content[starts[rows] + lengths[rows] - 1]]]):
        lengths[rows] -= 1
    return starts, lengths


def _strings(block: BlockBytes, starts: Positions, lengths: Positions, column: Column) -> ColumnValues:
    if column.attributes.lower:
        block = block.translated(_LOWER)
    if column.attributes.upper:
        block = block.translated(_UPPER)
    bad: dict[int, str] = {}
    convert = converter(column)
    for row in np.flatnonzero(lengths > STRING_LIMIT).tolist():
        bad[row] = _exact(convert, block.field(starts[row], lengths[row]), b"")[1]

    def make(rows: Positions | None) -> pl.Series:
        views = block.views(starts, lengths) if rows is None else block.views(starts[rows], lengths[rows])
        return block.series(views).alias(column.key)

    return ColumnValues(_bad_rows(bad), make)


def _one_by_one(block: BlockBytes, starts: Positions, lengths: Positions, column: Column) -> ColumnValues:
    """Through the exact definition, every distinct field once."""
    convert = converter(column)
    instead = blank(column.type)
    known: dict[bytes, tuple[Value, str]] = {}
    values: list[Value] = []
    bad: dict[int, str] = {}
    for row, raw in enumerate(block.series(block.views(starts, lengths)).to_list()):
        result = known.get(raw)
        if result is None:
            result = known[raw] = _exact(convert, raw, instead)
        values.append(result[0])
        if result[1]:
            bad[row] = result[1]
    return _made(pl.Series(column.key, values, dtype=PHYSICAL[column.type]), _bad_rows(bad))


def _made(values: pl.Series, bad: BadRows) -> ColumnValues:
    return ColumnValues(bad, lambda rows: values if rows is None else values.gather(rows))


def _bad_rows(reasons: dict[int, str]) -> BadRows:
    return BadRows(np.array(list(reasons), dtype=np.int64), lambda: list(reasons.values()))


def _numbers(block: BlockBytes, starts: Positions, lengths: Positions, column: Column) -> ColumnValues:
    """The plain ones at once, the others by Polars."""
    ends = starts + lengths + FRONT
    if column.type is ColumnType.F:
        numbers = plain_floats(block.words, ends, lengths)
    else:
        numbers = plain_integers(block.words, ends, lengths, INTEGER_RANGES[column.type][1])
    others = np.flatnonzero(~numbers.plain)
    if len(others) * 2 > len(lengths):
        return _made(*_other_numbers(block, starts, lengths, column))
    values = numbers.values.astype(_NUMPY[column.type])
    bad = _bad_rows({})
    if len(others):
        places, sizes = starts[others], lengths[others]
        few = _few_numbers(block, places, sizes, column)
        if few is None and len(others) <= _SOME:
            few = _some_numbers(block, places, sizes, column)
        if few is None:
            found, wrong = _other_numbers(block, places, sizes, column)
            few = found.to_numpy(), wrong
        values[others] = few[0]
        bad = BadRows(others[few[1].rows], few[1].reasons)
    return ColumnValues(bad, lambda rows: pl.Series(column.key, values if rows is None else values[rows]))


def _few_numbers(
    block: BlockBytes, starts: Positions, lengths: Positions, column: Column
) -> tuple[NDArray[np.generic], BadRows] | None:
    """The values of all fields through the exact definition, if they are short and few are distinct."""
    if lengths.max() > INLINE:
        return None
    views = block.views(starts, lengths)
    keys = views[:, 0] * _SCATTER ^ views[:, 1]
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) > _FEW or not (views[first][which] == views).all():
        return None
    convert = converter(column)
    results = [_exact(convert, raw, 0) for raw in block.fields(starts[first], lengths[first])]
    values = np.array([value for value, _ in results], dtype=_NUMPY[column.type])
    wrong = np.flatnonzero(np.array([bool(reason) for _, reason in results])[which]).astype(np.int64, copy=False)
    return values[which], BadRows(wrong, lambda: [results[result][1] for result in which[wrong].tolist()])


@lru_cache(maxsize=64)
def _remembered(_column: Column) -> dict[bytes, tuple[Value, str]]:
    """The exact definition's answers for fields of this column: dirt repeats itself from block to block."""
    return {}


def _some_numbers(
    block: BlockBytes, starts: Positions, lengths: Positions, column: Column
) -> tuple[NDArray[np.generic], BadRows]:
    """The values of all fields through the exact definition."""
    known, convert = _remembered(column), converter(column)
    values: list[Value] = []
    bad: dict[int, str] = {}
    for row, raw in enumerate(block.fields(starts, lengths)):
        result = known.get(raw)
        if result is None:
            result = _exact(convert, raw, 0)
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            if len(raw) <= _LONGEST_REMEMBERED:
                known[raw] = result
        values.append(result[0])
        if result[1]:
            bad[row] = result[1]
    return np.array(values, dtype=_NUMPY[column.type]), _bad_rows(bad)


def _other_numbers(
    block: BlockBytes, starts: Positions, lengths: Positions, column: Column
) -> tuple[pl.Series, BadRows]:
    """The values of all fields, and why some have none."""
    physical = PHYSICAL[column.type]
    views = block.views(starts, lengths)
    # Polars refuses a whole column for one field that is not UTF-8.
    views[block.beyond_ascii(starts, lengths, views)] = 0
    # Web logs are full of a lone "-", which is 0.
    dashes = views[:, 0] == _DASH
    views[dashes] = 0
    series = block.series(views).alias(column.key).cast(pl.String).cast(physical, strict=False)
    unsure = series.is_null() if physical is not pl.Float64 else ~(series.is_finite().fill_null(value=False))
    rows = np.flatnonzero(unsure.to_numpy() & (lengths > 0) & ~dashes)
    if not len(rows):
        return series.fill_null(0) if series.null_count() else series, _bad_rows({})
    convert = converter(column)
    known: dict[bytes, tuple[Value, str]] = {}
    fixed: list[Value] = []
    bad: dict[int, str] = {}
    for row, raw in zip(rows.tolist(), block.fields(starts[rows], lengths[rows]), strict=True):
        result = known.get(raw)
        if result is None:
            result = known[raw] = _exact(convert, raw, 0)
        fixed.append(result[0])
        if result[1]:
            bad[row] = result[1]
    series = series.fill_null(0).scatter(pl.Series(rows), pl.Series(fixed, dtype=physical))
    return series, _bad_rows(bad)


def _exact(convert: Callable[[bytes], Value], raw: bytes, instead: Value) -> tuple[Value, str]:
    """The value and no reason, or ``instead`` and why there is none."""
    try:
        return convert(raw), ""
    except BadValueError as error:
        return instead, str(error)
