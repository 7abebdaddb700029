"""Rules on their way to a server: they come as they went, and whatever else comes is refused."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from typing import Any

import pytest

from ess.errors import EssError, OptionError, UdbRequestError
from ess.language.checker import check_expression, check_filter
from ess.language.plain import PlainList, plain_list
from ess.language.portable import (
    MAX_CHAIN,
    MAX_NESTING,
    MalformedForm,
    expression_form,
    read_expression,
)
from ess.language.portable_rules import MAX_GROUPS, read_rules, rules_form
from ess.language.program import Branch, Conditional, Filter, Rule, Write
from ess.language.scope import Scope
from ess.language.tree import Constant, Node, Not, Slot, Truth, ValueType
from ess.language.walk import rules_of
from ess.schema import ColumnType, parse_column
from ess.schema.batch import make_batch
from ess.udb.scan.portable_scan import read_scan, scan_form
from ess.udb.scan.reading import changes_nothing
from ess.udb.scan.rules import Rules
from ess.udb.scan.scan import Scan
from ess.udb.shard.shard import Import, Shard
from ess.udb.spec.spec import Definition
from ess.udb.spec.spec_file import parse_definition
from ess.udb.wire.protocol import ScanRequest
from tests.differential.chain import build_program
from tests.differential.fuzz import make_case
from tests.udb.fuzz_rules import RuleDamage

PROGRAMS = 200
HARMED = int(os.environ.get("UDB_FUZZ_RULES", "900"))
SEED = os.environ.get("UDB_FUZZ_SEED", "1")

DEFINITION = """
@Table:log      s,pkey:user i,tkey:time is:n f:price ip:from
@Table:days     s,pkey:user i,+key:day is,+add:n
@Vector:totals  s,pkey:user l,+add:count f,+add:price s:latest
@Var:           l,+add:seen s:word
"""


class Keys(Scope):
    """A scope that knows slots by their keys alone."""

    def __init__(self, slots: list[Slot]) -> None:
        super().__init__()
        self._known = {slot.key: slot for slot in slots}

    def slot_of(self, key: str) -> Slot | None:
        return self._known.get(key)

    def columns(self) -> tuple[Slot, ...]:
        return tuple(slot for slot in self._known.values() if not slot.is_variable)

    def variables(self) -> tuple[Slot, ...]:
        return tuple(slot for slot in self._known.values() if slot.is_variable)


def without_outputs(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    kept: list[Rule] = []
    for rule in rules:
        if isinstance(rule, Conditional):
            branches = [replace(branch, body=without_outputs(branch.body)) for branch in rule.branches]
            kept.append(Conditional(tuple(branches)))
        elif not isinstance(rule, Write):
            kept.append(rule)
    return tuple(kept)


def sent(form: tuple[Any, ...]) -> PlainList:
    """A form as it arrives."""
    came = plain_list(json.loads(json.dumps(form)))
    assert came is not None
    return came


def test_generated_programs_come_as_they_went() -> None:
    rules_seen = groups = 0
    for number in range(PROGRAMS):
        options, _ = make_case(7, number)
        program = build_program(options)
        rules = without_outputs(program.rules)
        known = Keys([*program.inputs, *program.created, *(variable.slot for variable in program.variables)])
        form = rules_form(rules)
        # Set stores into what is defined where it stands; here all is defined from the beginning.
        if "set" in json.dumps(form):
            continue
        came = sent(form)
        assert came == form
        read = read_rules(came, known)
        assert repr(read) == repr(rules), options  # NaN is not equal to itself
        rules_seen += len(rules)
        groups += sum(isinstance(rule, Conditional) for rule in rules_of(rules))
    assert rules_seen > PROGRAMS
    assert groups > 50


@pytest.mark.parametrize(
    "text",
    [
        "\"\\xff\\0\\xe6\" + ToS(f) + 'é'",
        "i - 9223372036854775807 - 1",
        "0.0 / 0 > f || f < 1.0 / 0 && -0.0 * f == 0.1",
        "a == 1.2.3.4 || a == 0.0.0.0 && !(s ~== 'X')",
        "$Random % 3 + $RowNum + $Random",
        "SubStr(s, 1) + SubStr(s, -2, 1) + UrlDec(s)",
        "RxCmp(s, '(a+)+$', 'pcre') && KeyDec(s, I, i) && Set('s', s)",
        "i &= 7 && i & 1 && (i | 2 ^ 3) % 5 > 1e300",
    ],
)
def test_every_kind_of_value_comes_as_it_went(text: str) -> None:
    scope = Scope()
    for spec in ("s:s", "is:i", "f:f", "ip:a"):
        scope.add(parse_column(spec, where="-d"))
    try:
        tree: Node = check_filter(text, scope, where="-filt")
    except OptionError:
        tree = check_expression(text, scope, where="-eval")
    form = expression_form(tree)
    assert repr(read_expression(sent(form), scope)) == repr(tree)


def test_what_is_nested_as_deep_as_it_may_be_can_travel() -> None:
    scope = Scope()
    scope.add(parse_column("i:n", where="-d"))
    for text in ("+".join(["n"] * 400), "(" * 38 + "n" + " + 1.5)" * 38, "||".join(["n > 1"] * 400)):
        try:
            tree = check_filter(text, scope, where="-filt")
        except OptionError as error:
            pytest.fail(f"{error}")
        assert expression_form(read_expression(expression_form(tree), scope)) == expression_form(tree)


@pytest.mark.parametrize(("step", "most"), [(("not",), MAX_NESTING), (("integer", 1), MAX_CHAIN)])
def test_what_is_nested_deeper_is_refused_on_both_sides(step: tuple[Any, ...], most: int) -> None:
    scope = Scope()
    node: Node = Truth(Constant(ValueType.INTEGER, 1))
    for _ in range(most):
        node = Not(node)
    with pytest.raises(OptionError, match="nested too deeply"):
        expression_form(node)
    chain = (step, ("arithmetic", "+")) if step[0] == "integer" else (step,)
    form = (("integer", 1), *(() if step[0] == "integer" else (("truth",),)), *chain * (most + 1))
    with pytest.raises(MalformedForm, match="nested too deeply"):
        read_expression(form, scope)


def test_groups_nest_so_deep() -> None:
    rule: Rule = Filter(Truth(Constant(ValueType.INTEGER, 1)))
    check = rule
    for _ in range(MAX_GROUPS):
        rule = Conditional((Branch(check, False, (rule,)),))
    form = rules_form((rule,))
    assert rules_form(read_rules(sent(form), Scope())) == form
    with pytest.raises(OptionError, match="nest more than 100 deep"):
        rules_form((Conditional((Branch(check, False, (rule,)),)),))
    with pytest.raises(MalformedForm, match="nest too deeply"):
        read_rules(sent((*form[:2], *form, *form[-1:])), Scope())


REFUSED: list[tuple[str, list[Any], str]] = [
    ("log", [["days", "next_pp", [], []]], "another table"),
    ("log", [["log", "next_key", [], []]], "cannot go on there"),
    ("log", [["log", "next_row", [], []], ["log", "next_pp", [], []]], "cannot go on there"),
    ("log", [["var", "next_pp", [], []], ["log", "next_pp", [], []]], "unknown table"),
    ("log", [["nosuch", "next_pp", [], []], ["log", "next_pp", [], []]], "unknown table"),
    ("log", [["log", "next_pp", [["n", ["integer", 1]]], []]], "what is no variable"),
    ("log", [["log", "next_pp", [["seen", ["integer", -1]]], []]], "no variable with a value"),
    ("log", [["log", "next_pp", [["seen", ["text", "1"]]], []]], "no constant"),
    ("log", [["log", "next_pp", [], [["evaluate", "user", "", [["text", "x"]]]]]], "cannot stand where it is"),
    ("log", [["log", "next_pp", [], [["evaluate", "totals.count", "", [["integer", 1]]]]]], "cannot stand where it is"),
    ("log", [["log", "next_pp", [], [["evaluate", "#count log", "", [["integer", 1]]]]]], "cannot stand where it is"),
    ("log", [["log", "next_pp", [], [["evaluate", "n", "", [["text", "1"]]]]]], "does not fit its column"),
    ("log", [["log", "next_pp", [], [["goto", "proc_key"]]]], "cannot stand where it is"),
    ("log", [["log", "next_pp", [], [["skip"]]]], "cannot stand where it is"),
    ("log", [["log", "next_pp", [], [["quit", True]]]], "cannot stand where it is"),
    ("log", [["log", "next_pp", [], [None, ["skip"]]]], "no list of rules"),
    ("log", [["log", "next_pp", [], [["if", False], ["goto", "next_key"], ["end"]]]], "cannot stand where it is"),
    ("log", [["log", "next_pp", [], [["if", False], ["filter", "", [["integer", 1]]]]]], "not in order"),
    ("log", [["log", "next_pp", [], [["end"]]]], "has not begun"),
    ("log", [["log", "next_pp", [], [["filter", "", [["get", "n"]]]]]], "a condition should be"),
    ("log", [["log", "next_pp", [], [["filter", "x" * 5000, [["integer", 1]]]]]], "no name of an option"),
    ("var", [["var", "next_pp", [], [["remove", True, "next_key"]]]], "cannot stand where it is"),
    ("", [["", "next_pp", [], [["remove", False, "next_row"]]]], "cannot stand where it is"),
    (
        "log",
        [["log", "next_pp", [], [["evaluate", None, "", [["text", "n"], ["integer", 5], ["call", "set", 2]]]]]],
        "columns that Set does not find",
    ),
    (
        "log",
        [["log", "next_pp", [], [["evaluate", None, "", [["text", "("], ["get", "user"], ["call", "rxcmp", 2]]]]]],
        "does not take",
    ),
]


@pytest.mark.parametrize(("table", "rules", "said"), REFUSED, ids=[json.dumps(rules)[:80] for _, rules, _ in REFUSED])
def test_what_the_checker_would_not_have_made_is_refused(table: str, rules: list[Any], said: str) -> None:
    definition = parse_definition(DEFINITION, source="test")
    target = definition.get(table, where="test") if table else None
    form = plain_list(rules)
    assert form is not None
    with pytest.raises(UdbRequestError, match=said):
        read_scan(definition, target, form)


def same(left: Rules, right: Rules) -> bool:
    def plain(rules: Rules) -> list[tuple[Any, ...]]:
        return [(group.table, group.rules, group.resets, group.after) for group in (*rules.groups, rules.main)]

    return repr(plain(left)) == repr(plain(right))


ROWS: dict[str, list[tuple[Any, ...]]] = {
    "log": [(b"bob", 3, 1, 0.5, b""), (b"ann", 2, 4, -2.0, b"\1\2\3\4"), (b"bob", 1, 1, 8.0, b"")],
    "days": [(b"ann", 1, 5), (b"bob", 7, -1), (b"eve", 8, 2)],
    "totals": [(b"ann", 2, 0.5, b"x"), (b"eve", 1, 0.25, b"")],
}


def filled(definition: Definition) -> Shard:
    """A shard with some rows."""
    shard = Shard(definition)
    for name, rows in ROWS.items():
        table = definition.get(name, where="test")
        columns = [(c.key, c.type, [row[n] for row in rows]) for n, c in enumerate(table.columns)]
        shard.append(Import(table, (make_batch(columns, len(rows)),)))
    return shard


@pytest.mark.parametrize("table", ["log", "days", "totals", "var", ""])
def test_harmed_rules_are_refused_or_are_rules(table: str) -> None:
    definition = parse_definition(DEFINITION, source="test")
    target = definition.get(table, where="test") if table else None
    damage = RuleDamage(random.Random(f"{SEED}/{table}"), DEFINITION)
    assert damage.good[table]
    accepted = 0
    for _ in range(HARMED // 5):
        form = plain_list(json.loads(json.dumps(damage.harmed(table))))
        if form is None:
            continue
        try:
            read = read_scan(definition, target, form)
        except UdbRequestError:
            continue
        accepted += 1
        assert same(read_scan(definition, target, scan_form(read)), read)
        request = ScanRequest("db", "", table, rules=form, outputs=("user",) if table != "var" else ("seen",))
        shard = filled(definition)
        try:
            Scan(shard, request).count()
        except EssError:
            continue
        assert not changes_nothing(request) or shard.changes() == ()
    assert accepted > HARMED // 200


def test_calls_with_any_arguments_are_refused_or_calls() -> None:
    damage = RuleDamage(random.Random(SEED), DEFINITION)
    known = (("n", ColumnType.IS), ("user", ColumnType.S), ("price", ColumnType.F))
    scope = Keys([Slot(name, name, kind) for name, kind in known])
    accepted = 0
    for _ in range(HARMED):
        form = plain_list(damage.expression())
        if form is None:
            continue
        try:
            tree = read_expression(form, scope)
        except MalformedForm:
            continue
        accepted += 1
        assert expression_form(tree) == form
    assert accepted > 5
