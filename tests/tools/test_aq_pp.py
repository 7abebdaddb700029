"""``aq_pp`` as a user meets it: options in, rows, messages, exit codes and counts out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.outcome import Tool

NUMBERS = "1\n2\n3\n4\n5\n"


def test_without_outputs_all_columns_go_to_stdout_with_a_title(pp: Tool) -> None:
    done = pp("-d", "s:Name", "X", "i:Count", stdin="ann,x,1\nbob,y,2\n")
    assert (done.code, done.out, done.err) == (0, '"Name","Count"\n"ann",1\n"bob",2\n', "")


def test_the_rules_work_in_the_order_of_the_command_line(pp: Tool) -> None:
    before = pp("-d", "i:a", "-filt", "a > 2", "-eval", "a", "a * 10", stdin=NUMBERS)
    after = pp("-d", "i:a", "-eval", "a", "a * 10", "-filt", "a > 20", stdin=NUMBERS)
    assert before.out == after.out == '"a"\n30\n40\n50\n'
    assert pp("-d", "i:a", "-filt", "a > 20", "-eval", "a", "a * 10", stdin=NUMBERS).out == '"a"\n'


def test_several_files_are_read_one_after_the_other_each_without_its_first_line(pp: Tool, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(f"h\n{name}\n")
    done = pp("-f,+1", "one.csv", "two.csv", "one.csv", "-d", "s:h", "-eval", "i:row", "$RowNum")
    assert done.out == '"h","row"\n"one",1\n"two",2\n"one",3\n'


def test_outputs_can_stand_anywhere_in_the_chain(pp: Tool, tmp_path: Path) -> None:
    done = pp(
        *("-d", "i:a"),
        *("-o,notitle", "all.csv"),
        *("-filt", "a % 2 == 1", "-eval", "i:b", "a * a"),
        *("-o,notitle", "odd.csv", "-c", "b:Square", "a"),
        *("-filt", "a > 4", "-c", "b"),
        stdin=NUMBERS,
    )
    assert done.code == 0
    assert (tmp_path / "all.csv").read_text() == NUMBERS
    assert (tmp_path / "odd.csv").read_text() == "1,1\n9,3\n25,5\n"
    assert done.out == '"b"\n25\n'


def test_two_outputs_to_stdout_take_turns_row_by_row(pp: Tool) -> None:
    done = pp(
        *("-d", "s:a", "i:n", "-o,notitle", "-", "-c", "a", "-filt", "n != 2", "-o,notitle", "-", "-c", "n"),
        stdin="x,1\ny,2\n" + '"two\nlines",3\n',
    )
    assert done.out == '"x"\n1\n"y"\n"two\nlines"\n3\n'


def test_two_outputs_in_the_branches_of_a_group_share_a_file(pp: Tool, tmp_path: Path) -> None:
    pp(
        *("-d", "i:n", "-if", "-filt", "n % 2 == 0", "-o", "out.csv"),
        *("-else", "-o,notitle", "./out.csv", "-c", "n:odd+odd %d", "-endif"),
        stdin=NUMBERS,
    )
    assert (tmp_path / "out.csv").read_text() == '"n"\nodd 1\n2\nodd 3\n4\nodd 5\n'


def test_a_condition_creates_its_column_in_one_branch(pp: Tool) -> None:
    done = pp(
        *("-d", "i:a", "-if", "-filt", "a == 1", "-eval", "s:b", '"one"', "-elif", "-filt", "a == 2", "-false"),
        *("-elifnot", "-filt", "a == 3", "-eval", "b", '"others"', "-endif"),
        stdin="1\n2\n3\n4\n",
    )
    assert done.out == '"a","b"\n1,"one"\n3,\n4,"others"\n'


def test_groups_nest(pp: Tool) -> None:
    done = pp(
        *("-d", "i:a", "-eval", "s:k", '"-"', "-if", "-filt", "a > 1", "-ifnot", "-filt", "a > 3"),
        *("-eval", "k", '"mid"', "-else", "-eval", "k", '"high"', "-endif", "-endif"),
        stdin=NUMBERS,
    )
    assert done.out == '"a","k"\n1,"-"\n2,"mid"\n3,"mid"\n4,"high"\n5,"high"\n'


@pytest.mark.parametrize(
    ("rule", "out", "read"),
    [("-skip", "1\n2\n4\n5\n", 5), ("-quit", "1\n2\n", 2), ("-quitafter", "1\n2\n3\n", 3)],
)
def test_skip_quit_and_quitafter(pp: Tool, rule: str, out: str, read: int) -> None:
    done = pp("-d", "i:a", "-if", "-filt", "a == 3", rule, "-endif", "-o,notitle", "-", "-stat", stdin=NUMBERS)
    assert (done.code, done.out) == (0, out)
    assert done.err == f"aq_pp: rec={read} err=0 out={len(out.split())}\n"


@pytest.mark.parametrize(("rule", "errors"), [("-quit", 2), ("-quitafter", 1)])
def test_what_stands_behind_the_last_row_is_not_read(pp: Tool, rule: str, errors: int) -> None:
    done = pp(
        *("-f,eok,qui", "-", "-d", "i:a", "-if", "-filt", "$RowNum == 2", rule, "-endif"),
        *("-o,notitle", "/dev/null", "-stat"),
        stdin="x\n1\n" + {"-quit": "x\n2\n", "-quitafter": "2\nx\n"}[rule] + "x\n3\nx\n",
    )
    assert done.err == f"aq_pp: rec={3} err={errors} out={3 - errors}\n"


def test_variables_carry_from_row_to_row_and_are_printed_at_the_end(pp: Tool) -> None:
    done = pp(
        *("-d", "i:a", "-var", "i:Sum", "0", "-var", "s:Last", "'none'"),
        *("-eval", "Sum", "Sum + a", "-eval", "Last", "ToS(a)", "-ovar", "-", "-ovar,notitle", "-", "-c", "~Last"),
        stdin=NUMBERS,
    )
    assert done.out == '"Sum","Last"\n15,"5"\n15\n'


def test_variables_without_rows_keep_what_they_start_with(pp: Tool) -> None:
    done = pp("-d", "i:a", "-var", "i:Sum", "7", "-eval", "Sum", "Sum + a", "-ovar", "-")
    assert done.out == '"Sum"\n7\n'


def test_rows_and_variables_can_both_go_to_one_file(pp: Tool, tmp_path: Path) -> None:
    pp("-d", "i:a", "-var", "i:n", "0", "-eval", "n", "n + 1", "-o", "x", "-ovar", "x", stdin="5\n6\n")
    assert (tmp_path / "x").read_text() == '"a"\n5\n6\n"n"\n2\n'


def test_an_output_follows_its_variable_from_file_to_file(pp: Tool, tmp_path: Path) -> None:
    done = pp(
        *("-d", "s:kind", "i:n", "-var", "s:where", "'/dev/null'", "-eval", "where", 'kind + ".csv"'),
        *("-o,fvar", "where", "-c", "n"),
        stdin="a,1\na,2\nb,3\na,4\n",
    )
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "a.csv").read_text() == '"n"\n1\n2\n4\n'
    assert (tmp_path / "b.csv").read_text() == '"n"\n3\n'


def test_the_last_value_of_a_variable_names_the_file_of_the_variables(pp: Tool, tmp_path: Path) -> None:
    done = pp(
        *("-d", "s:a", "-var", "s:f", "'first'", "-var", "i:n", "0", "-eval", "f", "a", "-eval", "n", "n + 1"),
        *("-ovar,fvar,notitle", "f", "-c", "n"),
        stdin="x\ny\n",
    )
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "y").read_text() == "2\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["y"]


def test_alias_and_rename(pp: Tool) -> None:
    done = pp(
        *("-d", "i:a", "i:b", "-alias", "a", "x", "-renam", "b", "y", "-eval", "i:c", "x + y", "-c", "*", "x"),
        stdin="1,2\n",
    )
    assert done.out == '"a","y","c","x"\n1,2,3,1\n'


def test_the_same_seed_gives_the_same_numbers(pp: Tool) -> None:
    def with_seed(*seed: str) -> str:
        return pp("-d", "X", "s:a", *seed, "-eval", "i:r", "$Random", stdin="1,2\n1,2\n").out

    assert with_seed("-seed", "5") == with_seed("-seed", "5")
    assert with_seed("-seed", "5") != with_seed("-seed", "6")
    assert with_seed() == with_seed("-seed", "1")


def test_without_eok_the_rows_before_a_bad_record_come_out_and_nothing_after_it(pp: Tool) -> None:
    done = pp("-d", "i:a", "-var", "i:n", "0", "-eval", "n", "n + 1", "-c", "a", "n", "-stat", stdin="1\n2\nx\n4\n")
    assert (done.code, done.out) == (13, '"a","n"\n1,1\n2,2\n')
    lines = done.err.splitlines()
    assert lines[0] == "aq_pp: rec=3 err=1 out=2"
    assert lines[1].startswith("aq_pp: stdin: record 3, column a: ")
    assert len(lines) == 2


def test_without_eok_a_rejecting_expression_stops_the_same_way(pp: Tool) -> None:
    done = pp("-f,+1", "-", "-d", "i:a", "-eval", "i:b", "10 / a", "-o,notitle", "-", stdin="a\n1\n0\n5\n")
    assert (done.code, done.out) == (13, "1,10\n")
    assert done.err.startswith("aq_pp: stdin: record 2, -eval i:b: ")


def test_with_eok_bad_records_are_counted_and_reported_in_their_order(pp: Tool) -> None:
    done = pp(
        *("-f,eok", "-", "-d", "i:a", "-eval", "i:b", "10 / a", "-o,notitle", "-", "-stat"),
        stdin="1\nx\n0\n2\ny\n0\n",
    )
    assert (done.code, done.out) == (0, "1,10\n2,5\n")
    lines = done.err.splitlines()
    assert [line.split(":")[2].split(",")[0].strip() for line in lines[:4]] == [f"record {n}" for n in (2, 3, 5, 6)]
    assert lines[4] == "aq_pp: rec=6 err=4 out=2"
    assert pp("-f,eok,qui", "-", "-d", "i:a", "-eval", "i:b", "10 / a", stdin="0\nx\n").err == ""


@pytest.mark.parametrize(("allowed", "out"), [(1, "1,10\n"), (2, "1,10\n2,5\n"), (3, "1,10\n2,5\n")])
def test_eok_with_a_limit_stops_at_the_record_that_exceeds_it(pp: Tool, allowed: int, out: str) -> None:
    done = pp(
        *(f"-f,eok={allowed},qui", "-", "-d", "i:a", "-eval", "i:b", "10 / a", "-o,notitle", "-", "-stat"),
        stdin="1\nx\n0\n2\ny\n0\n",
    )
    assert (done.code, done.out) == (13, out)
    assert f"{allowed} bad records are allowed in a file" in done.err
    read = {1: 3, 2: 5, 3: 6}[allowed]
    assert done.err.splitlines()[0] == f"aq_pp: rec={read} err={allowed + 1} out={len(out.split())}"


def test_record_numbers_begin_anew_in_each_file(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("1\n0\n")
    done = pp("-f,eok", "bad", "bad", "-d", "i:a", "-eval", "i:b", "1 / a", "-o,notitle", "-")
    assert done.out == "1,1\n1,1\n"
    assert [line.rpartition("record")[2][:2] for line in done.err.splitlines()] == [" 2", " 2"]


def test_the_counts_of_a_run_are_left_where_the_environment_says(
    pp: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESS_COUNTS", str(tmp_path / "counts"))
    argv = ["-f,eok,qui", "-", "-d", "i:a", "-filt", "a > 1"]
    pp(*argv, stdin="1\n2\nx\n")
    pp("-d", "i:a", stdin="1\n2\nx\n")
    pp("-d", "i:a", "-filt", "nonsense", stdin="1\n")
    counted = [json.loads(line) for line in (tmp_path / "counts").read_text().splitlines()]
    assert counted[0] == {
        "tool": "aq_pp",
        "argv": argv,
        "read": 3,
        "out": 1,
        "filtered": 1,
        "rejected": 1,
        "imported": 0,
        "repeated": 0,
        "imports": False,
    }
    assert (counted[1]["read"], counted[1]["out"], counted[1]["rejected"]) == (3, 2, 1)
    assert counted[2:] == [{"tool": "aq_pp", "exit": 13}, {"tool": "aq_pp", "exit": 2}]


@pytest.mark.parametrize(
    ("argv", "code", "parts"),
    [
        (["-filt", "x"], 2, ["-d", "no input columns"]),
        (["-d", "i:a", "-filt", "b > 1"], 2, ["-filt", "'b'"]),
        (["-d", "i:a", "-eval", "i:a", "1"], 2, ["'a' is defined already"]),
        (["-d", "i:a", "-eval", "i:b", "b + 1"], 2, ["'b'"]),
        (["-d", "i:a", "-eval", "a", '"text"'], 2, ["-eval a"]),
        (["-d", "i:a", "-if", "-filt", "a", "-skip"], 2, ["no -endif"]),
        (["-d", "i:a", "-endif"], 2, ["-endif without an -if"]),
        (["-d", "i:a", "-if", "-skip", "-endif"], 2, ["-skip cannot be checked"]),
        (["-d", "i:a", "-if", "-endif"], 2, ["needs a rule to check"]),
        (["-d", "i:a", "-if", "-true", "-else", "-else", "-endif"], 2, ["-else after -else"]),
        (["-d", "i:a", "-seed", "1", "-seed", "2"], 2, ["-seed is given twice"]),
        (["-d", "i:a", "-ovar", "-"], 2, ["no variables"]),
        (["-d", "i:a", "-var", "i:v", "0", "-ovar", "-", "-c", "a"], 2, ["'a' is not a variable"]),
        (["-d", "i:a", "-o,fvar", "a"], 2, ["not a string variable"]),
        (["-d", "i:a", "-seed", "x"], 2, ["'x' is not a seed"]),
        (["-d", "i:a", "-local"], 2, ["-local cannot stand here"]),
        (["-d", "i:a", "-mod", "m"], 2, ["-mod cannot stand here"]),
        (["-d", "i:a", "-f", "missing.csv"], 11, ["missing.csv"]),
        (["-d", "i:a", "-o", "no/such/folder"], 21, ["no/such/folder"]),
        (["-d", "i:a", "-o", "/dev/full"], 22, ["/dev/full"]),
    ],
)
def test_a_failure_is_one_line_and_its_exit_code(pp: Tool, argv: list[str], code: int, parts: list[str]) -> None:
    done = pp(*argv, stdin="1\n")
    assert done.code == code
    assert done.err.startswith("aq_pp: ")
    assert done.err.count("\n") == 1
    for part in parts:
        assert part in done.err


def test_an_input_that_cannot_be_read_costs_no_output(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("old")
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b\x08\x00broken")
    for name, code in (("missing", 11), ("broken.gz", 12)):
        done = pp("-f", name, "-d", "i:a", "-o", "kept", "-c", "a")
        assert (done.code, done.out) == (code, "")
        assert (tmp_path / "kept").read_text() == "old"
    assert pp("-f", "missing", "-d", "i:a").out == ""


def test_an_output_cannot_be_an_input(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("1\n")
    (tmp_path / "link").symlink_to("data")
    for option in ("-o", "-o,app", "-ovar"):
        done = pp("-f", "data", "-d", "i:a", "-var", "i:v", "0", option, "link")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "'link' is an input too" in done.err
    assert (tmp_path / "data").read_text() == "1\n"


def test_test_checks_everything_and_touches_nothing(pp: Tool, tmp_path: Path) -> None:
    good = ["-test", "-f", "missing.csv", "-d", "i:a", "-o", "out.csv"]
    assert pp(*good).code == 0
    assert not (tmp_path / "out.csv").exists()
    assert pp(*good, "-test").code == 11
    assert pp("-test", "-d", "i:a", "-o,fix", "-").code == 2


def test_help_goes_to_stdout(pp: Tool) -> None:
    assert pp("-h").out.startswith("usage: aq_pp ")
    assert "ToS(1234)" in pp("-h", "ToS").out
    assert pp("-h", "nonsense").code == 2


def test_old_words_of_published_scripts_do_no_harm(pp: Tool) -> None:
    done = pp("-emod", "rt", "-f,+1,eok,qui", "-", "-d", "i:a", "-ddef", stdin="a\n1\nTBD\n")
    assert (done.code, done.out, done.err) == (0, '"a"\n1\n', "")


def test_cat_adds_rows_of_other_files_with_other_columns(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("7|x|a\nbad|y|b\n")
    (tmp_path / "third.csv").write_text("c\n")
    done = pp(
        *("-d", "s:a", "i:n", "-cat,sep=|,eok,qui", "more.csv", "i:N", "s:new", "s:A", "-cat", "third.csv", "s:a"),
        *("-eval", "i:row", "$RowNum", "-stat"),
        stdin="one,1\n",
    )
    assert done.out == '"a","n","new","row"\n"one",1,,1\n"a",7,"x",2\n"c",0,,3\n'
    assert done.err == "aq_pp: rec=4 err=1 out=3\n"


def test_cat_obeys_the_attributes_of_each_input(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("1\nx\n2\n")
    done = pp("-f,eok,qui", "bad.csv", "-d", "i:n", "-cat", "bad.csv", "i:n", "-o,notitle", "-", "-stat")
    assert (done.code, done.out) == (13, "1\n2\n1\n")
    assert done.err.splitlines()[0] == "aq_pp: rec=5 err=2 out=3"
    assert pp("-d", "i:n", "-cat", "bad.csv", "s:n").err.startswith("aq_pp: -cat: 'n' is S here, but I in the input")


@pytest.mark.parametrize("rows", [3, 3000])
@pytest.mark.parametrize("chain", [("-c", "b"), ("-filt", "b != 1", "-c", "b"), ("-eval", "i:one", "1", "-c", "one")])
def test_columns_that_nobody_needs_are_checked_all_the_same(pp: Tool, rows: int, chain: tuple[str, ...]) -> None:
    text = "".join(f"{'x' if row == 1 else row},{row},s{row}\n" for row in range(rows))
    done = pp("-f,eok", "-", "-d", "i:a", "i:b", "s:c", *chain, "-stat", stdin=text)
    assert done.code == 0
    assert done.err.startswith("aq_pp: stdin: record 2, column a: ")
    assert done.err.splitlines()[1].startswith(f"aq_pp: rec={rows} err=1 out={rows - 1}")
    json_text = "".join(
        json.dumps({"a": "x" if row == 1 else row, "b": row, "c": f"s{row}"}) + "\n" for row in range(rows)
    )
    other = pp("-f,eok,jsn", "-", "-d", "i:a:a", "i:b:b", "s:c:c", *chain, stdin=json_text)
    assert (other.code, other.out) == (0, done.out)


def test_a_chain_that_looks_at_no_column_sees_all_rows(pp: Tool) -> None:
    chain = ("-d", "s:a", "i:b", "-var", "i:n", "0", "-eval", "n", "n + 1", "-ovar,notitle", "-")
    assert pp(*chain, stdin="x,1\ny,2\n").out == "2\n"
    assert pp(*chain, stdin="x,1\n" * 3000).out == "3000\n"
