"""The examples of docs/manual/expressions.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ess.engines.rowwise import compile_rowwise
from ess.errors import OptionError
from ess.language import values
from ess.language.checker import check_constant, check_expression
from ess.language.program import Evaluate, Program
from ess.language.scope import Scope
from ess.language.tree import Slot, ValueType
from ess.schema import ColumnType, parse_column
from ess.schema.batch import make_batch

PAGE = Path(__file__).parents[2] / "docs" / "manual" / "expressions.md"
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
EXAMPLES = [tuple(re.split(r" +-> ", line)) for block in BLOCKS for line in block.splitlines()]
COLUMNS = {
    "s:name": b"Ann Lee",
    "i:count": 7,
    "f:price": 2.5,
    "ip:host": values.parse_address(b"10.0.0.1"),
    "s:when": b"2014-09-15 13:05:00",
}
RESULTS = {ValueType.STRING: "s", ValueType.INTEGER: "ls", ValueType.FLOAT: "f", ValueType.IP: "ip"}


def scope_and_inputs() -> tuple[Scope, tuple[Slot, ...]]:
    scope = Scope()
    return scope, tuple(scope.add(parse_column(spec, where="-d")) for spec in COLUMNS)


@pytest.mark.parametrize(("expression", "expected"), EXAMPLES, ids=[expression for expression, _ in EXAMPLES])
def test_an_example_of_the_manual(expression: str, expected: str) -> None:
    scope, inputs = scope_and_inputs()
    node = check_expression(expression, scope, where="-eval")
    out = scope.add(parse_column(f"{RESULTS[node.type]}:out", where="-eval"))
    batch = make_batch([(s.key, s.type, [v]) for s, v in zip(inputs, COLUMNS.values(), strict=True)], 1)
    got = compile_rowwise(Program(inputs, (out,), (), (Evaluate(out, node),))).run(batch, 1).final["out"][0]
    if isinstance(got, float):
        assert got == float(expected)
    elif isinstance(got, int):
        assert str(got) == expected
    else:
        assert got == check_constant(expected, out.type, where="the page")


def test_the_message_is_the_one_of_the_manual() -> None:
    with pytest.raises(OptionError) as caught:
        check_expression("ToS(cuont)", scope_and_inputs()[0], where="-eval x")
    assert f"aq_pp: {caught.value}\n" in PAGE.read_text("utf-8")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 30
    assert all(len(example) == 2 for example in EXAMPLES)
    assert ColumnType.S.value in PAGE.read_text("utf-8")
