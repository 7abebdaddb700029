"""Hashes are promises: they place keys, so they are the same in every version."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ess.language.checker import check_expression
from ess.language.functions.keys import string_hash
from ess.language.key_hash import PLACEMENT, SEGMENT, key_hash
from ess.language.scope import Scope
from ess.language.tree import Constant, ValueType, value_type
from ess.schema import ColumnType
from ess.udb.spec.placement import key_hashes
from ess.udb.spec.spec import TableColumn

KEY = [
    TableColumn(name, kind, primary=True)
    for name, kind in (("s", ColumnType.S), ("l", ColumnType.L), ("i", ColumnType.IS), ("f", ColumnType.F))
]


@given(
    st.binary(max_size=20), st.integers(0, 2**64 - 1), st.integers(-(2**31), 2**31 - 1), st.floats(), st.integers(0, 9)
)
def test_a_row_hashes_as_its_batch_does(text: bytes, unsigned: int, signed: int, number: float, variant: int) -> None:
    batch = pl.DataFrame(
        [
            pl.Series("s", [text], dtype=pl.Binary),
            pl.Series("l", [unsigned], dtype=pl.UInt64),
            pl.Series("i", [signed], dtype=pl.Int32),
            pl.Series("f", [number], dtype=pl.Float64),
        ]
    )
    inside = unsigned - 2**64 if unsigned >= 2**63 else unsigned
    types = [value_type(column.type) for column in KEY]
    assert key_hash(types, variant)(text, inside, signed, number) == key_hashes(batch, KEY, variant=variant)[0]


def constant(text: str) -> object:
    """The value of an expression that is one constant."""
    node = check_expression(text, Scope(), where="-eval")
    assert isinstance(node, Constant)
    return node.value


def test_the_functions_are_the_hashes_of_an_import() -> None:
    for name, variant in (("ImpHash", PLACEMENT), ("SegHash", SEGMENT)):
        assert constant(f"{name}('4084')") == key_hash([ValueType.STRING], variant)(b"4084")
    assert constant("ImpHash('4084')") == 1966378495


@given(st.binary(max_size=200))
def test_the_hash_of_a_string_is_33_times_and_a_byte(value: bytes) -> None:
    running = 5381
    for byte in value.lower():
        running = (running * 33 + byte) % 2**32
    assert string_hash(value) == running
