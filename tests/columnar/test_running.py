"""Variables that rules set: which ways are columns, and that they give what the row engine gives."""

from __future__ import annotations

import random

import pytest

from tests.differential.chain import Option, build_program
from tests.differential.compare import columnar_reason, difference
from tests.differential.data import generate_rows

_SEEN: Option = ("-eval", "LS:seen", "ls1 + v")
#: Chains over a variable ``v`` that run as columns: how it is declared, and the rules.
COLUMNS: dict[str, tuple[Option, list[Option]]] = {
    "sum": (("-var", "LS:v", "5"), [("-eval", "v", "v + i1 - 1"), _SEEN]),
    "greatest": (("-var", "LS:v", "0"), [("-eval", "v", "Max(v, is1)"), _SEEN]),
    "smallest, turned": (("-var", "L:v", "7"), [("-eval", "v", "Min(i1 * 3, v)"), _SEEN]),
    "narrow": (("-var", "I:v", "0"), [("-eval", "v", "Max(v, i1)"), _SEEN]),
    "too narrow for some": (("-var", "IS:v", "0"), [("-eval", "v", "Max(v, ls1)"), _SEEN]),
    "floats": (("-var", "F:v", "0"), [("-eval", "v", "Min(v, f1)"), ("-eval", "F:n", "v")]),
    "integers in a float": (("-var", "F:v", "0"), [("-eval", "v", "Max(v, ls1)"), ("-eval", "F:n", "v")]),
    "compared": (
        ("-var", "LS:v", "0"),
        [("-if", "-filt", "ls1 > v"), ("-eval", "v", "ls1"), ("-eval", "S:at", "s1"), ("-endif",), _SEEN],
    ),
    "compared, equal ones too, with an else": (
        ("-var", "F:v", "0"),
        [
            ("-if", "-filt", "v >= f1"),
            ("-eval", "v", "f1"),
            ("-eval", "S:at", "s1"),
            ("-else",),
            ("-eval", "at", "s2"),
            ("-filt", "v < 5"),
            ("-endif",),
        ],
    ),
    "compared in a group": (
        ("-var", "I:v", "3"),
        [
            ("-if", "-filt", "s1 > 'a'"),
            ("-if", "-filt", "v < i1"),
            ("-eval", "v", "i1"),
            ("-endif",),
            ("-elif", "-filt", "is1 > 0"),
            ("-eval", "LS:seen", "v"),
            ("-endif",),
        ],
    ),
    "last": (("-var", "S:v", '""'), [("-filt", "s1 != 'a'"), ("-eval", "v", "s1"), ("-eval", "S:seen", "v + s2")]),
    "last, in some rows": (
        ("-var", "S:v", '"?"'),
        [("-if", "-filt", "i1 > 2"), ("-eval", "v", "s1"), ("-endif",), ("-eval", "S:seen", "v")],
    ),
    "last of several": (
        ("-var", "I:v", "9"),
        [
            ("-if", "-filt", "i1 > 2"),
            ("-eval", "v", "1"),
            ("-filt", "s1 > 'A'"),
            ("-elif", "-filt", "is1 < 0"),
            ("-eval", "v", "f1"),
            ("-endif",),
            ("-filt", "s2 != ''"),
            _SEEN,
        ],
    ),
    "first": (
        ("-var", "S:v", '""'),
        [("-if", "-filt", 'v == ""'), ("-eval", "v", "s1"), ("-eval", "S:at", "day"), ("-endif",), ("-o", "1", "v")],
    ),
    "first number": (
        ("-var", "F:v", "0"),
        [("-filt", "i1 != 1"), ("-if", "-filt", "0 == v"), ("-eval", "v", "f1"), ("-endif",), ("-eval", "F:n", "v")],
    ),
    "first of some": (
        ("-var", "IS:v", "-1"),
        [
            ("-if", "-filt", "s1"),
            ("-if", "-filt", "v == -1"),
            ("-eval", "v", "ls1"),
            ("-else",),
            ("-filt", "i1 > 1"),
            ("-endif",),
            ("-endif",),
            _SEEN,
        ],
    ),
}

ROWS: dict[str, tuple[Option, list[Option]]] = {
    "read before it is set": (("-var", "LS:v", "0"), [_SEEN, ("-eval", "v", "ls1")]),
    "set at two places": (("-var", "LS:v", "0"), [("-eval", "v", "i1"), ("-eval", "v", "ls1")]),
    "a function of itself": (("-var", "LS:v", "1"), [("-eval", "v", "v * 2")]),
    "read between two rules": (
        ("-var", "LS:v", "0"),
        [("-if", "-filt", "i1"), ("-eval", "v", "1"), _SEEN, ("-else",), ("-eval", "v", "2"), ("-endif",)],
    ),
    "compared with one value and set to another": (
        ("-var", "LS:v", "0"),
        [("-if", "-filt", "ls1 > v"), ("-eval", "v", "i1"), ("-endif",)],
    ),
    "compared with something else than it began with": (
        ("-var", "LS:v", "0"),
        [("-if", "-filt", "v == 3"), ("-eval", "v", "ls1"), ("-endif",)],
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_variable_is_a_column_with_the_same_values(name: str) -> None:
    variable, rules = COLUMNS[name]
    assert columnar_reason(build_program([variable, *rules])) == ""
    for seed in range(6):
        rows = generate_rows(random.Random(seed), 25)
        found = difference([variable, *rules], rows)
        assert found is None, (found.setting, found.text)


@pytest.mark.parametrize("name", ROWS)
def test_what_depends_on_the_rows_before_in_other_ways_is_left_to_the_row_engine(name: str) -> None:
    variable, rules = ROWS[name]
    assert columnar_reason(build_program([variable, *rules])).startswith("other variables that rules set")
