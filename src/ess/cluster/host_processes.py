"""The processes of a host, looked at and ended there: a number means nothing on another machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from ess.cluster.host import Host
from ess.cluster.processes import ProcessId, identity


def identify(host: Host, pid: int) -> ProcessId | None:
    """The identity of a running process; None if it does not exist (one that ended but was not reaped does not)."""
    return identity(pid, host.get(f"/proc/{pid}/stat") or b"")


def alive(host: Host, process: ProcessId) -> bool:
    """True while the very process runs."""
    return identify(host, process.pid) == process


def is_stopped(host: Host, pid: int) -> bool:
    """True if a signal or a debugger has stopped a process."""
    fields = (host.get(f"/proc/{pid}/stat") or b"").rpartition(b")")[2].split()
    return bool(fields) and fields[0] in (b"T", b"t")


def end(host: Host, processes: Iterable[ProcessId], *, grace: float = 3.0) -> None:
    """End processes: ask them (SIGTERM), after ``grace`` seconds make them (SIGKILL); return when they are gone."""
    remaining = [process for process in processes if alive(host, process)]
    for signal, seconds in (("TERM", grace), ("KILL", 5.0)):
        if not remaining:
            return
        host.run(["/bin/sh", "-c", 'kill -s "$0" "$@"', signal, *(str(process.pid) for process in remaining)])
        deadline = time.monotonic() + seconds
        while remaining and time.monotonic() < deadline:
            remaining = [process for process in remaining if alive(host, process)]
            if remaining:
                time.sleep(0.02)


def find(host: Host, words: Sequence[str], mark: str) -> list[ProcessId]:
    """Our own processes that have ``words`` in a row among their arguments, and ``mark`` anywhere."""
    found = []
    script = 'cd /proc && grep -lzxFs -e "$0" -- [0-9]*/cmdline; id -u'
    *paths, user = host.run(["/bin/sh", "-c", script, words[0]]).stdout.split()
    wanted = [os.fsencode(word) for word in words]
    for path in paths:
        pid = int(path.split(b"/")[0])
        process = identify(host, pid)
        arguments = (host.get(f"/proc/{pid}/cmdline") or b"").split(b"\0")
        in_a_row = any(arguments[at : at + len(wanted)] == wanted for at in range(len(arguments)))
        is_ours = _field(host, pid, b"Uid:") == int(user)
        if process is not None and in_a_row and os.fsencode(mark) in arguments and is_ours:
            found.append(process)
    return found


def resident_megabytes(host: Host, pid: int) -> int | None:
    """The memory that a process holds; None if it does not exist."""
    kilobytes = _field(host, pid, b"VmRSS:")
    return None if kilobytes is None else kilobytes // 1024


def _field(host: Host, pid: int, name: bytes) -> int | None:
    for line in (host.get(f"/proc/{pid}/status") or b"").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return None
