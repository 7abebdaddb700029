"""Variables that rules set, as columns: sums, counts, extremes, and values that are kept from a row on.

* ``-eval Sum 'Sum + price'`` gives each row the sum up to it: cumulative sums behind that rule;
* ``-eval Most 'Max(Most, price)'``, and ``-if -filt 'price > Most' -eval Most price ... -endif``: cumulative maxima;
* ``-eval Last price``: the value itself, and in the rows that the rule does not apply to the one before;
* ``-if -filt 'First == 0' -eval First price ... -endif``, where 0 is what the variable begins with: the first value.

The last row's value is where the next batch starts. Other variables depend on the rows before in ways of
their own and are left to the row engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from ess.engines.columnar.plan import ExceptionalRowError
from ess.engines.columnar.storage import LOADS, column_literal, store
from ess.language.program import Branch, Conditional, Evaluate, Filter, Program, Rule
from ess.language.tree import (
    Arithmetic,
    ArithmeticOperator,
    Call,
    Compare,
    CompareOperator,
    Constant,
    Node,
    Reference,
    Slot,
    ToFloat,
    ValueType,
)
from ess.language.walk import assigned_slots, nodes_of, rules_of
from ess.schema.types import INTEGER_RANGES, ColumnType


@dataclass(frozen=True)
class Term:
    """A term that a rule adds to a variable, or subtracts from it."""

    value: Node
    subtracted: bool


@dataclass(frozen=True)
class Sum:
    """One rule adds to the variable and takes from it."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Extreme:
    """One rule makes the variable the greatest or smallest value of ``value`` so far.

    With ``equal``, the rule is the first of an ``-if`` that compares the two; it says whether the branch also
    takes equal values. Without (None), it is ``Max(Variable, value)``.
    """

    value: Node
    greatest: bool
    equal: bool | None


@dataclass(frozen=True)
class Kept:
    """``rules`` rules of one group set the variable to what does not depend on it."""

    rules: int


@dataclass(frozen=True)
class First:
    """One rule, the first of an ``-if`` that looks whether the variable is still ``blank``, sets it to ``value``."""

    value: Node
    blank: bytes | int | float


Running = Sum | Extreme | Kept | First

_TWO_TO_53 = 2**53
_GREATER = {
    CompareOperator.GREATER: (True, False),
    CompareOperator.GREATER_EQUAL: (True, True),
    CompareOperator.LESS: (False, False),
    CompareOperator.LESS_EQUAL: (False, True),
}


def running_variables(program: Program) -> dict[str, Running]:
    """The variables, by key, that rules set in one of the known ways, and how they become columns."""
    found: dict[str, Running] = {}
    for variable in program.variables:
        rules = [rule for rule in rules_of(program.rules) if _sets(rule, variable.slot)]
        if rules and not _stored_by_calls(program, variable.slot):
            running = _running(program, variable.slot, variable.initial, rules)
            if running is not None:
                found[variable.slot.key] = running
    return found


def _running(program: Program, slot: Slot, initial: bytes | int | float, rules: list[Rule]) -> Running | None:
    values = [rule.value for rule in rules if isinstance(rule, Evaluate)]
    if len(values) == 1 and _reads(values[0], slot):
        terms = _terms(values[0], slot)
        return Sum(terms) if terms is not None else _called_extreme(values[0], slot)
    if any(_reads(value, slot) for value in values):
        return None
    if len(values) > 1:
        # Between two rules of the chain, rows may go; inside of one group they stay in their places.
        together = any(isinstance(rule, Conditional) and _count(rule, slot) == len(rules) for rule in program.rules)
        return Kept(len(rules)) if together else None
    for branch in _branches(program.rules):
        if branch.body and branch.body[0] is rules[0] and not branch.negated and isinstance(branch.check, Filter):
            compared = _compared(branch.check.condition, values[0], slot, initial)
            if compared is not None:
                return compared
    return Kept(1)


def _sets(rule: Rule, slot: Slot) -> bool:
    return isinstance(rule, Evaluate) and rule.target is not None and rule.target.key == slot.key


def _count(group: Conditional, slot: Slot) -> int:
    return sum(_sets(rule, slot) for rule in rules_of((group,)))


def _branches(rules: tuple[Rule, ...]) -> Iterator[Branch]:
    for rule in rules_of(rules):
        if isinstance(rule, Conditional):
            yield from rule.branches


def _called_extreme(node: Node, slot: Slot) -> Extreme | None:
    """``Max(Variable, value)`` or ``Min``, either way round."""
    if not (isinstance(node, Call) and node.function.key in ("min", "max") and len(node.arguments) == 2):
        return None
    others = [a for a in node.arguments if not (isinstance(a, Node) and _refers(_bare(a), slot))]
    if len(others) != 1 or not isinstance(others[0], Node) or _reads(others[0], slot):
        return None
    value = _bare(others[0])
    return Extreme(value, node.function.key == "max", None) if _is_comparable(value, slot) else None


def _compared(condition: Node, value: Node, slot: Slot, initial: bytes | int | float) -> Extreme | First | None:
    """The effect of an ``-if`` whose condition compares the variable and whose first rule sets it to ``value``."""
    if not isinstance(condition, Compare) or condition.ignore_case:
        return None
    left, right, turned = _bare(condition.left), _bare(condition.right), False
    if _refers(left, slot):
        left, right, turned = right, left, True
    if not _refers(right, slot):
        return None
    if condition.operator is CompareOperator.EQUAL and isinstance(left, Constant):
        same = left.value == initial and isinstance(left.value, bytes) == isinstance(initial, bytes)
        return First(value, initial) if same and _is_storable(value, slot) else None
    if condition.operator in _GREATER and left == _bare(value) and _is_comparable(left, slot):
        greatest, equal = _GREATER[condition.operator]
        return Extreme(left, greatest != turned, equal)
    return None


def _bare(node: Node) -> Node:
    return node.operand if isinstance(node, ToFloat) else node


def _is_storable(value: Node, slot: Slot) -> bool:
    """True if a value can be examined in the form in which it will be stored."""
    return value.type is not ValueType.FLOAT or slot.type is ColumnType.F


def _is_comparable(value: Node, slot: Slot) -> bool:
    """True if a value is compared in the type that the variable holds."""
    if slot.type is ColumnType.F:
        return value.type in (ValueType.INTEGER, ValueType.FLOAT)
    return slot.type.is_integer and value.type is ValueType.INTEGER


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
    """The term added by a row that the rule does not apply to: nothing, also to a negative zero."""
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
    sums = pl.concat([_loaded(slot, start), added.alias("")]).cum_sum().slice(1)
    return _stored(slot, value_type, sums)


def comparable(slot: Slot, value_type: ValueType, number: pl.Expr) -> tuple[pl.Expr, pl.Expr | None]:
    """A number in the type in which a variable compares, and whether it is exceptional (None: it never is).

    Exceptional is what the variable cannot hold, and where Polars and the language may choose in other ways: NaN,
    negative zero, and integers that a double does not hold.
    """
    if slot.type is not ColumnType.F:
        low, high = INTEGER_RANGES[slot.type]
        if slot.type in (ColumnType.L, ColumnType.LS):
            return number, None
        return number, ~number.is_between(low, high)
    if value_type is ValueType.INTEGER:
        return number.cast(pl.Float64), ~number.is_between(-_TWO_TO_53, _TWO_TO_53)
    return number, number.is_nan() | ((number == 0.0) & (1.0 / number < 0.0))


def extremes(
    slot: Slot, running: Extreme, start: bytes | int | float, numbers: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """The variable's values behind the rule, and which rows a branch takes that compares it first.

    Args:
        slot: The variable.
        running: What becomes of it.
        start: The variable's value before the batch, as its slot holds it.
        numbers: The numbers, null in rows that the rule does not apply to.

    Raises:
        ExceptionalRowError: For a start that is NaN or -0.0.
    """
    if isinstance(start, float) and (start != start or (start == 0 and math.copysign(1.0, start) < 0)):
        raise ExceptionalRowError
    joined = pl.concat([_loaded(slot, start), numbers.alias("")])
    found = (joined.cum_max() if running.greatest else joined.cum_min()).forward_fill()
    before = found.slice(0, numbers.len())
    if running.greatest:
        taken = numbers >= before if running.equal else numbers > before
    else:
        taken = numbers <= before if running.equal else numbers < before
    value_type = ValueType.FLOAT if slot.type is ColumnType.F else ValueType.INTEGER
    return _stored(slot, value_type, found.slice(1)), taken.fill_null(value=False)


def kept(slot: Slot, start: bytes | int | float, values: pl.Series) -> pl.Series:
    """The variable's values behind the last rule that sets it; ``values`` are null where no rule does."""
    first = pl.select(column_literal(start, slot.type).alias("")).to_series()
    return pl.concat([first, values.alias("")]).forward_fill().slice(1).alias(slot.key)


def firsts(slot: Slot, running: First, start: bytes | int | float, values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The variable's values behind the rule, and which rows its branch takes; arguments as for `extremes`.

    Raises:
        ExceptionalRowError: If a value is equal to the blank one, but another: -0.0.
    """
    if start != running.blank:
        return kept(slot, start, values.clear(values.len())), pl.repeat(False, values.len(), eager=True)
    blank = pl.select(column_literal(running.blank, slot.type)).to_series()
    if slot.type is ColumnType.F and running.blank == 0 and _negative_zeros([start, running.blank], values):
        raise ExceptionalRowError
    others = (values != blank).fill_null(value=False)
    if slot.type is ColumnType.F:
        others |= values.is_nan().fill_null(value=False)
    place = others.arg_max() if others.any() else values.len()
    assert place is not None
    taken = values.is_not_null() & pl.int_range(values.len(), eager=True).is_between(0, place)
    frame = pl.DataFrame([values.alias("value"), taken.alias("taken")])
    return kept(slot, start, frame.select(pl.when("taken").then("value")).to_series()), taken


def _negative_zeros(scalars: list[bytes | int | float], values: pl.Series) -> bool:
    if any(isinstance(scalar, float) and scalar == 0 and math.copysign(1.0, scalar) < 0 for scalar in scalars):
        return True
    return bool(((values == 0.0) & (1.0 / values < 0.0)).any())


def _loaded(slot: Slot, start: bytes | int | float) -> pl.Series:
    return pl.select(LOADS[slot.type](column_literal(start, slot.type)).alias("")).to_series()


def _stored(slot: Slot, value_type: ValueType, values: pl.Series) -> pl.Series:
    frame = values.alias("value").to_frame()
    return frame.select(store(pl.col("value"), value_type, slot.type).alias(slot.key)).to_series()
