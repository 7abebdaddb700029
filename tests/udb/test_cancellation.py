"""Work on the servers ends when nobody waits for it any more, also a module that loops."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ess.errors import UdbRequestError
from ess.udb.admin import admin, processes, service
from ess.udb.server.cancellation import while_wanted
from ess.udb.wire.access import udb_folder

CODE = "from ess.tools.{} import command; command()"


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


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
    assert eventually(lambda: not threads[0].is_alive())


@pytest.fixture(params=[1, 2])
def loop(request: pytest.FixtureRequest, places: dict[str, str], port_base: int, tmp_path: Path) -> Iterator[Path]:
    """A module that notes that it has begun and loops; there are one or two servers."""
    admin.create_database("db", ports=request.param)
    admin.create_table("log", ["s,pkey:user", "i:n"])
    begun = tmp_path / "begun"
    module = tmp_path / "loop.py"
    module.write_text(
        f"def row(row):\n    row['n'] = 0\n    open({str(begun)!r}, 'w').close()\n    while True:\n        pass\n"
    )
    try:
        list(admin.udbd("start"))
        rows = b"".join(b"u%d,1\n" % n for n in range(100))
        tool("aq_pp", "-f", "-", "-d", "s:user", "i:n", "-imp", "db:log", stdin=rows)
        yield module
    finally:
        list(admin.udbd("stop"))


def tool(name: str, *arguments: str, stdin: bytes = b"") -> bytes:
    command = [sys.executable, "-c", CODE.format(name), *arguments]
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def used(seconds: float) -> float:
    """Processor time of the servers in the next seconds."""
    pids = [processes.state(udb_folder(), port).pid for port in service.running_ports(udb_folder())]

    def total() -> float:
        return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)

    before = total()
    time.sleep(seconds)
    return total() - before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_module_that_loops_ends_with_its_command(loop: Path, how: signal.Signals) -> None:
    counted = tool("aq_udb", "-cnt", "db:log", "-filt", "n == 1")
    command = [sys.executable, "-c", CODE.format("aq_udb"), "-scn", "db:log", "-mod", "loop", str(loop)]
    child = subprocess.Popen(command)
    try:
        assert eventually((loop.parent / "begun").exists)
        tool("aq_udb", "-probe", "db")  # others are answered meanwhile
        child.send_signal(how)
        child.wait(10)
    finally:
        child.kill()
        child.wait()
    assert eventually(lambda: used(0.3) < 0.1)
    assert tool("aq_udb", "-cnt", "db:log", "-filt", "n == 1") == counted
    tool("aq_udb", "-scn", "db:log", "-eval", "n", "n + 1")  # nothing holds others up
    begun = time.monotonic()
    list(admin.udbd("stop"))
    assert time.monotonic() - begun < 10
