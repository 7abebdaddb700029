"""Merging rows of one identity: what ``+first``, ``+add`` and the other attributes do.

A merge folds the values of a column from left to right in arrival order, and the stored row
stands at the left. So it makes no difference whether rows are merged one by one or many at once.
Float sums are added in exactly that order, one after the other, from zero: the result is the
same, bit for bit, as that of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ess.engines.batch import PHYSICAL, Batch
from ess.schema.types import ColumnType
from ess.udb.spec import Merge, Table, TableColumn

#: The column that numbers the key of a row; no column of a user can have that name.
KEY_NUMBER = "#key"

#: Fewer rows are not worth a second thought.
_MANY_ROWS = 5_000
_SAMPLE = 20_000

_ZERO_ADDRESSES = (b"", bytes(4), bytes(16))

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Groups:
    """Rows in groups that lie together: where each begins, and the group of each row."""

    starts: Index
    numbers: Index
    rows: int

    @property
    def last(self) -> Index:
        ends = np.append(self.starts[1:], self.rows)
        return (ends - 1).astype(np.int64)


def merge_rows(table: Table, rows: Batch) -> Batch:
    """Sort rows by their key and merge those of one identity.

    Args:
        table: Says what merges and how.
        rows: ``#key`` and the table's value columns, stored rows before new ones, in arrival order.

    Returns:
        Rows sorted by ``#key``; within a key in the order in which their identities came first.
    """
    rows = rows.sort(KEY_NUMBER, maintain_order=True)
    if not table.merges or rows.height < 2:
        return rows
    identity = [KEY_NUMBER, *(column.key for column in table.identity)]
    rows, groups = _grouped(rows, identity)
    if len(groups.starts) == rows.height:
        return rows
    first = rows[groups.starts]
    folded = [_fold(column, rows[column.key], groups) for column in table.values if not column.merge_key]
    return first.with_columns(folded)


def _grouped(rows: Batch, identity: list[str]) -> tuple[Batch, _Groups]:
    """The rows with each group together, groups in order of their first row."""
    if len(identity) == 1:
        numbers = rows[KEY_NUMBER].to_numpy()
        changes = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
    else:
        first = first_rows(rows, identity)
        order = np.argsort(first, kind="stable")
        rows = rows[order]
        changes = np.flatnonzero(np.diff(first[order])) + 1
    starts = np.concatenate((np.zeros(1, dtype=np.int64), changes.astype(np.int64)))
    lengths = np.diff(np.append(starts, rows.height))
    return rows, _Groups(starts, np.repeat(np.arange(len(starts), dtype=np.int64), lengths), rows.height)


def first_rows(rows: Batch, names: Sequence[str]) -> Index:
    """For each row the index of the first one that agrees with it in these columns."""
    columns = rows.select(names)
    if rows.height >= _MANY_ROWS and not any(kind.is_float() for kind in columns.dtypes):
        # Numbers are compared much faster than strings. Whether a hash stands for one value only is seen afterwards.
        hashes = columns.to_series().hash() if len(names) == 1 else columns.hash_rows()
        found = _first_of(hashes)
        if all(bool((column.gather(found) == column).all()) for column in columns.get_columns()):
            return found
    first = columns.with_row_index("#row").select(pl.col("#row").first().over(names))
    return first["#row"].to_numpy().astype(np.int64)


def _first_of(hashes: pl.Series) -> Index:
    sample = hashes.head(_SAMPLE)
    if sample.n_unique() < sample.len() // 4:
        first = (
            pl.DataFrame([hashes.alias("#hash")]).with_row_index("#row").select(pl.col("#row").first().over("#hash"))
        )
        return first["#row"].to_numpy().astype(np.int64)
    # With many different ones, sorting is faster than a table of all of them.
    ranks = hashes.rank("dense").to_numpy().astype(np.int64) - 1
    first_of_rank = np.empty(int(ranks.max()) + 1, dtype=np.int64)
    first_of_rank[ranks[::-1]] = np.arange(len(ranks) - 1, -1, -1)  # of several, the last one written is the first row
    found: Index = first_of_rank[ranks]
    return found


def _fold(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    return _FOLDS[column.merge](column, values, groups)


def _first(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    if not column.skip_zero:
        return values[groups.starts]
    rows = np.where(is_zero(column, values), groups.rows, np.arange(groups.rows))
    chosen = np.minimum.reduceat(rows, groups.starts)
    return values[np.where(chosen == groups.rows, groups.starts, chosen)]


def _last(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    if not column.skip_zero:
        return values[groups.last]
    rows = np.where(is_zero(column, values), -1, np.arange(groups.rows))
    chosen = np.maximum.reduceat(rows, groups.starts)
    return values[np.where(chosen < 0, groups.starts, chosen)]


def _add(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    numbers = values.to_numpy()
    if column.type is ColumnType.F:
        # bincount is one loop from the first row to the last; sum() would pair and split the rows.
        total = np.bincount(groups.numbers, weights=numbers, minlength=len(groups.starts))
        return pl.Series(column.key, total, dtype=pl.Float64)
    return _series(column, np.add.reduceat(numbers.astype(np.int64), groups.starts))


def _bor(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    return _series(column, np.bitwise_or.reduceat(values.to_numpy().astype(np.int64), groups.starts))


def _min(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    return _extreme(column, values, groups, np.fmin, lowest=False)


def _max(column: TableColumn, values: pl.Series, groups: _Groups) -> pl.Series:
    return _extreme(column, values, groups, np.fmax, lowest=True)


def _extreme(column: TableColumn, values: pl.Series, groups: _Groups, choose: np.ufunc, *, lowest: bool) -> pl.Series:
    numbers = values.to_numpy()
    if not column.skip_zero:
        return pl.Series(column.key, choose.reduceat(numbers, groups.starts), dtype=PHYSICAL[column.type])
    zero = numbers == 0
    if column.type is ColumnType.F:
        neutral = -np.inf if lowest else np.inf
        chosen = choose.reduceat(np.where(zero, neutral, numbers), groups.starts)
    else:
        limits = np.iinfo(numbers.dtype)
        other = np.array(limits.min if lowest else limits.max, dtype=numbers.dtype)
        chosen = choose.reduceat(np.where(zero, other, numbers), groups.starts)
    nothing = np.logical_and.reduceat(zero, groups.starts)
    result = np.where(nothing, np.zeros(1, dtype=numbers.dtype), chosen).astype(numbers.dtype)
    return pl.Series(column.key, result, dtype=PHYSICAL[column.type])


def is_zero(column: TableColumn, values: pl.Series) -> npt.NDArray[np.bool_]:
    """Where values are 0 or blank."""
    if column.type is ColumnType.S:
        return (values.bin.size() == 0).to_numpy()
    if column.type is ColumnType.IP:
        return values.is_in(list(_ZERO_ADDRESSES)).to_numpy()
    return np.asarray(values.to_numpy() == 0)


def _series(column: TableColumn, wide: npt.NDArray[np.int64]) -> pl.Series:
    """64-bit results in the column's width: the low bits, as storing does."""
    return pl.Series(column.key, wide, dtype=pl.Int64).cast(PHYSICAL[column.type], wrap_numerical=True)


_FOLDS: dict[Merge, Callable[[TableColumn, pl.Series, _Groups], pl.Series]] = {
    Merge.FIRST: _first,
    Merge.LAST: _last,
    Merge.ADD: _add,
    Merge.BOR: _bor,
    Merge.MIN: _min,
    Merge.MAX: _max,
}
