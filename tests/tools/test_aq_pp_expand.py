"""``-cmb,all`` and ``-sub,all``: one row becomes several, and the rest of the chain runs for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.outcome import Tool

JOIN = ("-cmb,all", "t.csv", "i:k", "i:v")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("1,10\n2,20\n1,11\n1,12\n")
    (tmp_path / "s.csv").write_text("a,x\na*,y\nb,z\n")


def test_each_match_is_a_row_and_no_match_leaves_one(pp: Tool) -> None:
    done = pp("-d", "i:k", *JOIN, "-stat", stdin="1\n3\n2\n")
    assert done.out == '"k","v"\n1,10\n1,11\n1,12\n3,0\n2,20\n'
    assert done.err == "aq_pp: rec=3 err=0 out=3\n"
    assert pp("-d", "i:k", "-cmb,all,req", *JOIN[1:], stdin="3\n2\n").out == '"k","v"\n2,20\n'


def test_substitution_by_all_matches(pp: Tool) -> None:
    done = pp("-d", "s:c", "-sub,all,pat", "c", "s.csv", "-o,notitle", "-", stdin="a\nb\nab\nc\n")
    assert done.out == '"x"\n"y"\n"z"\n"y"\n"c"\n'


def test_a_match_does_not_see_what_rules_did_for_the_one_before(pp: Tool) -> None:
    done = pp(
        *("-d", "i:k", "-var", "i:n", "0", *JOIN, "-eval", "n", "n + 1", "-eval", "k", "k * 100 + v"),
        *(
            "-if",
            "-filt",
            "v == 11",
            "-eval",
            "s:mark",
            '"here"',
            "-endif",
            "-eval",
            "i:row",
            "$RowNum",
            "-c",
            "*",
            "n",
        ),
        stdin="1\n2\n",
    )
    assert done.out == ('"k","v","mark","row","n"\n110,10,,1,1\n111,11,"here",1,2\n112,12,,1,3\n220,20,,2,4\n')


def test_the_rows_of_a_match_can_be_filtered_on_their_own(pp: Tool) -> None:
    done = pp("-d", "i:k", *JOIN, "-filt", "v != 11", "-o,notitle", "-", "-stat", stdin="1\n2\n")
    assert (done.out, done.err) == ("1,10\n1,12\n2,20\n", "aq_pp: rec=2 err=0 out=2\n")
    done = pp("-d", "i:k", *JOIN, "-filt", "v == 20", "-o,notitle", "-", "-stat", stdin="1\n2\n")
    assert (done.out, done.err) == ("2,20\n", "aq_pp: rec=2 err=0 out=1\n")


def test_two_outputs_to_stdout_take_turns_match_by_match(pp: Tool) -> None:
    done = pp("-d", "i:k", *JOIN, "-o,notitle", "-", "-c", "v", "-o,notitle", "-", "-c", "k", stdin="1\n2\n")
    assert done.out == "10\n1\n11\n1\n12\n1\n20\n2\n"


def test_two_expansions_multiply(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("1,7\n1,8\n")
    done = pp("-d", "i:k", *JOIN, "-cmb,all", "u.csv", "i:k", "i:w", "-o,notitle", "-", stdin="1\n2\n")
    assert done.out == "1,10,7\n1,10,8\n1,11,7\n1,11,8\n1,12,7\n1,12,8\n2,20,0\n"


@pytest.mark.parametrize(
    ("rule", "out", "counts"),
    [("-quit", "9,0\n1,10\n", "rec=2 err=0 out=2"), ("-quitafter", "9,0\n1,10\n1,11\n1,12\n", "rec=2 err=0 out=2")],
)
def test_quitting_in_the_middle_of_the_matches(pp: Tool, rule: str, out: str, counts: str) -> None:
    done = pp(
        *("-d", "i:k", *JOIN, "-if", "-filt", "v == 11", rule, "-endif", "-o,notitle", "-", "-stat"), stdin="9\n1\n2\n"
    )
    assert (done.out, done.err) == (out, f"aq_pp: {counts}\n")


def test_a_match_that_is_rejected_rejects_the_record(pp: Tool) -> None:
    argv = ("-d", "i:k", *JOIN, "-eval", "i:q", "100 / (v - 11)", "-o,notitle", "-", "-c", "k", "v", "-stat")
    done = pp("-f,eok,qui", "-", *argv, stdin="2\n1\n2\n")
    assert (done.code, done.out, done.err) == (0, "2,20\n2,20\n", "aq_pp: rec=3 err=1 out=2\n")
    done = pp(*argv, stdin="2\n1\n2\n")
    assert (done.code, done.out) == (13, "2,20\n")


@pytest.mark.parametrize(
    ("words", "value", "parts"),
    [
        ("", "a;b;", ["a", "b"]),
        ("", "a;b", ["a", "b"]),
        ("", "a;;b;", ["a", "", "b"]),
        ("", "", []),
        ("relax", "a;b;", ["a", "b", ""]),
        ("relax", "", [""]),
        ("relax,noblank", ";a;", ["a"]),
    ],
)
def test_unwrapping_a_string(pp: Tool, words: str, value: str, parts: list[str]) -> None:
    module = f'unwrap_strv("a", ";", "b", "{words}")' if words else "unwrap_strv('a', ';', 'b')"
    done = pp("-d", "s:a", "s:b", "-pmod", module, "-o,notitle,tsv", "-", "-c", "b", "a", stdin=f"{value},x\n")
    assert done.out == "".join(f"{part}\t{value}\n" for part in parts)


def test_unwrapping_into_the_column_itself(pp: Tool) -> None:
    argv = ("-d", "s:a", "-pmod", 'unwrap_strv("a", ",", "A")', "-o,notitle", "-")
    assert pp(*argv, stdin='"x,y,"\n').out == '"x"\n"y"\n'


@pytest.mark.parametrize(
    ("module", "part"),
    [
        ("nosuch", "known: unwrap_strv"),
        ("unwrap_strv", "0 arguments"),
        ('unwrap_strv("k", ";", "k")', "'k' is not a string column"),
        ("unwrap_strv('s', ';;', 's')", "not one byte"),
        ("unwrap_strv('s', ';', 's', 'x')", "unknown attribute 'x'"),
        ("unwrap_strv('s' ';')", "1 arguments"),
        ("unwrap_strv()", "0 arguments"),
        ("unwrap_strv(,)", "malformed"),
        ("'s'", "malformed"),
        ("", "malformed"),
        ("unwrap_strv('s', 1, 's')", "not a string constant"),
        ("unwrap_strv('s', ';', 's'", "malformed"),
    ],
)
def test_a_wrong_module_is_explained(pp: Tool, module: str, part: str) -> None:
    done = pp("-d", "i:k", "s:s", "-pmod", module)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert part in done.err


def test_in_a_group_only_its_rows_become_several(pp: Tool) -> None:
    rules = ("-if", "-filt", "k == 1", *JOIN, "-eval", "k", "k + v", "-else", "-eval", "v", "7", "-endif")
    done = pp("-d", "i:k", *rules, "-eval", "i:twice", "k * 2", "-o,notitle", "-", "-stat", stdin="1\n2\n")
    assert done.out == "11,10,22\n12,11,24\n13,12,26\n2,7,4\n"
    assert done.err == "aq_pp: rec=2 err=0 out=2\n"


def test_what_follows_a_group_runs_for_one_match_before_the_next(pp: Tool) -> None:
    group = ("-if", "-filt", "k == 1", *JOIN, "-eval", "n", "n + 1", "-endif")
    done = pp(
        *("-d", "i:k", "-var", "i:n", "0", *group, "-eval", "n", "n * 10", "-o,notitle", "-", "-c", "v", "n"),
        stdin="1\n2\n",
    )
    assert done.out == "10,10\n11,110\n12,1110\n0,11100\n"


def test_groups_within_groups(pp: Tool) -> None:
    inner = ("-if", "-filt", "v > 10", "-sub,all,pat", "c", "s.csv", "-eval", "c", "c + c", "-endif")
    rules = (
        *(
            "-if",
            "-filt",
            "k == 1",
            *JOIN,
            *inner,
            "-eval",
            "v",
            "v + 1",
            "-elif",
            "-filt",
            "k == 2",
            "-skip",
            "-endif",
        ),
        *("-eval", "s:end", "c"),
    )
    done = pp("-d", "i:k", "s:c", *rules, "-o,notitle", "-", stdin="1,a\n2,a\n3,b\n")
    assert done.out == ('1,"a",11,"a"\n1,"xx",12,"xx"\n1,"yy",12,"yy"\n1,"xx",13,"xx"\n1,"yy",13,"yy"\n3,"b",0,"b"\n')


@pytest.mark.parametrize(
    ("opening", "out"),
    [
        ("-if", '1,10,"y"\n1,11,"y"\n1,12,"y"\n3,0,"n"\n2,20,"y"\n'),
        ("-ifnot", '1,10,"n"\n1,11,"n"\n1,12,"n"\n3,0,"y"\n2,20,"n"\n'),
    ],
)
def test_as_a_check_it_holds_for_each_match(pp: Tool, opening: str, out: str) -> None:
    rules = (opening, *JOIN, "-eval", "s:m", '"y"', "-else", "-eval", "m", '"n"', "-endif")
    assert pp("-d", "i:k", *rules, "-o,notitle", "-", stdin="1\n3\n2\n").out == out


def test_as_a_later_check(pp: Tool) -> None:
    rules = (
        *("-if", "-filt", "k == 2", "-eval", "s:m", '"two"', "-elif", *JOIN, "-eval", "m", '"joined"'),
        *("-elif", "-filt", "k == 3", "-eval", "m", '"three"', "-else", "-skip", "-endif"),
    )
    done = pp("-d", "i:k", *rules, "-o,notitle", "-", "-c", "k", "v", "m", stdin="1\n2\n3\n4\n")
    assert done.out == '1,10,"joined"\n1,11,"joined"\n1,12,"joined"\n2,0,"two"\n3,0,"three"\n'


@pytest.mark.parametrize(("rule", "out"), [("-quit", "9,0\n1,10\n"), ("-quitafter", "9,0\n1,10\n1,11\n1,12\n")])
def test_quitting_behind_a_group(pp: Tool, rule: str, out: str) -> None:
    group = ("-if", "-filt", "k == 1", *JOIN, "-endif")
    done = pp("-d", "i:k", *group, "-if", "-filt", "v == 11", rule, "-endif", "-o,notitle", "-", stdin="9\n1\n2\n")
    assert done.out == out


def test_a_rejected_match_in_a_group_takes_its_record_with_it(pp: Tool) -> None:
    rules = (
        *("-var", "i:n", "0", "-if", "-filt", "k == 1", *JOIN, "-endif"),
        *("-eval", "n", "n + 1", "-eval", "is:q", "1 / (v - 11)"),
    )
    done = pp("-f,eok", "-", "-d", "i:k", *rules, "-o,notitle", "-", "-c", "k", "v", "n", "-stat", stdin="2\n1\n3\n")
    assert done.out == "2,0,1\n3,0,2\n"
    assert done.err == "aq_pp: stdin: record 2, -eval is:q: division by zero\naq_pp: rec=3 err=1 out=2\n"


def test_two_outputs_take_turns_match_by_match_in_a_group(pp: Tool) -> None:
    group = ("-if", "-filt", "k == 1", *JOIN, "-o,notitle", "-", "-c", "v", "-endif")
    done = pp("-d", "i:k", *group, "-o,notitle", "-", "-c", "k", stdin="1\n2\n")
    assert done.out == "10\n1\n11\n1\n12\n1\n2\n"
