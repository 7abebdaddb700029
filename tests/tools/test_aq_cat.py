"""``aq_cat`` puts inputs one behind the other, with and without a column spec."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.formats import raw
from ess.formats.attributes import parse_input_attributes
from ess.schema.batch import make_batch
from ess.schema.types import ColumnType
from ess.tools import aq_cat
from tests.tools.outcome import Outcome, Tool


@pytest.fixture
def cat(run_tool: Callable[..., Outcome]) -> Tool:
    def run(*argv: str, stdin: str | bytes = "") -> Outcome:
        outcome: Outcome = run_tool("aq_cat", aq_cat.main, argv, stdin)
        return outcome

    return run


@pytest.fixture
def files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'h,i,j\n1,"x ""y"", z",3\n4,"two\nlines",6')
    (tmp_path / "b").write_bytes(gzip.compress(b"h,i,j\r\n7,\xff,9\r\n"))


@pytest.mark.usefixtures("files")
def test_without_columns_records_are_passed_on_as_they_are(cat: Tool) -> None:
    done = cat("-f,+1", "a", "b", "-", "-stat", stdin="skipped\nlast")
    assert done.out.encode("utf-8", "surrogateescape") == (b'1,"x ""y"", z",3\n4,"two\nlines",6\n7,\xff,9\r\nlast\n')
    assert done.err == "aq_cat: rec=4 err=0 out=4\n"


@pytest.mark.usefixtures("files")
def test_columns_are_chosen_by_number(cat: Tool, tmp_path: Path) -> None:
    done = cat("-f,+1r", "a", "b", "-c", "3-2", "1")
    assert done.out.encode("utf-8", "surrogateescape") == (b'3,"x ""y"", z",1\n6,"two\nlines",4\n9,\xff,7\n')
    done = cat("-f", "b", "-o", "o", "-c", "1", "-o,app", "./o", "-c", "3", "-o", "-", "-c", "2")
    assert (tmp_path / "o").read_text() == "h\nj\n7\n9\n"


def test_a_field_that_a_record_does_not_have_is_blank(cat: Tool, tmp_path: Path) -> None:
    (tmp_path / "three").write_text("a,b,c\n")
    (tmp_path / "four").write_text('1,"2,x",3,4\n')
    assert cat("-f", "three", "four", "-c", "1", "4", "2").out == 'a,,b\n1,4,"2,x"\n'
    assert cat("-f,sep=;", "-", "-c", "3-2", stdin="\n;\n").out == ";\n;\n"


@pytest.mark.usefixtures("files")
def test_with_columns_it_reads_and_prints_them(cat: Tool) -> None:
    done = cat("-f,+1", "a", "-d", "i:n", "s:t", "x", "-o,notitle", "-", "-c", "t", "n", "-stat")
    assert (done.out, done.err) == ('"x ""y"", z",1\n"two\nlines",4\n', "aq_cat: rec=2 err=0 out=2\n")
    assert cat("-f,+1", "a", "-d", "i:n", "s:t", "x", "-c", "~t").out == '"n"\n1\n4\n'


def test_bad_records_are_left_out_or_end_it_after_the_rows_before(cat: Tool) -> None:
    data = 'a,b\n"c,d\nf,g\n'
    done = cat("-f,eok", "-", "-c", "2", stdin=data)
    assert (done.code, done.out) == (0, "b\ng\n")
    assert "record 2" in done.err
    done = cat("-c", "2", stdin=data)
    assert (done.code, done.out) == (13, "b\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-c", "name"), "'name' is not a column number"),
        (("-c", "0"), "'0' is not a column number"),
        (("-o,jsn", "-"), "'jsn' needs columns"),
        (("-f,div", "x"), "no input columns are defined"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(cat: Tool, argv: tuple[str, ...], message: str) -> None:
    done = cat(*argv)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err


@given(
    rows=st.lists(st.lists(st.text(st.sampled_from('a",\n\\é'), max_size=4), min_size=2, max_size=3), min_size=1),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_the_chosen_fields_read_back_as_the_same(rows: list[list[str]], quoting: int) -> None:
    records = []
    for row in rows:
        text = io.StringIO()
        csv.writer(text, quoting=quoting, lineterminator="\n").writerow(row)  # type: ignore[arg-type]
        records.append(text.getvalue().encode())
    batch = make_batch([(raw.RECORD, ColumnType.S, records)], len(records))
    chosen = raw.choose_fields(batch, parse_input_attributes([], where="-f"), (2, 1))
    assert list(csv.reader(io.StringIO(b"".join(chosen).decode()))) == [[row[1], row[0]] for row in rows]
