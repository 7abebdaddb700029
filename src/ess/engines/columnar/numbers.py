"""C arithmetic and comparison as Polars expressions.

Polars wraps 64-bit sums and products as the language wants, but its division floors, its float
modulo is inexact, and it orders NaN above everything and equal to itself. Here is the difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl

from ess.language.tree import ArithmeticOperator, CompareOperator

#: The integer for a FLOAT that 64 bits cannot hold.
NO_INTEGER = -(2**63)


def _signs_differ(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return (left < 0) != (right < 0)


def truncating_quotient(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """``left / right`` truncated towards zero; null where ``right`` is 0."""
    quotient = left // right
    inexact = (left - quotient * right) != 0
    return quotient + (inexact & _signs_differ(left, right)).cast(pl.Int64)


def truncating_remainder(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """``left % right`` with the sign of ``left``; null where ``right`` is 0."""
    remainder = left % right
    excess = pl.when((remainder != 0) & _signs_differ(left, right)).then(right).otherwise(pl.lit(0, dtype=pl.Int64))
    return remainder - excess


def truncate(number: pl.Expr) -> pl.Expr:
    """A FLOAT as INTEGER; nulls (inactive rows) become numbers too, which nobody reads."""
    return number.cast(pl.Int64, strict=False).fill_null(NO_INTEGER)


#: Integer operators other than division and modulo, which need a check of the divisor.
INTEGER_OPERATORS: dict[ArithmeticOperator, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ArithmeticOperator.ADD: lambda left, right: left + right,
    ArithmeticOperator.SUBTRACT: lambda left, right: left - right,
    ArithmeticOperator.MULTIPLY: lambda left, right: left * right,
    ArithmeticOperator.AND: lambda left, right: left & right,
    ArithmeticOperator.OR: lambda left, right: left | right,
    ArithmeticOperator.XOR: lambda left, right: left ^ right,
}

#: Integer operators that reject the record when the divisor is 0.
DIVIDING_OPERATORS: dict[ArithmeticOperator, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ArithmeticOperator.DIVIDE: truncating_quotient,
    ArithmeticOperator.MODULO: truncating_remainder,
}

#: IEEE 754 operators on columns (see ``scalar_is_exact``). Modulo is missing: Polars computes it
#: by way of a rounded quotient.
FLOAT_OPERATORS: dict[ArithmeticOperator, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ArithmeticOperator.ADD: lambda left, right: left + right,
    ArithmeticOperator.SUBTRACT: lambda left, right: left - right,
    ArithmeticOperator.MULTIPLY: lambda left, right: left * right,
    ArithmeticOperator.DIVIDE: lambda left, right: left / right,
}


def scalar_is_exact(operator: ArithmeticOperator, constant: float) -> bool:
    """True if Polars may see a constant operand of a FLOAT operator as a scalar.

    With a scalar it takes short cuts that IEEE 754 does not allow: it divides by multiplying with
    the reciprocal, computes 0.0 - x as -x, and x + 0.0 as x.
    """
    if operator is ArithmeticOperator.DIVIDE:
        return abs(math.frexp(constant)[0]) == 0.5 and 2.0**-1000 < abs(constant) < 2.0**1000
    return operator is ArithmeticOperator.MULTIPLY or constant != 0.0


#: Comparisons that hold for integers, bytes and addresses; floats also need ``neither_nan``.
COMPARISONS: dict[CompareOperator, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    CompareOperator.EQUAL: lambda left, right: left == right,
    CompareOperator.GREATER: lambda left, right: left > right,
    CompareOperator.LESS: lambda left, right: left < right,
    CompareOperator.GREATER_EQUAL: lambda left, right: left >= right,
    CompareOperator.LESS_EQUAL: lambda left, right: left <= right,
}

#: Comparisons of bits, on integers only.
BIT_COMPARISONS: dict[CompareOperator, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    CompareOperator.BITS_ALL: lambda left, right: (left & right) == right,
    CompareOperator.BITS_ANY: lambda left, right: (left & right) != 0,
}


def neither_nan(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """True where a comparison of floats can hold at all: neither side is NaN."""
    return left.is_not_nan() & right.is_not_nan()
