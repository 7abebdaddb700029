"""Processes that are stopped (SIGSTOP) or ended under a stream: a line says so, and the stream goes on where it can."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import ess
from ess.cli import app
from ess.cluster import providers, state
from tests.cluster.running import marked, wait_until
from tests.places import own_places, ports_in_a_row
from tests.waiting import PATIENCE

BIN = Path(sys.executable).parent
ROWS = b"".join(b"%d\n" % number for number in range(1, 7))


_STARTED: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No stream is left by a test that fails."""
    yield
    while _STARTED:
        running = _STARTED.pop()
        running.kill()
        running.communicate()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A category ``log`` of six files with a number each, and the folder of the files."""
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "data").mkdir()
    for number in range(1, 7):
        (folder / "data" / f"log_2014090{number}.csv").write_text(f"{number}\n")
    with pytest.MonkeyPatch.context() as patch, ports_in_a_row() as port:
        for name, value in own_places(folder, port).items():
            patch.setenv(name, value)
        ess.select("local")
        ess.category_add("log", f"{folder}/data/*")
        yield folder / "data"
        providers.terminate(everything=True)


@pytest.fixture
def here(data: Path, tmp_path: Path) -> Path:
    """The folder in which the commands of a test say that they have begun, and wait for a file ``go``."""
    return tmp_path


@pytest.fixture
def cluster(here: Path) -> Path:
    """With two workers, which the tests share: it is mended, or made anew."""
    assert (providers.create(2) if providers.status().state.id is None else providers.start()) == []
    return here


#: A command that needs no tool server.
PLAIN = ": > BEGUN; WAIT; cat"


def stream(here: Path, *options: str, command: str = "") -> subprocess.Popen[bytes]:
    """A stream whose commands wait, once they have begun, for a file ``go``."""
    command = command or "aq_pp -f - -d i:a -o,notitle -; : > BEGUN; WAIT"
    command = command.replace("BEGUN", f"{here}/begun-%file-$$")
    command = command.replace("WAIT", f"until [ -e {here}/go ]; do sleep 0.1; done")
    running = subprocess.Popen(
        [BIN / "ess-main", "stream", "log", "*", "*", command, *options],  # directly: its helpers are below it
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            **os.environ,
            "ESS_ANSWER_TIMEOUT": "1",
            "ESS_WARM": "1",
            "PATH": f"{BIN}:{os.environ['PATH']}",
        },
    )
    _STARTED.append(running)
    return running


def below(process: int, word: str) -> list[int]:
    """The processes below one whose command line holds a word."""
    found = []
    for each in psutil.Process(process).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any(word in part for part in each.cmdline()):
                found.append(each.pid)
    return found


def begun(here: Path) -> bool:
    return any(here.glob("begun-*"))


def go_on(running: subprocess.Popen[bytes], here: Path) -> tuple[int, bytes, str]:
    """Let the commands end; what became of the stream."""
    (here / "go").touch()
    out, err = running.communicate(timeout=PATIENCE)
    return running.returncode, out, err.decode()


def lines_of(running: subprocess.Popen[bytes]) -> str:
    assert running.stderr is not None
    return running.stderr.readline().decode()


def replaced(here: Path, word: str, said: str) -> None:
    """A helper of a stream is stopped."""
    running = stream(here, "--threads", "1")  # no other command is at the server when this one has begun
    wait_until(lambda: begun(here) and below(running.pid, word))
    helper = below(running.pid, word)[0]
    os.kill(helper, signal.SIGSTOP)
    line = lines_of(running)
    assert str(helper) in line
    assert said in line
    assert go_on(running, here) == (0, ROWS, "ess: 6 files: 6 rows read = 6 out + 0 filtered + 0 rejected\n")


def test_a_stopped_reaper_is_replaced(here: Path) -> None:
    replaced(here, "reaper.py", "another one takes its place")


@pytest.mark.usefixtures("no_terminal")
def test_a_stopped_tool_server_is_done_without(here: Path) -> None:
    replaced(here, "warm.server", "it is ended")


def test_a_stopped_command_is_named_with_its_file(here: Path, data: Path) -> None:
    running = stream(here, command=PLAIN)
    wait_until(lambda: begun(here))
    _, file, number = next(here.glob("begun-*")).name.split("-")  # several files are worked on at once
    shell = int(number)
    os.kill(shell, signal.SIGSTOP)
    line = lines_of(running)
    assert line.startswith(f"ess: {data}/{file}.csv: process {shell} (bash) of its command is stopped; ")
    os.kill(shell, signal.SIGCONT)
    assert go_on(running, here)[:2] == (0, ROWS)


def test_a_stopped_command_of_the_server_of_the_terminal_is_named(here: Path) -> None:
    running = stream(here, command="(: > BEGUN; WAIT; cat) | aq_pp -f - -d i:a -o,notitle - | cat")

    def workers() -> list[int]:
        """Processes of that server that write messages to a file of the stream."""
        scratch = os.environ["ESS_CACHE_DIR"]
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if b"warm.server" in (entry / "cmdline").read_bytes() and scratch in f"{(entry / 'fd/2').readlink()}":
                    found.append(int(entry.name))
        return found

    wait_until(lambda: begun(here) and workers())
    worker = workers()[0]
    os.kill(worker, signal.SIGSTOP)
    try:
        assert lines_of(running).startswith(f"ess: a command of the tool server: process {worker} (")
    finally:
        os.kill(worker, signal.SIGCONT)
    assert go_on(running, here)[:2] == (0, ROWS)


def test_a_command_that_is_stopped_on_a_node_is_told_of(cluster: Path) -> None:
    running = stream(cluster, command=PLAIN)
    wait_until(lambda: begun(cluster))
    shell = int(next(cluster.glob("begun-*")).name.rpartition("-")[2])
    os.kill(shell, signal.SIGSTOP)
    assert f": process {shell} (bash) of its command is stopped; " in lines_of(running)
    os.kill(shell, signal.SIGCONT)
    assert go_on(running, cluster)[:2] == (0, ROWS)


def test_a_stopped_worker_is_ended_and_others_take_its_files(cluster: Path) -> None:
    running = stream(cluster, command=PLAIN)
    wait_until(lambda: len(list(cluster.glob("begun-*"))) == 2)
    worker = state.read_daemon("worker-1")
    assert worker is not None
    os.kill(worker.process.pid, signal.SIGSTOP)
    line = lines_of(running)
    assert line.startswith(f"ess: worker-1 (process {worker.process.pid}) is stopped and does not answer; it is ended")
    assert go_on(running, cluster)[:2] == (0, ROWS)


def test_a_stopped_scheduler_is_an_error(cluster: Path) -> None:
    running = stream(cluster, command=PLAIN)
    wait_until(lambda: begun(cluster))
    scheduler = state.read_daemon("scheduler")
    assert scheduler is not None
    os.kill(scheduler.process.pid, signal.SIGSTOP)
    out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (3, b"")
    assert err.decode().startswith(f"ess: cluster: the scheduler (process {scheduler.process.pid}) is stopped ")
    assert err.count(b"\n") == 1
    # What is advised works.
    advice = f"run: kill -CONT {scheduler.process.pid}, or ess cluster stop and start; then repeat with --resume"
    assert advice in err.decode()
    os.kill(scheduler.process.pid, signal.SIGCONT)
    (cluster / "go").touch()
    again = stream(cluster, "--resume", command=PLAIN)
    out, _ = again.communicate(timeout=PATIENCE)
    assert (again.returncode, out) == (0, ROWS)


@pytest.mark.parametrize("how", ["kill the scheduler", "stop", "terminate"])
def test_a_cluster_that_ends_under_a_stream_is_one_line(cluster: Path, how: str) -> None:
    running = stream(cluster, command=PLAIN)
    wait_until(lambda: begun(cluster))
    if how == "kill the scheduler":
        scheduler = state.read_daemon("scheduler")
        assert scheduler is not None
        os.kill(scheduler.process.pid, signal.SIGKILL)
    else:
        assert app.run(["cluster", how]) == 0
    out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out, err.count(b"\n")) == (3, b"", 1)
    if how != "kill the scheduler":  # then the workers have some seconds to find that it is gone
        wait_until(lambda: marked(f"{cluster}/begun") == [])
    ended = how == "terminate"
    advice = "repeat with --resume, which runs on this machine" if ended else "run: ess cluster start, then repeat with"
    assert advice in err.decode()
    # What is advised works.
    if not ended:
        assert app.run(["cluster", "start"]) == 0
    (cluster / "go").touch()
    again = stream(cluster, "--resume", command=PLAIN)
    out, _ = again.communicate(timeout=PATIENCE)
    assert (again.returncode, out) == (0, ROWS)
