"""Fields of a block to the columns of a batch, all at once.

Numbers are parsed by Polars, whose grammar is a part of the one in `ess.formats.values`; what it does not
take, and what is not finite, goes there. Strings are views into the block's bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from ess.engines.batch import PHYSICAL, blank
from ess.formats.split import Positions
from ess.formats.values import STRING_LIMIT, BadValueError, Value, converter
from ess.schema.columns import Column
from ess.schema.types import ColumnType

_INLINE = 12  #: How many bytes an Arrow view holds itself.
_BLANKS = np.zeros(256, dtype=np.bool_)
_BLANKS[list(b" \t\n\v\f\r")] = True
_LOWER = bytes(range(256)).lower()
_UPPER = bytes(range(256)).upper()
_INLINE_MASKS = (np.arange(_INLINE)[None, :] < np.arange(_INLINE + 1)[:, None]) * np.uint8(255)


@dataclass(frozen=True)
class ColumnValues:
    """A column of a block: its values, and the rows that have none with the reason."""

    values: pl.Series
    bad: dict[int, str]


class BlockBytes:
    """The bytes of a block, as the columns' values are made from them."""

    def __init__(self, content: bytes) -> None:
        # Views are filled by reading 12 bytes from a field's begin, also of the last field.
        self.content = content + bytes(_INLINE)
        self.bytes = np.frombuffer(self.content, dtype=np.uint8)
        self._high: Positions | None = None
        self._cases: dict[bytes, BlockBytes] = {}

    def field(self, start: int, length: int) -> bytes:
        """One field."""
        return self.content[start : start + length]

    def translated(self, table: bytes) -> BlockBytes:
        """The same block with every byte replaced."""
        if table not in self._cases:
            self._cases[table] = BlockBytes(self.content.translate(table))
        return self._cases[table]

    def high(self) -> Positions:
        """Where the bytes that are not ASCII stand."""
        if self._high is None:
            ascii_only = self.content.isascii()
            self._high = np.empty(0, np.int64) if ascii_only else np.flatnonzero(self.bytes > 127).astype(np.int64)
        return self._high

    def series(self, starts: Positions, lengths: Positions) -> pl.Series:
        """The fields as a Binary series that refers to the block's bytes."""
        views = np.zeros((len(starts), 4), dtype=np.uint32)
        views[:, 0] = lengths
        windows = np.lib.stride_tricks.sliding_window_view(self.bytes, _INLINE)
        heads = windows[starts]
        heads &= _INLINE_MASKS[np.minimum(lengths, _INLINE)]
        views[:, 1:] = heads.view(np.uint32)
        long = np.flatnonzero(lengths > _INLINE)
        if len(long):
            views[long, 2] = 0
            views[long, 3] = starts[long]
        buffers = [None, pa.py_buffer(views), pa.py_buffer(self.content)]
        array = pa.Array.from_buffers(pa.binary_view(), len(starts), buffers)
        series = pl.from_arrow(array)
        assert isinstance(series, pl.Series)
        return series


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
    return ColumnValues(block.series(starts, lengths), bad)


def _one_by_one(block: BlockBytes, starts: Positions, lengths: Positions, column: Column) -> ColumnValues:
    """Through the exact definition, every distinct field once."""
    convert = converter(column)
    instead = blank(column.type)
    known: dict[bytes, tuple[Value, str]] = {}
    values: list[Value] = []
    bad: dict[int, str] = {}
    for row, raw in enumerate(block.series(starts, lengths).to_list()):
        result = known.get(raw)
        if result is None:
            result = known[raw] = _exact(convert, raw, instead)
        values.append(result[0])
        if result[1]:
            bad[row] = result[1]
    return ColumnValues(pl.Series(column.key, values, dtype=PHYSICAL[column.type]), bad)


def _numbers(block: BlockBytes, starts: Positions, lengths: Positions, column: Column) -> ColumnValues:
    physical = PHYSICAL[column.type]
    high = block.high()
    parsed = lengths
    if len(high):
        # Polars refuses a whole column for one field that is not UTF-8.
        beyond = np.searchsorted(high, starts + lengths) > np.searchsorted(high, starts)
        parsed = np.where(beyond, 0, lengths)
    series = block.series(starts, parsed).cast(pl.String).cast(physical, strict=False)
    unsure = series.is_null() if physical is not pl.Float64 else ~(series.is_finite().fill_null(value=False))
    rows = np.flatnonzero(unsure.to_numpy() & (lengths > 0))
    if not len(rows):
        return ColumnValues(series.fill_null(0) if series.null_count() else series, {})
    convert = converter(column)
    fixed: list[Value] = []
    bad: dict[int, str] = {}
    for row, start, length in zip(rows.tolist(), starts[rows].tolist(), lengths[rows].tolist(), strict=True):
        value, reason = _exact(convert, block.field(start, length), 0)
        fixed.append(value)
        if reason:
            bad[row] = reason
    series = series.fill_null(0).scatter(pl.Series(rows), pl.Series(fixed, dtype=physical))
    return ColumnValues(series, bad)


def _exact(convert: Callable[[bytes], Value], raw: bytes, instead: Value) -> tuple[Value, str]:
    """The value and no reason, or ``instead`` and why there is none."""
    try:
        return convert(raw), ""
    except BadValueError as error:
        return instead, str(error)
