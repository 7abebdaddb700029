"""The batch: what readers make, both engines take and writers print.

A batch is a Polars data frame whose columns are named by lower-case slot keys and have the
physical types below; it holds no nulls. Strings are Binary, not String, so that bytes that
are not UTF-8 pass through unharmed and lengths count bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ess.schema.types import ColumnType

PHYSICAL: dict[ColumnType, type[pl.DataType]] = {
    ColumnType.S: pl.Binary,
    ColumnType.F: pl.Float64,
    ColumnType.L: pl.UInt64,
    ColumnType.LS: pl.Int64,
    ColumnType.I: pl.UInt32,
    ColumnType.IS: pl.Int32,
    ColumnType.IP: pl.Binary,
}

Batch = pl.DataFrame


def blank(column_type: ColumnType) -> bytes | int | float:
    """The value of a slot that nothing has set."""
    if column_type in (ColumnType.S, ColumnType.IP):
        return b""
    return 0.0 if column_type is ColumnType.F else 0


def make_batch(columns: Sequence[tuple[str, ColumnType, Sequence[object]]], height: int) -> Batch:
    """A batch from Python values, one list a column, each ``height`` long."""
    series = [pl.Series(key, values, dtype=PHYSICAL[kind]) for key, kind, values in columns]
    return pl.DataFrame(series) if series else pl.DataFrame(height=height)


def join_batches(batches: Sequence[Batch]) -> Batch:
    """The rows of some batches of the same columns, at least one, as a single batch."""
    return pl.concat(batches)


def complete(batch: Batch, columns: Sequence[tuple[str, ColumnType]]) -> Batch:
    """A batch with exactly these columns, in this order; those it lacks are 0 or blank."""
    # Not literals: Polars keeps those as scalars, which it compares in ways of its own.
    missing = [
        pl.Series(key, [blank(kind)], dtype=PHYSICAL[kind]).new_from_index(0, batch.height)
        for key, kind in columns
        if key not in batch.columns
    ]
    return batch.with_columns(missing).select([key for key, _ in columns])
