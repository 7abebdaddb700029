"""Numbers of one type as those of another, as storing them into a column does."""

from __future__ import annotations

import polars as pl

from ess.schema.batch import PHYSICAL
from ess.schema.types import ColumnType


def converted(value: pl.Expr, source: ColumnType, target: ColumnType) -> pl.Expr:
    """Values as storing them into a column does: truncated towards zero, the low bits kept."""
    if source is target or not target.is_numeric:
        return value
    if target is ColumnType.F:
        return value.cast(pl.Float64)
    if source is ColumnType.F:
        # NaN and what 64 bits cannot hold become the smallest number, as everywhere in the language.
        value = value.cast(pl.Int64, strict=False).fill_null(-(2**63))
    return value.cast(PHYSICAL[target], wrap_numerical=True)
