"""Row implementations take any values: they give their declared type or reject the record, and raise nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.language import checker, values
from ess.language.functions import FUNCTIONS
from ess.language.parser import parse
from ess.language.scope import Scope
from ess.language.tree import Call, ValueType, value_type
from ess.schema import parse_column

EDGES = [0, 1, -1, 10, 2**31, 2**63 - 1, -(2**63)]
TEXTS = [
    b"",
    b"a",
    b"%4",
    b"%41",
    b"/a/b;c?k1=%31&k1",
    b"2014-09-15 01:02:03",
    b"\xff\xfe",
    b"1.2.3.4",
    b"-",
    b"9" * 40,
]
VALUES = {
    ValueType.STRING: st.binary(max_size=20) | st.sampled_from(TEXTS),
    ValueType.INTEGER: st.integers(-(2**63), 2**63 - 1) | st.sampled_from(EDGES),
    ValueType.FLOAT: st.floats(),
    ValueType.IP: st.sampled_from([b"", b"\0" * 4, b"\x01\x02\x03\x04", b"\0" * 16, b"\xfe\x80" + b"\1" * 14]),
}
TYPES = {ValueType.STRING: bytes, ValueType.INTEGER: int, ValueType.FLOAT: float, ValueType.IP: bytes}
COLUMNS = ("s:Str1", "s:Str2", "i:Int1", "is:Int2", "f:Float1", "ip:Ip1")


def call_of(expression: str) -> Call | None:
    """The checked call of an example, before constants are folded; None for a call within another expression."""
    scope = Scope()
    for spec in COLUMNS:
        scope.add(parse_column(spec, where="-d"))
    node = checker.Checker(expression, scope, "-eval").value(parse(expression, where="-eval"))
    return node if isinstance(node, Call) else None


CALLS = [
    pytest.param(call, id=example.expression)
    for function in FUNCTIONS.values()
    for example in function.examples
    if (call := call_of(example.expression)) is not None
]


def right(value: bytes | float, kind: ValueType) -> bool:
    return type(value) is TYPES[kind] and (not isinstance(value, int) or -(2**63) <= value < 2**63)


@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_values(call: Call, data: st.DataObject) -> None:
    row = call.function.bind(call.arguments)
    given_values = [data.draw(VALUES[node.type]) for node in call.function.evaluated(call.arguments)]
    targets = call.function.targets(call.arguments)
    present = [data.draw(VALUES[value_type(target.slot.type)]) for target in targets]
    try:
        result = row(*given_values, *present)
    except values.RecordError:
        return
    if targets:
        assert len(result) == len(targets) + 1
        result = result[0]
    assert right(result, call.type)
