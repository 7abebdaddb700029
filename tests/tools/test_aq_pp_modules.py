"""``-pmod`` with a Python file of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.outcome import Outcome, Tool

ADD = """
def init(column, step=1):
    global name, by
    name, by = column, step


def row(row):
    row[name] += by
"""

SPREAD = """
def row(row):
    for part in row["list"].split(";"):
        row["list"] = part
        yield
"""


@pytest.fixture
def module(pp: Tool, tmp_path: Path) -> Tool:
    """``module(source, "-pmod option's words"...)`` writes ``mine.py`` and runs ``aq_pp`` on ``-d i:n s:list``."""

    def run(source: str, *argv: str, stdin: str | bytes = "1,a;b\n2,c\n3,\n", spec: str = "mine") -> Outcome:
        (tmp_path / "mine.py").write_text(source)
        words = [word for part in argv for word in ((part, spec, "mine.py") if part == "-pmod" else (part,))]
        return pp("-f,eok", "-", "-d", "i:n", "s:list", *words, "-o,notitle", "-", stdin=stdin)

    return run


def test_a_function_changes_rows(module: Tool) -> None:
    assert module(ADD, "-pmod", spec='mine("N", 10)').out == '11,"a;b"\n12,"c"\n13,\n'
    assert module(ADD, "-pmod", spec='mine("n")').out == '2,"a;b"\n3,"c"\n4,\n'


def test_what_it_returns_keeps_or_drops_the_row(module: Tool) -> None:
    done = module("def row(row):\n    return row['n'] != 2\n", "-pmod", "-stat")
    assert (done.out, done.err) == ('1,"a;b"\n3,\n', "aq_pp: rec=3 err=0 out=2\n")


def test_a_generator_gives_a_row_for_each_yield(module: Tool) -> None:
    done = module(SPREAD, "-pmod", "-eval", "n", "n * 10", "-stat")
    assert done.out == '10,"a"\n10,"b"\n20,"c"\n30,\n'
    assert done.err == "aq_pp: rec=3 err=0 out=3\n"


def test_it_can_be_checked_and_stand_in_a_group(module: Tool) -> None:
    odd = "def row(row):\n    return row['n'] % 2 == 1\n"
    rules = ("-if", "-pmod", "-eval", "list", '"odd"', "-else", "-eval", "list", '"even"', "-endif")
    assert module(odd, *rules).out == '1,"odd"\n2,"even"\n3,"odd"\n'
    assert module(SPREAD, "-if", "-filt", "n == 1", "-pmod", "-endif").out == '1,"a"\n1,"b"\n2,"c"\n3,\n'
    assert module(odd, "-if", "-filt", "n == 1", "-elif", "-pmod", "-skip", "-endif").out == '1,"a;b"\n2,"c"\n'


@pytest.mark.parametrize(
    ("rule", "out"),
    [
        ("row.quit()", '1,"a;b"\n'),
        ("row.quit_after()", '1,"a;b"\n2,"c"\n'),
        ("row.quit_after(); return False", '1,"a;b"\n'),
    ],
)
def test_it_can_stop_everything(module: Tool, rule: str, out: str) -> None:
    assert module(f"def row(row):\n    if row['n'] == 2:\n        {rule}\n", "-pmod").out == out
    if "return" not in rule:
        assert module(f"def row(row):\n    if row['n'] == 2:\n        {rule}\n    yield\n", "-pmod").out == out


def test_values_have_the_types_of_their_columns(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def row(row):\n"
        "    row['seen'] = ' '.join(repr(row[c]) for c in ('s', 'l', 'f', 'ip', 'v'))\n"
        "    row['l'] -= 1; row['f'] = 2; row['ip'] = '1.2.3.4'; row['s'] = row.bytes('s') + b'!'\n"
    )
    done = pp(
        *(
            "-d",
            "s:s",
            "l:l",
            "f:f",
            "ip:ip",
            "-var",
            "s:v",
            '"w"',
            "-eval",
            "s:seen",
            '""',
            "-pmod",
            "mine",
            "mine.py",
        ),
        *("-o,notitle", "-"),
        stdin=b"\xff,18446744073709551615,1.5,::1\n",
    )
    assert done.out == "\"\udcff!\",18446744073709551614,2,1.2.3.4,\"'\\udcff' 18446744073709551615 1.5 '::1' 'w'\"\n"


def test_it_starts_once_and_ends_once(module: Tool) -> None:
    source = (
        "import sys\nseen = 0\ndef init():\n    print('init', file=sys.stderr)\n"
        "def row(row):\n    global seen\n    seen += 1\ndef done():\n    print('done', seen, file=sys.stderr)\n"
    )
    assert module(source, "-pmod").err == "init\ndone 3\n"
    assert module(source, "-pmod", "-pmod").err == "init\ninit\ndone 3\ndone 3\n"


def test_a_record_that_it_rejects_is_left_out(module: Tool) -> None:
    done = module("def row(row):\n    if not row['list']:\n        row.reject('no list')\n", "-pmod")
    assert (done.code, done.out) == (0, '1,"a;b"\n2,"c"\n')
    assert done.err == "aq_pp: stdin: record 3, -pmod mine.py: no list\n"


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("def row(row):\n    row['n'] // 0\n", 13, "mine.py line 2: ZeroDivisionError: "),
        ("def row(row):\n    1\n    help_me(row)\ndef help_me(r):\n    r['nn']\n", 13, "line 5: unknown column 'nn'"),
        ("def row(row):\n    row['zzz'] = 1\n", 13, "line 2: unknown column 'zzz'; known: n, list"),
        ("def row(row):\n    row['lst'] = 1\n", 13, "did you mean 'list'?"),
        ("def row(row):\n    row['n'] = 'x'\n", 13, "'n' is I and cannot hold a value of type str"),
        ("def row(row):\n    row['n'] = -1\n", 13, "-1 does not fit 'n', which is I"),
        ("def row(row):\n    return 'yes'\n", 13, "row() returned 'yes'"),
        ("def row(row):\n    raise SystemExit(5)\n", 13, "line 2: SystemExit: 5"),
        ("def row(row):\n    yield\n    raise KeyError('a\\nb')\n", 13, "line 3: KeyError: 'a\\nb'"),
        ("def init():\n    open('nosuch')\ndef row(row):\n    pass\n", 13, "line 2: FileNotFoundError"),
        ("def done():\n    1 / 0\ndef row(row):\n    pass\n", 13, "line 2: ZeroDivisionError"),
        ("def row(row:\n", 2, "mine.py line 1: SyntaxError"),
        ("import nosuch\n", 2, "mine.py line 1: ModuleNotFoundError"),
        ("x = 1\n", 2, "'mine.py' has no function row"),
        ("\0", 2, "mine.py"),
    ],
)
def test_what_is_wrong_in_it_is_told_with_its_place(module: Tool, source: str, code: int, message: str) -> None:
    done = module(source, "-pmod")
    assert (done.code, done.err.count("\n")) == (code, 1), done.err
    assert message in done.err
    assert "Traceback" not in done.err


def test_files_that_are_no_modules(pp: Tool, tmp_path: Path) -> None:
    assert "No such file" in pp("-d", "i:n", "-pmod", "mine", "nosuch.py").err
    assert "modules are Python files here" in pp("-d", "i:n", "-pmod", "mine", "mine.so").err
    (tmp_path / "mine.py").write_text("def row(row):\n    pass\n")
    assert "takes no arguments" in pp("-d", "i:n", "-pmod", "mine(1)", "mine.py").err
    assert "'b.py' is one word too many" in pp("-d", "i:n", "-pmod", "mine", "mine.py", "b.py").err


def test_a_variable_is_for_reading(pp: Tool, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def row(row):\n    row['sum'] = 1\n")
    done = pp("-d", "i:n", "-var", "i:sum", "0", "-pmod", "mine", "mine.py", stdin="1\n")
    assert (done.code, "'sum' is a variable" in done.err) == (13, True)


def test_the_rows_before_a_failure_are_out(module: Tool) -> None:
    for source in ("def row(row):\n    1 // (row['n'] - 3)\n", "def row(row):\n    yield 1 // (row['n'] - 3)\n"):
        done = module(source, "-pmod")
        assert (done.code, done.out) == (13, '1,"a;b"\n2,"c"\n')
        assert "mine.py line 2: ZeroDivisionError" in done.err
