"""Dirty batches: the values that break assumptions, mixed with ordinary ones."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from ess.schema import ColumnType
from ess.schema.batch import Batch, make_batch
from ess.schema.types import INTEGER_RANGES

Value = bytes | int | float
Row = tuple[Value, ...]

#: The columns of every generated batch.
COLUMNS: tuple[tuple[str, ColumnType], ...] = (
    ("s1", ColumnType.S),
    ("s2", ColumnType.S),
    ("day", ColumnType.S),
    ("num", ColumnType.S),
    ("f1", ColumnType.F),
    ("l1", ColumnType.L),
    ("ls1", ColumnType.LS),
    ("i1", ColumnType.I),
    ("is1", ColumnType.IS),
    ("ip1", ColumnType.IP),
)

_WORDS = [
    b"",
    b" ",
    b"a",
    b"A",
    b"abc",
    b"ABC",
    b"aBc",
    b"b,c",
    b'q"q',
    b"line\nend",
    b"x\0y",
    b"\0",
    b"\xff",
    b"\xff\xfeA",
]
_WORDS += [
    "Ärger".encode(),
    "ärger".encode(),
    "東京".encode(),
    b"\xc3",
    b"I\xcc\x87",
    b"abcabcabc",
    b"longer than eight bytes",
]
_NUMBERS = [
    b"",
    b"0",
    b"-0",
    b"7",
    b"+7",
    b" 12",
    b"12 ",
    b"12x",
    b"1e3",
    b"1.5",
    b"-2.5e-3",
    b".5",
    b"5.",
    b"0x10",
    b"1_0",
]
_NUMBERS += [
    b"inf",
    b"-inf",
    b"nan",
    b"Infinity",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775809",
]
_NUMBERS += [
    b"99999999999999999999999999",
    b"0" * 45 + b"7",
    b"TBD",
    b"\xff1",
    b"1\0",
    b"--1",
    b"1e400",
    b"\t3",
    b"3\r",
]
_FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    0.1,
    1e300,
    -1e300,
    5e-324,
    2.0**53,
    2.0**53 + 2,
    4.5e15 + 0.5,
]
_FLOATS += [2.0**63, -(2.0**63), 2.0**64, 1e19, 0.49999999999999994, math.nan, math.inf, -math.inf, 1e-7, 123456789.125]
_DATES = [b"", b"TBD", b"2014-09-15", b"2014-09-15 00:00:01", b"2014-02-29 00:00:00", b"2016-02-29 23:59:59"]
_DATES += [
    b"2014-9-5 1:2:3",
    b"2014-13-01 00:00:00",
    b"2014-12-32 00:00:00",
    b"2014-04-31 12:00:00",
    b"2014-12-31 24:00:00",
]
_DATES += [b"1969-12-31 23:59:59", b"0001-01-01 00:00:00", b"9999-12-31 23:59:59", b"2014-09-15T01:02:03Z"]
_DATES += [
    b"2014-09-15 00:60:00",
    b"2014-09-15 00:00:60",
    b"20:4-09-15 00:00:00",
    b"2014-0/-15 00:00:00",
    b"\xff014-09-15 00:00:00",
]
_DATES += [
    b"2014-03-30 02:30:00",
    b"2014-10-26 02:30:00",
    b"2014/09/15\xff00.00\x0001",
    b" 014-09-15 00:00:00",
    b"+014-09-15 00:00:00",
]
_ADDRESSES = [b"", bytes(4), bytes(16), bytes([1, 2, 3, 4]), bytes([255] * 4), bytes([255] * 16), bytes([0] * 15 + [1])]


def _string(pool: list[bytes]) -> Callable[[random.Random], bytes]:
    def value(source: random.Random) -> bytes:
        if source.random() < 0.8:
            return source.choice(pool)
        return bytes(source.choice(b"aAbBzZ019 .-/\x00\xff\xc3") for _ in range(source.randrange(12)))

    return value


def _date(source: random.Random) -> bytes:
    if source.random() < 0.4:
        return source.choice(_DATES)
    numbers = [source.randint(low, high) for low, high in ((1969, 2040), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59))]
    return b"%04d-%02d-%02d %02d:%02d:%02d" % tuple(numbers)


def _float(source: random.Random) -> float:
    return source.choice(_FLOATS) if source.random() < 0.7 else source.uniform(-1000, 1000)


def _integer(kind: ColumnType) -> Callable[[random.Random], int]:
    low, high = INTEGER_RANGES[kind]
    edges = {low, low + 1, high, high - 1, 0, 1, 2, 7, 100, high // 2, high // 2 + 1}

    def value(source: random.Random) -> int:
        return source.choice(sorted(edges)) if source.random() < 0.6 else source.randint(max(low, -20), 20)

    return value


_MAKERS: dict[str, Callable[[random.Random], Value]] = {
    "s1": _string(_WORDS),
    "s2": _string(_WORDS),
    "day": _date,
    "num": _string(_NUMBERS),
    "f1": _float,
    "l1": _integer(ColumnType.L),
    "ls1": _integer(ColumnType.LS),
    "i1": _integer(ColumnType.I),
    "is1": _integer(ColumnType.IS),
    "ip1": lambda source: source.choice(_ADDRESSES),
}


def generate_rows(source: random.Random, count: int) -> list[Row]:
    """``count`` rows with the columns ``COLUMNS``."""
    # Some batches are clean in some columns: other code paths take those.
    clean = {key: source.random() < 0.25 for key, _ in COLUMNS}
    return [
        tuple(_clean(key, source) if clean[key] else _MAKERS[key](source) for key, _ in COLUMNS) for _ in range(count)
    ]


def _clean(key: str, source: random.Random) -> Value:
    ordinary: dict[str, Value] = {
        "s1": source.choice([b"abc", b"Abd", b"xyz"]),
        "s2": b"%d items" % source.randrange(5),
        "day": b"2014-09-%02d %02d:00:%02d" % (source.randint(1, 30), source.randint(0, 23), source.randint(0, 59)),
        "num": b"%d" % source.randint(-99, 99),
        "f1": source.uniform(-10, 10),
        "ip1": bytes([10, 0, 0, source.randrange(256)]),
    }
    return ordinary.get(key, source.randint(1, 50))


def batch_of(rows: list[Row]) -> Batch:
    """The rows as a batch; one of odd height lies in memory as two pieces, as readers may give them."""
    half = len(rows) // 2 if len(rows) % 2 else len(rows)
    batches = [
        make_batch([(key, kind, [row[i] for row in part]) for i, (key, kind) in enumerate(COLUMNS)], len(part))
        for part in (rows[:half], rows[half:])
    ]
    return batches[0].vstack(batches[1])
