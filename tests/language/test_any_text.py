"""Any text is an expression or an error of one line, and any expression gives a value or rejects the record."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.engines.rowwise import compile_rowwise
from ess.errors import EssError
from ess.language.checker import check_constant, check_expression, check_filter
from ess.language.date_format import FormatError, compile_date_format
from ess.language.functions import FUNCTIONS
from ess.language.lexer import COMPARISONS
from ess.language.program import Evaluate, Program
from ess.language.scope import Scope
from ess.language.tree import Slot, ValueType
from ess.schema import ColumnType, parse_column
from ess.schema.batch import make_batch

COLUMNS = {"s:Str1": b"a1-\xff", "s:Str2": b"", "i:Int1": 7, "is:Int2": -3, "f:Float1": 2.5, "ip:Ip1": b"\1\2\3\4"}
RESULTS = {ValueType.STRING: "s", ValueType.INTEGER: "ls", ValueType.FLOAT: "f", ValueType.IP: "ip"}

EXAMPLES = [example.expression for function in FUNCTIONS.values() for example in function.examples]
NAMES = [spec.partition(":")[2] for spec in COLUMNS]
CONSTANTS = ["0", "1", "-1", "2.5", "0x1f", "1e300", "18446744073709551615", "1.2.3.4", "::1", "''", "'a'", '"\\x41"']
OTHERS = ["$RowNum", "$Random", "$CurSec", "ncas", "pcre|ncas", "zero|dec=2", "'Y.m.d'", "'%d'", "'I'", "nothing"]
ATOMS = st.sampled_from([*NAMES, *CONSTANTS, *OTHERS])
OPERATORS = st.sampled_from([*COMPARISONS, *"+-*/%&|^", "&&", "||"])
FUNCTION_NAMES = st.sampled_from([function.name for function in FUNCTIONS.values()])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.tuples(inner, OPERATORS, inner).map(" ".join)
        | inner.map("({})".format)
        | inner.map("!{}".format)
        | inner.map("-{}".format)
        | st.builds("{}({})".format, FUNCTION_NAMES, st.lists(inner, max_size=4).map(", ".join))
    )


GRAMMAR = st.recursive(ATOMS, larger, max_leaves=10)
NOISE = st.sampled_from(
    ["(", ")", ",", '"', "'", "\\", "|", "=", "$", ".", ":", "%", "\0", "é", "\udcff", "9" * 30, " "]
)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """Examples of functions, with parts cut out, doubled, exchanged and put in."""
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 3))):
        start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        other = draw(st.sampled_from(["", text[start:end] * 2, *NAMES]) | NOISE | st.sampled_from(EXAMPLES))
        text = text[:start] + other + text[end:]
    return text


def scope_and_inputs() -> tuple[Scope, tuple[Slot, ...]]:
    scope = Scope()
    return scope, tuple(scope.add(parse_column(spec, where="-d")) for spec in COLUMNS)


def failure_of(check: Callable[..., object], *arguments: object, where: str) -> str | None:
    """The error, or None. Anything but an EssError fails the test."""
    try:
        check(*arguments, where=where)
    except EssError as error:
        return str(error)
    return None


def run(text: str) -> None:
    """Check a text as a filter and as an expression, and compute it for a row."""
    for check, where in ((check_filter, "-filt"), (check_expression, "-eval")):
        failure = failure_of(check, text, scope_and_inputs()[0], where=where)
        assert failure is None or re.fullmatch(f"{where}: [^\n]+", failure)
    if failure is not None:
        return
    scope, inputs = scope_and_inputs()
    node = check_expression(text, scope, where="-eval")
    out = scope.add(parse_column(f"{RESULTS[node.type]}:Out", where="-eval"))
    program = Program(inputs, (out,), (), (Evaluate(out, node),))
    batch = make_batch([(s.key, s.type, [v]) for s, v in zip(inputs, COLUMNS.values(), strict=True)], 1)
    result = compile_rowwise(program).run(batch, 1)
    assert result.final.height + len(result.rejections) == 1


@settings(max_examples=125, deadline=None)
@given(GRAMMAR)
def test_expressions_from_the_grammar(text: str) -> None:
    run(text)


@settings(max_examples=125, deadline=None)
@given(mutations())
def test_examples_that_were_damaged(text: str) -> None:
    run(text)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=30) | st.lists(NOISE | OPERATORS | ATOMS, max_size=8).map("".join))
def test_any_text(text: str) -> None:
    run(text)


@given(st.text(max_size=12), st.sampled_from(ColumnType))
def test_any_text_as_the_value_of_a_variable(text: str, kind: ColumnType) -> None:
    failure = failure_of(check_constant, text, kind, where="-var")
    assert failure is None or re.fullmatch("-var: [^\n]+", failure)


@given(st.binary(max_size=10), st.binary(max_size=20))
def test_any_date_format(spec: bytes, text: bytes) -> None:
    try:
        to_time = compile_date_format(spec, local=True)
    except FormatError:
        return
    assert isinstance(to_time(text), int)


@pytest.mark.parametrize(
    "text", ["(" * 5000, "!" * 5000, "-(" * 3000, "Abs(" * 3000, "1" + "+1" * 5000, '"a" ' * 5000, "'" * 9999]
)
def test_long_and_deep_texts(text: str) -> None:
    run(text)
