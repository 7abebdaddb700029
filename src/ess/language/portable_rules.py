"""Checked rules as plain values that JSON has, and back; see `ess.language.portable`.

Rules stand in one list, and groups between ``if`` and ``end``, as on a command line. Outputs and what makes several
rows of one cannot travel: they belong to the process that reads the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ess.errors import OptionError
from ess.language.plain import Plain
from ess.language.portable import (
    MalformedForm,
    constant_form,
    expression_form,
    read_condition,
    read_constant,
    read_expression,
    read_slot,
)
from ess.language.program import (
    Branch,
    Conditional,
    Constantly,
    Destination,
    Evaluate,
    Filter,
    Goto,
    Quit,
    Remove,
    Rule,
    Skip,
    Variable,
)
from ess.language.scope import Scope
from ess.language.tree import ValueType, value_type
from ess.schema.types import INTEGER_RANGES

#: How deep groups may nest; the engines take less.
MAX_GROUPS = 100

#: How long the text may be that says in messages which option a rule was.
_LONGEST_WHERE = 1000


# Writing --------------------------------------------------------------------------------------------------------------


def rules_form(rules: Iterable[Rule]) -> tuple[Plain, ...]:
    """The list of some rules.

    Raises:
        OptionError: If they are nested deeper than is taken.
        TypeError: If one of them cannot travel.
    """
    return tuple(_steps(rules, 0))


def variable_form(variable: Variable) -> tuple[Plain, ...]:
    """A slot and the value that it is given."""
    return (variable.slot.key, constant_form(value_type(variable.slot.type), variable.initial))


def _steps(rules: Iterable[Rule], depth: int) -> Iterator[tuple[Plain, ...]]:
    for rule in rules:
        if not isinstance(rule, Conditional):
            yield _step(rule)
            continue
        if depth == MAX_GROUPS:
            raise OptionError(f"groups nest more than {MAX_GROUPS} deep", where="-if", hint="use -filt as the check")
        for number, branch in enumerate(rule.branches):
            if branch.check is None:
                yield ("else",)
            else:
                yield ("elif" if number else "if", branch.negated)
                yield _step(branch.check)
            yield from _steps(branch.body, depth + 1)
        yield ("end",)


def _step(rule: Rule) -> tuple[Plain, ...]:
    match rule:
        case Evaluate(target, value, where):
            return ("evaluate", None if target is None else target.key, where, expression_form(value))
        case Filter(condition, where):
            return ("filter", where, expression_form(condition))
        case Constantly(value):
            return ("constantly", value)
        case Skip():
            return ("skip",)
        case Quit(after_row):
            return ("quit", after_row)
        case Goto(destination):
            return ("goto", destination.value)
        case Remove(whole_key, then):
            return ("remove", whole_key, then.value)
    raise TypeError(f"{type(rule).__name__} cannot travel")


# Reading --------------------------------------------------------------------------------------------------------------


def read_rules(form: Plain, scope: Scope) -> tuple[Rule, ...]:
    """The rules of a list, checked anew.

    Args:
        form: From `rules_form`, or from a peer.
        scope: The names they may use.

    Raises:
        MalformedForm: If it is none of ours.
    """
    reader = _Reader(form, scope)
    rules = reader.block(0)
    if reader.next is not None:
        raise MalformedForm("the end of a group that has not begun")
    return rules


def read_variable(form: Plain, scope: Scope) -> Variable:
    """A slot and a value that it can hold.

    Raises:
        MalformedForm: If it is none of ours.
    """
    match form:
        case (str() as key, constant):
            slot = read_slot(key, scope)
            value = read_constant(constant, value_type(slot.type))
            low, high = INTEGER_RANGES.get(slot.type, (0, 0))
            if value_type(slot.type) is not ValueType.INTEGER or (isinstance(value, int) and low <= value <= high):
                return Variable(slot, value)
    raise MalformedForm("no variable with a value")


class _Reader:
    """Takes steps of a list, one after the other."""

    def __init__(self, form: Plain, scope: Scope) -> None:
        if not isinstance(form, tuple) or not all(isinstance(step, tuple) for step in form):
            raise MalformedForm("no list of rules")
        self._steps = iter(form)
        self._scope = scope
        self.next: Plain = None
        self._advance()

    def _advance(self) -> Plain:
        """The next step; ``next`` is the one behind it, None at the end."""
        taken, self.next = self.next, next(self._steps, None)
        return taken

    def block(self, depth: int) -> tuple[Rule, ...]:
        """The rules up to the end of a group, or of the list."""
        rules: list[Rule] = []
        while self.next is not None:
            match self.next:
                case ("if", bool()):
                    rules.append(self._group(depth + 1))
                case ("elif", _) | ("else",) | ("end",):
                    break
                case _:
                    rules.append(self._rule())
        return tuple(rules)

    def _group(self, depth: int) -> Conditional:
        if depth > MAX_GROUPS:
            raise MalformedForm("groups that nest too deeply")
        branches: list[Branch] = []
        while True:
            match self._advance():
                case ("if" | "elif" as word, bool() as negated) if (word == "if") == (not branches):
                    check = self._rule()
                    branches.append(Branch(check, negated, self.block(depth)))
                case ("else",) if branches:
                    branches.append(Branch(None, False, self.block(depth)))
                case ("end",) if branches:
                    return Conditional(tuple(branches))
                case _:
                    raise MalformedForm("a group that is not in order")
            if branches[-1].check is None and self.next != ("end",):
                raise MalformedForm("a branch behind the last one")

    def _rule(self) -> Rule:
        match self._advance():
            case ("evaluate", None, where, value):
                return Evaluate(None, read_expression(value, self._scope), _where(where))
            case ("evaluate", target, where, value):
                slot = read_slot(target, self._scope)
                node = read_expression(value, self._scope)
                if node.type is not value_type(slot.type):
                    raise MalformedForm("a value that does not fit its column")
                return Evaluate(slot, node, _where(where))
            case ("filter", where, condition):
                return Filter(read_condition(condition, self._scope), _where(where))
            case ("constantly", bool() as holds):
                return Constantly(holds)
            case ("skip",):
                return Skip()
            case ("quit", bool() as after_row):
                return Quit(after_row)
            case ("goto", destination):
                return Goto(read_destination(destination))
            case ("remove", bool() as whole_key, then):
                return Remove(whole_key, read_destination(then))
        raise MalformedForm("an unknown rule")


def read_destination(form: Plain) -> Destination:
    """A place to go on at.

    Raises:
        MalformedForm: If there is none of that name.
    """
    try:
        return Destination(form)
    except ValueError:
        raise MalformedForm("an unknown destination") from None


def _where(form: Plain) -> str:
    if not isinstance(form, str) or len(form) > _LONGEST_WHERE:
        raise MalformedForm("no name of an option")
    return form
