"""Telling whether two outputs say the same.

Outputs are CSV with a title line, whose names do not count. What counts is said for each column; quotes, the way a
number is written (``1.5`` or ``1.50``) and, where a work leaves it open, the order of rows do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bench.process import BenchError

#: How far numbers may be apart, as a share of the larger of 1 and the number: sums of the same numbers in another order
#: differ in their last digits, and some programs compute deviations as differences of large sums.
_NEAR = {"sum": 1e-9, "deviation": 1e-6}


@dataclass(frozen=True)
class Columns:
    """The rules for comparing the columns of a work.

    Args:
        kinds: For each column ``text`` (byte by byte), ``number`` (the same double), ``sum`` or ``deviation`` (a
            double that may differ in its last digits, see ``_NEAR``).
        sort_by: Columns (from 0) whose values alone have an order, so that rows with equal ones may stand in any
            order among themselves. None if the order of rows counts, all columns if it does not count at all.
        groups: Columns whose equal values stand together. The groups may come in any order; what ``sort_by`` says is
            about the rows of each.
    """

    kinds: tuple[str, ...]
    sort_by: tuple[int, ...] | None = None
    groups: tuple[int, ...] = ()

    @property
    def any_order(self) -> bool:
        """True if the order of rows does not count."""
        return not self.groups and self.sort_by is not None and len(self.sort_by) == len(self.kinds)


def read_output(path: Path, columns: Columns) -> pl.DataFrame:
    """An output as columns ``0``, ``1`` and so on.

    Raises:
        BenchError: If it has other columns, or text where a number shall stand.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchError(f"there is no {path.name}: {error.strerror}") from None
    try:
        content.decode()
    except UnicodeDecodeError:
        # Every byte as a character of its own, so that nothing is lost.
        content = content.decode("latin-1").encode()
    if content.count(b"\n") < 2:
        kinds = {str(n): pl.String if kind == "text" else pl.Float64 for n, kind in enumerate(columns.kinds)}
        return pl.DataFrame(schema=kinds)
    try:
        table = pl.read_csv(content, infer_schema=False)
        if table.width != len(columns.kinds):
            raise BenchError(f"{path.name} has {table.width} columns, not {len(columns.kinds)}")
        table = table.rename({old: str(n) for n, old in enumerate(table.columns)})
        # A blank field is the same with quotes and without.
        return table.with_columns(
            pl.col(str(n)).fill_null("") if kind == "text" else _number(str(n), kind)
            for n, kind in enumerate(columns.kinds)
        )
    except pl.exceptions.PolarsError as error:
        raise BenchError(f"{path.name} is not what it should be: {str(error).splitlines()[0]}") from None


def _number(name: str, kind: str) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64)
    # One row alone has no deviation: some programs print 0, some nothing.
    return number.fill_null(0.0) if kind == "deviation" else number


def require_equal(ours: Path, theirs: Path, columns: Columns) -> None:
    """Compare two outputs.

    Raises:
        BenchError: If they differ; it names a row and a column.
    """
    left, right = read_output(ours, columns), read_output(theirs, columns)
    if left.height != right.height:
        raise BenchError(f"{left.height:,} rows in {ours.name}, {right.height:,} in {theirs.name}")
    if columns.groups:
        left, right = _grouped(left, columns, ours), _grouped(right, columns, theirs)
    if columns.sort_by is not None:
        if not columns.any_order:
            # The order that is promised must be there before it is made the same.
            keys = [str(n) for n in columns.sort_by]
            _compare(left.select(keys), right.select(keys), columns, ours, theirs)
        exact = [str(n) for n, kind in enumerate(columns.kinds) if kind not in _NEAR]
        left, right = left.sort(exact), right.sort(exact)
    _compare(left, right, columns, ours, theirs)


def _grouped(rows: pl.DataFrame, columns: Columns, source: Path) -> pl.DataFrame:
    """The rows with the groups in order, each as it stands."""
    names = [str(n) for n in columns.groups]
    runs = rows.select(pl.struct(names).rle_id().max()).item()
    if runs is not None and runs + 1 != rows.select(pl.struct(names).n_unique()).item():
        raise BenchError(f"rows that belong together stand apart in {source.name}")
    return rows.sort(names, maintain_order=True)


def _compare(left: pl.DataFrame, right: pl.DataFrame, columns: Columns, ours: Path, theirs: Path) -> None:
    for name in left.columns:
        one, other = left.get_column(name), right.get_column(name)
        apart = _NEAR.get(columns.kinds[int(name)])
        if apart is not None:
            both = pl.DataFrame({"one": one, "other": other})
            near = (pl.col("one") - pl.col("other")).abs() <= apart * pl.max_horizontal(1.0, pl.col("one").abs())
            same = both.select(near.fill_null(value=False) | pl.all_horizontal(pl.all().is_null())).to_series()
        else:
            same = one.eq_missing(other)
        if not same.all():
            row = _first_false(same)
            raise BenchError(
                f"row {row + 1}, column {int(name) + 1}: {one[row]!r} in {ours.name}, {other[row]!r} in {theirs.name}"
            )


def _first_false(same: pl.Series) -> int:
    return int((~same).arg_true()[0])


def require_all_equal(outputs: Sequence[Path], columns: Columns) -> None:
    """Compare the first output with each of the others; raises as ``require_equal`` does."""
    for other in outputs[1:]:
        require_equal(outputs[0], other, columns)
