"""Running a command and measuring it.

The command is started by a small process of its own, which runs this file: the memory that the system reports for a
process is at least that of the one that started it, and comparing outputs makes this one large.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class BenchError(Exception):
    """A command that failed, or results that differ; one line."""


@dataclass(frozen=True)
class Measured:
    """One run of a command.

    Args:
        seconds: Wall time.
        cpu: Seconds of processor time, of its children too; what a server did for it is not in it.
        megabytes: The most memory that it or one of its children held.
        note: What it has to say besides.
    """

    seconds: float
    cpu: float
    megabytes: float
    note: str = ""


def measure(command: Sequence[str], environment: Mapping[str, str], output: Path | None) -> Measured:
    """Run a command to its end.

    Args:
        command: Its words; the first is found on the path.
        environment: What to add to this process's environment.
        output: Where its standard output goes; None for nowhere.

    Raises:
        BenchError: If it cannot be run or fails.
    """
    request = json.dumps([list(command), str(output) if output else os.devnull])
    done = subprocess.run(
        [sys.executable, "-SE", __file__, request],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    status, reason, seconds, cpu, megabytes = json.loads(done.stdout.splitlines()[-1])
    if reason:
        raise BenchError(f"cannot run {command[0]}: {reason}")
    if status:
        raise BenchError(f"ended with {status}: {' '.join(command)[:300]}")
    return Measured(seconds, cpu, megabytes)


def _start(command: list[str], output: str) -> tuple[int, str, float, float, float]:
    """Exit code, why it could not be run, seconds, processor seconds and megabytes."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions: list[tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, flags, 0o644),
    ]
    begin = time.perf_counter()
    try:
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    except OSError as error:
        return 127, error.strerror or "unknown", 0.0, 0.0, 0.0
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - begin
    code = os.waitstatus_to_exitcode(status)
    return code, "", seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(_start(*json.loads(sys.argv[1]))))
