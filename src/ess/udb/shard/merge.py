"""Merging rows of one identity: what ``+first``, ``+add`` and the other attributes do.

A merge folds the values of a column from left to right in arrival order, and the stored row
stands at the left. So it makes no difference whether rows are merged one by one or many at once.
Float sums are added in exactly that order, one after the other, from zero: the result is the
same, bit for bit, as that of a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ess.engines.sort_keys import row_order
from ess.schema.batch import PHYSICAL, Batch
from ess.schema.types import ColumnType
from ess.udb.shard.grouping import Index, first_rows
from ess.udb.spec.spec import Merge, Table, TableColumn

#: The column that numbers the key of a row; no column of a user can have that name.
KEY_NUMBER = "#key"

Numbers = npt.NDArray[np.generic]

_ZERO_ADDRESSES = (b"", bytes(4), bytes(16))


@dataclass(frozen=True)
class _Groups:
    """Rows of one identity each: the index of each group's first row, and the group of each row."""

    first: Index
    numbers: Index

    def chosen(self, rows: Index) -> Index:
        """Of each group the last of these rows; of a group that has none of them its first row."""
        found = self.first.copy()
        found[self.numbers[rows]] = rows  # of several, the last one is written last
        return found


def merge_rows(table: Table, rows: Batch) -> Batch:
    """Sort rows by their key and merge those of one identity.

    Args:
        table: Says what merges and how.
        rows: ``#key`` and the table's value columns, stored rows before new ones, in arrival order.

    Returns:
        Rows sorted by ``#key``; within a key in the order in which their identities came first.
    """
    rows = rows.rechunk()
    if not table.merges or rows.height < 2:
        return _by_key(rows)
    groups = _groups(rows, [KEY_NUMBER, *(column.key for column in table.identity)])
    if len(groups.first) == rows.height:
        return _by_key(rows)
    first = rows[groups.first]
    folded = [_fold(column, rows[column.key], groups) for column in table.values if not column.merge_key]
    return first.with_columns(folded)


def _by_key(rows: Batch) -> Batch:
    """Sorted by ``#key``; rows of a key stay in their order."""
    numbers = rows[KEY_NUMBER]
    order = None if numbers.is_sorted() else row_order([numbers], [False])
    return rows if order is None else rows[order]


def _groups(rows: Batch, identity: list[str]) -> _Groups:
    """The groups, in the order of their keys, and within a key in that of their first rows."""
    keys = rows[KEY_NUMBER].to_numpy()
    if len(identity) == 1:
        first_of_key = np.full(int(keys.max()) + 1, -1, dtype=np.int64)
        first_of_key[keys[::-1]] = np.arange(rows.height - 1, -1, -1)
        there = first_of_key >= 0
        return _Groups(first_of_key[there], (np.cumsum(there) - 1)[keys])
    first = first_rows(rows, identity)
    firsts = np.flatnonzero(first == np.arange(rows.height))
    firsts = firsts[np.argsort(keys[firsts], kind="stable")]
    group_of_first = np.empty(rows.height, dtype=np.int64)
    group_of_first[firsts] = np.arange(len(firsts))
    return _Groups(firsts, group_of_first[first])


def _fold(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    return _FOLDS[column.merge](column, values, groups)


def _first(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    if not column.skip_zero:
        return values[groups.first]
    return values[groups.chosen(np.flatnonzero(~is_zero(column, values))[::-1])]


def _last(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    rows = np.flatnonzero(~is_zero(column, values)) if column.skip_zero else np.arange(len(values))
    return values[groups.chosen(rows)]


def _add(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    numbers = values.to_numpy()
    kind = np.float64 if column.type is ColumnType.F else np.int64
    return _accumulated(
        column, np.add, np.zeros(len(groups.first), dtype=kind), groups.numbers, numbers.astype(kind, copy=False)
    )


def _bor(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    numbers = values.to_numpy().astype(np.int64)
    return _accumulated(column, np.bitwise_or, numbers[groups.first], groups.numbers, numbers)


def _min(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    return _extreme(column, values, groups, np.fmin)


def _max(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    return _extreme(column, values, groups, np.fmax)


def _extreme(column: TableColumn, values: pl.Series, groups: _Groups, choose: np.ufunc) -> pl.Series:
    numbers = values.to_numpy()
    if not column.skip_zero:
        return _accumulated(column, choose, numbers[groups.first], groups.numbers, numbers)
    rows = np.flatnonzero(numbers)
    begin = numbers[groups.chosen(rows)]  # any value that counts will do
    begin[begin == 0] = 0  # not -0.0
    return _accumulated(column, choose, begin, groups.numbers[rows], numbers[rows])


def _accumulated(column: TableColumn, fold: np.ufunc, begin: Numbers, groups: Index, numbers: Numbers) -> pl.Series:
    """Fold numbers into what each group begins with: one loop from the first row to the last.

    64-bit results are brought into the column's width: the low bits, as storing does.
    """
    fold.at(begin, groups, numbers)
    return pl.Series(column.key, begin).cast(PHYSICAL[column.type], wrap_numerical=True)


def is_zero(column: TableColumn, values: pl.Series) -> npt.NDArray[np.bool_]:
    """True where values are 0 or blank."""
    if column.type is ColumnType.S:
        return (values.bin.size() == 0).to_numpy()
    if column.type is ColumnType.IP:
        return values.is_in(list(_ZERO_ADDRESSES)).to_numpy()
    return np.asarray(values.to_numpy() == 0)


_FOLDS: dict[Merge, Callable[[TableColumn, pl.Series, _Groups], pl.Series]] = {
    Merge.FIRST: _first,
    Merge.LAST: _last,
    Merge.ADD: _add,
    Merge.BOR: _bor,
    Merge.MIN: _min,
    Merge.MAX: _max,
}
