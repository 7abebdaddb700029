"""Scans that only read are recognised by the table of functions."""

from __future__ import annotations

import pytest

from ess.language.functions import FUNCTIONS
from ess.language.plain import PlainList
from ess.udb.scan.reading import changes_nothing
from ess.udb.spec.spec_file import parse_definition
from ess.udb.wire.protocol import ScanRequest, decode, encode
from tests.udb.shards import portable, words

DEFINITION = parse_definition(
    """
@Table:log      s,pkey:user i,tkey:time is:n f:price ip:from s:text
@Table:days     s,pkey:user i,+key:day is,+add:n
@Vector:totals  s,pkey:user l,+add:count f,+add:price s:latest
@Var:           l,+add:seen s:word
""",
    source="test",
)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_stores_if_one_of_its_examples_does(name: str) -> None:
    function = FUNCTIONS[name]
    assert function.stores == any(example.stores for example in function.examples)


CASES = [
    ("", True),
    ("-filt | n > 1 && user != ''", True),
    ("-filt | n > 1\n-goto | next_key", True),
    ("-if\n-filt | n == 3\n-goto | next_row\n-endif", True),
    ("-eval | - | n + 1", True),
    ("-filt | user == 'Set(x)' && \"RxMap(a\" == user && user == 'remove'", True),
    ("-filt | n + Set ('n', 2) > 1", False),
    ("-filt | rXmAp(user, '(.*)', text, '%%0%%')", False),
    ("-filt | (n) == 1 && !(KDec(user, 'text') == 1)", False),
    ("-eval | - | KeyDec(user, 'I', n)", False),
    ("-eval | n | n", False),
    ("-eval | seen | 1", False),
    ("-del_row", False),
    ("-if\n-filt | n == 3\n-del_key\n-endif", False),
    ("-pp | days\n-filt | n > 1\n-endpp", True),
    ("-pp | log\n-goto | next_key\n-endpp", True),
    ("-pp | days\n-eval | n | 2\n-endpp", False),
    ("-bvar | seen | 1", False),
]


@pytest.mark.parametrize(("rules", "reads"), CASES, ids=[rules.replace("\n", " ") for rules, _ in CASES])
def test_what_a_scan_changes_is_told_by_its_rules(rules: str, reads: bool) -> None:
    request = ScanRequest("db", "", "log", rules=portable(DEFINITION, "log", words(rules) if rules else ()))
    assert changes_nothing(request) is reads
    assert decode(ScanRequest, encode(request)) == request


@pytest.mark.parametrize(
    "rules",
    [
        (None,),
        ((),),
        (("log", "next_pp"),),
        (("log", "next_pp", None, ()),),
        (("log", "next_pp", (), (("evaluate",),)),),
        (("log", "next_pp", (), (("filter", "", (("call", "nosuch", 1),)),)),),
        (("log", "next_pp", (), (("filter", "", (("call", None, 1),)),)),),
    ],
)
def test_of_what_is_no_rule_it_is_assumed_that_it_changes_something(rules: tuple[None]) -> None:
    assert not changes_nothing(ScanRequest("db", "", "log", rules=PlainList(rules)))


def test_what_else_changes_something() -> None:
    seen = PlainList((("seen", ("integer", 1)),))
    assert not changes_nothing(ScanRequest("db", "", "log", variables=seen))
    assert not changes_nothing(ScanRequest("db", "", "log", module="mine"))
