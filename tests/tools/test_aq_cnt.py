"""``aq_cnt``: counts, groups, statistics, and the merging of what it has counted."""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.engines.tables import counting
from ess.engines.tables.counting import KeyCounter
from ess.tools import aq_cnt
from tests.tools.outcome import Outcome, Tool

SALES = "ann,x,3\nbob,x,1\nann,y,5\nann,x,4\n"
COLUMNS = ("-d", "s:Name", "s:Kind", "i:Count")


@pytest.fixture
def cnt(run_tool: Callable[..., Outcome]) -> Tool:
    def run(*argv: str, stdin: str | bytes = "") -> Outcome:
        outcome: Outcome = run_tool("aq_cnt", aq_cnt.main, argv, stdin)
        return outcome

    return run


def test_the_summary_counts_rows_and_distinct_keys(cnt: Tool) -> None:
    done = cnt(*COLUMNS, "-k", "Names", "name", "-k", "Both", "name", "kind", stdin=SALES)
    assert (done.code, done.out, done.err) == (0, '"row","Names","Both"\n4,2,3\n', "")


def test_without_anything_to_count_it_counts_the_rows(cnt: Tool) -> None:
    assert cnt(*COLUMNS, stdin=SALES).out == '"row"\n4\n'
    assert cnt(*COLUMNS).out == '"row"\n0\n'


def test_kx_prints_the_keys_in_the_order_they_come_and_no_summary(cnt: Tool) -> None:
    assert cnt(*COLUMNS, "-kx", "-", "n", "kind", "name", stdin=SALES).out == (
        '"Kind","Name"\n"x","ann"\n"x","bob"\n"y","ann"\n'
    )


def test_kX_adds_counts_and_statistics(cnt: Tool) -> None:
    assert cnt(*COLUMNS, "-kX", "-", "-", "name", "STATS:count", stdin=SALES).out == (
        '"Name","count","Count.sum","Count.avg","Count.stddev","Count.min","Count.max"\n'
        '"ann",3,12,4,1,3,5\n"bob",1,1,1,0,1,1\n'
    )


def test_a_column_may_be_key_and_number_and_be_named_twice(cnt: Tool) -> None:
    done = cnt("-d", "i:n", "-g", "n", "-kX,notitle", "-", "-", "n", "n", "STATS:n", "STATS:n", stdin="2\n2\n")
    assert done.out == "2,2,2,2,4,2,0,2,2,4,2,0,2,2\n"


def test_groups_come_before_every_count(cnt: Tool) -> None:
    done = cnt(*COLUMNS, "-g", "name", "-k", "kinds", "kind", "-k", "counts", "count", stdin=SALES)
    assert done.out == '"Name","row","kinds","counts"\n"ann",3,2,3\n"bob",1,1,1\n'
    done = cnt(*COLUMNS, "-g", "name", "-kX", "-", "-", "kind", stdin=SALES)
    assert done.out == '"Name","Kind","count"\n"ann","x",2\n"bob","x",1\n"ann","y",1\n'
    assert cnt(*COLUMNS, "-g", "name", "-k", "kinds", "kind").out == '"Name","row","kinds"\n'


def test_several_reports_go_to_their_files_in_order(cnt: Tool, tmp_path: Path) -> None:
    done = cnt(*COLUMNS, "-kX", "k.csv", "a", "name", "-o,tsv", "./k.csv", "-kx", "-", "-", "kind", stdin=SALES)
    assert done.out == '"Kind"\n"x"\n"y"\n'
    assert (tmp_path / "k.csv").read_text() == '"Name","count"\n"ann",3\n"bob",1\nrow\ta\n4\t2\n'


def test_what_was_counted_can_be_added_up(cnt: Tool, tmp_path: Path) -> None:
    for name, rows in (("one", "ann,x,3\nbob,x,1\n"), ("two", "ann,y,5\nann,x,4\n")):
        cnt(*COLUMNS, "-kX", name, "-", "name", "kind", "STATS:count", stdin=rows)
    merged = ("-fX,+1", "one", "two", "-d", "s:Name", "s:Kind", "STATS:Count")
    whole = cnt(*COLUMNS, "-kX", "-", "-", "name", "kind", "STATS:count", stdin=SALES).out
    assert cnt(*merged).out == whole
    assert cnt(*merged, "-kX", "-", "-", ".").out == whole
    by_name = cnt(*merged, "-kX", "-", "-", "name", "STAT:count", "-o", "-").out
    assert by_name == cnt(*COLUMNS, "-kX", "-", "-", "name", "STATS:count", "-o", "-", stdin=SALES).out


def test_aq_counts_bring_their_columns(cnt: Tool, tmp_path: Path) -> None:
    for name, rows in (("one", "ann,x,3\nbob,x,1\n"), ("two", "ann,y,5\nann,x,4\n")):
        cnt(*COLUMNS, "-kX,aq", name, "-", "name", "kind", "STATS:count", stdin=rows)
    whole = cnt(*COLUMNS, "-kX", "-", "-", "name", "kind", "STATS:count", stdin=SALES).out
    assert cnt("-fX,aq", "one", "two").out == whole
    assert cnt("-fX,aq", "one", "two", "-kX", "-", "-", ".").out == whole
    by_name = cnt("-fX,aq", "one", "two", "-kX", "-", "-", "name", "STATS:count", "-o", "-").out
    assert by_name == cnt(*COLUMNS, "-kX", "-", "-", "name", "STATS:count", "-o", "-", stdin=SALES).out
    cnt(*COLUMNS, "-kX,aq", "plain", "-", "kind", stdin=SALES)
    assert cnt("-fX,aq", "plain").out == cnt(*COLUMNS, "-kX", "-", "-", "kind", stdin=SALES).out
    cnt(*COLUMNS, "-kx,aq", "keys", "-", "kind", stdin=SALES)
    done = cnt("-fX,aq", "keys")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "no counts" in done.err
    assert "leave out -d" in cnt("-fX,aq", "one", "-d", "s:name").err


def test_bytes_that_are_not_utf8_are_keys_like_any_other(cnt: Tool) -> None:
    done = cnt("-d", "s:a", "ip:b", "-kX,notitle", "-", "-", "a", "b", stdin=b"\xff,10.0.0.1\n\xfe,\n\xff,10.0.0.1\n")
    assert done.out.encode("utf-8", "surrogateescape") == b'"\xff",10.0.0.1,2\n"\xfe",,1\n'


def test_bad_records_are_left_out_and_counted(cnt: Tool) -> None:
    done = cnt("-f,eok", "-", "-d", "i:a", "-stat", stdin="1\nx\n2\n")
    assert (done.code, done.out) == (0, '"row"\n2\n')
    assert done.err.splitlines()[-1] == "aq_cnt: rec=3 err=1"
    done = cnt("-d", "i:a", "-stat", stdin="1\nx\n2\n")
    assert (done.code, done.out) == (13, "")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((*COLUMNS, "-k", "n", "nmae"), "unknown column 'nmae'"),
        ((*COLUMNS, "-k", "n", "name", "-kx", "-", "N", "kind"), "two keys have the name 'N'"),
        ((*COLUMNS, "-kX", "-", "-", "STATS:count"), "the key has no column"),
        ((*COLUMNS, "-kX", "-", "-", "name", "STATS:kind"), "'kind' is no number"),
        ((*COLUMNS, "-k", "n", "name", "STATS:count"), "statistics are for -kX"),
        (("-fX", "a", "-d", "s:a", "-kX", "-", "-", "a", "STATS:n"), "the input has no statistics of 'n'"),
        (("-fX", "a", "-d", "STATS:n", "s:a"), "the STATS columns come last"),
        (("-fX", "a", "-f", "b", "-d", "s:a"), "-f and -fX do not go together"),
        ((), "no input columns are defined"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(cnt: Tool, argv: tuple[str, ...], message: str) -> None:
    done = cnt(*argv)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


rows = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"\xff", b""]), st.integers(-1000, 1000)), max_size=30)


@given(rows=rows, size=st.integers(1, 7), merged=st.booleans())
def test_counts_and_statistics_do_not_depend_on_the_batches(
    rows: list[tuple[bytes, int]], size: int, merged: bool
) -> None:
    counter = KeyCounter(["k"], ["n"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "_MERGE_ROWS", 3)
        patch.setattr(counting, "_GATHER_ROWS", 5)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            batch = pl.DataFrame(
                {"k": pl.Series([k for k, _ in part], dtype=pl.Binary), "n": pl.Series([n for _, n in part])}
            )
            if merged:
                piece = KeyCounter(["k"], ["n"])
                piece.add(batch)
                counter.add_counted(piece.result())
            else:
                counter.add(batch)
    found = {row[0]: row[1:] for row in counter.result().rows()}
    assert list(found) == list(Counter(k for k, _ in rows))
    for key, (count, total, mean, deviation, low, high) in found.items():
        numbers = [n for k, n in rows if k == key]
        assert (count, total, low, high) == (len(numbers), sum(numbers), min(numbers), max(numbers))
        assert mean == pytest.approx(statistics.fmean(numbers))
        assert deviation == pytest.approx(statistics.stdev(numbers) if count > 1 else 0, abs=1e-6)


def test_the_output_is_csv_that_reads_back(cnt: Tool) -> None:
    done = cnt("-d", "s:a", "-kX", "-", "-", "a", stdin='"x ""y"", z"\n"x ""y"", z"\n')
    assert list(csv.reader(io.StringIO(done.out))) == [["a", "count"], ['x "y", z', "2"]]


@pytest.mark.parametrize("kind", ["l", "ls"])
@given(
    numbers=st.lists(
        st.integers(0, 3).flatmap(
            lambda n: (
                st.integers(-(2**63), 2**64 - 1)
                if n == 3
                else st.integers(2**53 - 2, 2**53 + 3)
                if n == 2
                else st.integers(2**63 - 4, 2**63 + 3)
            )
        ),
        min_size=1,
        max_size=12,
    ),
    pieces=st.integers(1, 3),
)
def test_statistics_of_64_bit_numbers_are_exact(kind: str, numbers: list[int], pieces: int) -> None:
    low, high = (0, 2**64 - 1) if kind == "l" else (-(2**63), 2**63 - 1)
    numbers = [number for number in numbers if low <= number <= high] or [high]
    dtype = pl.UInt64 if kind == "l" else pl.Int64
    batches = [
        pl.DataFrame({"k": ["x"] * len(part), "n": pl.Series(part, dtype=dtype)})
        for part in (numbers[start::pieces] for start in range(pieces))
        if part
    ]
    counter, adder = KeyCounter(["k"], ["n"]), KeyCounter(["k"], ["n"])
    for batch in batches:
        counter.add(batch)
        one = KeyCounter(["k"], ["n"])
        one.add(batch)
        adder.add_counted(one.result())
    for found in (counter.result(), adder.result()):
        [(_, count, total, mean, deviation, least, most)] = found.rows()
        assert (count, total, least, most) == (len(numbers), sum(numbers), min(numbers), max(numbers))
        assert mean == sum(numbers) / len(numbers)
        expected = statistics.stdev(numbers) if count > 1 else 0
        assert deviation == pytest.approx(expected, rel=1e-6, abs=1e-6 if found is not adder.result() else 1)


def test_large_sums_are_printed_and_added_up(cnt: Tool, tmp_path: Path) -> None:
    rows = "a,18446744073709551615\na,18446744073709551614\nb,9007199254740993\n"
    shape = ("-d", "s:k", "l:v", "-kX")
    whole = (
        '"k","count","v.sum","v.avg","v.stddev","v.min","v.max"\n'
        '"a",2,36893488147419103229,1.8446744073709552e+19,0.70710678118654757,18446744073709551614,18446744073709551615\n'
        '"b",1,9007199254740993,9007199254740992,0,9007199254740993,9007199254740993\n'
    )
    out = cnt(*shape, "-", "-", "k", "STATS:v", stdin=rows).out
    assert out == whole
    for name, part in (("one", rows.splitlines(True)[2]), ("two", "b,-1\n")):
        cnt("-d", "s:k", "ls:v", "-kX", name, "-", "k", "STATS:v", stdin=part)
        cnt("-d", "s:k", "ls:v", "-kX,aq", name + "q", "-", "k", "STATS:v", stdin=part)
    text = cnt("-fX,+1", "one", "two", "-d", "s:k", "STATS:ls:v").out
    assert text == cnt("-fX,aq", "oneq", "twoq").out
    assert text.splitlines()[1].split(",")[:4] == ['"b"', "2", "9007199254740992", "4503599627370496"]
    assert text.splitlines()[1].split(",")[5:] == ["-1", "9007199254740993"]
    done = cnt("-d", "s:k", "l:v", "-kX,aq", "big", "-", "k", "STATS:v", stdin=rows)
    assert done.code != 0
    assert "does not fit into 64 bits" in done.err
