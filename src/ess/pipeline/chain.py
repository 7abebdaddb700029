"""The chain: option uses, in their order, become the checked program that the engines run.

:mod:`ess.pipeline.builder` keeps what grows from left to right (names, created slots, sinks). Each option
that is a rule has one small function in ``RULES``; an option that only defines something
(``-var``, ``-alias``, ``-renam``) has one in ``DEFINITIONS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.formats.attributes import OutputAttributes, parse_output_attributes
from ess.language.program import (
    Branch,
    Conditional,
    Constantly,
    Evaluate,
    Expand,
    Filter,
    Quit,
    Rule,
    Skip,
    Variable,
)
from ess.language.tree import (
    Arithmetic,
    ArithmeticOperator,
    Compare,
    CompareOperator,
    Constant,
    Reference,
    Slot,
    ValueType,
)
from ess.pipeline import keys, lookup, mapping, modules
from ess.pipeline.builder import ChainBuilder
from ess.pipeline.options import Use
from ess.pipeline.selection import Selected, distinct_slots, select
from ess.pipeline.sinks import STDOUT, VariablesOutput
from ess.schema.columns import parse_column
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    pass

_ENDS = ("-elif", "-elifnot", "-else", "-endif")

#: How much of an option's argument the message about a rejected record shows.
_SHOWN = 40


class Cursor:
    """A place in a sequence of option uses."""

    def __init__(self, uses: Sequence[Use]) -> None:
        self._uses = uses
        self._next = 0

    def peek(self) -> Use | None:
        """The use that comes next, or None at the end."""
        return self._uses[self._next] if self._next < len(self._uses) else None

    def take(self) -> Use:
        """The next use; there must be one."""
        use = self._uses[self._next]
        self._next += 1
        return use

    def take_if(self, *names: str) -> Use | None:
        """The next use if it is one of these options."""
        use = self.peek()
        return self.take() if use is not None and use.name in names else None


def build_chain(
    builder: ChainBuilder, uses: Sequence[Use], more: Mapping[str, RuleMaker] = MappingProxyType({})
) -> list[Rule]:
    """The rules of these uses; what they refer to is added to ``builder``.

    Args:
        builder: Knows the columns of the input.
        uses: The options, in their order.
        more: Rules of one tool beside `RULES`.

    Raises:
        OptionError: For a wrong expression, name or group.
    """
    # -ddef holds for every import, before or after it.
    builder.allow_missing_columns = any(use.name == "-ddef" for use in uses)
    cursor = Cursor(uses)
    rules = _Grammar(builder, more).rules(cursor)
    stray = cursor.peek()
    if stray is not None:
        raise OptionError(f"{stray.name} without an -if before it", where=stray.where)
    return rules


class _Grammar:
    """Rules, and groups of them."""

    def __init__(self, builder: ChainBuilder, more: Mapping[str, RuleMaker]) -> None:
        self._builder = builder
        self._more = more

    def rules(self, cursor: Cursor) -> list[Rule]:
        rules: list[Rule] = []
        while True:
            use = cursor.peek()
            if use is None or use.name in _ENDS:
                return rules
            cursor.take()
            if use.name in DEFINITIONS:
                DEFINITIONS[use.name](self._builder, use)
            elif use.name in ("-if", "-ifnot"):
                rules.append(self._group(use, cursor))
            elif use.name in OUTPUTS:
                rule = OUTPUTS[use.name](self._builder, use, cursor)
                if rule is not None:
                    rules.append(rule)
            else:
                rules += self._rule(use)

    def _rule(self, use: Use) -> tuple[Rule, ...]:
        make = RULES.get(use.name) or self._more.get(use.name)
        if make is None:
            raise OptionError(f"{use.name} cannot stand here", where=use.where)
        return _placed(make(self._builder, use), use)

    def _group(self, opening: Use, cursor: Cursor) -> Rule:
        """``-if[not] Rule ... -elif[not] Rule ... -else ... -endif``; the opening word is taken already.

        A check that takes rules of its own before it (one row may become several in it) begins a group of its own:
        behind ``-if`` within one that always holds, behind ``-elif`` within an ``-else``.
        """
        before, branch = self._branch(opening, cursor)
        group = self._group_from(branch, opening, cursor)
        return Conditional((Branch(Constantly(True), False, (*before, group)),)) if before else group

    def _group_from(self, first: Branch, opening: Use, cursor: Cursor) -> Conditional:
        """The group that begins with a branch, up to the ``-endif``."""
        branches = [first]
        while True:
            use = cursor.take_if(*_ENDS)
            if use is None:
                raise OptionError("no -endif for this group", where=opening.where)
            if use.name == "-endif":
                return Conditional(tuple(branches))
            if branches[-1].check is None:
                raise OptionError(f"{use.name} after -else", where=use.where, hint="-else comes last in its group")
            if use.name == "-else":
                branches.append(Branch(None, False, tuple(self.rules(cursor))))
                continue
            before, branch = self._branch(use, cursor)
            if before:
                rest = self._group_from(branch, opening, cursor)
                return Conditional((*branches, Branch(None, False, (*before, rest))))
            branches.append(branch)

    def _branch(self, opening: Use, cursor: Cursor) -> tuple[tuple[Rule, ...], Branch]:
        """The rules that must run before a check, and the branch of the check."""
        use = cursor.peek()
        if use is None or (use.name not in RULES and use.name not in ("-o", "-c", "-imp")):
            found = f"not {use.name}" if use is not None else "nothing follows"
            raise OptionError(
                f"{opening.name} needs a rule to check, {found}",
                where=opening.where,
                hint=f"e.g. {opening.name} -filt 'Col > 0'",
            )
        if use.name in ("-skip", "-quit", "-quitafter", "-top"):
            raise OptionError(f"{use.name} cannot be checked", where=opening.where, hint="put it behind the check")
        cursor.take()
        before: tuple[Rule, ...] = ()
        check: Rule | None
        if use.name in OUTPUTS:
            check = OUTPUTS[use.name](self._builder, use, cursor)
        else:
            *first, check = _placed((CHECKS.get(use.name) or RULES[use.name])(self._builder, use), use)
            before = tuple(first)
        negated = opening.name in ("-ifnot", "-elifnot")
        return before, Branch(check, negated, tuple(self.rules(cursor)))


# Rules: one function an option. --------------------------------------------------------------------------------------


# The checker brings the whole function table; a run without expressions starts faster without it.


def _evaluate(builder: ChainBuilder, use: Use) -> Rule:
    from ess.language.checker import check_expression, fit

    word, text = use.arguments
    where = f"{use.where} {word}"
    node = check_expression(text, builder.scope, where=where)
    if word == "-":
        return Evaluate(None, node)
    target = builder.target(word, where=where)  # after the check: a new column cannot occur in its own expression
    return Evaluate(target, fit(node, target.type, where=where))


def _filter(builder: ChainBuilder, use: Use) -> Rule:
    from ess.language.checker import check_filter

    return Filter(check_filter(use.arguments[0], builder.scope, where=use.where))


def _top(builder: ChainBuilder, use: Use) -> Rule:
    """``-top N``: the run stops once N rows have come this far. It counts in a variable of its own."""
    text = use.arguments[0]
    if not (text.isascii() and text.isdigit() and int(text) < 2**63):
        raise OptionError(f"'{text}' is not a number of rows", where=use.where, hint="give a number from 0 up")
    if int(text) == 0:
        return Quit()
    count = Slot(f"#top{len(builder.variables)}", "rows", ColumnType.LS, is_variable=True)
    builder.variables.append(Variable(count, 0))
    rows = Reference(ValueType.INTEGER, count)
    one, limit = Constant(ValueType.INTEGER, 1), Constant(ValueType.INTEGER, int(text))
    step = Evaluate(count, Arithmetic(ValueType.INTEGER, ArithmeticOperator.ADD, rows, one))
    full = Filter(Compare(CompareOperator.GREATER_EQUAL, rows, limit))
    stop = Conditional((Branch(full, False, (Quit(after_row=True),)),))
    return Conditional((Branch(Constantly(True), False, (step, stop)),))


def _placed(made: Rule | tuple[Rule, ...], use: Use) -> tuple[Rule, ...]:
    """The rules of an option, which say so in messages about records."""
    rules = made if isinstance(made, tuple) else (made,)
    shown = use.arguments[0] if use.arguments else ""
    where = f"{use.name} {shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + '...'}".rstrip()
    return tuple(
        replace(rule, where=where) if isinstance(rule, Evaluate | Filter | Expand) and not rule.where else rule
        for rule in rules
    )


RuleMaker = Callable[[ChainBuilder, Use], Rule | tuple[Rule, ...]]

#: The options that are rules by themselves.
RULES: dict[str, RuleMaker] = {
    "-eval": _evaluate,
    "-filt": _filter,
    "-kenc": keys.encode,
    "-kdec": keys.decode,
    "-mapf": mapping.map_from,
    "-mapc": mapping.map_to,
    "-map": mapping.map_in_place,
    "-sub": lookup.substitute,
    "-grep": lookup.select_by_file,
    "-cmb": lookup.combine,
    "-pmod": modules.run_module,
    "-true": lambda _builder, _use: Constantly(True),
    "-false": lambda _builder, _use: Constantly(False),
    "-skip": lambda _builder, _use: Skip(),
    "-quit": lambda _builder, _use: Quit(),
    "-quitafter": lambda _builder, _use: Quit(after_row=True),
    "-top": _top,
}

#: The options that are another rule when they are checked: as a rule to run, one that finds nothing changes nothing.
CHECKS: dict[str, RuleMaker] = {
    "-mapf": lambda builder, use: decide(mapping.map_from(builder, use)),
    "-map": lambda builder, use: decide(mapping.map_in_place(builder, use)),
    "-sub": lambda builder, use: _check(builder, lookup.substitute(builder, use, checked=True)),
    "-cmb": lambda builder, use: _check(builder, lookup.combine(builder, use, checked=True)),
    "-pmod": lambda builder, use: modules.run_module(builder, use, checked=True),
}


def _check(builder: ChainBuilder, rule: Rule) -> tuple[Rule, ...]:
    return modules.match_rules(builder, rule) if isinstance(rule, Expand) else (decide(rule),)


def decide(rule: Rule) -> Rule:
    """The rule that checks what ``rule`` only evaluates."""
    return Filter(rule.value) if isinstance(rule, Evaluate) else rule


# Definitions: they change what names mean, not the row. --------------------------------------------------------------


def _variable(builder: ChainBuilder, use: Use) -> None:
    from ess.language.checker import check_constant

    spec, text = use.arguments
    column = parse_column(spec, where=use.where)
    slot = builder.scope.add(column, variable=True, where=use.where)
    try:
        value = check_constant(text, column.type, where=f"{use.where} {spec}")
    except OptionError as error:
        if ":" in spec:
            raise
        hint = f"'{spec}' says no type, so it is a string: write i:{spec} or f:{spec} for a number; {error.hint}"
        raise OptionError(error.what, where=error.where, hint=hint) from None
    builder.variables.append(Variable(slot, value))


def _alias(builder: ChainBuilder, use: Use) -> None:
    builder.scope.alias(use.arguments[0], use.arguments[1], where=use.where)


def _rename(builder: ChainBuilder, use: Use) -> None:
    builder.scope.rename(use.arguments[0], use.arguments[1], where=use.where)


DEFINITIONS: dict[str, Callable[[ChainBuilder, Use], None]] = {
    "-var": _variable,
    "-alias": _alias,
    "-renam": _rename,
    "-udb": ChainBuilder.set_import_database,
    "-ddef": lambda _builder, _use: None,  # see build_chain
    "-emod": lambda _builder, _use: None,  # functions need no module any more
}


# Outputs: options that belong together with the options right behind them. -------------------------------------------


def _output(builder: ChainBuilder, use: Use, cursor: Cursor) -> Rule:
    attributes = parse_output_attributes(list(use.attributes), where=use.where, extra=frozenset({"fvar"}))
    target = use.arguments[0]
    chosen = cursor.take_if("-c")
    selected = _selection(builder, chosen, builder.scope.columns())
    variable = _target_variable(builder, target, use.where) if "fvar" in attributes.others else None
    return builder.add_output(target, attributes, selected, variable)


def _columns_alone(builder: ChainBuilder, use: Use, _cursor: Cursor) -> Rule:
    return builder.add_output(STDOUT, OutputAttributes(), _selection(builder, use, builder.scope.columns()))


def _selection(builder: ChainBuilder, use: Use | None, everything: Sequence[Slot]) -> list[Selected]:
    if use is None:
        if not everything:
            raise OptionError("there are no columns to output", hint="define columns with -d")
        return [Selected(slot, slot.name) for slot in everything]
    return select(use.arguments, builder.scope, everything, where=use.where)


def _target_variable(builder: ChainBuilder, name: str, where: str) -> Slot:
    slot = builder.scope.get(name, where=where)
    if not slot.is_variable or slot.type is not ColumnType.S:
        raise OptionError(
            f"'{name}' is not a string variable", where=where, hint="define it with -var s:Name '\"File\"'"
        )
    return slot


def _variables_output(builder: ChainBuilder, use: Use, cursor: Cursor) -> None:
    attributes = parse_output_attributes(list(use.attributes), where=use.where, extra=frozenset({"fvar"}))
    chosen = cursor.take_if("-c")
    variables = builder.scope.variables()
    if not variables:
        raise OptionError("there are no variables to output", where=use.where, hint="define one with -var")
    selected = _selection(builder, chosen, variables)
    for column in selected:
        if not column.slot.is_variable:
            raise OptionError(
                f"'{column.slot.name}' is not a variable", where=use.where, hint="-ovar outputs what -var defines"
            )
    target = use.arguments[0]
    variable = _target_variable(builder, target, use.where) if "fvar" in attributes.others else None
    if variable is not None:
        target = builder.initial_text(variable)
    builder.variable_outputs.append(
        VariablesOutput(target, attributes, tuple(selected), distinct_slots(selected), variable)
    )


def _import(builder: ChainBuilder, use: Use, cursor: Cursor) -> Rule:
    servers: tuple[str, ...] = ()
    local = False
    module: Use | None = None
    while (detail := cursor.take_if("-server", "-local", "-mod")) is not None:
        if detail.name == "-server":
            servers += detail.arguments
        elif detail.name == "-local":
            local = True
        elif module is not None:
            raise OptionError("-mod is given twice", where=detail.where, hint="give one module an import")
        else:
            module = detail
    return builder.import_into(use, servers, local, module)


OutputMaker = Callable[[ChainBuilder, Use, Cursor], Rule | None]

OUTPUTS: dict[str, OutputMaker] = {
    "-o": _output,
    "-c": _columns_alone,
    "-ovar": _variables_output,
    "-imp": _import,
}
