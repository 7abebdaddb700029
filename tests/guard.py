"""Ends what a test run has started and left, also after a run that was killed.

    python tests/guard.py PID MARK      started by conftest.py; PID is that of pytest

A process belongs to a run when its environment has the run's mark, which all inherit: servers, schedulers and workers
that have long left their parents, too.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

#: The variable that has the mark.
VARIABLE = "ESSENTIA_TEST_RUN"


@dataclass(frozen=True)
class Process:
    """A process of a run."""

    pid: int
    parent: int
    words: str
    variables: dict[str, str]

    @property
    def test(self) -> str:
        """The test that has started it, as pytest had told its environment."""
        return self.variables.get("PYTEST_CURRENT_TEST", "no test").rpartition(" (")[0] or "no test"

    def __str__(self) -> str:
        return f"{self.pid} {self.words} (ESS_WORK_DIR={self.variables.get('ESS_WORK_DIR')})"


def folder(mark: str) -> Path:
    """A folder that all processes of a run can find."""
    return Path(tempfile.gettempdir(), f"essentia-tests-{mark}")


def processes(mark: str) -> list[Process]:
    """The processes of a run that are alive, without this one and those that have started it."""
    own = _ancestors()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in own:
            with contextlib.suppress(OSError):  # it has ended meanwhile, or is somebody else's
                process = _process(entry)
                if process.variables.get(VARIABLE) == mark:
                    found.append(process)
    return found


def _process(entry: Path) -> Process:
    words = (entry / "cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ").strip()
    variables = (entry / "environ").read_bytes().decode("utf-8", "replace").split("\0")
    pairs = (each.partition("=") for each in variables)
    return Process(int(entry.name), _parent(entry), words, {name: value for name, _, value in pairs})


def _parent(entry: Path) -> int:
    return int((entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])


def _ancestors() -> set[int]:
    found, pid = set(), os.getpid()
    while pid:
        found.add(pid)
        pid = _parent(Path(f"/proc/{pid}"))
    return found


def end(mark: str) -> list[Process]:
    """Kill all processes of a run, also those that they start meanwhile; which they were."""
    ended: dict[int, Process] = {}
    while left := processes(mark):
        for process in left:
            ended[process.pid] = process
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.01)  # a killed process is there for a moment, until the kernel has taken it apart
    return list(ended.values())


def start() -> None:
    """Mark this process and its children as a run, and let a guard wait for its end; not within a marked run."""
    if VARIABLE in os.environ:
        return
    mark = os.environ[VARIABLE] = uuid4().hex
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    # In a session of its own, where no Ctrl-C reaches it.
    subprocess.Popen(
        [sys.executable, "-I", __file__, f"{os.getpid()}", mark],
        stdin=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def main(run: int, mark: str) -> None:
    """Wait until the process of a run has ended, however, and end what is left of it."""
    with contextlib.suppress(ProcessLookupError):
        select.select([os.pidfd_open(run)], [], [])
    end(mark)
    shutil.rmtree(folder(mark), ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
