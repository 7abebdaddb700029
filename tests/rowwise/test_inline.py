"""Calls that become expressions of Python give what the functions' own row implementations give."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.engines.rowwise import compile_rowwise
from ess.engines.rowwise.inline import _INLINE, inline_of
from ess.engines.rowwise.runner import RowRunner
from ess.language.checker import check_expression, check_filter
from ess.language.program import Evaluate, Filter, Program
from ess.language.scope import Scope
from ess.language.tree import Call, Constant, Node, Slot, Truth, ValueType
from ess.schema import parse_column
from ess.schema.batch import make_batch

COLUMNS = ("s:a", "s:b", "ls:n")
INLINED = [
    "BegCmp(a, 'ab', 'B')",
    "EndCmp(a, 'ab', 'B')",
    "SubCmp(a, 'ab')",
    "SubCmpAll(a, 'b')",
    "PatCmp(a, 'ab')",
    "PatCmp(a, 'a*')",
    "PatCmp(a, '*b')",
    "PatCmp(a, '*b\\**')",
    "RxCmp(a, '^a*b')",
    "RxCmp(a, '(a|b)+B$', pcre|ncas)",
    "StrIndex(a, b)",
    "StrIndex(a, b, ncas|back)",
    "StrIndex(a + b, b + 'a', back)",
    "SubStr(a, 1)",
    "SubStr(a, 1, 2)",
    "SubStr(a + b, 0, 0)",
    "ToS(n)",
    "ToS(n + n)",
    "SLeng(a)",
    "SLeng(a + b)",
    "ToUpper(a)",
    "ToLower(a + b)",
]
CALLED = [
    "SubCmp(a, 'a', 'b')",
    "PatCmp(a, 'a?')",
    "PatCmp(a, '*a*', ncas)",
    "PatCmp(a, '*')",
    "SubStr(a, n)",
    "SubStr(a, -1)",
]
RESULTS = {ValueType.STRING: "s", ValueType.INTEGER: "ls"}


def scope_and_inputs() -> tuple[Scope, tuple[Slot, ...]]:
    scope = Scope()
    return scope, tuple(scope.add(parse_column(spec, where="-d")) for spec in COLUMNS)


def node_of(text: str) -> Call:
    node = check_expression(text, scope_and_inputs()[0], where="-eval")
    assert isinstance(node, Call)
    return node


@pytest.mark.parametrize("text", INLINED)
def test_an_inlined_call(text: str) -> None:
    assert inline_of(node_of(text)) is not None


@pytest.mark.parametrize("text", CALLED)
def test_a_call_that_stays_one(text: str) -> None:
    assert inline_of(node_of(text)) is None


def test_every_inlined_function_is_tried() -> None:
    assert {text.partition("(")[0].lower() for text in INLINED} == set(_INLINE)


TEXTS = st.text("abAB*", max_size=5).map(str.encode) | st.binary(max_size=4)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.integers(-(2**63), 2**63 - 1)), max_size=12)


def constant_of(argument: Node) -> bytes | int | float:
    assert isinstance(argument, Constant)
    return argument.value


def arguments_of(text: str, call: Call, a: bytes, b: bytes, n: int) -> list[Any]:
    """The values of a call's arguments in a row."""
    doubled = (2 * n + 2**63) % 2**64 - 2**63
    known = {"a": a, "b": b, "a + b": a + b, "b + 'a'": b + b"a", "n": n, "n + n": doubled}
    sources = text[:-1].partition("(")[2].split(", ")
    evaluated = zip(call.function.evaluated(call.arguments), sources, strict=False)
    return [known[source] if source in known else constant_of(argument) for argument, source in evaluated]


@cache
def compiled(text: str) -> tuple[Call, Callable[..., Any], tuple[Slot, ...], RowRunner, RowRunner]:
    """The call, its row implementation, and runners that evaluate it and filter by it."""
    scope, inputs = scope_and_inputs()
    call = check_expression(text, scope, where="-eval")
    kept = check_filter(text, scope, where="-filt")
    assert isinstance(call, Call)
    assert isinstance(kept, Truth)
    out = scope.add(parse_column(f"{RESULTS[call.type]}:out", where="-eval"))
    evaluate = compile_rowwise(Program(inputs, (out,), (), (Evaluate(out, call),)))
    return (
        call,
        call.function.bind(call.arguments),
        inputs,
        evaluate,
        compile_rowwise(Program(inputs, (), (), (Filter(kept),))),
    )


@pytest.mark.parametrize("text", [*INLINED, *CALLED])
@settings(max_examples=8, deadline=None)
@given(rows=ROWS)
def test_it_gives_what_the_call_gives(text: str, rows: list[tuple[bytes, bytes, int]]) -> None:
    call, function, inputs, evaluate, keep = compiled(text)
    expected = [function(*arguments_of(text, call, *row)) for row in rows]
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    batch = make_batch([(s.key, s.type, list(v)) for s, v in zip(inputs, columns, strict=True)], len(rows))
    got = evaluate.run(batch, 1).final["out"].to_list()
    assert got == expected
    assert [type(value) for value in got] == [type(value) for value in expected]
    assert keep.run(batch, 1).final.height == sum(bool(value) for value in expected)
