"""Row implementations mapped over the distinct values of a batch.

Logs repeat themselves: a date column of 100,000 rows has far fewer different dates, so calling
the row implementation once a distinct argument tuple is cheap, and right by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from ess.engines.columnar.plan import ExceptionalRowError, Kernel
from ess.language.functions.table import RecordError, RowFunction

#: Below this height a plain loop beats grouping and joining.
_SMALL = 64

Scalar = bytes | int | float


def map_distinct(
    function: Callable[..., Scalar], arguments: tuple[pl.Series, ...], dtype: type[pl.DataType]
) -> pl.Series:
    """``function`` of each row's ``arguments``; null where one of them is null.

    Args:
        function: Takes one Python value an argument (bytes, int or float) and always the same
            result for the same values. What it raises is passed on.
        arguments: Series of one height.
        dtype: The data type of the result.
    """
    results = map_distinct_to_frame(lambda *values: (function(*values),), arguments, {"result": dtype})
    return results.get_column("result")


def map_distinct_to_frame(
    function: Callable[..., Sequence[Scalar]], arguments: tuple[pl.Series, ...], schema: dict[str, type[pl.DataType]]
) -> pl.DataFrame:
    """As ``map_distinct`` for a function with several results, one a column of ``schema``."""
    names = [f"argument{i}" for i in range(len(arguments))]
    values = pl.DataFrame([series.alias(name) for series, name in zip(arguments, names, strict=True)])
    nothing = (None,) * len(schema)
    if values.height <= _SMALL:
        rows = [nothing if None in row else function(*row) for row in values.iter_rows()]
        return _frame(rows, schema)
    keys = values.with_columns(_as_key(series).alias(name) for series, name in zip(arguments, names, strict=True))
    chosen = keys.drop_nulls().unique(maintain_order=False)
    distinct = chosen.select(_from_key(series, name) for series, name in zip(arguments, names, strict=True))
    table = chosen.hstack(_frame([function(*row) for row in distinct.iter_rows()], schema))
    return keys.join(table, on=names, how="left", maintain_order="left").select(list(schema))


def _frame(rows: Sequence[Sequence[Scalar | None]], schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pl.DataFrame(
        [pl.Series(name, column, dtype=dtype) for (name, dtype), column in zip(schema.items(), columns, strict=True)]
    )


def _as_key(series: pl.Series) -> pl.Series:
    """Floats as their bits: Polars takes 0.0 and -0.0 for one key, the language prints them differently."""
    return series.reinterpret(dtype=pl.Int64) if series.dtype == pl.Float64 else series


def _from_key(series: pl.Series, name: str) -> pl.Expr:
    return pl.col(name).reinterpret(dtype=pl.Float64) if series.dtype == pl.Float64 else pl.col(name)


def row_kernel(function: RowFunction, dtype: type[pl.DataType]) -> Kernel:
    """A kernel that calls the row implementation; a row that it rejects makes the batch exceptional."""

    def kernel(arguments: tuple[pl.Series, ...]) -> pl.Series:
        try:
            return map_distinct(function, arguments, dtype)
        except RecordError as rejected:
            raise ExceptionalRowError from rejected

    return kernel


def or_else(result: pl.Series, argument: pl.Series, row: Kernel) -> pl.Series:
    """``result`` with the values of ``row`` where it is null though the argument is not."""
    odd = result.is_null() & argument.is_not_null()
    if not odd.any():
        return result
    rows = odd.arg_true()
    return result.scatter(rows, row((argument.gather(rows),)))
