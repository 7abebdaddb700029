"""The rules of a scan as they travel: the client writes what it has checked, the server checks what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ess.errors import UdbRequestError
from ess.language.plain import Plain, PlainList
from ess.language.portable import MalformedForm, constant_form
from ess.language.portable_rules import read_destination, read_rules, read_variable, rules_form, variable_form
from ess.language.program import Conditional, Destination, Evaluate, Filter, Goto, Remove, Rule
from ess.language.tree import value_type
from ess.language.walk import rules_of
from ess.udb.scan.rules import AFTER_GROUP, DESTINATIONS, Group, Rules
from ess.udb.spec.spec import Definition, Kind, Table, TableColumn
from ess.udb.spec.table_scope import TableScope

Value = bytes | int | float


def scan_form(rules: Rules) -> PlainList:
    """The groups, then the rules of the operation itself; empty if there is nothing to do.

    Raises:
        OptionError: If something is nested deeper than a server takes.
    """
    if not rules.groups and not rules.main.rules and not rules.main.resets:
        return PlainList(())
    return PlainList(tuple(_group_form(group) for group in (*rules.groups, rules.main)))


def variables_form(variables: Iterable[tuple[TableColumn, Value]]) -> PlainList:
    """Columns of the Var vector with the values that ``-var`` gives them."""
    return PlainList(tuple((c.key, constant_form(value_type(c.type), value)) for c, value in variables))


def _group_form(group: Group) -> Plain:
    table = "" if group.table is None else group.table.key
    resets = tuple(variable_form(variable) for variable in group.resets)
    return (table, group.after.value, resets, rules_form(group.rules))


def read_scan(definition: Definition, table: Table | None, form: PlainList) -> Rules:
    """The rules of a request.

    Args:
        definition: The database.
        table: The target of the scan; None for the keys.
        form: From `scan_form`, or from a peer.

    Raises:
        UdbRequestError: If it is none of ours.
    """
    try:
        if not form:
            return Rules((), Group(TableScope(definition, table), (), ()))
        *groups, main = form
        return Rules(
            tuple(_read_group(definition, None, part, in_group=True) for part in groups),
            _read_group(definition, table, main, in_group=False),
        )
    except MalformedForm as error:
        raise _malformed(str(error)) from None


def read_variables(definition: Definition, form: PlainList) -> Mapping[str, Value]:
    """The values of ``-var`` by column.

    Raises:
        UdbRequestError: If there is no such column, or a value does not fit it.
    """
    try:
        if form and definition.var is None:
            raise MalformedForm("a variable where there are none")
        scope = TableScope(definition, definition.var)
        found = [read_variable(part, scope) for part in form]
        return {variable.slot.key: variable.initial for variable in found}
    except MalformedForm as error:
        raise _malformed(str(error)) from None


def _malformed(what: str) -> UdbRequestError:
    return UdbRequestError(f"the request is malformed: {what}", hint="use the same version on both sides")


def _read_group(definition: Definition, target: Table | None, form: Plain, *, in_group: bool) -> Group:
    match form:
        case (str() as key, after, tuple() as resets, rules):
            table = definition.find(key) if key else None
            if (key and table is None) or (in_group and table is not None and table.kind is Kind.VAR):
                raise MalformedForm("an unknown table")
            if not in_group and table is not target:
                raise MalformedForm("another table than that of the request")
            scope = TableScope(definition, table)
            made = read_rules(rules, scope)
            _require_possible(scope, made, in_group=in_group)
            variables = tuple(read_variable(part, scope) for part in resets)
            if not all(scope.sources[variable.slot.key].is_variable for variable in variables):
                raise MalformedForm("a value for what is no variable")
            there = read_destination(after)
            if there not in (AFTER_GROUP if in_group else (Destination.NEXT_GROUP,)):
                raise MalformedForm("a group that cannot go on there")
            return Group(scope, made, variables, there)
    raise MalformedForm("no group of rules")


def _require_possible(scope: TableScope, rules: tuple[Rule, ...], *, in_group: bool) -> None:
    """Refuse rules that cannot stand where they are, or store where nothing can be stored."""
    known = DESTINATIONS[in_group]
    of_keys = scope.table is None or scope.table.kind is not Kind.VAR
    for rule in rules_of(rules):
        match rule:
            case Filter() | Evaluate(None):
                possible = True
            case Evaluate(target) if target is not None:
                possible = not scope.refusal(target)
            case Conditional(branches):
                possible = all(isinstance(b.check, Filter | Evaluate | None) for b in branches)
            case Goto(destination):
                possible = of_keys and destination in known
            case Remove(True, then):
                possible = of_keys and then is Destination.NEXT_KEY
            case Remove(False, then):
                possible = scope.table is not None and of_keys and then in known and then is not Destination.NEXT_GROUP
            case _:
                possible = False
        if not possible:
            raise MalformedForm("a rule that cannot stand where it is")
