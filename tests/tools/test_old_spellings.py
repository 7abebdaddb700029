"""Command lines of published scripts, as they were written for older versions, give what today's spelling gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ess.tools import aq_ord, aq_sess
from tests.tools.outcome import Outcome, Tool

ROWS = "k,v\na-b,1\nc,2\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("-f,+1 - -d s:k i:v -evlc i:w v*2", "-f,+1 - -d s:k i:v -eval i:w v*2"),
        (r"-f,+1 - -d s:k i:v -maprx k \(.*\)-.* %%1%%", r"-f,+1 - -d s:k i:v -map,rx k \(.*\)-.* %%1%%"),
        (
            r"-f+1 - -d s:k i:v -mapfrx,ncas k \(A\) -mapc s:m %%1%%",
            "-f,+1 - -d s:k i:v -mapf,rx,ncas k \\(A\\) -mapc s:m %%1%%",
        ),
        ("-f,+1 - -d s:k i:v -o - -notitle", "-f,+1 - -d s:k i:v -o,notitle -"),
        ("-f,+1 - -d s:k i:v -o - -c v -notitle -ovar x -notitle -var i:n 0", ""),
        ("-f,+1 - -d s:k i:v -c v -o,notitle -", "-f,+1 - -d s:k i:v -o,notitle - -c v"),
        ("-f,+1 - -d s:k i:v -c k -c v k -o - -o x -c k", "-f,+1 - -d s:k i:v -c k -o - -c v k -o x -c k"),
        ("-f,+1,noq - -d s:k i:v -o,noq,esc -", "-f,+1,sep=, - -d s:k i:v -o,sep=,,esc -"),
        ("-bz 5 -f+1,eok,qui - -d s:k i:v", "-f,+1,eok,qui,bz=5 - -d s:k i:v"),
        ("-bz 5 -d s:k s:v", "-f,bz=5 - -d s:k s:v"),
        ("-f,+1 - -d s:k sep:, i:v", "-f,+1,div - -d s:k sep:, i:v"),
        ("-d s:k sep:, s:v", "-f,div - -d s:k sep:, s:v"),
        ("-f,+1 a.csv -f,+1 b.csv -d s:k i:v", "-f,+1 a.csv b.csv -d s:k i:v"),
        ("-f,+1l,eok a.csv -f,+2 b.csv -d s:k i:v", "-f,+1,eok a.csv -d s:k i:v -cat,+2 b.csv s:k i:v"),
        ('-f,+1 - -d s:k i:v -emod rtmetrics -eval - PatCmp(k,"^A","ncas,rx")', "-f,+1 - -d s:k i:v"),
    ],
)
def test_an_old_spelling_means_the_new_one(pp: Tool, tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    (tmp_path / "b.csv").write_text(ROWS.upper())
    before = pp(*old.split(" "), stdin=ROWS)
    if new:
        assert before == pp(*new.split(" "), stdin=ROWS)
        assert before.out
    else:
        assert before.code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-d s:k -notitle", "-notitle without -o before it"),
        ("-d s:k -nonew", "-nonew without -imp before it"),
        ("-f,+1 a -f,+2 b -stat", "-f is given twice"),
        ("-f,csv a -d s:k sep:- s:v", "'sep:-' is for 'div' inputs only"),
        ("-d s:k -rownum n", "-rownum is not available; "),
        ("-d s:k -Eval s:v k", "did you mean -eval?"),
        ("-d s:k -o.notitle -", "did you mean -o,notitle?"),
    ],
)
def test_what_cannot_be_understood_is_told(pp: Tool, words: str, message: str) -> None:
    done = pp(*words.split(" "))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err


def test_old_spellings_of_other_tools(run_tool: Callable[..., Outcome]) -> None:
    rows = "1,a\n2,b\n"
    old = run_tool("aq_ord", aq_ord.main, ("-d", "i:n", "s:k", "-sort", "n", "-dec", "-o", "-", "-notitle"), rows)
    assert old.out == '2,"b"\n1,"a"\n'
    words = "-bz 9 -d i:t s:k -t t -k k -tout 5 -o,esc,noq - -notitle"
    done = run_tool("aq_sess", aq_sess.main, tuple(words.split(" ")), rows)
    assert done.out == "a,1,1,0,1\nb,2,2,0,1\n"


def test_regular_expressions_can_have_a_default_engine(pp: Tool) -> None:
    rules = ("-eval", "i:d", 'RxCmp(k, "^(a|c)\\d*$")')
    assert pp("-d", "s:k", *rules, "-o,notitle", "-", stdin="a1\nb\n").out == '"a1",0\n"b",0\n'
    assert pp("-rx", "pcre", "-d", "s:k", *rules, "-o,notitle", "-", stdin="a1\nb\n").out == '"a1",1\n"b",0\n'
    own = ("-eval", "i:d", 'RxCmp(k, "\\(a\\)", rx)', "-eval", "s:r", 'RxRep(k, "(a)", "<%%1%%>", ncas)')
    done = pp("-d", "s:k", *own, "-rx", "rx_extended", "-o,notitle", "-", stdin="a1\nA(a)\n")
    assert done.out == '"a1",1,"<a>1"\n"A(a)",1,"<A>(a)"\n'
    assert "did you mean 'pcre'?" in pp("-rx", "prce", "-d", "s:k").err
    assert "different engines" in pp("-rx", "pcre,rx_extended", "-d", "s:k").err
