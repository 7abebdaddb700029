"""Work on the servers ends when nobody waits for it any more, also a module that loops."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ess.errors import UdbRequestError
from ess.udb.admin import admin
from ess.udb.server.cancellation import while_wanted
from ess.udb.spec.target import find_target
from tests.waiting import PATIENCE, until

LOOP = """
import os

def row(row):
    row["n"] = 0
    open(f"{folder}/begun-{{os.getpid()}}", "w").close()
    try:
        while True:
            pass
    finally:
        open(f"{folder}/ended-{{os.getpid()}}", "w").close()
"""
Tool = Callable[..., bytes]


def test_what_is_wanted_is_done_and_its_failure_is_that_of_the_work() -> None:
    assert while_wanted(lambda: 3, lambda: True) == 3

    def fail() -> int:
        raise UdbRequestError("mine")

    with pytest.raises(UdbRequestError, match="mine"):
        while_wanted(fail, lambda: True)


@pytest.mark.parametrize("stubborn", [False, True])
def test_what_nobody_wants_ends_also_where_it_goes_on_after_an_exception(stubborn: bool) -> None:
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        if stubborn:
            try:
                while True:
                    pass
            except:  # noqa: E722 - a user's module may do it
                pass
        while True:
            pass

    with pytest.raises(UdbRequestError, match="client is gone"):
        while_wanted(work, lambda: True)
    until(lambda: not threads[0].is_alive())


@pytest.fixture(params=[1, 2])
def loop(request: pytest.FixtureRequest, places: dict[str, str], port_base: int, tmp_path: Path) -> Iterator[Path]:
    """A module that notes that it has begun and loops, and that it has ended; there are one or two servers."""
    admin.create_database("db", ports=request.param)
    admin.create_table("log", ["s,pkey:user", "i:n"])
    module = tmp_path / "loop.py"
    module.write_text(LOOP.format(folder=str(tmp_path)))
    try:
        list(admin.udbd("start"))
        yield module
    finally:
        list(admin.udbd("stop"))


@pytest.fixture
def tool(loop: Path, warm: dict[str, str]) -> Tool:
    """Runs a command, and gives what it prints."""

    def run(*command: str, stdin: bytes = b"") -> bytes:
        environment = {**os.environ, **warm}
        done = subprocess.run(
            command, input=stdin, stdout=subprocess.PIPE, check=True, timeout=PATIENCE, env=environment
        )
        return done.stdout

    run("aq_pp", "-f", "-", "-d", "s:user", "i:n", "-imp", "db:log", stdin=b"".join(b"u%d,1\n" % n for n in range(100)))
    return run


def test_a_module_that_loops_ends_with_its_command(loop: Path, tool: Tool, warm: dict[str, str]) -> None:
    # With several servers, others than the first have to notice: a client that can say nothing is the hardest case.
    several = len(find_target("db:log", where="test").spec.servers) > 1
    for how in (signal.SIGKILL,) if several else (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        looped(loop, tool, warm, how)
    list(admin.udbd("stop"))


def looped(loop: Path, tool: Tool, warm: dict[str, str], how: signal.Signals) -> None:
    """A command that runs the module is ended, and so does the module."""
    counted = tool("aq_udb", "-cnt", "db:log", "-filt", "n == 1")
    child = subprocess.Popen(
        ["aq_udb", "-scn", "db:log", "-mod", "loop", str(loop)], env={**os.environ, **warm, "ESS_WARM": "0"}
    )
    try:
        until(lambda: any(loop.parent.glob("begun-*")))
        tool("aq_udb", "-probe", "db")  # others are answered meanwhile
        child.send_signal(how)
        child.wait(PATIENCE)
    finally:
        child.kill()
        child.wait()
    begun = {path.name.removeprefix("begun-") for path in loop.parent.glob("begun-*")}
    until(lambda: {path.name.removeprefix("ended-") for path in loop.parent.glob("ended-*")} >= begun)
    for path in loop.parent.glob("begun-*"):
        path.unlink()
    assert tool("aq_udb", "-cnt", "db:log", "-filt", "n == 1") == counted
    tool("aq_udb", "-scn", "db:log", "-eval", "n", "n + 0")  # nothing holds others up
