"""``loginf`` finds out what is in a log file."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.engines.tables.uniqueness import DistinctSketch
from ess.formats.dialect import find_dialect
from ess.tools import aq_pp, loginf
from ess.tools.loginf.profile import ColumnProfile
from ess.tools.loginf.report import column_type
from tests.tools.outcome import Outcome, Tool

DATA = 'name,"a, note",count\nann,"x ""y"", z",3\nbob,,5\nzo\xeb,"two\nlines",4.5\n'.encode()


@pytest.fixture
def inf(run_tool: Callable[..., Outcome]) -> Tool:
    def run(*argv: str, stdin: str | bytes = "") -> Outcome:
        outcome: Outcome = run_tool("loginf", loginf.main, argv, stdin)
        return outcome

    return run


def test_the_report_counts_and_describes_columns(inf: Tool) -> None:
    found = json.loads(inf(stdin=DATA).out)
    assert found["Bytes"] == {"Source": 68, "Count": 47, "Percent": 69.1176}
    assert found["Lines"] == {"Source": 5, "Count": 3, "Percent": 60}
    assert found["Rows"] == {"Count": 3, "Length": {"Min": 7, "Max": 21, "Avg": 15.6667}}
    assert found["Columns"] == {"Min": 3, "Max": 3, "Avg": 3}
    name, note, count = found["Column"]
    assert (name["Label"], name["pp-Type"], name["Unique Estimate"]) == ("name", "S", 3)
    assert name["Type-String"]["Sample-Has binary"] == "zo\xeb"
    assert (note["Label"], note["pp-Name"], note["pp-Sample"]) == ("a, note", "anote", 'x "y", z')
    assert note["Type-Blank"]["Rows"] == {"Count": 1, "Percent": 33.3333}
    assert (count["pp-Type"], count["Type-Integer"]["Value"]) == ("F", {"Min": 3, "Max": 5})
    assert count["Type-Float"]["Sample"] == ["4.5"]
    encoded = json.loads(inf("-o", "-", "-b64", stdin=DATA).out)
    assert (encoded["Report String Encoding"], encoded["Column"][0]["Label"]) == (True, "bmFtZQ==")


def test_column_specs_name_type_and_skip(inf: Tool) -> None:
    assert inf("-o_pp_col", "-", stdin=DATA).out == "S:name\nS:anote\nF:count\n"
    assert inf("-d", "1", "3", "-o_pp_col", "-", stdin=DATA).out == "S:name\nX\nF:count\n"
    data = "1, 2 ,-3,10.0.0.1,x,99999999999,\n4, 5 ,6,::1,7,1,\n"
    assert inf("-f,notitle", "-", "-o_pp_col", "-", stdin=data).out.split() == [
        *("I:col1", "I,trm:col2", "IS:col3", "IP:col4", "S:col5", "L:col6", "S:col7")
    ]


def test_a_few_odd_values_may_be_accepted(inf: Tool) -> None:
    data = "n\n" + "1\n" * 19 + "TBD\n"
    assert inf("-o_pp_col", "-", stdin=data).out == "S:n\n"
    assert inf("-o_pp_col", "-", "-pp_eok", "4", stdin=data).out == "S:n\n"
    assert inf("-o_pp_col", "-", "-pp_eok", "5", stdin=data).out == "I:n\n"


@pytest.mark.parametrize(
    ("data", "description", "specs"),
    [
        (b"a,b\n1,x\n2,y\n", "CSV", "I:a S:b"),
        (b"1\tx\n2\ty\n", '"\\t" Separated', "I:col1 S:col2"),
        (b'1|"x|y"\n2|y\n3|z\n', '"|" Separated CSV', "I:col1 S:col2"),
        (b"1\x01x\n2\x01y\n", '"\\x01" Separated', "I:col1 S:col2"),
        (b"s+n+d\nA+1+2014-01-01\nB+2+2014-01-02\n", '"+" Separated', "S:s I:n S:d"),
        (b"1+1\n2+2\n", '"\\n" Separated', "S:col1"),
        (b"some words\nand others, here\nand\n", '"\\n" Separated', "S:col1"),
        (b"ann   10\nbob    7\nzoe 1000\n", "Fixed-Width", "S,n=4,trm:col1 I,n=4,trm:col2"),
        (b'{"a": 1}\n{"a": 2}\n', "JSON", ""),
        (b"<?xml version='1.0'?>\n<a/>\n", "XML", ""),
        (b"1|ann|a,b\n2|bob|c,d\n3|cy|e,f\n", '"|" Separated', "I:col1 S:col2 S:col3"),
        (b"#Version: 1.0\n1\tx,y\n2\tz,w\n", '"\\t" Separated', "I:col1 S:col2"),
        (b"level=info n=1\nlevel=warn n=-\n", "logfmt", "S:level I:n"),
        (b"#Version: 1.0\n#Fields: a sc-bytes\n1\t2\n2\t-\n", "w3c", "S:a L:sc_bytes"),
        (b"n\tv\n01\t-\n02\t7\n03\t+8\n", '"\\t" Separated', "S:n I:v"),
        (b"<table><tr><td>1</td></tr></table>\n", "HTML Table", "I:col1"),
        (b"", '"\\n" Separated', ""),
    ],
)
def test_the_format_is_found(inf: Tool, data: bytes, description: str, specs: str) -> None:
    done = inf("-f,auto", "-", "-o_typ", "-", "-o_pp_col", "-", stdin=data)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [description, *specs.split()]


def test_an_access_log_has_the_columns_that_probing_finds(inf: Tool) -> None:
    log = (
        rb'10.0.0.1 - - [12/Mar/2026:10:15:32 +0100] "GET /\xc3\xa9?q=\"x\" HTTP/1.1" 200 10 "-" "curl/8"'
        b"\n"
        rb'10.0.0.1 - - [12/Mar/2026:10:15:33 +0100] "\x16\x03" 400 - "-" "Tab 10\" Build"'
        b"\n"
    )
    done = inf("-f,auto", "-", "-o_typ", "-", "-o_pp_col", "-", stdin=log)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "combined"
    assert done.out.splitlines()[1:] == list(find_dialect([log]).columns)
    assert find_dialect([log]).columns[4:7] == ("S:request", "I:status", "L:bytes")


def test_stored_results_can_be_added_up(inf: Tool, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfid,v\n" + b"".join(b"%d,x\n" % n for n in range(50)))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"id,v\n" + b"".join(b"%d,\xff\n" % n for n in range(40, 90))))
    assert inf("-f", "a.csv", "-o_raw", "a.raw").code == 0
    inf("-f", "b.csv.gz", "-o_raw", "b.raw")
    both = json.loads(inf("-f", "a.csv", "b.csv.gz").out)
    for argv in (("-f_raw", "a.raw", "b.raw"), ("-f_raw", "a.raw", "-f", "b.csv.gz")):
        merged = json.loads(inf(*argv).out)
        assert {**merged, "Process Time": 0} == {**both, "Process Time": 0}
    assert both["Has BOM"] == 1
    assert both["Column"][0]["Unique Estimate"] == 90
    assert both["Column"][1]["Type-String"]["Sample-Has binary"] == "\\xff"
    assert inf("-f_raw", "a.csv").code == 12
    (tmp_path / "odd.raw").write_text('{"loginf": 1, "files": 1}')
    assert inf("-f_raw", "odd.raw").code == 12
    assert inf("-f_raw", "none").code == 11


def test_limits(inf: Tool) -> None:
    data = "n\n1\n2\n3\n"
    for argv in (("-f", "-", "-lim", "2"), ("-f,lim=2", "-")):
        assert json.loads(inf(*argv, stdin=data).out)["Rows"]["Count"] == 2
    done = inf("-cmax", "2", stdin="a,b,c\n1,2,3\n")
    assert (done.code, done.err.count("\n")) == (13, 1)


def test_records_that_cannot_be_read_are_left_out_and_told(inf: Tool) -> None:
    done = inf("-o_pp_col", "-", stdin='a,b\n1,2\n"x,3\n4,5\n')
    assert (done.code, done.out) == (0, "I:a\nI:b\n")
    assert done.err == "loginf: stdin: record 3 is left out: a quote is not closed\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-pp_eok", "x"), "'x' is not a percentage"),
        (("-d", "0"), "'0' is not a whole number above 0"),
        (("-f,lim=x", "a"), "'x' is not a whole number above 0"),
        (("-f,wrong", "a"), "wrong"),
        (("-f,jsn", "a"), "'jsn' inputs cannot be analyzed"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(inf: Tool, argv: tuple[str, ...], message: str) -> None:
    done = inf(*argv)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err


def test_the_uniqueness_estimate_is_within_two_percent() -> None:
    for size in (1, 100, 5_000, 40_000, 150_000):
        sketch, half = DistinctSketch(), DistinctSketch()
        sketch.add(b"a%d" % n for n in range(size))
        half.add(b"a%d" % n for n in range(size // 2, size))
        assert sketch.estimate() == pytest.approx(size, rel=0.02)
        before = sketch.estimate()
        sketch.merge(half.to_bytes(), where="x")
        assert sketch.estimate() == pytest.approx(before, rel=0.01)


@given(
    st.lists(st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False)), min_size=1)
)
def test_a_column_gets_a_type_that_takes_all_its_values(values: list[int | float]) -> None:
    column = ColumnProfile()
    column.add([repr(value).encode() for value in values])
    kind, _ = column_type(column, 0)
    whole = [value for value in values if isinstance(value, int)]
    ranges = {"I": (0, 2**32 - 1), "IS": (-(2**31), 2**31 - 1), "L": (0, 2**64 - 1), "LS": (-(2**63), 2**63 - 1)}
    if len(whole) < len(values):
        assert kind == "F"
    elif kind == "S":
        assert min(whole) < 0 < 2**63 <= max(whole)
    else:
        assert ranges[kind][0] <= min(whole) <= max(whole) <= ranges[kind][1]


def test_an_input_of_another_tool_tells_its_columns(
    inf: Tool, run_tool: Callable[..., Outcome], tmp_path: Path
) -> None:
    specs = "S:code\nL:n\nF:x\nIP:from\n"
    for words in ("bin", "aq"):
        run_tool(
            "aq_pp",
            aq_pp.main,
            ("-d", "s:code", "l:n", "f:x", "ip:from", "-o," + words, "out"),
            "7,1,0.5,1.2.3.4\n8,2,2,::1\n",
        )
        for argv in ((f"-f,{words}", "out"), ("-f,auto", "out")):
            assert inf(*argv, "-o_pp_col", "-", "-o_typ", "-").out == specs + "Aq Tool Binary\n"
        found = json.loads(inf("-f,bin", "out").out)
        assert found["Rows"]["Count"] == 2
        assert found["Column"][3]["Type-IP"]["Sample"] == ["1.2.3.4", "::1"]
        assert found["Column"][2]["Type-Float"]["Value"] == {"Min": 0.5, "Max": 0.5}
        assert json.loads(inf("-f,aq,lim=1", "out", "-d", "2").out)["Column"][0]["Type-Integer"]["Value"]["Max"] == 1
        inf("-f,aq", "out", "-o_raw", "raw")
        assert inf("-f_raw", "raw", "raw", "-o_pp_col", "-").out.startswith("S:code\n")
        assert inf("-f,aq", stdin="no").code == 12


def test_the_rows_of_an_html_table(inf: Tool) -> None:
    page = "<table><tr><td>name<td>n</tr><tr><td>ann</td><td>7</td></tr><tr><td>b&amp;b</td><td>8</table>"
    assert inf("-f,tab", "-", "-o_pp_col", "-", stdin=page).out == "S:name\nI:n\n"
    assert inf("-f,tab,notitle", "-", "-o_pp_col", "-", stdin=page).out == "S:col1\nS:col2\n"
    found = json.loads(inf("-f,auto", "-", stdin=page).out)
    assert (found["Rows"]["Count"], found["Column"][0]["Type-String"]["Sample"]) == (3, ["name", "ann", "b&b"])


@pytest.mark.parametrize(
    ("attributes", "data", "specs"),
    [
        ("", "1,2\n3,4\n", "I:col1 I:col2"),
        ("", "Ngou,26\nObo,31\n", "S:col1 I:col2"),
        ("", ",b\n3,4\n", "I:col1 I:b"),
        ("", ",\n3,4\n", "I:col1 I:col2"),
        (",auto", "a,b\n3,4\n", "I:a I:b"),
        (",auto,notitle", "a,b\n3,4\n", "S:col1 S:col2"),
        (",tab", "<tr><td>x<td>7</tr><tr><td>y<td>8</tr>", "S:col1 I:col2"),
    ],
)
def test_a_first_record_that_is_no_line_of_labels_is_data(inf: Tool, attributes: str, data: str, specs: str) -> None:
    found = inf(f"-f{attributes}", "-", "-o_pp_col", "-", "-o", "-", stdin=data)
    assert found.out.split()[:2] == specs.split()
    assert '"Rows" : {\n    "Count" : ' + str(2 - ("a" in specs or ":b" in specs)) in found.out
    assert re.search(r'"Process Time" : [0-9]+\.[0-9]{3},', found.out)
