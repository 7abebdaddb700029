"""Processes named so that a recycled number is never taken for the process that had it before."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessId:
    """A process: its number, and when it started in clock ticks since the machine's start."""

    pid: int
    started: int


@dataclass(frozen=True)
class Status:
    """The system's facts about a process: the letter of its state, its parent, its session and its name."""

    state: bytes
    parent: int
    session: int
    name: str

    @property
    def is_stopped(self) -> bool:
        """True if somebody has stopped it: a signal, or a debugger."""
        return self.state in (b"T", b"t")


def status_of(pid: int) -> Status | None:
    """The status of a process; None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - not a file of the user
            head, _, tail = file.read().rpartition(b")")
    except OSError:
        return None
    fields = tail.split()
    return Status(fields[0], int(fields[1]), int(fields[3]), head.partition(b"(")[2].decode("utf-8", "replace"))


def this_process() -> ProcessId:
    """The process that runs this."""
    return identify(os.getpid()) or ProcessId(os.getpid(), 0)


def identify(pid: int) -> ProcessId | None:
    """The identity of a running process; None if it does not exist (one that ended but was not reaped does not)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - not a file of the user
            return identity(pid, file.read())
    except OSError:
        return None


def identity(pid: int, status: bytes) -> ProcessId | None:
    """The identity of a process, from its file ``stat``; None if it has ended."""
    fields = status.rpartition(b")")[2].split()
    return ProcessId(pid, int(fields[19])) if len(fields) > 19 and fields[0] not in (b"Z", b"X") else None


def alive(process: ProcessId) -> bool:
    """True if this very process still runs."""
    return identify(process.pid) == process
