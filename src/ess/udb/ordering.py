"""Sorting of batches: by bytes or without regard to ASCII case, up or down."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ess.engines.batch import Batch
from ess.schema.types import ColumnType
from ess.udb.spec import TableColumn


def sort_columns(
    rows: Batch, by: Sequence[TableColumn], *, descending: bool, ignore_case: bool, first: str = ""
) -> Batch:
    """Sort rows; those that compare equal keep their order.

    Args:
        rows: Has at least the columns of ``by``.
        by: The sort columns, the most significant first.
        descending: For all of ``by``.
        ignore_case: Compare strings without regard to ASCII case.
        first: A column that comes before ``by`` and is always ascending.
    """
    names: list[str] = [first] if first else []
    temporary: list[pl.Series] = []
    for column in by:
        if ignore_case and column.type is ColumnType.S:
            # bytes.lower() touches ASCII only, which is what is wanted here.
            folded = [value.lower() for value in rows[column.key].to_list()]
            temporary.append(pl.Series(f"#folded {column.key}", folded, dtype=pl.Binary))
            names.append(temporary[-1].name)
        else:
            names.append(column.key)
    order = [False] * bool(first) + [descending] * len(by)
    return (
        rows.with_columns(temporary)
        .sort(names, descending=order, maintain_order=True)
        .drop(*(s.name for s in temporary))
    )


def sort_result(rows: Batch, by: Sequence[TableColumn], *, descending: bool, ignore_case: bool) -> Batch:
    """Sort the result of an export.

    Ascending, rows that compare equal keep their order; descending gives exactly the reverse of
    that, as the reference manual's examples show.
    """
    turned = rows.reverse() if descending else rows
    return sort_columns(turned, by, descending=descending, ignore_case=ignore_case)
