"""Running a command and measuring it."""

from __future__ import annotations

import os
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
    """

    seconds: float
    cpu: float
    megabytes: float


def measure(command: Sequence[str], environment: Mapping[str, str], output: Path | None) -> Measured:
    """Run a command to its end.

    Args:
        command: Its words; the first is found on the path.
        environment: What to add to this process's environment.
        output: Where its standard output goes; None for nowhere.

    Raises:
        BenchError: If it cannot be run or fails.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions: list[tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output) if output else os.devnull, flags, 0o644),
    ]
    begin = time.perf_counter()
    try:
        pid = os.posix_spawnp(command[0], list(command), {**os.environ, **environment}, file_actions=actions)
    except OSError as error:
        raise BenchError(f"cannot run {command[0]}: {error.strerror}") from None
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise BenchError(f"ended with {os.waitstatus_to_exitcode(status)}: {' '.join(command)[:300]}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
