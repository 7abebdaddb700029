"""The local provider: a Dask scheduler and workers as processes of this machine.

Each is a daemon in a session of its own, with a log. Its file names the process by number and
start time, so that a number that the system gave to another process is never killed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ess import settings
from ess.cluster import state
from ess.cluster.lifecycle import (
    EndScheduler,
    EndWorker,
    Health,
    Observed,
    StartScheduler,
    StartWorker,
    Step,
)
from ess.cluster.processes import ProcessId, alive, end, identify
from ess.cluster.user_environment import surroundings
from ess.errors import EssError, InitializationError

#: How long a process may take until it is ready, in seconds; importing Dask is slow on a busy core.
START_SECONDS = 60.0

_MODULE = "ess.cluster.daemon"


class LocalProvider:
    """Nodes are worker processes on this machine; all have the address 127.0.0.1."""

    host = "127.0.0.1"

    def prepare(self, cluster_id: str) -> None:
        """Make the certificate authority of a new cluster."""
        from ess.certificates import issue, make_authority  # loads the cryptography library

        folder = state.certificates_folder()
        settings.make_private_folder(settings.cache_dir())
        settings.make_private_folder(state.cluster_folder())
        make_authority(folder, f"essentia {cluster_id}")
        for party in ("scheduler", "client"):
            issue(folder, party)

    def observe(self) -> Observed:
        """The processes that there are."""
        scheduler = state.read_daemon("scheduler")
        health = Health.ABSENT
        if scheduler is not None:
            health = Health.RUNNING if alive(scheduler.process) else Health.LOST
        workers = {}
        for node_id in state.known_workers():
            worker = state.read_daemon(f"worker-{node_id}")
            serves = worker is not None and scheduler is not None and worker.scheduler == scheduler.address
            running = serves and worker is not None and alive(worker.process)
            workers[node_id] = Health.RUNNING if running else Health.LOST
        return Observed(health, workers)

    def apply(self, steps: list[Step]) -> list[EssError]:
        """Take the steps; returns what went wrong with single workers.

        All processes start at the same time, since what takes long is importing Dask; workers wait for
        their scheduler.

        Raises:
            InitializationError: If the scheduler does not start.
        """
        problems: list[EssError] = []
        starting: list[tuple[str, Callable[[], ProcessId | None]]] = []
        ending = [step for step in steps if isinstance(step, EndWorker | EndScheduler)]
        _end([f"worker-{step.node_id}" if isinstance(step, EndWorker) else "scheduler" for step in ending])
        for step in steps:
            if isinstance(step, StartScheduler):
                starting.append(("scheduler", _spawn("scheduler", ["scheduler"])))
            elif isinstance(step, StartWorker):
                name = f"worker-{step.node_id}"
                starting.append((name, self._start_worker(name, step.node_id)))
        for name, process in starting:
            try:
                _wait(name, process)
            except EssError as error:
                if name == "scheduler":
                    self.remove_all()
                    raise
                problems.append(error)
        return problems

    def launch_worker(self, node_id: int, lost: str) -> None:
        """Start the worker of a node in the place of the one at the address ``lost``, without waiting for it."""
        name = f"worker-{node_id}"
        known = state.read_daemon(name)
        if known is not None and known.address != lost and alive(known.process):
            return  # another job has replaced it
        starting = set(_strays(state.cluster_folder(), ["worker", str(node_id)]))
        if starting - ({known.process} if known else set()):
            return  # another job is about to
        _end([name])
        self._start_worker(name, node_id)

    def remove_all(self) -> None:
        """End everything of the cluster, also what its files do not know (any more)."""
        _end([*(f"worker-{node_id}" for node_id in state.known_workers()), "scheduler"])
        end(_strays(state.cluster_folder()))

    def _start_worker(self, name: str, node_id: int) -> Callable[[], ProcessId | None]:
        from ess.certificates import credentials, issue

        # One that no file knows would hold the name at the scheduler.
        end(_strays(state.cluster_folder(), ["worker", str(node_id)]))
        try:
            credentials(state.certificates_folder(), name)
        except InitializationError:
            issue(state.certificates_folder(), name)
        return _spawn(name, ["worker", str(node_id)])


def _spawn(name: str, arguments: list[str]) -> Callable[[], ProcessId | None]:
    """Start a daemon; returns a function that tells its process while it runs."""
    log = state.log_path(name)
    settings.make_private_folder(log.parent)
    # Dask would take settings of the user from the environment; the cluster's are fixed.
    environment = {key: value for key, value in surroundings().environment.items() if not key.startswith("DASK_")}
    environment["ESS_CACHE_DIR"] = str(settings.cache_dir())
    with os.fdopen(settings.open_private(log, os.O_WRONLY | os.O_APPEND), "ab") as file:
        # A shell in between ends at once, so that the daemon belongs to no command that runs on.
        done = subprocess.run(
            [
                "/bin/sh",
                "-c",
                'umask 077; "$@" >&2 & echo $!',
                "sh",
                sys.executable,
                "-P",  # nothing is imported from the folder it starts in
                "-m",
                _MODULE,
                *arguments,
                # Read by nobody but _strays().
                f"--cluster={state.cluster_folder()}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
            cwd="/",
            env=environment,
            start_new_session=True,
            check=False,
        )
    pid = int(done.stdout)
    return lambda: identify(pid)


def _wait(name: str, process: Callable[[], ProcessId | None]) -> None:
    """Wait until a daemon has said that it is ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        now = process()
        if now is None:
            raise InitializationError(
                f"the process ended at once ({_last_line(state.log_path(name))})",
                where=name,
                hint=f"see {state.log_path(name)}",
            )
        said = state.read_daemon(name)
        if said is not None and said.process == now:
            return
        time.sleep(0.05)
    raise InitializationError(
        f"not ready after {START_SECONDS:.0f} seconds", where=name, hint=f"see {state.log_path(name)}"
    )


def _end(names: list[str]) -> None:
    """End daemons; return when they, the commands they ran and their reapers are gone."""
    daemons = [daemon for daemon in map(state.read_daemon, names) if daemon is not None]
    end(daemon.process for daemon in daemons)
    reapers = [daemon.reaper for daemon in daemons if daemon.reaper is not None]
    deadline = time.monotonic() + 10
    while any(alive(reaper) for reaper in reapers) and time.monotonic() < deadline:
        time.sleep(0.02)  # it kills the commands, then it ends by itself
    end(reapers)
    for name in names:
        state.forget_daemon(name)


def _strays(folder: Path, arguments: Sequence[str] = ()) -> list[ProcessId]:
    """Daemons of this cluster folder by their command line, whether or not a file knows them."""
    wanted = [os.fsencode(word) for word in (_MODULE, *arguments)]
    mark = os.fsencode(f"--cluster={folder}")
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            at = words.index(wanted[0])
            if mark in words and wanted == words[at : at + len(wanted)] and entry.stat().st_uid == os.getuid():
                process = identify(int(entry.name))
                if process is not None:
                    found.append(process)
    return found


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return "no log"
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
