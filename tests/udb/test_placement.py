"""Keys never change their place: their CRC-32 is that of zlib, whatever the lengths in a batch are."""

from __future__ import annotations

import struct
import zlib

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ess.schema.batch import PHYSICAL
from ess.schema.types import ColumnType
from ess.udb.spec.placement import key_hashes, servers_of
from ess.udb.spec.spec import TableColumn

TEXT = TableColumn("text", ColumnType.S, primary=True)
NUMBER = TableColumn("number", ColumnType.IS, primary=True)
REAL = TableColumn("real", ColumnType.F, primary=True)
ROW = st.tuples(st.binary(max_size=40), st.integers(-(2**31), 2**31 - 1), st.floats(allow_nan=False))


def mixed(value: int) -> int:
    """The finalizer of MurmurHash3."""
    value ^= value >> 16
    value = value * 0x85EBCA6B % 2**32
    value ^= value >> 13
    value = value * 0xC2B2AE35 % 2**32
    return value ^ value >> 16


def encoded(column: TableColumn, value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return struct.pack("<d", value + 0.0) if column is REAL else struct.pack("<q", value)  # type: ignore[operator]


@settings(max_examples=200, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=80), st.permutations([TEXT, NUMBER, REAL]), st.integers(1, 3), st.booleans())
@example([(b"", 0, -0.0)], [TEXT, NUMBER, REAL], 1, True)
@example([(b"x" * n, n, 0.5) for n in range(100)], [NUMBER, TEXT, REAL], 2, True)
@example([(b"%d" % n, 1, 1.0) for n in range(90)] + [(bytes(300), 0, 0.0)], [TEXT, REAL, NUMBER], 1, False)
def test_hashes_are_those_of_zlib(
    rows: list[tuple[bytes, int, float]], columns: list[TableColumn], used: int, sliced: bool
) -> None:
    frame = pl.DataFrame(
        [
            pl.Series(column.key, [row[place] for row in rows], dtype=PHYSICAL[column.type])
            for place, column in enumerate((TEXT, NUMBER, REAL))
        ]
    )
    key = columns[:used]
    chosen = frame.slice(1) if sliced else frame
    expected = []
    for row in chosen.iter_rows(named=True):
        checksum = 0
        for column in key:
            checksum = zlib.crc32(encoded(column, row[column.key]), checksum)
        expected.append(mixed(checksum))
    assert key_hashes(chosen, key).tolist() == expected
    assert servers_of(key_hashes(chosen, key), [1, 1, 1]).tolist() == [value % 3 for value in expected]
