"""``aq_pp -imp`` into real servers, and ``aq_pp -exp ... --`` and ``-cnt ... --`` out of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from ess.tools import aq_pp
from ess.tools.process import exit_code
from ess.udb.server.server import UdbServer
from ess.udb.spec.spec import Server

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pp(
    start_server: Callable[..., UdbServer],
    write_spec: Callable[..., list[Server]],
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Runs ``aq_pp`` beside a database of two servers: exit code, stdout, stderr."""
    write_spec(start_server(), start_server())

    def run(*argv: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(stdin.encode())))
        code = exit_code("aq_pp", lambda: aq_pp.main(list(argv)))
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    assert (
        run("-d", "s:user", "i:time", "is:n", "f:price", "-imp,ddef", "db:log", stdin="b,3,1,2\na,1,2,3\nb,1,3,4\n")[0]
        == 0
    )
    return run


def test_an_export_is_the_input_of_a_chain(pp: Run) -> None:
    code, out, err = pp(
        *("-exp", "db:log", "-filt", "price > 2", "-sort", "n", "-c", "user", "n:Num", "price", "--"),
        *("-eval", "f:twice", "price * 2", "-filt", 'user != ""', "-c", "*", "-stat"),
    )
    assert (code, out) == (0, '"user","Num","price","twice"\n"a",2,3,6\n"b",3,4,8\n')
    assert err == "aq_pp: rec=2 err=0 out=2\n"


def test_nothing_need_end_an_export_that_nothing_follows(pp: Run) -> None:
    assert pp("-stat", "-exp", "db:log", "-sort", "n", "-c", "n", "user") == (
        0,
        '"n","user"\n1,"b"\n2,"a"\n3,"b"\n',
        "aq_pp: rec=3 err=0 out=3\n",
    )
    assert pp("-cnt", "db:log")[:2] == (0, '"field","count"\n"pkey",2\n"row",3\n')


def test_counts_are_rows_too(pp: Run) -> None:
    assert pp("-cnt", "db:log", "--", "-filt", "count > 2") == (0, '"field","count"\n"row",3\n', "")


def test_a_column_may_be_exported_twice_under_another_name(pp: Run) -> None:
    code, out, _ = pp(
        "-exp", "db:log", "-c", "n", "n:again", "-sort", "n", "-top", "1", "--", "-eval", "n", "n + again"
    )
    assert (code, out) == (0, '"n","again"\n2,1\n')


@pytest.mark.parametrize(
    ("argv", "code", "part"),
    [
        (["-exp", "db:log", "-mapf", "user", "a"], 2, "unknown option -mapf; options of aq_pp go after --"),
        (["-exp", "db:log", "-o", "x", "--"], 2, "-o has no place before --"),
        (["-exp", "db:log", "-filt", "nosuch > 1", "--"], 2, "nosuch"),
        (["-exp", "db:log", "--", "-d", "i:a"], 2, "-d beside -exp"),
        (["-exp", "db:log", "-c", "n", "n", "--"], 2, "'n'"),
        (["-exp", "db:nosuch", "--"], 2, "nosuch"),
    ],
)
def test_a_wrong_export_is_explained(pp: Run, argv: list[str], code: int, part: str) -> None:
    done = pp(*argv)
    assert (done[0], done[1], done[2].count("\n")) == (code, "", 1)
    assert part in done[2]
