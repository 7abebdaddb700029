"""Sorting a batch."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ess.engines.batch import Batch
from ess.language.tree import Slot
from ess.schema.types import ColumnType


def sort_batch(batch: Batch, keys: Sequence[Slot], *, descending: bool = False, ignore_case: bool = False) -> Batch:
    """The rows of a batch in the order of some columns.

    Strings and addresses compare byte by byte, NaN is larger than any number. Equal rows keep
    their order; a descending sort is the ascending one turned around, so there they come in the
    opposite order.

    Args:
        batch: The rows.
        keys: The columns to sort by, the first one first.
        descending: Whether the result is turned around.
        ignore_case: Whether ASCII letters of strings compare without regard to case.
    """
    columns = [
        batch.get_column(slot.key).map_elements(bytes.lower, return_dtype=pl.Binary).alias(str(n))
        if ignore_case and slot.type is ColumnType.S
        else batch.get_column(slot.key).alias(str(n))
        for n, slot in enumerate(keys)
    ]
    names = [column.name for column in columns]
    order = pl.DataFrame(columns).with_row_index("row").sort(names, maintain_order=True).get_column("row")
    ordered = batch[order]
    return ordered.reverse() if descending else ordered
