"""Sorting a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from ess.language.tree import Slot
from ess.schema.batch import Batch
from ess.schema.types import ColumnType

#: Fewer rows are not worth the preparation.
_FEW = 1000


def sort_batch(batch: Batch, keys: Sequence[Slot], *, descending: bool = False, ignore_case: bool = False) -> Batch:
    """The rows of a batch in the order of some columns.

    Strings and addresses compare byte by byte, NaN is larger than any number. Equal rows keep
    their order; a descending sort is the ascending one reversed, so there they come in the
    opposite order.

    Args:
        batch: The rows.
        keys: The columns to sort by, the first one first.
        descending: Whether the result is reversed.
        ignore_case: Whether ASCII letters of strings compare without regard to case.
    """
    order = _order(batch, keys, descending=descending, ignore_case=ignore_case)
    # From a column of many chunks Polars takes rows ten times as slowly.
    return batch.rechunk()[order]


def sorted_pieces(
    batch: Batch, keys: Sequence[Slot], rows: int, *, descending: bool = False, ignore_case: bool = False
) -> Iterator[Batch]:
    """The same in pieces, made one after the other."""
    order = _order(batch, keys, descending=descending, ignore_case=ignore_case)
    batch = batch.rechunk()  # what it was made of is freed, if the caller holds it no more
    for start in range(0, batch.height, rows):
        yield batch[order.slice(start, rows)]


def _order(batch: Batch, keys: Sequence[Slot], *, descending: bool, ignore_case: bool) -> pl.Series:
    """The numbers of the rows in their order."""
    columns = [batch.get_column(slot.key).alias(str(n)) for n, slot in enumerate(keys)]
    folds = [ignore_case and slot.type is ColumnType.S for slot in keys]
    order = _order_by_integers(columns, folds) if batch.height >= _FEW else None
    if order is None:
        order = _order_by_values(columns, folds)
    return order.reverse() if descending else order


def _order_by_integers(columns: Sequence[pl.Series], folds: Sequence[bool]) -> pl.Series | None:
    from ess.engines.sort_keys import row_order  # numpy starts threads

    order = row_order(columns, folds)
    return None if order is None else pl.Series(order)


def _order_by_values(columns: Sequence[pl.Series], folds: Sequence[bool]) -> pl.Series:
    from ess.engines.sort_keys import folded

    compared = [folded(column) if fold else column for column, fold in zip(columns, folds, strict=True)]
    names = [column.name for column in columns]
    return pl.DataFrame(compared).with_row_index("row").sort(names, maintain_order=True).get_column("row")
