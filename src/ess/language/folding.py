"""Parts of a tree that hold no column are computed once, when the expression is checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ess.language import values
from ess.language.tree import (
    Arithmetic,
    ArithmeticOperator,
    Attributes,
    Both,
    Call,
    Compare,
    Concatenate,
    Constant,
    Either,
    Node,
    Not,
    Target,
    ToFloat,
    ToInteger,
    Truth,
    ValueType,
)
from ess.language.values import RecordError

_INTEGERS: dict[ArithmeticOperator, Callable[[int, int], int]] = {
    ArithmeticOperator.ADD: lambda a, b: a + b,
    ArithmeticOperator.SUBTRACT: lambda a, b: a - b,
    ArithmeticOperator.MULTIPLY: lambda a, b: a * b,
    ArithmeticOperator.DIVIDE: values.divide,
    ArithmeticOperator.MODULO: values.remainder,
    ArithmeticOperator.AND: lambda a, b: a & b,
    ArithmeticOperator.OR: lambda a, b: a | b,
    ArithmeticOperator.XOR: lambda a, b: a ^ b,
}
_FLOATS: dict[ArithmeticOperator, Callable[[float, float], float]] = {
    ArithmeticOperator.ADD: lambda a, b: a + b,
    ArithmeticOperator.SUBTRACT: lambda a, b: a - b,
    ArithmeticOperator.MULTIPLY: lambda a, b: a * b,
    ArithmeticOperator.DIVIDE: values.divide_floats,
    ArithmeticOperator.MODULO: values.remainder_floats,
}


def fold(node: Node) -> Node:
    """``node`` with its constant parts computed.

    A part that would reject every record, such as ``1 / 0``, is left as it is, so that it rejects
    records only where it is reached.
    """
    spine: list[Arithmetic | Concatenate | Both | Either] = []
    while isinstance(node, Arithmetic | Concatenate | Both | Either):  # a long chain is deep on its left
        spine.append(node)
        node = node.left
    result = _fold_operand(node)
    for parent in reversed(spine):
        result = _fold_pair(parent, result, fold(parent.right))
    return result


def _fold_operand(node: Node) -> Node:
    match node:
        case ToFloat(operand) | ToInteger(operand):
            inner = fold(operand)
            if isinstance(inner, Constant) and not isinstance(inner.value, bytes):
                if isinstance(node, ToFloat):
                    return Constant(ValueType.FLOAT, float(inner.value))
                return Constant(ValueType.INTEGER, values.to_integer(float(inner.value)))
            return dataclasses.replace(node, operand=inner)
        case Truth(operand) | Not(operand):
            return dataclasses.replace(node, operand=fold(operand))
        case Compare():
            return dataclasses.replace(node, left=fold(node.left), right=fold(node.right))
        case Call():
            return _fold_call(node)
        case _:
            return node


def _fold_pair(node: Arithmetic | Concatenate | Both | Either, left: Node, right: Node) -> Node:
    if isinstance(left, Constant) and isinstance(right, Constant) and not isinstance(node, Both | Either):
        a, b = left.value, right.value
        if isinstance(a, bytes) and isinstance(b, bytes):
            return Constant(ValueType.STRING, a + b)
        if isinstance(node, Arithmetic) and isinstance(a, int) and isinstance(b, int):
            try:
                return Constant(node.type, values.wrap(_INTEGERS[node.operator](a, b)))
            except RecordError:
                pass
        elif isinstance(node, Arithmetic) and isinstance(a, float) and isinstance(b, float):
            return Constant(node.type, _FLOATS[node.operator](a, b))
    return dataclasses.replace(node, left=left, right=right)


def _fold_call(node: Call) -> Node:
    arguments = tuple(a if isinstance(a, Attributes | Target) else fold(a) for a in node.arguments)
    function = node.function
    operands = function.evaluated(arguments)
    if function.pure and not function.targets(arguments) and all(isinstance(o, Constant) for o in operands):
        try:
            result = function.bind(arguments)(*(o.value for o in operands if isinstance(o, Constant)))
        except RecordError:
            return dataclasses.replace(node, arguments=arguments)
        return Constant(node.type, result)
    return dataclasses.replace(node, arguments=arguments)
