"""Cases in which the engines differed once, as small as the shrinker made them."""

from __future__ import annotations

from tests.differential.chain import Option
from tests.differential.data import COLUMNS, Row, Value

_BLANK: dict[str, Value] = {key: b"" for key, _ in COLUMNS} | {"f1": 0.0, "l1": 0, "ls1": 0, "i1": 0, "is1": 0}


def _row(**values: Value) -> Row:
    return tuple((_BLANK | values)[key] for key, _ in COLUMNS)


#: What was wrong -> the chain and the rows.
CASES: dict[str, tuple[list[Option], list[Row]]] = {
    "Polars divides by a scalar as it multiplies with the reciprocal": (
        [("-eval", "L:n1", "f1 / 0.1")],
        [_row(f1=-1e300), _row(f1=4500000000000000.5)],
    ),
    "Polars computes 0.0 - x as -x": (
        [("-eval", "F:n1", "0 - (f1 * 0)"), ("-eval", "F:n2", "f1 + 0.0")],
        [_row(f1=0.0), _row(f1=-0.0)],
    ),
    "A constant column compared as a scalar has one row": (
        [("-eval", "ls1", "0"), ("-eval", "LS:n1", "7 > ls1")],
        [_row(ls1=16), _row(ls1=22)],
    ),
    "A when/then that is the same in all rows is a scalar": (
        [("-if", "-filt", "f1 > 0"), ("-eval", "F:n1", "0.1"), ("-endif",), ("-eval", "F:n2", "f1 / n1")],
        [_row(f1=4500000000000000.5), _row(f1=3.0)],
    ),
    "All written columns were set by rules, and some rows are not written": (
        [("-eval", "F:n1", "1"), ("-if", "-filt", "s1"), ("-o", "1", "s2", "n1"), ("-eval", "s2", "s2"), ("-endif",)],
        [_row(s1=b"x\0y"), _row()],
    ),
    "Leading zeros are no digits of a number's length": (
        [("-eval", "IS:n1", "ToI(num)")],
        [_row(num=b"0" * 45 + b"7")],
    ),
    "A rejection stops the run at its row": (
        [("-ifnot", "-filt", "s1"), ("-eval", "ls1", "0 % 0"), ("-endif",)],
        [_row(s1=b"a"), _row(), _row(s1=b"b"), _row()],
    ),
    "A variable that a group adds to is read by the rows that the group passes over": (
        [
            ("-var", "I:v1", "4294967295"),
            ("-var", "F:v2", "1e16"),
            ("-ifnot", "-filt", "s1"),
            ("-eval", "v1", "v1 + i1 - 1"),
            ("-eval", "v2", "v2 - f1"),
            ("-else",),
            ("-eval", "L:n1", "v1"),
            ("-endif",),
            ("-filt", "i1 != 7"),
            ("-eval", "F:n2", "v2 + 0.0"),
        ],
        [_row(i1=2, f1=1.0), _row(s1=b"a"), _row(i1=7, f1=1.0), _row(s1=b"a", i1=9), _row(i1=4294967295, f1=-0.0)],
    ),
    "The right side of && is not evaluated where the left is false": (
        [("-filt", "(i1 != 0) && ((10 / i1) > 3)"), ("-eval", "i1", "100 / i1")],
        [_row(i1=0), _row(i1=1), _row(i1=9)],
    ),
    "A constant division by zero below a float operator has no value to look at": (
        [("-if", "-filt", "i1 > 2"), ("-eval", "F:n1", "f1 / (7 % 0)"), ("-endif",)],
        [_row(i1=0), _row(i1=9, f1=1.5)],
    ),
}
