"""Row implementations mapped over the distinct values of a batch.

Logs repeat themselves: a date column of 100,000 rows has far fewer different dates, so calling
the row implementation once a distinct argument tuple is cheap, and right by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import polars as pl

from ess.engines.columnar.plan import ExceptionalRowError, Kernel
from ess.language.function import RecordError, RowFunction

#: Below this height a plain loop beats grouping and joining.
_SMALL = 64

#: So does it if more than this share of the rows have values of their own: grouping and joining
#: cost about as much as half a microsecond of Python a row.
_VARIED = 0.4

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

    def results(columns: Sequence[pl.Series]) -> pl.DataFrame:
        return pl.Series("result", _called(function, columns), dtype=dtype).to_frame()

    return _map(results, arguments).get_column("result")


def map_distinct_to_frame(
    function: Callable[..., Sequence[Scalar]], arguments: tuple[pl.Series, ...], schema: dict[str, type[pl.DataType]]
) -> pl.DataFrame:
    """As ``map_distinct`` for a function with several results, one a column of ``schema``."""
    nothing = (None,) * len(schema)

    def results(columns: Sequence[pl.Series]) -> pl.DataFrame:
        rows = [nothing if row is None else row for row in _called(function, columns)]
        fields = zip(*rows, strict=True) if rows else [()] * len(schema)
        named = zip(schema.items(), fields, strict=True)
        return pl.DataFrame([pl.Series(name, values, dtype=dtype) for (name, dtype), values in named])

    return _map(results, arguments)


_Result = TypeVar("_Result")


def _called(function: Callable[..., _Result], columns: Sequence[pl.Series]) -> list[_Result | None]:
    """The function's results row by row; None where an argument is null."""
    if not any(column.null_count() for column in columns):
        return list(map(function, *columns))
    return [None if None in row else function(*row) for row in zip(*columns, strict=True)]


def _map(results: Callable[[Sequence[pl.Series]], pl.DataFrame], arguments: tuple[pl.Series, ...]) -> pl.DataFrame:
    """``results`` of all rows, computed once a distinct tuple of arguments where that pays."""
    height = arguments[0].len()
    if height <= _SMALL:
        return results(arguments)
    names = [f"argument{i}" for i in range(len(arguments))]
    keys = pl.DataFrame([_as_key(series).alias(name) for series, name in zip(arguments, names, strict=True)])
    if max(keys.select(pl.all().approx_n_unique()).row(0)) > _VARIED * height:
        return results(arguments)
    chosen = keys.drop_nulls().unique(maintain_order=False)
    distinct = chosen.select(_from_key(series, name) for series, name in zip(arguments, names, strict=True))
    made = results(distinct.get_columns())
    return keys.join(chosen.hstack(made), on=names, how="left", maintain_order="left").select(made.columns)


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
    if not result.null_count():
        return result
    odd = result.is_null() & argument.is_not_null()
    if not odd.any():
        return result
    rows = odd.arg_true()
    return result.scatter(rows, row((argument.gather(rows),)))
