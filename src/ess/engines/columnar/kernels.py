"""The functions that have a columnar form.

A kernel gives a call as an expression, or None for a form of call that it does not cover; that
call then goes to the row implementation, like any function that is not in the table.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from ess.engines.columnar.date_text import date_text_kernel
from ess.engines.columnar.dates import date_kernel
from ess.engines.columnar.distinct import or_else, row_kernel
from ess.engines.columnar.numbers import truncate
from ess.engines.columnar.plan import Context, Kernel
from ess.engines.columnar.text import as_text, ascii_lower, ascii_upper
from ess.language.function import RowFunction, fixed_text, words_of
from ess.language.functions.comparison import literal_parts
from ess.language.tree import Call, Constant, ValueType

#: The call, the expressions of its evaluated arguments (no constants for all of them), the place.
CallKernel = Callable[[Call, tuple[pl.Expr, ...], Context], pl.Expr | None]


def _argument_type(call: Call, index: int = 0) -> ValueType:
    return call.function.evaluated(call.arguments)[index].type


def _constant_integer(call: Call, index: int) -> int | None:
    """The value of an evaluated argument, if it is an integer constant that fits a slice."""
    node = call.function.evaluated(call.arguments)[index]
    if isinstance(node, Constant) and isinstance(node.value, int) and abs(node.value) < 2**31:
        return node.value
    return None


def _length(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
    return arguments[0].bin.size().cast(pl.Int64)


def _any_of(test: Callable[[pl.Expr, bytes], pl.Expr]) -> CallKernel:
    def kernel(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
        parts = [fixed_text(argument) for argument in call.arguments[1:]]
        return pl.any_horizontal(test(arguments[0], part) for part in parts).cast(pl.Int64)

    return kernel


def _wildcard(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
    """``PatCmp`` where literal texts at known places decide."""
    parts = literal_parts(fixed_text(call.arguments[1]))
    if parts is None or len(parts) > 3 or "ncas" in words_of(call.arguments[2]):
        return None
    value, head, tail = arguments[0], parts[0], parts[-1]
    if len(parts) == 1:
        found = value == pl.lit(head)
    elif len(parts) == 2:
        found = (value.bin.size() >= len(head) + len(tail)) & value.bin.starts_with(head) & value.bin.ends_with(tail)
    elif not head and not tail:
        found = value.bin.contains(parts[1])
    else:
        return None
    return found.cast(pl.Int64)


def _sub_string(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
    start = _constant_integer(call, 1)
    length = _constant_integer(call, 2) if len(arguments) > 2 else None
    if start is None or (len(arguments) > 2 and (length is None or length < 0)):
        return None
    if start >= 0:
        return arguments[0].bin.slice(start, length)
    tail = arguments[0].bin.tail(-start)
    return tail if length is None else tail.bin.head(length)


def _staged(kernel: Kernel) -> CallKernel:
    def staged(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
        return context.stage(kernel, *arguments)

    return staged


def _rounding(function: Callable[[pl.Expr], pl.Expr]) -> CallKernel:
    """Whole numbers stay as they are; the function is for floats."""

    def kernel(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
        return function(arguments[0]) if call.type is ValueType.FLOAT else arguments[0]

    return kernel


def _absolute(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
    return arguments[0].abs()


def _extreme(better: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> CallKernel:
    """The first argument that no other one is better than, in order: as C code with ``<`` finds it."""

    def kernel(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
        numbers = arguments
        if call.type is ValueType.FLOAT:
            numbers = tuple(argument.cast(pl.Float64) for argument in arguments)
        best = numbers[0]
        for number in numbers[1:]:
            wins = better(number, best)
            if call.type is ValueType.FLOAT:
                wins = wins & number.is_not_nan() & best.is_not_nan()
            # As a column: where all rows choose one constant, Polars would make it a scalar.
            best = context.column(pl.when(wins).then(number).otherwise(best))
        return best

    return kernel


def _to_integer(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
    match _argument_type(call):
        case ValueType.STRING:
            return context.stage(_parsed(call, pl.Int64), arguments[0])
        case ValueType.FLOAT:
            return truncate(arguments[0])
        case _:
            return arguments[0]


def _to_float(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
    if _argument_type(call) is ValueType.STRING:
        return context.stage(_parsed(call, pl.Float64), arguments[0])
    return arguments[0].cast(pl.Float64)


def _parsed(call: Call, dtype: type[pl.DataType]) -> Kernel:
    """Numbers in text: Polars parses those that are nothing but a number, as the language does."""
    row = row_kernel(call.function.bind(call.arguments), dtype)

    def kernel(arguments: tuple[pl.Series, ...]) -> pl.Series:
        text = as_text(arguments[0])
        if text is None:
            return row(arguments)
        return or_else(text.cast(dtype, strict=False), arguments[0], row)

    return kernel


def _to_string(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
    match _argument_type(call):
        case ValueType.STRING:
            return arguments[0]
        case ValueType.INTEGER:
            return arguments[0].cast(pl.String).cast(pl.Binary)
        case _:
            return None


def _date(*, utc: bool) -> CallKernel:
    def kernel(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
        row = row_kernel(call.function.bind(call.arguments), pl.Int64)
        columns = date_kernel(fixed_text(call.arguments[1]), utc=utc, row=row)
        return None if columns is None else context.stage(columns, context.only_active(arguments[0]))

    return kernel


def _date_text(*, utc: bool) -> CallKernel:
    def kernel(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr | None:
        def part_function(part: bytes) -> RowFunction:
            return call.function.bind((call.arguments[0], Constant(ValueType.STRING, part)))

        row = row_kernel(call.function.bind(call.arguments), pl.Binary)
        columns = date_text_kernel(fixed_text(call.arguments[1]), utc=utc, part_function=part_function, row=row)
        return None if columns is None else context.stage(columns, context.only_active(arguments[0]))

    return kernel


#: The kernels, by the function's lower-case name.
KERNELS: dict[str, CallKernel] = {
    "sleng": _length,
    "substr": _sub_string,
    "begcmp": _any_of(lambda value, part: value.bin.starts_with(part)),
    "endcmp": _any_of(lambda value, part: value.bin.ends_with(part)),
    "patcmp": _wildcard,
    "subcmp": _any_of(lambda value, part: value.bin.contains(part)),
    "toupper": _staged(ascii_upper),
    "tolower": _staged(ascii_lower),
    "floor": _rounding(lambda value: value.floor()),
    "ceil": _rounding(lambda value: value.ceil()),
    "round": _rounding(lambda value: value.round(mode="half_away_from_zero")),
    "abs": _absolute,
    "min": _extreme(lambda number, best: number < best),
    "max": _extreme(lambda number, best: number > best),
    "toi": _to_integer,
    "tof": _to_float,
    "tos": _to_string,
    "datetotime": _date(utc=False),
    "gmdatetotime": _date(utc=True),
    "timetodate": _date_text(utc=False),
    "timetogmdate": _date_text(utc=True),
}
