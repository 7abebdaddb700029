"""A look at the processes of a job: one that is stopped, by SIGSTOP or a debugger, makes the job wait without a word.

It is told of once it has been stopped for ``ESS_ANSWER_TIMEOUT`` seconds. Our own helpers, the reaper and the tool
server, are ended then and done without; a process of the user's command is the user's to let go on.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Container, Iterator

from ess import settings
from ess.cluster.groups import Groups
from ess.cluster.processes import Status, status_of
from ess.cluster.warm import WarmTools
from ess.errors import printable
from ess.surroundings import carried

_PAUSE = 1.0


class Watch:
    """Looks every second, in a thread of its own, until it is closed.

    Args:
        groups: The commands, and their reaper.
        warm: Their tool server.
        say: Gets a line about each process that is stopped.
    """

    def __init__(self, groups: Groups, warm: WarmTools, say: Callable[[str], None]) -> None:
        self._groups = groups
        self._warm = warm
        self._say = say
        self._seconds = settings.answer_timeout()
        self._since: dict[int, float] = {}
        self._told: set[int] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=carried(self._run), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(_PAUSE):
            self._look(time.monotonic())

    def _look(self, now: float) -> None:
        ours = dict(_ours(self._groups, self._warm))
        self._since = {pid: self._since.get(pid, now) for pid in ours}
        self._told &= ours.keys()
        for pid, text in ours.items():
            if pid in self._told or now - self._since[pid] < self._seconds:
                continue
            self._told.add(pid)
            if pid == self._groups.reaper_pid:
                self._groups.replace_reaper()
            elif pid == self._warm.server_pid:
                self._warm.abandon()
            self._say(text)


def _ours(groups: Groups, warm: WarmTools) -> Iterator[tuple[int, str]]:
    """The stopped processes that a job may wait for, each with what is to be said of it."""
    labels, elsewhere = groups.labels(), groups.elsewhere()
    for pid, status in stopped_processes():
        if pid == groups.reaper_pid:
            yield (
                pid,
                f"the process {pid} that watches over the commands (reaper) is stopped; another one takes its place",
            )
        elif pid == warm.server_pid:
            yield pid, f"the tool server (process {pid}) is stopped; it is ended, and commands run without it"
        elif pid == warm.resident_pid:
            text = f"kill -CONT {pid} lets it go on, kill -KILL {pid} ends it with its commands"
            yield pid, f"the tool server (process {pid}) is stopped; {text}"
        elif status.parent == warm.resident_pid != 0 and _streams(pid) in _streams_of(labels):
            yield pid, _command_is_stopped("a command of the tool server", pid, status)
        elif pid in elsewhere or status.session in labels:
            label = elsewhere.get(pid) or labels.get(status.session) or "a command of the tool server"
            yield pid, _command_is_stopped(label, pid, status)


def _command_is_stopped(label: str, pid: int, status: Status) -> str:
    return (
        f"{label}: process {pid} ({printable(status.name)}) of its command is stopped; "
        f"kill -CONT {pid} lets it go on, kill -KILL {pid} ends it"
    )


def _streams_of(sessions: Container[int]) -> Iterator[tuple[str, ...]]:
    """The streams of the processes of some sessions: a launcher has those of the command that a server runs for it."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - each second
        if name.isdigit():
            status = status_of(int(name))
            if status is not None and status.session in sessions and (streams := _streams(int(name))):
                yield streams


def _streams(pid: int) -> tuple[str, ...]:
    """The standard streams of a process as the kernel names them; none if they cannot be seen."""
    try:
        return tuple(os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3))  # noqa: PTH115
    except OSError:
        return ()


def stopped_processes() -> Iterator[tuple[int, Status]]:
    """All processes that do not run because somebody has stopped them."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - each second
        if name.isdigit():
            status = status_of(int(name))
            if status is not None and status.is_stopped:
                yield int(name), status
