"""The servers of this user that run on this machine, found by their command lines.

A run directory may be deleted while its servers run. Then no pid file knows them, and they hold their ports.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

#: The module that a server's process runs.
MODULE = "ess.udb.server.daemon"


@dataclass(frozen=True)
class RunningServer:
    """A server that runs: its process, its port, and the pid file that it was started with."""

    pid: int
    port: int
    pid_file: Path


def running_servers() -> Iterator[RunningServer]:
    """Those of this user."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - goes through all processes
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            if Path(f"/proc/{name}").stat().st_uid != os.getuid():
                continue
            words = Path(f"/proc/{name}/cmdline").read_bytes().decode("utf-8", "surrogateescape").split("\0")
            if MODULE in words:
                port = int(words[words.index("--port") + 1])
                yield RunningServer(int(name), port, Path(words[words.index("--pid-file") + 1]))


def server_on(port: int) -> RunningServer | None:
    """This user's server of a port; None if there is none."""
    return next((each for each in running_servers() if each.port == port and each.pid != os.getpid()), None)


def stopped_server(port: int) -> int:
    """This user's server of a port if it is stopped (SIGSTOP, a debugger), so that it answers nothing; else 0."""
    server = server_on(port)
    return server.pid if server is not None and is_stopped(server.pid) else 0


def stopped_servers(folder: Path) -> tuple[int, ...]:
    """The processes of this user's servers in a run directory that are stopped."""
    return tuple(
        sorted(each.pid for each in running_servers() if folder in each.pid_file.parents and is_stopped(each.pid))
    )


def is_stopped(pid: int) -> bool:
    """True if a process is stopped."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in (b"T", b"t")
    return False


def owner_of(port: int) -> str:
    """The program that listens on a port, for a person: number and name; blank where the system does not tell."""
    with contextlib.suppress(psutil.Error, OSError):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
                return f"process {each.pid}, {psutil.Process(each.pid).name()}"
    return ""


def started(pid: int) -> int:
    """The start of a process, in clock ticks since that of the machine, which no change of the clock moves.

    Raises:
        OSError: If there is no such process.
    """
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
