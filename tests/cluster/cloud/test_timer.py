"""The script that machines start with, run by a shell in a folder of its own: it decides as the pure functions do.

Its clock, its minutes and ``shutdown`` are programs of the test, so that no time passes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ess.cluster.cloud.limits import Deadlines, due
from ess.cluster.cloud.timer import MOST_BYTES, user_data

#: Each minute waits for a line that the test writes, and says before that it waits.
SLEEP = '#!/bin/sh\necho minute >"$SAYS"\nread -r line <"$HEARS"\n[ "$line" = go ] || kill "$PPID"\n'
SHUTDOWN = '#!/bin/sh\necho "shutdown $*" >"$SAYS"\n'
DATE = '#!/bin/sh\ncat "$CLOCK"\n'


class Machine:
    """A machine on which the script runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = folder / "clock"
        self._says, self._hears = folder / "says", folder / "hears"
        tools = folder / "bin"
        tools.mkdir()
        for name, text in (("sleep", SLEEP), ("shutdown", SHUTDOWN), ("date", DATE)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        for pipe in (self._says, self._hears):
            os.mkfifo(pipe)
        # Open for both, so that it has no end: each line is a message.
        self._lines = open(os.open(self._says, os.O_RDWR), encoding="ascii", closefd=True)  # noqa: SIM115, PTH123
        self.clock.write_text("1000\n")
        self._environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "ESSENTIA_ROOT": str(folder),
            "SAYS": str(self._says),
            "HEARS": str(self._hears),
            "CLOCK": str(self.clock),
        }

    def boot(self, script: str) -> None:
        """Run the script as cloud-init does: it waits until nobody holds its output any more."""
        file = self.folder / "part-001"
        file.write_text(script.partition("\n")[2])
        file.chmod(0o755)
        subprocess.run([str(file)], env=self._environment, check=True, capture_output=True)

    def heard(self) -> str:
        return self._lines.readline().strip()

    def minute(self, *, passes: bool = True) -> None:
        self._hears.write_text("go\n" if passes else "end\n")

    def work(self, at: int) -> None:
        os.utime(self.folder / "run/essentia/active", (at, at))

    def file(self, name: str) -> str:
        return (self.folder / "var/lib/essentia" / name).read_text().strip()

    def close(self) -> None:
        self._lines.close()


@contextmanager
def booted(folder: Path, limits: Deadlines) -> Iterator[Machine]:
    machine = Machine(folder)
    try:
        machine.boot(user_data(limits))
        yield machine
    finally:
        machine.close()


def until_shutdown(machine: Machine, limits: Deadlines, works: dict[int, int], most: int) -> tuple[int, str] | None:
    """The minute in which the machine is shut down, and why; ``works`` has the minutes in which it does something."""
    found = None
    for minute in range(most):
        said = machine.heard()
        if said.startswith("shutdown"):
            found = minute, said
            machine.heard()  # it goes on to wait: the machine is still going down
            break
        assert said == "minute"
        if minute in works:
            machine.work(works[minute])
        machine.clock.write_text(f"{1000 + 60 * (minute + 1)}\n")
        machine.minute()
    else:
        while machine.heard() != "minute":
            pass
    machine.minute(passes=False)
    return found


def decided(limits: Deadlines, works: dict[int, int], most: int) -> tuple[int, str] | None:
    """The same by the pure functions."""
    idle = 0
    for minute in range(most):
        reason = due(limits, 1000 + 60 * minute, minute, idle)
        if reason is not None:
            return minute, f"shutdown -h now Essentia: --{reason}"
        idle = 0 if minute in works else idle + 1
    return None


@pytest.mark.parametrize(
    ("limits", "works"),
    [
        (Deadlines(idle=3), {}),
        (Deadlines(idle=3), {0: 11, 1: 12, 4: 13}),
        (Deadlines(idle=3), dict.fromkeys(range(20), 0) | {minute: minute for minute in range(20)}),
        (Deadlines(ends=1240), {}),
        (Deadlines(idle=2, ends=1060), {}),
        (Deadlines(runs=4), {0: 1}),
        (Deadlines(idle=5, ends=5000, runs=3), {0: 1}),
        (Deadlines(), {}),
    ],
)
def test_the_script_ends_the_machine_when_it_is_due(tmp_path: Path, limits: Deadlines, works: dict[int, int]) -> None:
    with booted(tmp_path, limits) as machine:
        found = until_shutdown(machine, limits, works, 12)
    assert found == decided(limits, works, 12)
    if found is not None:
        assert machine.file("ended") == found[1].rpartition("--")[2]


def test_minutes_of_earlier_starts_count_and_idleness_begins_anew(tmp_path: Path) -> None:
    limits = Deadlines(idle=3, runs=5)
    with booted(tmp_path, limits) as machine:
        assert until_shutdown(machine, limits, {}, 8) == (3, "shutdown -h now Essentia: --idle")
        (tmp_path / "run/essentia/timer/log").unlink()
        (tmp_path / "run/essentia/timer").rmdir()  # /run is empty after a restart
        machine.boot(user_data(limits))
        assert until_shutdown(machine, limits, {0: 7}, 8) == (2, "shutdown -h now Essentia: --budget")


def test_limits_can_be_changed_later_and_damage_does_not_stop_it(tmp_path: Path) -> None:
    limits = Deadlines(idle=30)
    with booted(tmp_path, limits) as machine:
        assert machine.heard() == "minute"
        (tmp_path / "var/lib/essentia/limits").write_text("idle=1 ends=0 runs=0\n")
        (tmp_path / "var/lib/essentia/minutes").write_text("nonsense\n")
        machine.minute()
        assert machine.heard() == "shutdown -h now Essentia: --idle"
        assert machine.heard() == "minute"
        machine.minute(passes=False)


def test_it_runs_once_however_often_it_is_started(tmp_path: Path) -> None:
    with booted(tmp_path, Deadlines(idle=1)) as machine:
        machine.boot(user_data(Deadlines(idle=1)))
        assert machine.heard() == "minute"
        machine.minute(passes=False)
        assert (tmp_path / "run/essentia/active").stat().st_mode & 0o777 == 0o666


def test_it_is_short_and_needs_only_a_shell(tmp_path: Path) -> None:
    script = user_data(Deadlines(2**31, 2**40, 2**31))
    assert len(script.encode()) < MOST_BYTES and "@" not in script.replace("@example", "")
    assert script.startswith("#cloud-boothook\n#!/bin/sh\n")
    for shell in ("/bin/sh", "/bin/bash"):
        subprocess.run([shell, "-n"], input=script.encode(), check=True)
    assert sys.executable not in script
