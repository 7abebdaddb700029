"""Between a column's physical type and the type its value has inside an expression."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from ess.engines.base import Unsupported
from ess.engines.columnar.numbers import truncate
from ess.language.tree import ValueType
from ess.schema.batch import PHYSICAL, blank
from ess.schema.types import ColumnType

#: The data type of an expression's value in the columnar engine.
VALUE_DTYPES: dict[ValueType, type[pl.DataType]] = {
    ValueType.STRING: pl.Binary,
    ValueType.INTEGER: pl.Int64,
    ValueType.FLOAT: pl.Float64,
    ValueType.IP: pl.Binary,
}


def _same(column: pl.Expr) -> pl.Expr:
    return column


#: The conversion of a column's values when an expression reads them.
LOADS: dict[ColumnType, Callable[[pl.Expr], pl.Expr]] = {
    ColumnType.S: _same,
    ColumnType.F: _same,
    ColumnType.L: lambda column: column.reinterpret(signed=True),
    ColumnType.LS: _same,
    ColumnType.I: lambda column: column.cast(pl.Int64),
    ColumnType.IS: lambda column: column.cast(pl.Int64),
    ColumnType.IP: _same,
}

#: The conversion of an INTEGER when it is stored: integers keep the low bits of the column's width.
_INTEGER_STORES: dict[ColumnType, Callable[[pl.Expr], pl.Expr]] = {
    ColumnType.F: lambda value: value.cast(pl.Float64),
    ColumnType.L: lambda value: value.reinterpret(signed=False),
    ColumnType.LS: _same,
    ColumnType.I: lambda value: value.cast(pl.UInt32, wrap_numerical=True),
    ColumnType.IS: lambda value: value.cast(pl.Int32, wrap_numerical=True),
}


def store(value: pl.Expr, value_type: ValueType, column_type: ColumnType) -> pl.Expr:
    """``value`` in the physical type of a column of ``column_type``."""
    if value_type is ValueType.STRING and column_type is ColumnType.S:
        return value
    if value_type is ValueType.IP and column_type is ColumnType.IP:
        return value
    if value_type is ValueType.FLOAT and column_type is ColumnType.F:
        return value
    if value_type is ValueType.FLOAT and column_type.is_integer:
        return _INTEGER_STORES[column_type](truncate(value))
    if value_type is ValueType.INTEGER and column_type.is_numeric:
        return _INTEGER_STORES[column_type](value)
    raise Unsupported(f"a value of type {value_type.value} cannot be stored into a column of type {column_type.value}")


def value_literal(value: bytes | int | float, value_type: ValueType) -> pl.Expr:
    """A constant as an expression's value."""
    return pl.lit(value, dtype=VALUE_DTYPES[value_type])


def column_literal(value: bytes | int | float, column_type: ColumnType) -> pl.Expr:
    """A constant in the physical type of a column."""
    return pl.lit(value, dtype=PHYSICAL[column_type])


def blank_literal(column_type: ColumnType) -> pl.Expr:
    """The value of a slot that no rule has set."""
    return column_literal(blank(column_type), column_type)
