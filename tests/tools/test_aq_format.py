"""Tools hand rows on with their columns: what ``-o,aq`` writes, ``-f,aq`` reads without a column spec."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ess.tools import aq_cat, aq_cnt, aq_ord, aq_pp, aq_rst, aq_sess
from tests.tools.outcome import Outcome
from tests.waiting import PATIENCE

TOOLS = {tool.__name__.rpartition(".")[2]: tool.main for tool in (aq_cat, aq_cnt, aq_ord, aq_pp, aq_rst, aq_sess)}
SPECS = ("-d", "s:name", "i:n", "f:x", "ip:ip", "ls,trm:z")
DIRTY = b'Ann,1,0.1,1.2.3.4,-5\r\n\xff\0"b,2,inf,::1, 7\n"C, ""D""\n",,-,,\nbad,TBD,1,1.1.1.1,1\nshort\n,3,1e300,,9\n'
RULES = ("-eval", "n", "n * 2 + z", "-filt", "n != 7")
Run = Callable[..., Outcome]


@pytest.fixture
def run(run_tool: Callable[..., Outcome]) -> Run:
    def call(tool: str, *argv: str, stdin: bytes = b"") -> Outcome:
        outcome: Outcome = run_tool(tool, TOOLS[tool], argv, stdin)
        return outcome

    return call


def raw(outcome: Outcome) -> bytes:
    return outcome.out.encode("utf-8", "surrogateescape")


def rows(run: Run, data: bytes, *more: str) -> bytes:
    """The input as ``aq`` data."""
    return raw(run("aq_pp", "-f,eok,qui", "-", *SPECS, *more, "-o,aq", "-", stdin=data))


@pytest.mark.usefixtures("engine")
def test_two_steps_equal_one(run: Run) -> None:
    direct = run("aq_pp", "-f,eok,qui", "-", *SPECS, *RULES, stdin=DIRTY)
    assert direct.out.count("\n") > 3
    assert run("aq_pp", "-f,aq", "-", *RULES, stdin=rows(run, DIRTY)).out == direct.out
    assert run("aq_pp", "-f,aq", "-", stdin=rows(run, DIRTY, *RULES)).out == direct.out


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=12) | st.sampled_from(DIRTY.splitlines()), max_size=30))
@pytest.mark.usefixtures("engine")
def test_any_data_go_through(run: Run, lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    direct = run("aq_pp", "-f,eok,qui", "-", *SPECS, *RULES, stdin=data)
    assert run("aq_pp", "-f,aq", "-", *RULES, stdin=rows(run, data)) == direct


@pytest.mark.parametrize(
    ("tool", "argv"),
    [
        ("aq_cat", ()),
        ("aq_cat", ("-c", "n", "name:who")),
        ("aq_ord", ("-sort,dec", "n")),
        ("aq_cnt", ("-k", "Names", "name")),
        ("aq_cnt", ("-g", "ip", "-kX", "-", "-", "name", "STATS:n")),
        ("aq_rst", ("-key", "name", "-lab", "ip", "-val", "n")),
        ("aq_sess", ("-t", "z", "-k", "ip", "-tout", "5", "-ttol", "99")),
    ],
)
def test_all_tools_take_it(run: Run, tmp_path: Path, tool: str, argv: tuple[str, ...]) -> None:
    direct = run(tool, "-f,eok,qui", "-", *SPECS, *argv, stdin=DIRTY)
    assert direct.code == 0
    assert direct.out
    data = rows(run, DIRTY)
    assert run(tool, "-f,aq", "-", *argv, stdin=data) == direct
    (tmp_path / "rows").write_bytes(data)
    assert run(tool, "-f,aq", "rows", *argv) == direct
    assert run(tool, "-f,aq", "rows", "-d", "s:name", *argv).code == 2
    assert run(tool, "-test", "-test", "-f,aq", "rows", *argv) == Outcome(0, "", "")


def test_every_tool_writes_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(rows(run, DIRTY))
    assert run("aq_ord", "-f,aq", "rows", "-sort", "n", "-o,aq", "sorted", "-c", "n:m").code == 0
    assert run("aq_pp", "-f,aq", "sorted").out == '"m"\n0\n1\n2\n3\n'
    merged = run("aq_ord", "-f,aq", "sorted", "sorted", "-sort,mrg", "m")
    assert merged.out == '"m"\n0\n0\n1\n1\n2\n2\n3\n3\n'
    assert run("aq_cnt", "-f,aq", "rows", "-kX,aq", "counts", "-", "ip", "STATS:n").code == 0
    assert run("aq_pp", "-f,aq", "counts", "-c", "ip", "n_sum").out.startswith('"ip","n_sum"\n1.2.3.4,1\n')
    assert run("aq_cat", "-f,aq", "rows", "rows", "sorted", "-c", "n").code == 2


def test_files_follow_each_other_and_may_differ_only_by_cat(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(rows(run, b"Ann,1,,,\nBob,2,,,\n"))
    (tmp_path / "b").write_bytes(raw(run("aq_pp", "-f", "-", "-d", "s:who", "i:n", "-o,aq", "-", stdin=b"Eve,9\n")))
    assert run("aq_pp", "-f,aq", "a", "a", "-c", "n").out == '"n"\n1\n2\n1\n2\n'
    assert run("aq_pp", "-f,aq,+1", "a", "a", "-c", "n").out == '"n"\n2\n2\n'
    done = run("aq_pp", "-f,aq", "a", "b")
    assert (done.code, "not those of the first" in done.err) == (2, True)
    done = run("aq_pp", "-f,aq", "a", "-cat,aq", "b", "-c", "who", "name", "n")
    assert done.out == '"who","name","n"\n,"Ann",1\n,"Bob",2\n"Eve",,9\n'
    (tmp_path / "both").write_bytes((tmp_path / "a").read_bytes() * 2)
    assert run("aq_pp", "-f,aq", "both", "-c", "n").out == '"n"\n1\n2\n1\n2\n'


def test_lookups_take_it(run: Run, tmp_path: Path) -> None:
    def made(name: str, *specs: str, data: bytes) -> None:
        (tmp_path / name).write_bytes(raw(run("aq_pp", "-f", "-", "-d", *specs, "-o,aq", "-", stdin=data)))

    made("sub", "s:from", "s:to", data=b"a,x\n")
    made("cmb", "s:name", "i:n", data=b"b,7\n")
    main = ("-f", "-", "-d", "s:name")
    assert run("aq_pp", *main, "-sub,aq", "name", "sub", stdin=b"a\nb\n").out == '"name"\n"x"\n"b"\n'
    assert run("aq_pp", *main, "-grep,aq", "name", "sub", stdin=b"a\nb\n").out == '"name"\n"a"\n'
    assert run("aq_pp", *main, "-cmb,aq", "cmb", stdin=b"a\nb\n").out == '"name","n"\n"a",0\n"b",7\n'
    done = run("aq_pp", *main, "-cmb,aq", "cmb", "s:name", "i:n", stdin=b"a\n")
    assert (done.code, "brings its own columns" in done.err) == (2, True)
    assert run("aq_pp", *main, "-sub,aq", "name", "cmb", stdin=b"a\n").code == 2


@pytest.mark.parametrize("cut", [0, 3, 8, 100, -1, -40])
def test_what_breaks_off_or_is_something_else_is_an_error(run: Run, cut: int) -> None:
    data = rows(run, DIRTY)
    assert run("aq_pp", "-f,aq", "-", stdin=data[:cut]).code == 12
    done = run("aq_pp", "-f,aq", "-", stdin=b"a,b,c\n1,2,3\n")
    assert (done.code, "not in the 'aq' format" in done.err) == (12, True)


def test_wrong_uses_are_said(run: Run) -> None:
    assert run("aq_pp", "-f,aq", "nowhere").code == 11
    assert run("aq_pp", "-f,aq,+3b", "-").code == 2
    assert run("aq_cnt", "-fX,aq", "-", "-d", "s:a").code == 2
    labels = ("-f", "-", "-d", "s:a", "-o,aq", "-", "-c", "a", "a:A")
    assert "comes twice" in run("aq_pp", *labels, stdin=b"1\n").err
    twice = ("-f", "-", "-d", "s:a", "-o,aq", "-", "-o,aq", "-")
    assert "cannot share" in run("aq_pp", *twice, stdin=b"1\n").err


def test_pipes_lose_nothing(tmp_path: Path) -> None:
    tools = Path(sys.executable).parent
    (tmp_path / "in").write_bytes(b"".join(b"name %d,%d\n" % (n, n) for n in range(20_000)))
    done = subprocess.run(
        [
            "bash",
            "-c",
            "set -o pipefail; mkfifo p; aq_pp -f in -d s:a i:n -o,aq - | gzip > p & "
            "aq_pp -f,aq p -eval n 'n+1' -o,aq - | (sleep 0.2; aq_ord -f,aq - -sort,dec n -o,aq -) | "
            "aq_cnt -f,aq - -k Names a; wait",
        ],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "ESS_WARM": "0"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert (done.stdout, done.stderr) == ('"row","Names"\n20000,20000\n', "")
