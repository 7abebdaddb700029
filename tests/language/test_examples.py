"""Every function's help has examples, and they run as help says."""

from __future__ import annotations

import math

import pytest

from ess.engines.rowwise import compile_rowwise
from ess.errors import OptionError
from ess.language.checker import check_expression
from ess.language.function import Example, Function
from ess.language.functions import FUNCTIONS
from ess.language.program import Evaluate, Program
from ess.language.scope import Scope
from ess.language.tree import Constant, ValueType
from ess.pipeline.page import function_entry
from ess.schema import parse_column
from ess.schema.batch import blank, make_batch

COLUMNS = ("s:Str1", "s:Str2", "i:Int1", "is:Int2", "f:Float1", "ip:Ip1")
RESULTS = {ValueType.STRING: "s", ValueType.INTEGER: "ls", ValueType.FLOAT: "f", ValueType.IP: "ip"}
CASES = [(function, example) for function in FUNCTIONS.values() for example in function.examples]


@pytest.mark.parametrize(("function", "example"), CASES, ids=[example.expression for _, example in CASES])
def test_the_example_gives_what_help_says(function: Function, example: Example) -> None:
    scope = Scope()
    inputs = tuple(scope.add(parse_column(spec, where="-d")) for spec in COLUMNS)
    node = check_expression(example.expression, scope, where="-eval")
    result = scope.add(parse_column(f"{RESULTS[node.type]}:Result", where="-eval"))
    runner = compile_rowwise(Program(inputs, (result,), (), (Evaluate(result, node),)))
    batch = make_batch([(slot.key, slot.type, [blank(slot.type)]) for slot in inputs], 1)
    row = runner.run(batch, 1).final.row(0, named=True)
    got = row["result"]
    assert type(got) is type(example.result)
    assert got == pytest.approx(example.result, rel=1e-15) if isinstance(got, float) else got == example.result
    for name, value in example.stores:
        assert row[name.lower()] == value


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_a_function_has_examples_or_works_only_somewhere(function: Function) -> None:
    assert function.summary
    if not function.only_in:
        assert function.examples
        return
    with pytest.raises(OptionError, match=function.only_in):
        check_expression(f"{function.name}(x)", Scope(), where="-eval")


def test_infinite_results_are_floats() -> None:
    node = check_expression("Pow(0, -1)", Scope(), where="-eval")
    assert isinstance(node, Constant)
    assert node.value == math.inf


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_help_is_printable_and_tells_types(function: Function) -> None:
    entry = function_entry(function)
    assert all(example.isprintable() for example in entry.examples)
    assert "result: a" in entry.types
    for parameter in function.parameters:
        assert parameter.words or function.only_in or f"{parameter.name}: " in entry.types


def test_addresses_in_help_are_those_of_expressions() -> None:
    assert "ToIP('1.2.3.4')  =>  1.2.3.4" in function_entry(FUNCTIONS["toip"]).examples
