"""Scans that only read are recognised by the table of functions."""

from __future__ import annotations

import pytest

from ess.language.functions import FUNCTIONS
from ess.language.storing import may_store
from ess.udb.scan.reading import changes_nothing
from ess.udb.wire.protocol import ScanRequest


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_stores_if_one_of_its_examples_does(name: str) -> None:
    function = FUNCTIONS[name]
    assert function.stores == any(example.stores for example in function.examples)
    assert all(may_store(example.expression) for example in function.examples if example.stores)


@pytest.mark.parametrize(
    ("expression", "stores"),
    [
        ("n > 1 && user != ''", False),
        ("user == 'Set(x)' || \"RxMap(a\" == user", False),
        ("Set > 1 && (keydec) == 2", False),
        ("n + Set ('n', 2)", True),
        ("rXmAp(user, 'x')", True),
        ("PatMap(user, '%%a%%', user, '%%a%%')", True),
        ("(n) == 1 && !(KDec(user, 'S:user'))", True),
        ("QryParmExt(user, 'x')", True),
        ("NoSuchFunction(n)", True),
        ("'no end", True),
    ],
)
def test_a_filter_that_stores_is_no_reading(expression: str, stores: bool) -> None:
    assert may_store(expression) == stores
    assert changes_nothing(ScanRequest("db", "", "log", rules=(("-filt", expression),))) is not stores


def test_what_else_changes_something() -> None:
    assert changes_nothing(ScanRequest("db", "", "log", rules=(("-pp", "log"), ("-goto", "next_key"), ("-endpp",))))
    assert not changes_nothing(ScanRequest("db", "", "log", rules=(("-eval", "n", "1"),)))
    assert not changes_nothing(ScanRequest("db", "", "log", rules=((),)))
    assert not changes_nothing(ScanRequest("db", "", "log", variables=(("i:x", "1"),)))
    assert not changes_nothing(ScanRequest("db", "", "log", module="mine"))
