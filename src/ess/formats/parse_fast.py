"""A block of input to a batch, column by column: the same as `ess.formats.parse_exact`, faster."""

from __future__ import annotations

import numpy as np
import polars as pl

from ess.formats.attributes import Format
from ess.formats.convert import BadRows, BlockBytes, ColumnValues, convert_column
from ess.formats.fields import Fields, Positions
from ess.formats.lazy_sequence import Later
from ess.formats.parse_exact import Block, BlockReject
from ess.formats.records import Layout
from ess.formats.split import split_block
from ess.formats.split_lines import split_lines


def parse_block_fast(data: bytes, start: int, end: int, *, final: bool, layout: Layout) -> Block:
    """The records of ``data[start:end]``; arguments as in `ess.formats.records.parse_record`.

    Not for blocks with both quotes and columns of ``n=Len``; the block has at least a byte.
    """
    by_marks = layout.attributes.format is Format.SEPARATED and not layout.any_length
    split = split_block if by_marks else split_lines
    fields = split(data, start, end, final=final, layout=layout)
    block = BlockBytes(fields.content)
    columns: list[ColumnValues] = []
    found: list[tuple[int, BadRows]] = []
    for index, column in enumerate(layout.columns):
        if not column.wanted:
            continue
        converted = convert_column(block, fields.starts[index], fields.lengths[index], column)
        if column.used:
            columns.append(converted)
        if len(converted.bad.rows):
            found.append((index, converted.bad))
    kept: Positions | None = None
    rejected = len(fields.rejects)
    if found:
        good = np.ones(len(fields.lines), dtype=np.bool_)
        for _, bad in found:
            good[bad.rows] = False
        kept = np.flatnonzero(good).astype(np.int64, copy=False)
        rejected += len(good) - len(kept)
    series = [column.make(kept) for column in columns]
    height = len(fields.lines) if kept is None else len(kept)
    frame = pl.DataFrame(series) if series else pl.DataFrame(height=height)
    return Block(frame, Later(rejected, lambda: _rejects(fields, found)), fields.consumed)


def _rejects(fields: Fields, columns: list[tuple[int, BadRows]]) -> tuple[BlockReject, ...]:
    """Both kinds of rejected records in order, with the number of good rows before each."""
    bad: dict[int, tuple[int, str]] = {}
    for index, wrong in columns:
        for row, reason in zip(wrong.rows.tolist(), wrong.reasons(), strict=True):
            bad.setdefault(row, (index, reason))
    found = [(line, *fields.why(line)) for line in fields.rejects.tolist()]
    if bad:
        lines = fields.lines[list(bad)].tolist()
        found.extend((line, column, reason) for line, (column, reason) in zip(lines, bad.values(), strict=True))
        found.sort()
    if not found:
        return ()
    bad_rows = np.array(sorted(bad), dtype=np.int64)
    lines_of = np.array([line for line, _, _ in found], dtype=np.int64)
    rows_before = np.searchsorted(fields.lines, lines_of)
    good_before = rows_before - np.searchsorted(bad_rows, rows_before)
    return tuple(
        BlockReject(before, before + number, column, reason)
        for number, (before, (_, column, reason)) in enumerate(zip(good_before.tolist(), found, strict=True))
    )
