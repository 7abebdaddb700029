"""Running sums and counts: the one way of setting a variable that is a function of a whole column.

``-eval Sum 'Sum + price'`` gives each row the sum up to it, so the variable becomes a column of
cumulative sums behind that rule, and its last value is where the next batch starts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from ess.engines.columnar.plan import ExceptionalRowError
from ess.engines.columnar.storage import LOADS, column_literal, store
from ess.language.program import Evaluate, Filter, Program
from ess.language.tree import Arithmetic, ArithmeticOperator, Node, Reference, Slot, ValueType
from ess.language.walk import assigned_slots, nodes_of, rules_of


@dataclass(frozen=True)
class Term:
    """What a rule adds to a variable, or takes from it."""

    value: Node
    subtracted: bool


def running_sums(program: Program) -> dict[str, tuple[Term, ...]]:
    """The terms of each variable, by key, whose only rule adds to it or takes from it."""
    found: dict[str, tuple[Term, ...]] = {}
    for variable in program.variables:
        slot = variable.slot
        rules = [rule for rule in rules_of(program.rules) if isinstance(rule, Evaluate) and _is(rule.target, slot)]
        terms = _terms(rules[0].value, slot) if len(rules) == 1 else None
        if terms is not None and not _stored_by_calls(program, slot):
            found[slot.key] = terms
    return found


def _is(target: Slot | None, slot: Slot) -> bool:
    return target is not None and target.key == slot.key


def _stored_by_calls(program: Program, slot: Slot) -> bool:
    calls_only = (
        Evaluate(None, rule.value) if isinstance(rule, Evaluate) else rule
        for rule in rules_of(program.rules)
        if isinstance(rule, Evaluate | Filter)
    )
    return slot.key in assigned_slots(Program((), (), (), tuple(calls_only)))


def _terms(node: Node, slot: Slot) -> tuple[Term, ...] | None:
    """The terms of ``variable + a - b``, or None if ``node`` is something else."""
    terms: list[Term] = []
    while isinstance(node, Arithmetic) and not _refers(node, slot):
        left, right = node.left, node.right
        if node.operator is ArithmeticOperator.ADD and _refers(right, slot):
            left, right = right, left
        elif node.operator not in (ArithmeticOperator.ADD, ArithmeticOperator.SUBTRACT):
            return None
        terms.append(Term(right, node.operator is ArithmeticOperator.SUBTRACT))
        node = left
    if not _refers(node, slot) or any(_reads(term.value, slot) for term in terms):
        return None
    # Floating point sums depend on the order, so they are cumulative for one term only.
    return tuple(terms) if node.type is ValueType.INTEGER or len(terms) == 1 else None


def _refers(node: Node, slot: Slot) -> bool:
    return isinstance(node, Reference) and node.slot.key == slot.key


def _reads(node: Node, slot: Slot) -> bool:
    return any(_refers(inner, slot) for inner in nodes_of(node))


def neutral(value_type: ValueType) -> pl.Expr:
    """What a row adds that the rule does not apply to: nothing, also to a negative zero."""
    return pl.lit(-0.0, dtype=pl.Float64) if value_type is ValueType.FLOAT else pl.lit(0, dtype=pl.Int64)


def cumulative(slot: Slot, value_type: ValueType, start: bytes | int | float, added: pl.Series) -> pl.Series:
    """The variable's values behind the rule, in the physical type of ``slot``.

    Args:
        slot: The variable.
        value_type: INTEGER or FLOAT.
        start: The variable's value before the batch, as its slot holds it.
        added: What each row adds.

    Raises:
        ExceptionalRowError: For a start at -0.0, which Polars' sum, beginning with 0.0, would lose.
    """
    if start == 0 and isinstance(start, float) and math.copysign(1.0, start) < 0:
        raise ExceptionalRowError
    first = pl.select(LOADS[slot.type](column_literal(start, slot.type)).alias("sum")).to_series()
    sums = pl.concat([first, added.alias("sum")]).cum_sum().slice(1)
    return sums.to_frame().select(store(pl.col("sum"), value_type, slot.type).alias(slot.key)).to_series()
