"""Random groups, jumps and deletions: a plain interpreter of lists and dictionaries must give the same."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from ess.schema.batch import make_batch
from ess.udb.scan import keyed_scan
from ess.udb.scan.scan import Scan
from ess.udb.shard.shard import Import, Shard
from ess.udb.spec.spec_file import parse_definition
from ess.udb.wire.protocol import ScanRequest
from tests.udb.shards import portable

DEFINITION = """
@Table:a   i,pkey:k is:x is:y
@Table:b   i,pkey:k is:x is:z
@Vector:v  i,pkey:k is:p is:q
@Var:      is:s is:t
"""
COLUMNS = {"a": ["x", "y"], "b": ["x", "z"], "v": ["p", "q"], ".": []}

Row = dict[str, int]


class Jump(Exception):
    """Ends the way of a row."""

    def __init__(self, to: str) -> None:
        super().__init__(to)
        self.to = to


class NextKey(Jump):
    """Ends the way of a key."""


def jump(to: str) -> Jump:
    """The jump to a place."""
    return NextKey(to) if to == "next_key" else Jump(to)


@dataclass
class World:
    """The content of the database: by table and key, rows."""

    rows: dict[str, dict[int, list[Row]]]
    var: Row = field(default_factory=lambda: {"s": 0, "t": 0})


@dataclass
class Program:
    """A command line: groups as (table, post, resets, rules), and the operation itself."""

    groups: list[tuple[str, str, list[tuple[str, int]], list[Any]]]
    target: str
    resets: list[tuple[str, int]]
    rules: list[Any]


# Rules are ("eval", column, term), ("filt", term, number), ("goto", to), ("row", to), ("key",) or ("if", branches).


def make_rules(source: random.Random, table: str, *, in_group: bool, depth: int = 0) -> list[Any]:
    """Some rules over a table."""
    places = ["next_row", "next_key", *(["next_pp", "proc_key"] if in_group else [])]
    rules: list[Any] = []
    for _ in range(source.randint(0 if depth else 1, 3)):
        roll = source.random()
        if roll < 0.5:
            rules.append(("eval", source.choice([*COLUMNS[table], "var.s", "var.t"]), make_term(source, table)))
        elif roll < 0.65:
            rules.append(("filt", make_term(source, table), source.randint(-3, 2)))
        elif roll < 0.72 and depth:
            rules.append(("goto", source.choice(places)))
        elif roll < 0.79 and depth and table != ".":
            rules.append(("row", source.choice([place for place in places if place != "next_pp"])))
        elif roll < 0.82 and depth:
            rules.append(("key",))
        elif depth < 2:
            branches = []
            for _ in range(source.randint(1, 3)):
                check = (make_term(source, table), source.randint(-3, 3))
                branches.append((check, make_rules(source, table, in_group=in_group, depth=depth + 1)))
            rest = make_rules(source, table, in_group=in_group, depth=depth + 1) if source.random() < 0.4 else None
            rules.append(("if", branches, rest))
    return rules


def make_term(source: random.Random, table: str) -> list[str]:
    """Names whose sum is meant."""
    names = [*COLUMNS[table], "var.s", "var.t", "v.p", "k", f"RowCount({source.choice('ab')})", "$RowNum"]
    names = [name.removeprefix("v.") if table == "v" else name for name in names]
    return [source.choice(names) for _ in range(source.randint(1, 2))]


def make_program(source: random.Random) -> Program:
    """A command line."""
    groups = []
    for _ in range(source.randint(0, 3)):
        table = source.choice(["a", "b", "v", "."])
        post = source.choice(["next_pp", "next_pp", "proc_key", "next_key"])
        resets = [(source.choice("st"), source.randint(0, 5))] if source.random() < 0.4 else []
        groups.append((table, post, resets, make_rules(source, table, in_group=True)))
    target = source.choice(["a", "a", "b", "v", "."])
    return Program(groups, target, [], make_rules(source, target, in_group=False) if source.random() < 0.7 else [])


def make_world(source: random.Random) -> World:
    """Rows of a few keys; every key has a row in the vector."""
    keys = range(1, source.randint(2, 7))

    def row(table: str) -> Row:
        return {name: source.randint(-3, 3) for name in COLUMNS[table]}

    rows = {table: {key: [row(table) for _ in range(source.randint(0, 4))] for key in keys} for table in "ab"}
    return World({**rows, "v": {key: [row("v")] for key in keys}})


# The interpreter


def run(world: World, program: Program) -> list[Row]:
    """The rows that pass; the world is changed."""
    passed: list[Row] = []
    for key in sorted(world.rows["v"]):
        with contextlib.suppress(NextKey):
            run_key(world, program, key, passed)
    return passed


def run_key(world: World, program: Program, key: int, passed: list[Row]) -> None:
    try:
        for table, post, resets, rules in program.groups:
            world.var.update(resets)
            try:
                if not run_rows(world, table, key, rules, post_filter=table in "v."):
                    continue
            except Jump as caught:
                if caught.to == "next_pp":
                    continue
                raise
            if post != "next_pp":
                raise jump(post)
    except Jump as caught:
        if caught.to != "proc_key":
            raise
    run_rows(world, program.target, key, program.rules, passed=passed)


def run_rows(
    world: World, table: str, key: int, rules: list[Any], *, post_filter: bool = False, passed: list[Row] | None = None
) -> bool:
    rows = [{}] if table == "." else list(world.rows[table][key])
    for number, row in enumerate(rows, 1):
        try:
            run_rules(world, table, key, row, number, rules, post_filter=post_filter)
        except Jump as caught:
            if caught.to != "next_row":
                raise
        else:
            if passed is not None:
                passed.append({"k": key, **row, **{f"var.{name}": value for name, value in world.var.items()}})
    return True


def run_rules(
    world: World, table: str, key: int, row: Row, number: int, rules: list[Any], *, post_filter: bool
) -> None:
    def value(term: list[str]) -> int:
        return sum(value_of(name) for name in term)

    def value_of(name: str) -> int:
        if name == "k":
            return key
        if name == "$RowNum":
            return number
        if name.startswith("RowCount"):
            return len(world.rows[name[-2]][key])
        if name == "v.p":
            return world.rows["v"][key][0]["p"]
        return world.var[name[4:]] if name.startswith("var.") else row[name]

    for rule in rules:
        match rule:
            case ("eval", name, term):
                found = value(term)
                (world.var if name.startswith("var.") else row)[name.removeprefix("var.")] = found
            case ("filt", term, bound):
                if not value(term) > bound:
                    raise jump("next_key" if post_filter else "next_row")
            case ("goto", to):
                raise jump(to)
            case ("row", to):
                if table == "v":
                    row.update(dict.fromkeys(row, 0))
                else:
                    stored = world.rows[table][key]
                    del stored[next(n for n, other in enumerate(stored) if other is row)]
                raise jump(to)
            case ("key",):
                for rows in world.rows.values():
                    rows.pop(key)
                raise jump("next_key")
            case ("if", branches, rest):
                for (term, bound), body in branches:
                    if value(term) > bound:
                        run_rules(world, table, key, row, number, body, post_filter=post_filter)
                        break
                else:
                    run_rules(world, table, key, row, number, rest or [], post_filter=post_filter)


# The same as options


def as_words(rules: list[Any]) -> list[tuple[str, ...]]:
    """Rules as the words of a request."""
    words: list[tuple[str, ...]] = []
    for rule in rules:
        match rule:
            case ("eval", name, term):
                words.append(("-eval", name, " + ".join(term)))
            case ("filt", term, bound):
                words.append(("-filt", f"{' + '.join(term)} > {bound}"))
            case ("goto", to):
                words.append(("-goto", to))
            case ("row", to):
                words.append((f"-del_row,post={to}",))
            case ("key",):
                words.append(("-del_key",))
            case ("if", branches, rest):
                for place, ((term, bound), body) in enumerate(branches):
                    words += [("-elif",) if place else ("-if",), ("-filt", f"{' + '.join(term)} > {bound}")]
                    words += as_words(body)
                words += [("-else",), *as_words(rest), ("-endif",)] if rest is not None else [("-endif",)]
    return words


def as_request(program: Program) -> ScanRequest:
    """The request of a program."""
    words: list[tuple[str, ...]] = []
    for table, post, resets, rules in program.groups:
        bvars = [("-bvar", name, str(value)) for name, value in resets]
        words += [(f"-pp,post={post}", table), *bvars, *as_words(rules), ("-endpp",)]
    outputs = ("k", *COLUMNS[program.target], "var.s", "var.t")
    table = "" if program.target == "." else program.target
    form = portable(parse_definition(DEFINITION, source="test"), table, [*words, *as_words(program.rules)])
    return ScanRequest("db", "", table, rules=form, outputs=outputs)


def as_shard(world: World) -> Shard:
    """A shard that holds the same."""
    definition = parse_definition(DEFINITION, source="test")
    shard = Shard(definition)
    for name in ("v", "a", "b"):
        table = definition.get(name, where="test")
        rows = [{"k": key, **row} for key, found in sorted(world.rows[name].items()) for row in found]
        columns = [(c.key, c.type, [row[c.key] for row in rows]) for c in table.columns]
        shard.append(Import(table, (make_batch(columns, len(rows)),)))
    return shard


@pytest.mark.parametrize("rows_at_once", [1, 5, 1000])
def test_a_plain_interpreter_gives_the_same(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed_scan, "ROWS_AT_ONCE", rows_at_once)
    for number in range(80):
        source = random.Random(f"{rows_at_once} {number}")
        world, program = make_world(source), make_program(source)
        request, shard = as_request(program), as_shard(world)
        expected = run(world, program)
        found = Scan(shard, request).export().rows()
        case = f"case {rows_at_once} {number}: {request.rules} on {request.table}"
        assert found == [tuple(row.values()) for row in expected], case
        for name in ("a", "b", "v"):
            table = shard.definition.get(name, where="test")
            stored = shard.view(table).select([c.key for c in table.columns]).rows()
            held = [(key, *row.values()) for key, rows in sorted(world.rows[name].items()) for row in rows]
            assert stored == held, f"{case}: {name}"
        var = shard.definition.var
        assert var is not None
        assert shard.view(var).select("s", "t").row(0) == (world.var["s"], world.var["t"]), case
