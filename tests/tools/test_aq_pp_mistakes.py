"""A newcomer's mistakes: each gives one line that says what is wrong, where, and what was meant."""

from __future__ import annotations

import pytest

from tests.tools.outcome import Tool

MISTAKES = [
    # A string without its quotes, and other languages' words.
    (("-filt", "name == bob"), "unknown column 'bob'", 'known: name, n; a string needs quotes: "bob"'),
    (("-filt", "n > 1 and n < 3"), "unexpected 'and', at character 7", "the operator is '&&'"),
    (("-filt", "n > 1 OR n < 3"), "unexpected 'OR'", "the operator is '||'"),
    (("-filt", "not n"), "unexpected 'n'", "the operator is '!'"),
    (("-filt", "n <> 1"), "unexpected '>' where a value should be", "the operator is '!='"),
    # An expression that the shell has cut.
    (("-filt", "n", "==", "1"), "after -filt: '==' belongs to no option", "one pair of quotes: -filt FilterSpec"),
    (("-eval", "n", "n", "+", "1"), "after -eval: '+' belongs to no option", "one pair of quotes: -eval ColSpec"),
    (("-if", "n > 1", "-skip", "-endif"), "after -if: 'n > 1'", "takes a rule to check: -if -filt 'n > 1'"),
    # New columns and those that are there.
    (
        ("-eval", "total", "n * 2"),
        "-eval total: unknown column 'total'",
        "takes its type before the name, e.g. s:total",
    ),
    (
        ("-eval", "i:n", "n * 2"),
        "-eval i:n: column 'n' is defined already",
        "leave out the type to store into it, n, or",
    ),
    (("-mapf", "name", "%%a%%", "-mapc", "whole", "%%a%%"), "unknown column 'whole'", "e.g. s:whole"),
    # Variables.
    (
        ("-var", "sum", "x"),
        "-var sum: 'x' is not a string constant",
        "'sum' says no type, so it is a string: write i:sum",
    ),
    (("-var", "sum", "0"), "-var sum: a value of type integer", "'sum' says no type, so it is a string: write i:sum"),
    # An option where a name should be.
    (
        ("-eval", "-filt", "n"),
        "-eval lacks its ColSpec|ColName|-: -filt is there instead",
        "usage: -eval ColSpec|ColName|- Expr",
    ),
    (("-c", "-notitle"), "-c lacks its ColName: -notitle is there instead", "usage: -c ColName"),
    (("-o", "-c", "n"), "-o lacks its File: -c is there instead", "usage: -o[,AtrLst] File"),
    (("-f", "-eok", "in.csv"), "unknown option -eok", "attributes go right after the option: -f,eok"),
    (("-var", "i:start", "n"), "-var i:start: unknown column 'n'", "a variable starts with a constant"),
    (("-var", "s:file", '""', "-o,fvar", "file"), "-o,fvar: the variable 'file' starts blank", "'\"/dev/null\"'"),
    (("-filt", "n => 1"), "unexpected '='", "the operator is '>='"),
    (("-filt", 'name like "a%"'), "unexpected 'like'", "PatCmp(Val, Pattern)"),
    (("-eval", "i:x", "n ** 2"), "unexpected '*' where a value should be", "Pow(Val, Power)"),
    (("-eval", "i:x", "n > 1 ? 1 : 0"), "unexpected '?'", "-if -filt ... -else ... -endif"),
    (("-eval", "i:x", "if(n > 1, 1, 0)"), "unknown function 'if'", "-if -filt ... -else ... -endif"),
    (("-eval", "i:x", "n", "-h"), "unknown option -h", "help is aq_pp -h, or aq_pp -h Name for one"),
    (("-help",), "unknown option -help", "help is aq_pp -h, or aq_pp -h Name for one"),
    # Types of arguments.
    (("-eval", "i:x", "SLeng(n)"), "argument Val of SLeng must be a string, not an integer", "write SLeng(Val)"),
    (("-eval", "i:x", "Abs(name)"), "argument Val of Abs must be a number, not a string", "write Abs(Val)"),
    (("-eval", "i:x", "ToI(1.2.3.4)"), "must be a string or a number, not an IP address", "write ToI(Val)"),
]


@pytest.mark.parametrize(("argv", "what", "hint"), MISTAKES, ids=[" ".join(argv) for argv, _, _ in MISTAKES])
def test_a_mistake_is_explained(pp: Tool, argv: tuple[str, ...], what: str, hint: str) -> None:
    outcome = pp("-d", "s:name", "i:n", *argv, stdin="a,1\n")
    assert outcome.code == 2
    assert outcome.out == ""
    assert what in outcome.err
    assert hint in outcome.err
    assert outcome.err.count("\n") == 1


def test_unwanted_columns_alone(pp: Tool) -> None:
    assert pp("-d", "X", "X").err == "aq_pp: -d: all input columns are unwanted (X); e.g. -d s:Name i:Count X\n"


def test_a_blank_name_of_a_file(pp: Tool) -> None:
    assert (pp("-d", "s:a", "-o", "").code, pp("-d", "s:a", "-o", "").err) == (
        21,
        "aq_pp: -o: the name of the file is blank\n",
    )
    outcome = pp("-d", "s:a", "-var", "s:f", '"out"', "-eval", "f", "a", "-o,fvar", "f", stdin="\n")
    assert (outcome.code, outcome.err) == (21, "aq_pp: -o: the name of the file is blank\n")
    outcome = pp("-d", "s:a", "-var", "s:f", '"out"', "-eval", "f", "a", "-ovar,fvar", "f", stdin="\n")
    assert (outcome.code, outcome.err) == (21, "aq_pp: -ovar: the name of the file is blank\n")


@pytest.mark.parametrize(
    "reader", [("-cmb", "-", "s:a", "s:b"), ("-sub", "a", "-"), ("-grep", "a", "-"), ("-cat", "-", "s:a")]
)
def test_the_standard_input_is_read_once(pp: Tool, reader: tuple[str, ...]) -> None:
    outcome = pp("-d", "s:a", *reader, stdin="x,y\n")
    assert outcome.code == 2
    assert outcome.err.startswith(f"aq_pp: {reader[0]}: the standard input is read twice; ")
    assert pp("-f", "/dev/null", "-d", "s:a", *reader, stdin="x,y\n").code == 0


_LEAVE_OUT = "add eok to the attributes of -f to leave such records out"
_TITLES = f"if the first line holds titles, skip it with -f,+1; else {_LEAVE_OUT}"


@pytest.mark.parametrize(
    ("attributes", "text", "hint"),
    [
        ("-f", "name,count\nann,1\n", _TITLES),
        ("-f", "ann,1\nbob,TBD\n", _LEAVE_OUT),
        ("-f,+1", "name,count\nann,TBD\n", _LEAVE_OUT),
        ("-f", "ann,1x\n", _LEAVE_OUT),
        ("-f", "ann;1\n", f"if the fields have another separator, give it, as in -f,csv,sep=';'; else {_LEAVE_OUT}"),
        ("-f", "ann,1\nbob;1\n", _LEAVE_OUT),
    ],
)
def test_a_first_record_that_is_bad_says_what_it_may_be(pp: Tool, attributes: str, text: str, hint: str) -> None:
    outcome = pp(attributes, "-", "-d", "s:name", "i:count", "-o,notitle", "-", stdin=text)
    assert outcome.code == 13
    assert outcome.err.endswith(f"; {hint}\n")


def test_following_the_hints_reads_the_records(pp: Tool) -> None:
    columns = ("-d", "s:name", "i:count", "-o,notitle", "-")
    assert pp("-f,+1", "-", *columns, stdin="name,count\nann,1\n").out == '"ann",1\n'
    assert pp("-f,csv,sep=;", "-", *columns, stdin="ann;1\n").out == '"ann",1\n'


@pytest.mark.parametrize(
    ("argv", "code", "what"),
    [
        (("-d", "s:a i:b"), 2, "bad column name 'a i:b' in 's:a i:b'; each spec is a word of its own: s:a i:b"),
        (("-d", "s:a,i:b"), 2, "each spec is a word of its own: s:a i:b"),
        (("-d", "string:a"), 2, "unknown column type 'string' in 'string:a'; its letter is S"),
        (("-d", "int:a"), 2, "its letter is I, or IS with a sign"),
        (("-d", "name:s"), 2, "the type comes first: s:name"),
        (("-d", "s:a", "in.csv"), 2, "files go after -f"),
        (("in.csv", "-d", "s:a"), 2, "'in.csv' belongs to no option; files go after -f; see aq_pp -h"),
        (
            ("-f", "+1", "in.csv", "-d", "s:a"),
            11,
            "attributes go right after the option, without a blank: -f,+1 File",
        ),
        (("-f", "in.csv,+1", "-d", "s:a"), 11, "attributes go right after the option"),
    ],
)
def test_a_mistake_about_columns_or_files(pp: Tool, argv: tuple[str, ...], code: int, what: str) -> None:
    outcome = pp(*argv)
    assert (outcome.code, outcome.out) == (code, "")
    assert what in outcome.err
    assert outcome.err.count("\n") == 1
