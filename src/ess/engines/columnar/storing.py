"""Calls that store into columns, taken out of the expression they stand in.

Such a call (``RxMap(...)``, ``-mapf``) has more than one result, so it becomes a step of its own
before its rule: the step sets the target columns and a hidden one with the call's value, and the
expression reads that. This gives what the row engine gives if the call is always evaluated and
the rest of the expression does not read the targets.
"""

from __future__ import annotations

from dataclasses import replace

from ess.engines.columnar.support import STORING_ELSEWHERE, gap
from ess.language.tree import (
    Arithmetic,
    Attributes,
    Both,
    Call,
    Compare,
    Concatenate,
    Either,
    Node,
    Not,
    Reference,
    Slot,
    Target,
    ToFloat,
    ToInteger,
    Truth,
    ValueType,
)
from ess.language.walk import nodes_of
from ess.schema.types import ColumnType

#: The column type that holds a value of each type unchanged.
_HOLDERS = {
    ValueType.STRING: ColumnType.S,
    ValueType.INTEGER: ColumnType.LS,
    ValueType.FLOAT: ColumnType.F,
    ValueType.IP: ColumnType.IP,
}


def storing_call(root: Node) -> Call | None:
    """The one call below ``root`` that stores into columns, or None if none does.

    Raises:
        Unsupported: If it cannot be taken out.
    """
    calls = [node for node in nodes_of(root) if isinstance(node, Call) and node.function.targets(node.arguments)]
    if not calls:
        return None
    call = calls[0]
    stored = {target.slot.key for target in call.function.targets(call.arguments)}
    outside = without(root, call, Slot("", "", ColumnType.LS))
    if len(calls) > 1 or any(node is call for node in nodes_of(outside)):
        raise gap(STORING_ELSEWHERE)
    if any(isinstance(node, Reference) and node.slot.key in stored for node in nodes_of(outside)):
        raise gap(STORING_ELSEWHERE)
    return call


def holder(call: Call, key: str) -> Slot:
    """A slot for the value of ``call``."""
    return Slot(key, key, _HOLDERS[call.type])


def without(node: Node, call: Call, held: Slot) -> Node:
    """``node`` with a reference to ``held`` in the place of ``call``, where it is sure to be evaluated."""
    if node is call:
        return Reference(call.type, held)
    match node:
        case ToFloat() | ToInteger() | Truth() | Not():
            return replace(node, operand=without(node.operand, call, held))
        case Arithmetic() | Concatenate() | Compare():
            return replace(node, left=without(node.left, call, held), right=without(node.right, call, held))
        case Both() | Either():  # the right side may not be reached
            return replace(node, left=without(node.left, call, held))
        case Call():
            arguments = tuple(
                argument if isinstance(argument, Attributes | Target) else without(argument, call, held)
                for argument in node.arguments
            )
            return replace(node, arguments=arguments)
    return node
