"""``-sub``, ``-grep`` and ``-cmb``: rows meet tables from files."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from ess.formats.attributes import InputAttributes
from ess.pipeline.lookup_merge import MergedTable
from ess.pipeline.source import input_of_files
from ess.schema.types import ColumnType
from tests.tools.outcome import Tool


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


@pytest.mark.parametrize("words", ["", ",all", ",req", ",all,req"])
def test_cmb_of_sorted_inputs_is_the_same_join(pp: Tool, tmp_path: Path, words: str) -> None:
    (tmp_path / "a").write_text("1,x,a1\n1,y,a2\n3,x,a3\n7,q,a4\n")
    (tmp_path / "b").write_text("1,x,b1\n3,x,b2\n3,x,b3\n18446744073709551615,z,b4\n")
    rows = "0,x\n1,x\n1,x\n1,z\n3,x\n8,x\n18446744073709551615,z\n"
    columns = ("l:k", "s:c", "s:v")
    merged = pp("-d", "l:k", "s:c", f"-cmb{words},mrg", "a", "b", *columns, stdin=rows)
    (tmp_path / "c").write_text("1,x,a1\n1,x,b1\n1,y,a2\n3,x,a3\n3,x,b2\n3,x,b3\n18446744073709551615,z,b4\n")
    assert merged.out == pp("-d", "l:k", "s:c", f"-cmb{words}", "c", *columns, stdin=rows).out
    assert '"b4"' in merged.out
    for name in "ab":
        (tmp_path / name).write_text("".join(reversed((tmp_path / name).read_text().splitlines(keepends=True))))
    falling = "".join(reversed(rows.splitlines(keepends=True)))
    down = pp("-d", "l:k", "s:c", f"-cmb{words},dec", "a", "b", *columns, stdin=falling)
    assert sorted(down.out.splitlines()) == sorted(
        pp("-d", "l:k", "s:c", f"-cmb{words}", "a", "b", *columns, stdin=falling).out.splitlines()
    )


def test_cmb_of_sorted_inputs_ignores_case_where_it_is_told_to(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("A,1\nb,2\nC,3\n")
    done = pp("-d", "s:k", "-cmb,mrg,ncas", "t", "s:k", "i:v", "-o,notitle", "-", stdin="a\nB\nc\nD\n")
    assert done.out == '"a",1\n"B",2\n"c",3\n"D",0\n'


def test_cmb_of_inputs_that_are_not_sorted_is_an_error(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("1,a\n3,c\n2,b\n")
    (tmp_path / "u").write_text("1,a\n2,b\n")
    done = pp("-d", "i:k", "-cmb,mrg", "t", "i:k", "s:v", "-o,notitle", "-", stdin="1\n2\n3\n")
    assert done.code == 13
    assert done.err.startswith("aq_pp: -cmb,mrg t: not in ascending order of the key: 2 follows 3; ")
    done = pp("-d", "i:k", "-cmb,mrg", "u", "i:k", "s:v", "-o,notitle", "-", stdin="2\n1\n3\n")
    assert (done.code, done.err.count("\n")) == (13, 1)
    assert "-cmb,mrg: the rows are not in ascending order of the key: 1 follows 2; sort them first" in done.err
    done = pp("-d", "i:k", "-cmb,dec", "u", "i:k", "s:v", "-o,notitle", "-", stdin="2\n1\n")
    assert "u: not in descending order of the key" in done.err


def test_cmb_of_sorted_inputs_holds_a_part_of_the_table_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t").write_text("".join(f"{n}\n" for n in range(200_000)))
    source = input_of_files(("t", "i:k"), InputAttributes(), where="-cmb")
    table = MergedTable(
        source, ["k"], [(ColumnType.I, ColumnType.I)], ignore_case=False, descending=False, where="-cmb"
    )
    tracemalloc.start()
    found = sum(len(table.find((n,))) for n in range(0, 200_000, 7))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == 28_572
    assert peak < 4_000_000  # all of its records as Python values would take ten times as much


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


def test_a_table_is_read_once_where_the_columnar_engine_gives_the_chain_up(
    pp: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind -cmb stands what only the row engine does; the table comes through a pipe, which is empty then."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub.csv").write_text("abc,x\n")
    reading, writing = os.pipe()
    os.write(writing, b"jp,Japan\nbad\n")
    os.close(writing)
    try:
        arguments = ("-cmb,eok", f"/dev/fd/{reading}", "s:c", "s:name", "-sub,all,pat", "t", "sub.csv")
        outcome = pp("-d", "s:c", "s:t", *arguments, "-o,notitle", "-", stdin="jp,abc\n")
    finally:
        os.close(reading)
    assert (outcome.code, outcome.out) == (0, '"jp","x","Japan"\n')
    assert outcome.err == f"aq_pp: /dev/fd/{reading}: record 2, column name: the record has 1 of 2 fields\n"


def test_a_bad_record_of_a_table_names_its_option(pp: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("de,49\na\n")
    outcome = pp("-d", "s:c", "-cmb,ncas", "table.csv", "s:c", "s:name", stdin="jp\n")
    assert outcome.code == 13
    assert outcome.err.endswith("; add eok to the attributes of -cmb to leave such records out\n")
    outcome = pp("-d", "s:c", "i:n", "-cat", "table.csv", "s:c", "i:n", stdin="jp,1\n")
    assert outcome.err.endswith("; add eok to the attributes of -cat to leave such records out\n")
