"""Chains of rules as steps over a whole batch.

A row's way through the chain is kept in two ways. At the top level a row that goes no further is
taken out of the frame, so later rules work on fewer rows. Inside ``-if`` groups the rows stay and
hidden Boolean columns say which of them a branch applies to; rows that a branch ends are taken out
when the outermost group closes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from ess.engines.base import Unsupported
from ess.engines.columnar.distinct import Scalar
from ess.engines.columnar.expressions import truth, value
from ess.engines.columnar.functions import stored_values
from ess.engines.columnar.plan import HIDDEN, Context, Kernel, Plan, dropped, plan, with_value
from ess.engines.columnar.running import (
    Extreme,
    First,
    Kept,
    Running,
    Sum,
    Term,
    comparable,
    cumulative,
    extremes,
    firsts,
    kept,
    neutral,
    running_variables,
)
from ess.engines.columnar.storage import LOADS, blank_literal, column_literal, store
from ess.engines.columnar.storing import holder, storing_call, without
from ess.engines.columnar.support import DEEPEST, gap
from ess.language.program import (
    Branch,
    Conditional,
    Constantly,
    Evaluate,
    Expand,
    Filter,
    Program,
    Quit,
    Rule,
    Skip,
    Write,
)
from ess.language.random_sequence import random_value
from ess.language.tree import Builtin, BuiltinName, Node, Slot, ValueType, value_type
from ess.language.walk import assigned_slots
from ess.schema.batch import Batch

#: Hidden columns with a meaning of their own.
ROW_NUMBER = f"{HIDDEN}row"
ALIVE = f"{HIDDEN}alive"
WRITTEN = f"{HIDDEN}written"


@dataclass
class State:
    """A batch on its way through the chain.

    ``written_only`` counts the rows that were written and then went no further. ``variables`` holds
    the values of the variables that rules set, by key, as their slots hold them.
    """

    frame: pl.DataFrame
    variables: dict[str, Scalar] = field(default_factory=dict)
    written: dict[int, Batch] = field(default_factory=dict)
    written_only: int = 0

    def tidy(self, *needed: str) -> None:
        """Drop the masks of a group that is over; at the top level no rule needs them."""
        kept = {ROW_NUMBER, WRITTEN, *needed}
        hidden = [name for name in self.frame.columns if name.startswith(HIDDEN) and name not in kept]
        self.frame = dropped(self.frame, *hidden)

    def run(self, variable: Slot, values: pl.Series) -> None:
        """Add the values of a variable behind the rule that sets it."""
        self.frame = self.frame.hstack([values])
        if values.len():
            self.variables[variable.key] = values.item(-1)

    def keep(self, mask: str) -> None:
        """At the top level: take out the rows for which the hidden column ``mask`` is false."""
        self.tidy(mask)
        if WRITTEN in self.frame.columns:
            self.written_only += int(self.frame.select((pl.col(WRITTEN) & ~pl.col(mask)).sum()).item())
        self.frame = dropped(self.frame.filter(pl.col(mask)), mask)


Step = Callable[[State], None]


@dataclass(frozen=True)
class Chain:
    """A compiled chain: its steps, and what the frame needs beside the inputs.

    ``unset`` are created slots that no rule sets, ``running`` the variables that rules set.
    """

    steps: tuple[Step, ...]
    needs_row_number: bool
    needs_written: bool
    unset: tuple[Slot, ...]
    running: frozenset[str]


@dataclass
class _Facts:
    """Facts that compiling gathers on the way from the first rule to the last.

    ``present`` holds the keys of slots that are columns by now; a created slot becomes one when
    it is first set, and is a constant until then. ``pending`` has, for a variable that several rules set, how many
    of them are still to come, and the hidden column of the values so far.
    """

    program: Program
    names: Iterator[str]
    present: set[str]
    constants: dict[str, pl.Expr]
    running: dict[str, Running]
    pending: dict[str, tuple[int, str]] = field(default_factory=dict)
    sinks: set[int] = field(default_factory=set)
    uses_row_number: bool = False


@dataclass(frozen=True)
class _Block:
    """The place of a rule: ``mask`` names the hidden column of its rows, None at the top level."""

    facts: _Facts
    mask: str | None = None

    def column(self, slot: Slot) -> pl.Expr:
        """The slot's stored values."""
        if slot.key in self.facts.present:
            return pl.col(slot.key)
        if slot.key in self.facts.running:
            raise gap("other variables that rules set")
        return self.facts.constants.get(slot.key, blank_literal(slot.type))

    def context(self) -> Context:
        """The context for compiling an expression of a rule in this block."""
        active = None if self.mask is None else pl.col(self.mask)
        return Context(self._reference, self._builtin, self.facts.names, active)

    def _reference(self, slot: Slot) -> pl.Expr:
        return LOADS[slot.type](self.column(slot))

    def _builtin(self, builtin: Builtin, context: Context) -> pl.Expr:
        if builtin.name is BuiltinName.ROW_NUMBER:
            self.facts.uses_row_number = True
            return pl.col(ROW_NUMBER)
        if builtin.name is BuiltinName.RANDOM:
            self.facts.uses_row_number = True
            return context.stage(_random(self.facts.program.random_seed, builtin.site), pl.col(ROW_NUMBER))
        raise gap("$CurSec, $CurUSec")


def _random(seed: int, site: int) -> Kernel:
    def kernel(arguments: tuple[pl.Series, ...]) -> pl.Series:
        return pl.Series([random_value(seed, site, number) for number in arguments[0]], dtype=pl.Int64)

    return kernel


def compile_chain(program: Program, names: Iterator[str]) -> Chain:
    """Compile all rules of ``program``.

    Raises:
        Unsupported: If the chain holds something that is left to the row engine.
    """
    if _depth(program.rules) > DEEPEST:
        raise gap("groups nested deeper")
    running, assigned = running_variables(program), assigned_slots(program)
    if any(key in assigned and key not in running for key in (variable.slot.key for variable in program.variables)):
        raise gap("other variables that rules set")
    constants = {v.slot.key: column_literal(v.initial, v.slot.type) for v in program.variables}
    facts = _Facts(program, names, {slot.key for slot in program.inputs}, constants, running)
    steps = _compile_rules(program.rules, _Block(facts))
    unset = tuple(slot for slot in program.created if slot.key not in facts.present)
    return Chain(tuple(steps), facts.uses_row_number, bool(facts.sinks), unset, frozenset(running))


def _depth(rules: tuple[Rule, ...]) -> int:
    """The depth to which groups nest in ``rules``."""
    groups = [rule for rule in rules if isinstance(rule, Conditional)]
    return max((1 + _depth(branch.body) for group in groups for branch in group.branches), default=0)


def _compile_rules(rules: tuple[Rule, ...], block: _Block) -> list[Step]:
    steps: list[Step] = []
    for rule in rules:
        more, block = _compile_rule(rule, block)
        steps += more
    return steps


def _compile_rule(rule: Rule, block: _Block) -> tuple[list[Step], _Block]:
    """The steps of one rule, and the block of the rules after it (its mask may have narrowed)."""
    match rule:
        case Evaluate():
            return _evaluate(rule, block), block
        case Filter():
            before, condition = _stored_first(rule.condition, block)
            context = block.context()
            steps, block = _narrow(plan(context, truth(condition, context)), block)
            return [*before, *steps], block
        case Constantly(value=True):
            return [], block
        case Constantly() | Skip():
            return _narrow(Plan((), (), pl.lit(False)), block)
        case Write():
            return [_write(rule, block)], block
        case Conditional():
            return _conditional(rule, block)
        case Expand():
            raise gap("-cmb,all, -sub,all, -pmod")
        case Quit():
            raise gap("-quit, -quitafter")
    raise Unsupported(f"rules of kind {type(rule).__name__}")


def _evaluate(rule: Evaluate, block: _Block) -> list[Step]:
    if rule.target is not None and rule.target.key in block.facts.running:
        match block.facts.running[rule.target.key]:
            case Sum(terms):
                return _add(rule.target, rule.value.type, terms, block)
            case Extreme() as extreme:
                return _extreme(rule.target, extreme, None, block)
            case Kept(rules):
                return _keep(rule.target, rule.value, rules, block)
            case First():
                raise Unsupported("a first value outside of its branch")
    steps, node = _stored_first(rule.value, block)
    context = block.context()
    new = value(node, context)
    if rule.target is None:
        return [*steps, _check_only(plan(context, new), next(block.facts.names))]
    return [*steps, _set(rule.target, store(new, node.type, rule.target.type), context, block)]


def _add(variable: Slot, value_type: ValueType, terms: tuple[Term, ...], block: _Block) -> list[Step]:
    """Add to a variable, row by row, what the rows of the block have to add."""
    context = block.context()
    total: pl.Expr | None = None
    for term in terms:
        number = value(term.value, context)
        number = -number if term.subtracted else number
        total = number if total is None else total + number
    added = neutral(value_type) if total is None else total
    if context.active is not None:
        added = pl.when(context.active).then(added).otherwise(neutral(value_type))
    expression, name = plan(context, added), next(block.facts.names)
    block.facts.present.add(variable.key)

    def step(state: State) -> None:
        frame = expression.add_to(state.frame, name)
        values = cumulative(variable, value_type, state.variables[variable.key], frame.get_column(name))
        state.frame = dropped(frame, name)
        state.run(variable, values)

    return [step]


def _extreme(variable: Slot, extreme: Extreme, taken: str | None, block: _Block) -> list[Step]:
    """Make a variable the extreme of a value, row by row; ``taken`` is the column for the rows that made it so."""
    context, name = block.context(), next(block.facts.names)
    number, exceptional = comparable(variable, extreme.value.type, context.once(value(extreme.value, context)))
    if exceptional is not None:
        context.guard(exceptional)
    expression = plan(context, context.only_active(number))
    block.facts.present.add(variable.key)

    def step(state: State) -> None:
        frame = expression.add_to(state.frame, name)
        start = state.variables[variable.key]
        values, rows = extremes(variable, extreme, start, frame.get_column(name))
        state.frame = dropped(frame, name)
        state.run(variable, values)
        if taken is not None:
            state.frame = state.frame.hstack([rows.alias(taken)])

    return [step]


def _first(variable: Slot, first: First, taken: str, block: _Block) -> list[Step]:
    """Set a variable in the rows in which it is still blank; ``taken`` is the column for them."""
    context, name = block.context(), next(block.facts.names)
    new = store(value(first.value, context), first.value.type, variable.type)
    expression = plan(context, context.only_active(new))
    block.facts.present.add(variable.key)

    def step(state: State) -> None:
        frame = expression.add_to(state.frame, name)
        values, rows = firsts(variable, first, state.variables[variable.key], frame.get_column(name))
        state.frame = dropped(frame, name)
        state.run(variable, values)
        state.frame = state.frame.hstack([rows.alias(taken)])

    return [step]


def _keep(variable: Slot, node: Node, rules: int, block: _Block) -> list[Step]:
    """Set a variable to a value, which later rows have as long as no rule sets another."""
    before, node = _stored_first(node, block)
    context, name = block.context(), next(block.facts.names)
    new = context.only_active(store(value(node, context), node.type, variable.type))
    left, earlier = block.facts.pending.get(variable.key, (rules, ""))
    expression = plan(context, pl.coalesce(new, pl.col(earlier)) if earlier else new)
    if left > 1:
        block.facts.pending[variable.key] = left - 1, name
        return [*before, _assign(expression, name)]
    block.facts.present.add(variable.key)

    def step(state: State) -> None:
        frame = expression.add_to(state.frame, name)
        values = kept(variable, state.variables[variable.key], frame.get_column(name))
        state.frame = dropped(frame, name)
        state.run(variable, values)

    return [*before, step]


def _set(target: Slot, new: pl.Expr, context: Context, block: _Block) -> Step:
    """Store ``new``, in the physical type of the slot, in the rows of the block."""
    if context.active is not None:
        new = pl.when(context.active).then(new).otherwise(block.column(target))
    block.facts.present.add(target.key)
    return _assign(plan(context, new), target.key)


def _stored_first(node: Node, block: _Block) -> tuple[list[Step], Node]:
    """The steps of a call in ``node`` that stores into columns, and ``node`` without it."""
    call = storing_call(node)
    if call is None:
        return [], node
    context = block.context()
    targets = [target.slot for target in call.function.targets(call.arguments)]
    arguments = [value(argument, context) for argument in call.function.evaluated(call.arguments)]
    arguments += [context.reference(slot) for slot in targets]
    results, held = next(block.facts.names), holder(call, next(block.facts.names))
    steps = [_assign(plan(context, stored_values(call, tuple(arguments), context)), results)]
    fields = [(held, "result"), *((slot, str(i)) for i, slot in enumerate(targets))]
    for slot, field_name in fields:
        new = store(pl.col(results).struct.field(field_name), value_type(slot.type), slot.type)
        steps.append(_set(slot, new, block.context(), block))
    return [*steps, _drop(results)], without(node, call, held)


def _drop(name: str) -> Step:
    def step(state: State) -> None:
        state.frame = dropped(state.frame, name)

    return step


def _assign(expression: Plan, key: str) -> Step:
    def step(state: State) -> None:
        state.frame = expression.add_to(state.frame, key)

    return step


def _check_only(expression: Plan, name: str) -> Step:
    def step(state: State) -> None:
        expression.add_to(state.frame, name)

    return step


def _narrow(condition: Plan, block: _Block) -> tuple[list[Step], _Block]:
    """End the rows of ``block`` for which ``condition`` does not hold."""
    name = next(block.facts.names)
    if block.mask is None:

        def keep(state: State) -> None:
            state.frame = condition.add_to(state.frame, name)
            state.keep(name)

        return [keep], block

    passed = pl.col(block.mask) & pl.col(name)

    def narrow(state: State) -> None:
        frame = condition.add_to(state.frame, name)
        ended = pl.col(block.mask or "") & ~pl.col(name)
        state.frame = frame.with_columns(passed.alias(name), (pl.col(ALIVE) & ~ended).alias(ALIVE))

    return [narrow], replace(block, mask=name)


def _write(rule: Write, block: _Block) -> Step:
    if rule.sink in block.facts.sinks:
        raise gap("two rules that write to one sink")
    block.facts.sinks.add(rule.sink)
    constants = [(slot.key, block.column(slot)) for slot in rule.slots if slot.key not in block.facts.present]
    keys = [slot.key for slot in rule.slots]
    mask = None if block.mask is None else pl.col(block.mask)

    def step(state: State) -> None:
        rows = state.frame if mask is None else state.frame.filter(mask)
        for key, constant in constants:
            rows = with_value(rows, key, constant)
        state.written[rule.sink] = rows[keys] if keys else rows.select()
        state.frame = with_value(state.frame, WRITTEN, pl.lit(True) if mask is None else pl.col(WRITTEN) | mask)

    return step


def _conditional(rule: Conditional, block: _Block) -> tuple[list[Step], _Block]:
    outermost = block.mask is None
    ends_rows = any(_ends_rows(branch.body) for branch in rule.branches)
    steps: list[Step] = []
    if outermost and ends_rows:
        steps.append(_assign(Plan((), (), pl.lit(True)), ALIVE))
    remaining = block
    for branch in rule.branches:
        more, taken, remaining = _check(branch, remaining)
        steps += more
        body = branch.body[1:] if _compares_first(branch, block) is not None else branch.body
        steps += _compile_rules(body, taken)
    if outermost:
        return [*steps, State.tidy if not ends_rows else lambda state: state.keep(ALIVE)], block
    if not ends_rows:
        return steps, block
    name = next(block.facts.names)
    steps.append(_assign(Plan((), (), pl.col(block.mask or "") & pl.col(ALIVE)), name))
    return steps, replace(block, mask=name)


def _ends_rows(rules: tuple[Rule, ...]) -> bool:
    for rule in rules:
        if isinstance(rule, Filter | Skip | Constantly):
            return True
        if isinstance(rule, Conditional) and any(_ends_rows(branch.body) for branch in rule.branches):
            return True
    return False


def _compares_first(branch: Branch, block: _Block) -> tuple[Slot, Extreme | First] | None:
    """The variable that a branch compares and then sets, and how; None for other branches."""
    rule = branch.body[0] if branch.body else None
    if isinstance(branch.check, Filter) and isinstance(rule, Evaluate) and rule.target is not None:
        running = block.facts.running.get(rule.target.key)
        if isinstance(running, First) or (isinstance(running, Extreme) and running.equal is not None):
            return rule.target, running
    return None


def _check(branch: Branch, block: _Block) -> tuple[list[Step], _Block, _Block]:
    """The steps of a branch's check, the block of its body, and the block of the branches after it."""
    taken, remaining = next(block.facts.names), next(block.facts.names)
    steps: list[Step] = []
    compared = _compares_first(branch, block)
    match branch.check:
        case Filter() if compared is not None:
            variable, running = compared
            rows = next(block.facts.names)
            if isinstance(running, Extreme):
                steps = _extreme(variable, running, rows, block)
            else:
                steps = _first(variable, running, rows, block)
            condition = Plan((), (), pl.col(rows))
        case Filter():
            steps, node = _stored_first(branch.check.condition, block)
            context = block.context()
            condition = plan(context, truth(node, context))
        case Constantly():
            condition = Plan((), (), pl.lit(branch.check.value))
        case None:
            condition = Plan((), (), pl.lit(True))
        case Evaluate() | Write():
            steps, _ = _compile_rule(branch.check, block)
            condition = Plan((), (), pl.lit(True))
        case _:
            raise Unsupported(f"{type(branch.check).__name__} as the rule that an -if checks")
    mask = None if block.mask is None else pl.col(block.mask)
    negated = branch.negated

    def step(state: State) -> None:
        frame = condition.add_to(state.frame, taken)
        holds = ~pl.col(taken) if negated else pl.col(taken)
        fails = pl.col(taken) if negated else ~pl.col(taken)
        state.frame = frame.with_columns(
            (holds if mask is None else mask & holds).alias(taken),
            (fails if mask is None else mask & fails).alias(remaining),
        )

    return [*steps, step], replace(block, mask=taken), replace(block, mask=remaining)
