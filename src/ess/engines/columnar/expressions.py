"""Checked expressions as Polars expressions: one small function a kind of node.

``value`` gives the node's value in the data type of its kind (``storage.VALUE_DTYPES``); ``truth``
gives a Boolean expression, which is what masks need, so that conditions are not widened to
64-bit ones and zeros only to be compared with 0 again.
"""

from __future__ import annotations

import polars as pl

from ess.engines.base import Unsupported
from ess.engines.columnar.distinct import map_distinct
from ess.engines.columnar.functions import call_value
from ess.engines.columnar.numbers import (
    BIT_COMPARISONS,
    COMPARISONS,
    DIVIDING_OPERATORS,
    FLOAT_OPERATORS,
    INTEGER_OPERATORS,
    neither_nan,
    scalar_is_exact,
    truncate,
)
from ess.engines.columnar.plan import Context, is_constant
from ess.engines.columnar.storage import value_literal
from ess.engines.columnar.text import ascii_lower
from ess.language.tree import (
    Arithmetic,
    ArithmeticOperator,
    Both,
    Builtin,
    Call,
    Compare,
    Concatenate,
    Constant,
    Either,
    Node,
    Not,
    Reference,
    ToFloat,
    ToInteger,
    Truth,
    ValueType,
)
from ess.language.values import remainder_floats


def value(node: Node, context: Context) -> pl.Expr:
    """The node's value; null in rows where the language does not evaluate it and it could reject."""
    match node:
        case Constant():
            return value_literal(node.value, node.type)
        case Reference():
            return context.reference(node.slot)
        case Builtin():
            return context.builtin(node, context)
        case ToFloat():
            return value(node.operand, context).cast(pl.Float64)
        case ToInteger():
            return truncate(value(node.operand, context))
        case Arithmetic():
            return _arithmetic(node, context)
        case Concatenate():
            return value(node.left, context) + value(node.right, context)
        case Compare() | Truth() | Not() | Both() | Either():
            return truth(node, context).cast(pl.Int64)
        case Call():
            evaluated = node.function.evaluated(node.arguments)
            return call_value(node, tuple(value(argument, context) for argument in evaluated), context)
    raise Unsupported(f"expressions of kind {type(node).__name__}")


def truth(node: Node, context: Context) -> pl.Expr:
    """The truth of the node's value, as a Boolean expression."""
    match node:
        case Compare():
            return _comparison(node, context)
        case Truth():
            return _truth_of(node.operand, context)
        case Not():
            return ~truth(node.operand, context)
        case Both():
            left = truth(node.left, context)
            return left & truth(node.right, context.within(left))
        case Either():
            left = truth(node.left, context)
            return left | truth(node.right, context.within(~left))
        case Constant():
            return pl.lit(bool(node.value))
    return value(node, context) != 0


def _arithmetic(node: Arithmetic, context: Context) -> pl.Expr:
    left, right = value(node.left, context), value(node.right, context)
    if node.type is ValueType.FLOAT:
        if node.operator is ArithmeticOperator.MODULO:
            return context.stage(_float_remainder, left, right)
        if node.operator in FLOAT_OPERATORS:
            left, right = _as_columns(node.operator, left, right, context)
            return FLOAT_OPERATORS[node.operator](left, right)
    elif node.operator in INTEGER_OPERATORS:
        return INTEGER_OPERATORS[node.operator](left, right)
    elif node.operator in DIVIDING_OPERATORS:
        if not (isinstance(node.right, Constant) and node.right.value != 0):
            right = context.once(right)
            context.guard(right == 0)
        return DIVIDING_OPERATORS[node.operator](context.once(left), right)
    raise Unsupported(f"operator {node.operator.value} on operands of type {node.type.value}")


def _as_columns(
    operator: ArithmeticOperator, left: pl.Expr, right: pl.Expr, context: Context
) -> tuple[pl.Expr, pl.Expr]:
    """The operands, with a constant one as a column where Polars is inexact about scalars."""
    if is_constant(left) == is_constant(right):
        return left, right
    constant: float | None = pl.select(left if is_constant(left) else right).item()
    # A division by zero has none; the batch is for the row engine then.
    if constant is None or scalar_is_exact(operator, constant):
        return left, right
    return (context.column(left), right) if is_constant(left) else (left, context.column(right))


def _float_remainder(arguments: tuple[pl.Series, ...]) -> pl.Series:
    return map_distinct(remainder_floats, arguments, pl.Float64)


def _comparison(node: Compare, context: Context) -> pl.Expr:
    left, right = value(node.left, context), value(node.right, context)
    kind = node.left.type
    if node.operator in BIT_COMPARISONS:
        if kind is not ValueType.INTEGER:
            raise Unsupported(f"comparison {node.operator.value} on operands of type {kind.value}")
        return BIT_COMPARISONS[node.operator](left, right)
    if node.ignore_case:
        left, right = _folded(node.left, left, context), _folded(node.right, right, context)
    if kind is ValueType.FLOAT:
        left, right = context.once(left), context.once(right)
        return COMPARISONS[node.operator](left, right) & neither_nan(left, right)
    return COMPARISONS[node.operator](left, right)


def _folded(node: Node, operand: pl.Expr, context: Context) -> pl.Expr:
    if isinstance(node, Constant) and isinstance(node.value, bytes):
        return value_literal(node.value.lower(), ValueType.STRING)
    return context.stage(ascii_lower, operand)


#: The addresses that count as false: none, and 0 in either family.
_NO_ADDRESS = (b"", bytes(4), bytes(16))


def _truth_of(operand: Node, context: Context) -> pl.Expr:
    if operand.type is ValueType.STRING:
        return value(operand, context) != pl.lit(b"", dtype=pl.Binary)
    if operand.type is ValueType.IP:
        address = value(operand, context)
        return pl.all_horizontal(address != pl.lit(none, dtype=pl.Binary) for none in _NO_ADDRESS)
    if operand.type is ValueType.FLOAT:
        return value(operand, context) != 0.0
    return truth(operand, context)
