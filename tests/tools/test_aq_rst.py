"""``aq_rst`` makes rows of keys and columns of labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.engines.tables import pivoting
from ess.engines.tables.pivoting import Pivot
from ess.language.tree import Slot
from ess.schema.types import ColumnType
from ess.tools import aq_rst
from tests.tools.outcome import Outcome, Tool

SHAPE = ("-key", "name", "-lab", "kind", "-val", "count")
DATA = "zoe,pear,1\nann,apple,2\nann,pear,3\nzoe,pear,4\n"


@pytest.fixture
def rst(run_tool: Callable[..., Outcome]) -> Tool:
    def run(*argv: str, stdin: str | bytes = "") -> Outcome:
        outcome: Outcome = run_tool("aq_rst", aq_rst.main, argv, stdin)
        return outcome

    return run


def test_labels_are_sorted_rows_come_as_they_are_met_and_the_last_value_counts(rst: Tool) -> None:
    done = rst("-d", "s:Name", "s:Kind", "i:Count", *SHAPE, stdin=DATA)
    assert (done.code, done.out, done.err) == (0, '"Name","apple","pear"\n"zoe",0,4\n"ann",2,3\n', "")


def test_ord_sorts_the_rows_and_def_fills_the_gaps(rst: Tool) -> None:
    done = rst("-d", "s:Name", "s:Kind", "i:Count", *SHAPE, "-ord", "-def", "99", "-stat", stdin=DATA)
    assert done.out == '"Name","apple","pear"\n"ann",2,3\n"zoe",99,4\n'
    assert done.err == "aq_rst: rec=4 err=0 out=2\n"
    done = rst("-d", "s:Name", "s:Kind", "s:Count", *SHAPE, "-def", "-", stdin="a,x,1\nb,y,2\n")
    assert done.out == '"Name","x","y"\n"a","1","-"\n"b","-","2"\n'


def test_labels_and_keys_of_any_type(rst: Tool, tmp_path: Path) -> None:
    data = "1,10.0.0.2,0.5,a\n1,10.0.0.1,0.1,b\n2,,9,c\n"
    columns = ("-d", "i:n", "ip:a", "f:f", "s:v")
    done = rst(*columns, "-key", "n", "-lab", "a", "-val", "v", "-olab,notitle", "labels", "-o", "t.csv", stdin=data)
    assert (done.out, (tmp_path / "labels").read_text()) == ("", "\n10.0.0.1\n10.0.0.2\n")
    assert (tmp_path / "t.csv").read_text() == '"n",,"10.0.0.1","10.0.0.2"\n1,,"b","a"\n2,"c",,\n'
    done = rst(*columns, "-key", "a", "v", "-lab", "f", "-val", "n", stdin=data)
    assert done.out.splitlines()[:2] == ['"a","v","0.10000000000000001","0.5","9"', '10.0.0.2,"a",0,1,0']


def test_labels_on_the_standard_output_come_before_the_table(rst: Tool) -> None:
    done = rst("-d", "s:Name", "s:Kind", "i:Count", *SHAPE, "-olab", "-", stdin=DATA)
    assert (done.code, done.out) == (0, '"Kind"\n"apple"\n"pear"\n"Name","apple","pear"\n"zoe",0,4\n"ann",2,3\n')
    done = rst("-d", "s:Name", "s:Kind", "i:Count", *SHAPE, "-o", "-", "-olab,notitle", "-", "-ord", stdin=DATA)
    assert done.out == '"apple"\n"pear"\n"Name","apple","pear"\n"ann",2,3\n"zoe",0,4\n'


def test_nothing_in_only_the_keys_out(rst: Tool) -> None:
    assert rst("-d", "s:Name", "s:Kind", "i:Count", *SHAPE, "-olab", "labels").out == '"Name"\n'


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-key", "name", "-lab", "kind"), "-val is missing"),
        ((*SHAPE, "-def", "x"), "'x' is not an unsigned 32-bit integer"),
        (("-key", "nam", "-lab", "kind", "-val", "count"), "unknown column 'nam'"),
        ((*SHAPE, "-olab", "both", "-o", "./both"), "the same file"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(rst: Tool, argv: tuple[str, ...], message: str) -> None:
    done = rst("-d", "s:Name", "s:Kind", "i:Count", *argv)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err


cells = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"\xff"]), st.sampled_from([b"x", b"", b"y"]), st.integers(0, 9)), min_size=1
)


@given(rows=cells, size=st.integers(1, 4), ordered=st.booleans())
def test_the_table_agrees_with_python_whatever_the_batches(
    rows: list[tuple[bytes, bytes, int]], size: int, ordered: bool
) -> None:
    pivot = Pivot([Slot("k", "k", ColumnType.S)], Slot("l", "l", ColumnType.S), Slot("v", "v", ColumnType.I))
    schema = {"k": pl.Binary, "l": pl.Binary, "v": pl.UInt32}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pivoting, "_MERGE_ROWS", 2)
        for start in range(0, len(rows), size):
            pivot.add(pl.DataFrame(rows[start : start + size], schema=schema, orient="row"))
        labels, table = pivot.result(ordered=ordered, default=77)
    expected: dict[bytes, dict[object, int]] = {}
    for key, labelled, value in rows:
        expected.setdefault(key, {})[labelled] = value
    assert labels == sorted({labelled for _, labelled, _ in rows})
    keys = sorted(expected) if ordered else list(expected)
    assert table.rows() == [(key, *(expected[key].get(label, 77) for label in labels)) for key in keys]
