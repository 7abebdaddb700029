"""``aq_ord`` sorts records by columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.engines.batch import make_batch
from ess.engines.ordering import sort_batch
from ess.language.tree import Slot
from ess.schema.types import ColumnType
from ess.tools import aq_ord
from tools.outcome import Outcome

Ord = Callable[..., Outcome]


@pytest.fixture
def order(run_tool: Callable[..., Outcome]) -> Ord:
    """``order("-d", "i:a", "-sort", "a", stdin="2\\n1\\n")`` runs ``aq_ord``."""

    def run(*argv: str, stdin: str = "") -> Outcome:
        return run_tool("aq_ord", aq_ord.main, argv, stdin)

    return run


def test_numbers_sort_as_numbers_and_strings_as_bytes(order: Ord) -> None:
    data = "10,b\n9,B\n9,a\n"
    assert order("-d", "i:n", "s:s", "-sort", "n", stdin=data).out == '"n","s"\n9,"B"\n9,"a"\n10,"b"\n'
    assert order("-d", "s:n", "s:s", "-sort", "N", "S", stdin=data).out == '"n","s"\n"10","b"\n"9","B"\n"9","a"\n'
    assert order("-d", "i:n", "s:s", "-sort,ncas", "s", "-c", "s", stdin=data).out == '"s"\n"a"\n"b"\n"B"\n'


def test_descending_is_ascending_turned_around(order: Ord) -> None:
    done = order("-d", "i:n", "s:s", "-sort,dec", "n", "-o,notitle", "-", stdin="1,a\n2,b\n1,c\n")
    assert done.out == '2,"b"\n1,"c"\n1,"a"\n'


def test_all_files_are_one_input(order: Ord, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("h\n3\n1\n")
    (tmp_path / "b").write_text("h\n2\n")
    done = order(
        "-f,+1", "a", "b", "-d", "i:n", "-sort", "n", "-o,notitle", "out", "-o,notitle", "-", "-c", "n:x", "-stat"
    )
    assert (done.out, done.err) == ("1\n2\n3\n", "aq_ord: rec=3 err=0\n")
    assert (tmp_path / "out").read_text() == "1\n2\n3\n"


def test_bad_records_are_left_out_or_end_it(order: Ord) -> None:
    data = "2\nx\n1\n"
    done = order("-f,eok,qui", "-", "-d", "i:n", "-sort", "n", "-o,notitle", "-", "-stat", stdin=data)
    assert (done.code, done.out, done.err) == (0, "1\n2\n", "aq_ord: rec=3 err=1\n")
    done = order("-d", "i:n", "-sort", "n", "-o,notitle", "-", stdin=data)
    assert (done.code, done.out) == (13, "")


def test_nothing_in_nothing_out(order: Ord) -> None:
    assert order("-d", "i:n", "-sort", "n").out == '"n"\n'


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["-d", "i:n"], "nothing to sort by"),
        (["-d", "i:n", "-sort", "m"], "unknown column 'm'; known are n"),
        (["-d", "i:n", "-sort,up", "n"], "unknown attribute 'up'"),
        (["-d", "i:n", "-sort,mrg", "n"], "mrg is not available yet"),
        (["-d", "i:n", "-sort", "n", "-blk", "5", "x"], "-blk is not available yet"),
        (["-d", "i:n", "-sort", "n", "-filt", "n"], "unknown option -filt"),
    ],
)
def test_a_wrong_command_line_is_explained(order: Ord, argv: list[str], part: str) -> None:
    done = order(*argv)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert part in done.err


@given(st.lists(st.tuples(st.binary(max_size=3), st.integers(0, 3))), st.booleans())
def test_sorting_agrees_with_python(rows: list[tuple[bytes, int]], descending: bool) -> None:
    slots = (Slot("s", "s", ColumnType.S), Slot("n", "n", ColumnType.I))
    batch = make_batch(
        [("s", ColumnType.S, [s for s, _ in rows]), ("n", ColumnType.I, [n for _, n in rows])], len(rows)
    )
    expected = sorted(rows, key=lambda row: row[1])
    found = sort_batch(batch, [slots[1]], descending=descending).rows()
    assert found == (expected[::-1] if descending else expected)
    assert sort_batch(batch, slots).rows() == sorted(rows)
