"""Counting distinct keys, and statistics of numbers for each, over batches of any size."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ess.schema.batch import Batch

#: The column of a result that says how many rows have the key.
COUNT = "#count"

#: The parts of a statistic, in the order of the reports; ``column.part`` names them in a result.
STATISTICS = ("sum", "avg", "stddev", "min", "max")

#: Partial results of fewer rows than this are not worth merging before the end.
_MERGE_ROWS = 500_000

#: The rows that are counted at once: fewer bring the same keys again and again, more do not fit into the caches.
_GATHER_ROWS = 500_000

#: Fewer, if they hold this many bytes.
_GATHER_BYTES = 128 << 20

#: Doubles hold all whole numbers up to this one.
_EXACT = 2**53

_FIRST = "#first"


class KeyCounter:
    """Counts the rows of each distinct key.

    Memory is bounded by the distinct keys. Whole numbers are summed and compared as such, others as doubles; the spread
    is kept as the sum of the squared distances from the mean, which merges without cancellation (Chan, Golub and
    LeVeque 1979). Means and spreads of whole numbers are those of the distances from the first number that was seen,
    because doubles do not tell neighbours beyond 2^53 apart.

    Args:
        keys: The columns of the key; at least one.
        numbers: The numeric columns to gather statistics of.

    >>> counter = KeyCounter(["k"], ["n"])
    >>> counter.add(pl.DataFrame({"k": [b"a", b"b", b"a"], "n": [1, 5, 3]}))
    >>> counter.result().rows()
    [(b'a', 2, 4, 2.0, 1.4142135623730951, 1, 3), (b'b', 1, 5, 5.0, 0.0, 5, 5)]
    """

    def __init__(self, keys: Sequence[str], numbers: Sequence[str] = ()) -> None:
        self._keys = list(dict.fromkeys(keys))
        self._numbers = list(dict.fromkeys(numbers))
        self._parts: list[Batch] = []
        self._pending = 0
        self._merged = 0
        self._rows = 0
        self._bases: dict[str, int] = {}
        self._types: dict[str, pl.DataType] = {}
        self._held: list[Batch] = []
        self._held_rows = self._held_bytes = 0

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch that has the columns of the key and the numbers."""
        self._held.append(batch.select(list(dict.fromkeys([*self._keys, *self._numbers]))))
        self._held_rows += batch.height
        # A column of strings may be a view of all that was read with it.
        self._held_bytes += int(batch.estimated_size())
        if self._held_bytes >= _GATHER_BYTES:
            self._count_held()
        elif self._held_rows >= _GATHER_ROWS:
            # In parts that do not depend on the batches, so the sums do not either.
            self._count_held(self._held_rows // _GATHER_ROWS * _GATHER_ROWS)

    def _count_held(self, count: int | None = None) -> None:
        """Count the rows that wait: all, or the first of them."""
        if not self._held:
            return
        rows = pl.concat(self._held)
        for part in rows.slice(0, count).iter_slices(_GATHER_ROWS):
            self._count(part)
        rest = rows.clear() if count is None else rows.slice(count)
        self._held, self._held_rows, self._held_bytes = [rest], rest.height, 0

    def _count(self, rows: Batch) -> None:
        aggregates = [pl.len().cast(pl.UInt64).alias(COUNT), pl.col(_FIRST).first()]
        for name in self._numbers:
            number = pl.col(name)
            total, distance = number.sum(), number
            if self._is_whole(name, rows.get_column(name)):
                # The numbers fit into 64 bits, and a part has too few rows for more than 128.
                total, distance = number.cast(pl.Int128).sum(), self._distance(name, number)
            aggregates += [
                total.alias(f"{name}.sum"),
                distance.mean().alias(f"{name}.avg"),
                (distance.var(ddof=0) * pl.len()).alias(f"{name}.spread"),
                number.min().alias(f"{name}.min"),
                number.max().alias(f"{name}.max"),
            ]
        numbered = rows.with_row_index(_FIRST, offset=0)
        self._keep(numbered.group_by(self._keys).agg(aggregates), rows.height)

    def _is_whole(self, name: str, values: pl.Series) -> bool:
        """True if the numbers are whole; notes the first."""
        self._types.setdefault(name, values.dtype)
        whole = self._types[name] != pl.Float64
        if whole and name not in self._bases and values.len():
            self._bases[name] = values[0]
        return whole

    def _distance(self, name: str, number: pl.Expr) -> pl.Expr:
        """The distance of whole numbers from the first."""
        return (number.cast(pl.Int128) - self._base(name)).cast(pl.Float64)

    def _base(self, name: str) -> pl.Expr:
        return pl.lit(self._bases.get(name, 0), dtype=pl.Int128)

    def add_counted(self, batch: Batch) -> None:
        """Add what another counter has counted: a batch with the columns of ``result``."""
        self._count_held()
        spreads = [
            (pl.col(f"{name}.stddev").pow(2) * (pl.col(COUNT).cast(pl.Float64) - 1).clip(0)).alias(f"{name}.spread")
            for name in self._numbers
        ]
        wanted = [f"{name}.{part}" for name in self._numbers for part in STATISTICS if part != "stddev"]
        for name in self._numbers:
            if self._is_whole(name, batch.get_column(f"{name}.min")):
                exact = pl.col(f"{name}.sum").cast(pl.Int128)
                distance = exact - pl.col(COUNT).cast(pl.Int128) * self._base(name)
                mean = distance.cast(pl.Float64) / pl.col(COUNT).cast(pl.Float64)
                batch = batch.with_columns(exact, mean.alias(f"{name}.avg"))
        part = batch.with_row_index(_FIRST, offset=0).select(*self._keys, COUNT, _FIRST, *wanted, *spreads)
        self._keep(self._merge([part]), batch.height)

    def result(self) -> Batch:
        """The keys in the order they were first seen, their counts, and ``STATISTICS`` of each number.

        The standard deviation is that of a sample (divided by n-1), 0 for a single row. The sum of whole numbers is a
        whole number: of their own 64-bit type (unsigned or not), or ``Int128`` if one is too large for that.
        """
        self._count_held()
        spread_over = (pl.col(COUNT).cast(pl.Float64) - 1).clip(1)
        columns: list[pl.Expr] = [pl.col(*self._keys), pl.col(COUNT)]
        for name in self._numbers:
            columns += [
                (pl.col(f"{name}.spread") / spread_over).clip(0).sqrt().alias(f"{name}.stddev")
                if part == "stddev"
                else pl.col(f"{name}.{part}")
                for part in STATISTICS
            ]
        if not self._parts:
            return pl.DataFrame()
        found = self._merge(self._parts).sort(_FIRST).select(columns)
        return found.with_columns(
            column
            for name in self._numbers
            if self._types[name] != pl.Float64
            for column in _whole(found, name, self._types[name])
        )

    def _keep(self, part: Batch, rows: int) -> None:
        self._parts.append(part.with_columns(pl.col(_FIRST).cast(pl.UInt64) + self._rows))
        self._rows += rows
        self._pending += part.height
        if self._pending > max(_MERGE_ROWS, self._merged):
            self._parts = [self._merge(self._parts)]
            self._merged, self._pending = self._parts[0].height, 0

    def _merge(self, parts: Sequence[Batch]) -> Batch:
        count = pl.col(COUNT).cast(pl.Float64)
        aggregates = [pl.col(COUNT).sum(), pl.col(_FIRST).min()]
        for name in self._numbers:
            mean = pl.col(f"{name}.avg")
            overall = (count * mean).sum() / count.sum()
            aggregates += [
                pl.col(f"{name}.sum").sum(),
                overall.alias(f"{name}.avg"),
                (pl.col(f"{name}.spread").sum() + (count * (mean - overall).pow(2)).sum()).alias(f"{name}.spread"),
                pl.col(f"{name}.min").min(),
                pl.col(f"{name}.max").max(),
            ]
        return pl.concat(parts).group_by(self._keys).agg(aggregates)


def _whole(found: Batch, name: str, kind: pl.DataType) -> list[pl.Series]:
    """The sums of whole numbers in 64 bits if they fit, and the averages that they give."""
    sums, counts = found.get_column(f"{name}.sum"), found.get_column(COUNT)
    narrow = sums.cast(pl.UInt64 if kind.is_unsigned_integer() else pl.Int64, strict=False)
    averages = sums.cast(pl.Float64) / counts.cast(pl.Float64)
    large = (sums.abs() > _EXACT).arg_true()
    if large.len():
        # Python rounds once, where the doubles would be rounded before they are divided.
        exact = [total / count for total, count in zip(sums.gather(large), counts.gather(large), strict=True)]
        averages = averages.scatter(large, exact)
    return [(sums if narrow.null_count() else narrow).alias(f"{name}.sum"), averages.alias(f"{name}.avg")]


def counts_of_groups(groups: Sequence[str], rows: Batch, keys: Sequence[tuple[str, Batch]]) -> Batch:
    """The number of distinct keys of each kind in each group.

    Args:
        groups: The columns that make a group.
        rows: The result of a counter whose key is the group.
        keys: For each kind a name, and the result of a counter whose key begins with ``groups``.

    Returns:
        A row a group, in the order of ``rows``: ``groups``, ``COUNT``, and a column for each name.
    """
    names = list(dict.fromkeys(groups))
    parts = [rows.select(*names, COUNT).with_row_index(_FIRST)]
    parts += [found.group_by(names).agg(pl.len().cast(pl.UInt64).alias(name)) for name, found in keys]
    found = pl.concat(parts, how="diagonal").group_by(names).agg(pl.exclude(*names).min())
    return found.sort(_FIRST).drop(_FIRST)
