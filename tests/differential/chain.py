"""Rule chains as the words of an aq_pp command line, and the program they stand for.

Only what the generator writes is understood; the real options are the pipeline's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ess.language.checker import check_constant, check_expression, check_filter, fit
from ess.language.program import (
    Branch,
    Conditional,
    Constantly,
    Evaluate,
    Filter,
    Program,
    Quit,
    Rule,
    Skip,
    Variable,
    Write,
)
from ess.language.scope import Scope
from ess.language.tree import Slot
from ess.schema import Column, parse_column
from tests.differential.data import COLUMNS

Option = tuple[str, ...]

_STRUCTURE = {"-if", "-ifnot", "-elif", "-elifnot", "-else", "-endif"}


@dataclass
class _Builder:
    scope: Scope
    created: list[Slot] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)


def build_program(options: list[Option], *, stop_at_rejection: bool = False) -> Program:
    """The program of ``options`` over the columns of the generated batches.

    Raises:
        OptionError: If the language does not accept an option.
        ValueError: If ``-if`` groups are not closed.
    """
    scope = Scope()
    inputs = tuple(scope.add(Column(key, kind)) for key, kind in COLUMNS)
    builder = _Builder(scope)
    rules, rest = _rules(options, builder)
    if rest:
        raise ValueError(f"{rest[0]} without -if")
    return Program(
        inputs, tuple(builder.created), tuple(builder.variables), tuple(rules), 1, stop_at_rejection=stop_at_rejection
    )


def _rules(options: list[Option], builder: _Builder) -> tuple[list[Rule], list[Option]]:
    rules: list[Rule] = []
    while options and options[0][0] not in _STRUCTURE - {"-if", "-ifnot"}:
        option, options = options[0], options[1:]
        if option[0] in ("-if", "-ifnot"):
            rule, options = _conditional([option, *options], builder)
            rules.append(rule)
        elif option[0] == "-var":
            column = parse_column(option[1], where="-var")
            slot = builder.scope.add(column, variable=True)
            builder.variables.append(Variable(slot, check_constant(option[2], column.type, where="-var")))
        else:
            rules.append(_rule(option, builder))
    return rules, options


def _conditional(options: list[Option], builder: _Builder) -> tuple[Conditional, list[Option]]:
    branches: list[Branch] = []
    while options and options[0][0] != "-endif":
        head = options[0]
        check = _rule(head[1:], builder) if len(head) > 1 else None
        body, options = _rules(options[1:], builder)
        branches.append(Branch(check, head[0].endswith("not"), tuple(body)))
    if not options or any(branch.check is None for branch in branches[:-1]):
        raise ValueError("-if groups do not fit together")
    return Conditional(tuple(branches)), options[1:]


def _rule(option: Option, builder: _Builder) -> Rule:
    match option:
        case ("-eval", target, text):
            return _evaluate(target, text, builder)
        case ("-filt", text):
            return Filter(check_filter(text, builder.scope, where="-filt"))
        case ("-true",):
            return Constantly(True)
        case ("-false",):
            return Constantly(False)
        case ("-skip",):
            return Skip()
        case ("-quit",):
            return Quit()
        case ("-quitafter",):
            return Quit(after_row=True)
        case ("-o", sink, *columns):
            return Write(int(sink), tuple(builder.scope.get(name, where="-c") for name in columns))
    raise ValueError(f"unknown option {option}")


def _evaluate(target: str, text: str, builder: _Builder) -> Evaluate:
    node = check_expression(text, builder.scope, where="-eval")
    if target == "-":
        return Evaluate(None, node)
    if ":" not in target:
        slot = builder.scope.get(target, where="-eval")
        return Evaluate(slot, fit(node, slot.type, where="-eval"))
    column = parse_column(target, where="-eval")
    node = fit(node, column.type, where="-eval")
    slot = builder.scope.add(column)
    builder.created.append(slot)
    return Evaluate(slot, node)
