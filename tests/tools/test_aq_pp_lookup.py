"""``-sub``, ``-grep`` and ``-cmb``: rows meet tables from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.outcome import Tool


@pytest.fixture(autouse=True)
def tables(tmp_path: Path) -> None:
    (tmp_path / "lookup.csv").write_text("jp,Japan\nus,States\njp,Nippon\n")
    (tmp_path / "patterns.csv").write_text("a*,starts\nab,exact\n?b,second\n\\*,star\n")
    (tmp_path / "users.csv").write_text("id,name\n1,ann\n2,bob\n1,al\n")


def test_sub_replaces_by_the_first_entry_and_leaves_the_others(pp: Tool) -> None:
    done = pp("-d", "s:c", "-sub", "c", "lookup.csv", "-o,notitle", "-", stdin="jp\nfr\nus\nJP\n")
    assert done.out == '"Japan"\n"fr"\n"States"\n"JP"\n'
    done = pp("-d", "s:c", "-sub,ncas,req", "c", "lookup.csv", "-o,notitle", "-", stdin="jp\nfr\nJP\n")
    assert done.out == '"Japan"\n"Japan"\n'


def test_sub_takes_columns_by_name_from_several_files(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("France,x,fr\n")
    (tmp_path / "first.csv").write_text("Japon,x,jp\n")
    done = pp("-d", "s:c", "-sub", "c", "first.csv", "more.csv", "TO", "X", "FROM", "-o,notitle", "-", stdin="jp\nfr\n")
    assert done.out == '"Japon"\n"France"\n'


def test_patterns_come_after_exact_entries(pp: Tool) -> None:
    done = pp("-d", "s:c", "-sub,pat", "c", "patterns.csv", "-o,notitle", "-", stdin="ab\nabc\nxb\n*\nx\n")
    assert done.out == '"exact"\n"starts"\n"second"\n"star"\n"x"\n'


def test_grep_selects_or_leaves_out(pp: Tool) -> None:
    argv = ("c", "lookup.csv", "from", "X", "-o,notitle", "-")
    assert pp("-d", "s:c", "-grep", *argv, stdin="jp\nfr\n").out == '"jp"\n'
    assert pp("-d", "s:c", "-grep,rev", *argv, stdin="jp\nfr\n").out == '"fr"\n'


def test_cmb_joins_by_the_common_column(pp: Tool) -> None:
    done = pp("-d", "i:id", "-cmb,+1", "users.csv", "i:ID", "s:name", stdin="2\n1\n3\n")
    assert done.out == '"id","name"\n2,"bob"\n1,"ann"\n3,\n'
    done = pp("-d", "i:id", "-cmb,+1,req", "users.csv", "i:id", "s:name", "-filt", 'name != ""', stdin="2\n1\n3\n")
    assert done.out == '"id","name"\n2,"bob"\n1,"ann"\n'


def test_cmb_of_sorted_inputs_is_the_same_join(pp: Tool) -> None:
    for words in ("mrg", "dec"):
        done = pp("-d", "i:id", f"-cmb,+1,{words}", "users.csv", "i:id", "s:name", "-o,notitle", "-", stdin="1\n2\n")
        assert done.out == '1,"ann"\n2,"bob"\n'


def test_cmb_overwrites_a_common_column_that_is_marked(pp: Tool) -> None:
    done = pp("-d", "f:id", "s:name", "-cmb,+1", "users.csv", "i,key:id", "s,cmb:name", stdin="2,x\n9,y\n")
    assert done.out == '"id","name"\n2,"bob"\n9,"y"\n'


def test_cmb_joins_by_several_columns_of_any_type(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("A,18446744073709551615,1.2.3.4,found\n")
    done = pp(
        *("-d", "s:a", "l:b", "ip:c", "-cmb,ncas", "t", "s:a", "l:b", "ip:c", "s:d"),
        stdin="a,18446744073709551615,1.2.3.4\na,1,1.2.3.4\n",
    )
    assert done.out == '"a","b","c","d"\n"a",18446744073709551615,1.2.3.4,"found"\n"a",1,1.2.3.4,\n'


def test_a_lookup_can_be_checked(pp: Tool) -> None:
    done = pp(
        *("-d", "s:c", "-if", "-sub", "c", "lookup.csv", "-eval", "s:k", '"known"'),
        *("-elif", "-grep", "c", "users.csv", "X", "from", "-eval", "k", '"user"', "-endif"),
        stdin="jp\nbob\nfr\n",
    )
    assert done.out == '"c","k"\n"Japan","known"\n"bob","user"\n"fr",\n'


@pytest.mark.parametrize(
    ("argv", "code", "part"),
    [
        (["-sub", "c", "nosuch.csv"], 11, "nosuch.csv"),
        (["-sub", "n", "lookup.csv"], 2, "'n' is not a string column"),
        (["-sub", "c", "lookup.csv", "X", "from"], 2, "string column 'to'"),
        (["-sub,bad", "c", "lookup.csv"], 2, "bad"),
        (["-cmb", "users.csv", "s:other"], 2, "no column in common"),
        (["-cmb", "users.csv", "s:n", "s:other"], 2, "'n' is S in the file, but I in the rows"),
        (["-cmb", "users.csv", "i,key:zz", "i:n"], 2, "'zz'"),
        (["-cmb", "users.csv", "i:n", "s:other"], 13, "record 1"),
    ],
)
def test_a_wrong_lookup_is_explained(pp: Tool, argv: list[str], code: int, part: str) -> None:
    done = pp("-d", "s:c", "i:n", *argv, stdin="a,1\n")
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert part in done.err


def test_tables_are_loaded_by_a_thorough_test_only(pp: Tool) -> None:
    argv = ("-f", "/dev/null", "-d", "s:c", "-sub", "c", "nosuch.csv")
    assert pp("-test", *argv).code == 0
    assert pp("-test", "-test", *argv).code == 11
