"""Merging rows of one key before they are sent, where the result is the same, bit for bit.

Whole numbers, and the first or last value of anything, come out alike whether neighbouring rows are merged here or on
the server: its merge is a fold from left to right in the order of arrival, and these folds are associative. Float sums
are not, so a table that has one is left alone. Fewer rows are then placed, sent, logged and merged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from ess.schema.batch import Batch
from ess.schema.types import ColumnType
from ess.udb.shard.grouping import Index, first_rows
from ess.udb.shard.merge import KEY_NUMBER, merge_rows
from ess.udb.spec.spec import Kind, Merge, Table, TableColumn

#: Fewer rows are sent as they are.
MANY_ROWS = 2_000
#: Of so many rows one must be left, or they are sent as they are.
WORTHWHILE = 2

_ANY_TYPE = (Merge.FIRST, Merge.LAST)


def can_fold(table: Table | None) -> bool:
    """True if rows of a table may be merged before they are sent.

    >>> from ess.udb.spec.spec import make_table
    >>> [can_fold(make_table("t", Kind.VECTOR, ["s,pkey:k", f"{kind},+add:n"], where="")) for kind in "if"]
    [True, False]
    """
    if table is None or table.kind is Kind.VAR or not table.merges:
        return False
    # A float that rows are told apart by is left alone, too: equal ones, as 0 and -0, need not have the same bytes.
    merged = [column for column in table.values if not column.merge_key and column.merge in _ANY_TYPE]
    return all(column.type is not ColumnType.F or column in merged for column in table.columns)


def folded(table: Table, key: Sequence[TableColumn], rows: Batch) -> Batch:
    """The rows, those of one key and identity merged; or the rows themselves where few would be.

    Args:
        table: A table for which :func:`can_fold` is true.
        key: The key of the database.
        rows: Its columns, in order of arrival.

    Returns:
        What the server makes the same of; keys and identities stand in the order of their first rows.
    """
    if rows.height < MANY_ROWS:
        return rows
    names = [column.key for column in key]
    keys = rows.select(names).rechunk()
    hashes = _hashes(keys)
    identity = [column.key for column in table.identity]
    of_identities = _hashes(rows.select(*names, *identity)) if identity else hashes
    if _different(of_identities) * WORTHWHILE > rows.height:
        return rows
    numbers = pl.Series(KEY_NUMBER, _first_rows(keys, hashes), dtype=pl.UInt32)
    merged = merge_rows(table, rows.select(numbers, *(pl.col(column.key) for column in table.values)))
    return keys[merged[KEY_NUMBER]].hstack(merged.drop(KEY_NUMBER)).select(rows.columns)


def _hashes(rows: Batch) -> npt.NDArray[np.uint64]:
    return (rows.to_series().hash() if rows.width == 1 else rows.hash_rows()).to_numpy()


def _different(hashes: npt.NDArray[np.uint64]) -> float:
    """About how many different rows there are: by how many of some buckets their hashes fall into."""
    buckets = 1 << (2 * len(hashes)).bit_length()
    taken = np.zeros(buckets, dtype=np.bool_)
    taken[hashes & np.uint64(buckets - 1)] = True
    free = buckets - int(np.count_nonzero(taken))
    return -buckets * math.log(free / buckets)


def _first_rows(rows: Batch, hashes: npt.NDArray[np.uint64]) -> Index:
    """As :func:`ess.udb.shard.grouping.first_rows`, in half the time where many rows agree: nothing is sorted.

    Rows of one hash fall into one bucket. Where the first row of a bucket has another hash, its rows are put
    into other buckets, by further bits of their hashes.
    """
    bits = (2 * len(hashes)).bit_length()
    found = np.arange(len(hashes), dtype=np.int32)  # half the size is faster, and a batch has no more rows
    rest, of_rest = found.copy(), hashes
    for shift in range(0, 64 - bits, bits):
        buckets = (of_rest >> np.uint64(shift)) & np.uint64((1 << bits) - 1)
        first = np.zeros(1 << bits, dtype=np.int32)
        first[buckets[::-1]] = rest[::-1]  # of several, the last one is written last
        first_of = first[buckets]
        agrees = hashes[first_of] == of_rest
        found[rest[agrees]] = first_of[agrees]
        rest, of_rest = rest[~agrees], of_rest[~agrees]
        if not len(rest):
            break
    # Two rows can have one hash, and a hash no bucket of its own.
    if len(rest) or any((column.gather(found) != column).any() for column in rows.get_columns()):
        return first_rows(rows, rows.columns)
    return found.astype(np.int64)
