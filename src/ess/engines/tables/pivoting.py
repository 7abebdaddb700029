"""Turning rows into columns: a table with a row for each key and a column for each label."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ess.engines.ordering import sort_batch
from ess.language.tree import Slot
from ess.schema.batch import Batch, join_batches

#: Partial results of fewer rows than this are not worth merging before the end.
_MERGE_ROWS = 500_000


class Pivot:
    """Collects cells; of several values for the same key and label the last one counts.

    Memory is bounded by the cells. Labels are in ascending order, keys in the order they were first seen.

    Args:
        keys: The columns of the key.
        label: The column whose values become columns.
        value: The column whose values fill them.
    """

    def __init__(self, keys: Sequence[Slot], label: Slot, value: Slot) -> None:
        self._keys = list({slot.key: slot for slot in keys}.values())
        self._label = label
        self._value = value
        self._parts: list[Batch] = []
        self._pending = 0
        self._merged = 0
        self._rows = 0

    def add(self, batch: Batch) -> None:
        """Add the rows of a batch that has these columns."""
        columns = [batch.get_column(slot.key).alias(f"key {n}") for n, slot in enumerate(self._keys)]
        columns.append(batch.get_column(self._label.key).alias("label"))
        columns.append(batch.get_column(self._value.key).alias("value"))
        numbered = pl.DataFrame(columns).with_columns(
            (pl.int_range(pl.len(), dtype=pl.UInt64) + self._rows).alias("first")
        )
        self._rows += batch.height
        self._parts.append(self._last(numbered))
        self._pending += self._parts[-1].height
        if self._pending > max(_MERGE_ROWS, self._merged):
            self._parts = [self._last(join_batches(self._parts))]
            self._merged, self._pending = self._parts[0].height, 0

    def result(self, *, ordered: bool, default: bytes | int | float) -> tuple[list[bytes | int | float], Batch]:
        """The labels, and the table.

        Args:
            ordered: Whether the rows are sorted by the key.
            default: What stands in a cell that got no value.

        Returns:
            The labels, and a batch of the key's columns (``key 0``, ``key 1``, ...) and of a column for
            each label (``label 0``, ...).
        """
        if not self._parts:
            return [], pl.DataFrame()
        cells = self._last(join_batches(self._parts))
        names = self._key_names()
        rows = cells.group_by(names).agg(pl.col("first").min()).sort("first").drop("first")
        if ordered:
            slots = [Slot(name, name, slot.type) for name, slot in zip(names, self._keys, strict=True)]
            rows = sort_batch(rows, slots)
        rows = rows.with_row_index("row")
        cells = cells.join(rows, on=names, nulls_equal=True).sort("label")
        labels: list[bytes | int | float] = []
        columns = [rows.get_column(name) for name in names]
        blank = pl.Series([default], dtype=cells.schema["value"])
        for number, part in enumerate(cells.partition_by("label", maintain_order=True)):
            labels.append(part.get_column("label")[0])
            column = blank.new_from_index(0, rows.height).scatter(part.get_column("row"), part.get_column("value"))
            columns.append(column.alias(f"label {number}"))
        return labels, pl.DataFrame(columns)

    def _key_names(self) -> list[str]:
        return [f"key {n}" for n in range(len(self._keys))]

    def _last(self, cells: Batch) -> Batch:
        """The last value of each key and label, with the number of the first row of both."""
        return cells.group_by(*self._key_names(), "label", maintain_order=True).agg(
            pl.col("value").last(), pl.col("first").min()
        )
