"""Sorting by integers gives the order that comparing the values gives."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.engines import ordering, sort_keys
from ess.engines.ordering import sort_batch, sorted_pieces
from ess.engines.sort_keys import folded, row_order
from ess.language.tree import Slot
from ess.schema.batch import PHYSICAL
from ess.schema.types import ColumnType

_BYTES = st.lists(st.sampled_from([b"\0", b"a", b"A", b"b", b"1", b"9", b"\xff", b"\xc3\xa9"]), max_size=12).map(
    b"".join
)
_VALUES = {
    ColumnType.S: st.one_of(
        _BYTES, st.integers(0, 12345).map(lambda n: b"%d" % n), st.integers(0, 99).map(lambda n: b"2014-09-%02d" % n)
    ),
    ColumnType.IP: st.one_of(st.just(b""), st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)),
    ColumnType.L: st.integers(0, 2**64 - 1),
    ColumnType.LS: st.integers(-(2**63), 2**63 - 1),
    ColumnType.I: st.integers(0, 2**32 - 1),
    ColumnType.IS: st.integers(-(2**31), 2**31 - 1),
    ColumnType.F: st.one_of(st.floats(), st.sampled_from([0.0, -0.0, float("nan")])),
}


@st.composite
def _tables(draw: st.DrawFn) -> tuple[pl.DataFrame, list[Slot]]:
    kinds = draw(st.lists(st.sampled_from(ColumnType), min_size=1, max_size=3))
    height = draw(st.integers(0, 30))
    columns = []
    for number, kind in enumerate(kinds):
        # Some values come often, so that later columns and the order of equal rows matter.
        some = draw(st.lists(_VALUES[kind], min_size=1, max_size=4))
        values = draw(st.lists(st.one_of(st.sampled_from(some), _VALUES[kind]), min_size=height, max_size=height))
        columns.append(pl.Series(f"c{number}", values, dtype=PHYSICAL[kind]))
    table = pl.DataFrame(columns).with_row_index("row")
    cut = draw(st.integers(0, height))
    parts = pl.concat([table.slice(0, cut), table.slice(cut)])  # more than one chunk
    return parts, [Slot(f"c{number}", f"c{number}", kind) for number, kind in enumerate(kinds)]


@settings(max_examples=80, deadline=None)
@given(_tables(), st.booleans(), st.booleans(), st.integers(1, 40))
def test_the_order_is_that_of_the_values(
    table: tuple[pl.DataFrame, list[Slot]], descending: bool, ignore_case: bool, size: int
) -> None:
    batch, keys = table
    columns = [batch.get_column(slot.key).alias(str(n)) for n, slot in enumerate(keys)]
    folds = [ignore_case and slot.type is ColumnType.S for slot in keys]
    slow = ordering._order_by_values(columns, folds).to_list()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sort_keys, "_ROWS", 7)
        patch.setattr(sort_keys, "_MOST_BITS", 10_000)
        patch.setattr(ordering, "_FEW", 0)
        found = row_order(columns, folds)
        assert found is not None
        assert found.tolist() == slow
        rows = sort_batch(batch, keys, descending=descending, ignore_case=ignore_case).get_column("row").to_list()
        pieces = sorted_pieces(batch, keys, size, descending=descending, ignore_case=ignore_case)
        assert [row for piece in pieces for row in piece.get_column("row").to_list()] == rows
    assert rows == (slow[::-1] if descending else slow)


def test_many_rows_need_more_than_one_pass() -> None:
    height = 5000
    batch = pl.DataFrame(
        {
            "a": pl.Series([b"%d" % (n * 7919 % 97) for n in range(height)], dtype=pl.Binary),
            "b": pl.Series([(n * 2654435761) % 2**62 for n in range(height)], dtype=pl.UInt64),
            "c": pl.Series([n * 31 % 11 - 5.5 for n in range(height)]),
        }
    )
    columns = batch.get_columns()
    for chosen in (columns, columns[::-1], [columns[0], columns[2]]):
        found = row_order(chosen, [False] * len(chosen))
        assert found is not None
        assert (
            found.tolist()
            == ordering._order_by_values(
                [column.alias(str(n)) for n, column in enumerate(chosen)], [False] * len(chosen)
            ).to_list()
        )


def test_long_strings_are_left_to_the_comparison_of_values() -> None:
    column = pl.Series("s", [b"x" * 65, b"y"])
    assert row_order([column], [False]) is None
    slot = Slot("s", "s", ColumnType.S)
    batch = pl.DataFrame({"s": [b"B" * 70, b"a" * 70, b"\xc9" * 70, b"b" * 70] * 300, "n": range(1200)})
    found = sort_batch(batch, [slot], ignore_case=True)
    assert found.get_column("n").to_list()[:4] == [1, 5, 9, 13]
    assert found.get_column("n").to_list()[300:304] == [0, 3, 4, 7]


def test_folding_touches_ascii_letters_only() -> None:
    column = pl.Series("s", [b"aZ\xc9", b"", b"\xff@[", b"Q" * 20], dtype=pl.Binary)
    assert folded(column.slice(0, 3)).to_list() == [b"az\xc9", b"", b"\xff@["]
    assert folded(pl.concat([column, column])).to_list() == [b"az\xc9", b"", b"\xff@[", b"q" * 20] * 2
