"""Every line of the support table is true: what it says is compiled is, and the gaps are gaps."""

from __future__ import annotations

import dataclasses

import polars as pl
import pytest

from ess.engines.base import Unsupported
from ess.engines.columnar import compile_columnar
from ess.engines.columnar.kernels import KERNELS
from ess.engines.columnar.support import CONSTRUCTS, DEEPEST, support
from ess.language.checker import check_expression, check_filter
from ess.language.functions import FUNCTIONS
from ess.language.program import (
    Branch,
    Conditional,
    Constantly,
    Evaluate,
    Expand,
    Filter,
    Program,
    Quit,
    Rule,
    Skip,
    Variable,
    Write,
)
from ess.language.scope import Scope
from ess.language.tree import Call
from ess.schema import parse_column

_SCOPE = Scope()
_TEXT, _NUMBER = (_SCOPE.add(parse_column(spec, where="-d")) for spec in ("s:text", "i:number"))
_VARIABLE = _SCOPE.add(parse_column("i:sum", where="-var"), variable=True)


def _evaluate(expression: str) -> Evaluate:
    return Evaluate(None, check_expression(expression, _SCOPE, where="-eval"))


def _filter(expression: str) -> Filter:
    return Filter(check_filter(expression, _SCOPE, where="-filt"))


def _nested(depth: int) -> Conditional:
    return Conditional((Branch(Constantly(True), False, (_nested(depth - 1),) if depth > 1 else ()),))


def _expand() -> Expand:
    call = check_expression("SLeng(text)", _SCOPE, where="-eval")
    assert isinstance(call, Call)
    return Expand(call, (_TEXT,))


def _impure() -> Evaluate:
    call = check_expression("SLeng(text)", _SCOPE, where="-eval")
    assert isinstance(call, Call)
    return Evaluate(None, dataclasses.replace(call, function=dataclasses.replace(call.function, pure=False)))


#: A chain with each construct of the table.
_CHAINS: dict[str, tuple[Rule, ...]] = {
    "-eval": (_evaluate("number + 1"),),
    "-filt": (_filter("number > 1"),),
    "-if": (Conditional((Branch(_filter("number"), False, (_evaluate("text"),)), Branch(None, False, ()))),),
    "-true, -false, -skip": (Constantly(True), Conditional((Branch(Constantly(False), False, (Skip(),)),))),
    "-o, -imp": (Write(0, (_TEXT,)), Write(1, (_NUMBER, _VARIABLE))),
    "$RowNum": (_evaluate("$RowNum"),),
    "$Random": (_evaluate("$Random"),),
    "variables that rules read": (_evaluate("sum + number"),),
    "division and %": (_evaluate("number / number % number"),),
    "running sums and counts": (Evaluate(_VARIABLE, check_expression("sum + number", _SCOPE, where="-eval")),),
    "running minima and maxima": (Evaluate(_VARIABLE, check_expression("Min(sum, number)", _SCOPE, where="-eval")),),
    "the last value so far": (Evaluate(_VARIABLE, check_expression("number", _SCOPE, where="-eval")),),
    "the first value so far": (
        Conditional(
            (Branch(_filter("sum == 7"), False, (Evaluate(_VARIABLE, _evaluate("number").value), _evaluate("text"))),)
        ),
    ),
    "other variables that rules set": (Evaluate(_VARIABLE, check_expression("sum * 2", _SCOPE, where="-eval")),),
    "-quit, -quitafter": (Conditional((Branch(_filter("number"), False, (Quit(),)),)),),
    "groups nested deeper": (_nested(DEEPEST + 1),),
    "-cmb,all, -sub,all, -pmod": (_expand(),),
    "$CurSec, $CurUSec": (_evaluate("$CurSec"),),
    "functions that store into columns": (_evaluate('RxMap(text, "a", text, "b")'),),
    "functions that store into columns, unless called once and first": (
        _filter('number && RxMap(text, "a", text, "b")'),
    ),
    "functions that are not pure": (_impure(),),
    "two rules that write to one sink": (Write(0, (_TEXT,)), Write(0, (_TEXT,))),
}


def _program(rules: tuple[Rule, ...]) -> Program:
    return Program((_TEXT, _NUMBER), (), (Variable(_VARIABLE, 7),), rules)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_construct_is_compiled_or_is_a_gap_with_its_reason(name: str) -> None:
    program = _program(_CHAINS[name])
    if CONSTRUCTS[name].compiled:
        batch = pl.DataFrame({"text": [b"a", b"b"], "number": pl.Series([1, 2], dtype=pl.UInt32)})
        assert compile_columnar(program).run(batch, 1).processed == 2
    else:
        with pytest.raises(Unsupported) as caught:
            compile_columnar(program)
        assert caught.value.reason == f"{name}: {CONSTRUCTS[name].note}"


def test_groups_as_deep_as_declared_are_compiled() -> None:
    compile_columnar(_program((_nested(DEEPEST),)))


def test_the_table_names_every_function_that_can_be_called() -> None:
    names = {construct.name for construct in support()}
    assert names == set(CONSTRUCTS) | {f"{f.name}()" for f in FUNCTIONS.values() if not f.only_in}


def test_every_kernel_is_for_a_function_of_the_language() -> None:
    assert set(KERNELS) <= set(FUNCTIONS)
