"""The daemons of a cluster: a Dask scheduler and workers, and database servers, started and ended over hosts.

Each is in a session of its own, with a log. It says itself who it is and where it listens, in a file on its host, which
names the process by number and start time: a number that the system gave to another process is never ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ess import settings
from ess.cluster import host_processes, state
from ess.cluster.host import Host
from ess.cluster.lifecycle import (
    EndScheduler,
    EndWorker,
    Health,
    Observed,
    StartScheduler,
    StartWorker,
    Step,
)
from ess.cluster.machines import Machine, Machines
from ess.cluster.processes import ProcessId
from ess.cluster.state import Daemon
from ess.cluster.user_environment import surroundings
from ess.errors import EssError, InitializationError

#: How long a process may take until it is ready, in seconds; importing Dask is slow on a busy core.
START_SECONDS = 60.0

SCHEDULER = "scheduler"

_MODULE = "ess.cluster.daemon"

#: The shell ends at once, so that the daemon belongs to no command that runs on.
_START = 'umask 077; mkdir -p "${0%/*}"; setsid "$@" </dev/null >>"$0" 2>&1 & echo $!'


def worker_name(number: int) -> str:
    """The name of the worker of a node."""
    return f"worker-{number}"


class Daemons:
    """Those of one cluster.

    Args:
        source: The provider of its machines.
        tag: The name of the cluster.
    """

    def __init__(self, source: Machines, tag: str) -> None:
        self._source = source
        self._machines = {machine.number: machine for machine in source.list(tag)}
        self._master = source.host(source.master)

    def prepare(self, tag: str) -> None:
        """Make the certificate authority of a new cluster."""
        from ess.certificates import issue, make_authority  # loads the cryptography library

        folder = state.certificates_folder()
        settings.make_private_folder(settings.cache_dir())
        settings.make_private_folder(state.cluster_folder())
        make_authority(folder, f"essentia {tag}")
        for party in (SCHEDULER, "client"):
            issue(folder, party)

    def ask(self, name: str) -> Daemon | None:
        """The self-description of a daemon; None if it gives none (usable)."""
        host = self._host(name)
        return state.parse_daemon(host.get(f"{host.folder}/{name}.json") or b"")

    def is_alive(self, name: str, process: ProcessId) -> bool:
        """True if this very process runs on its host."""
        return host_processes.alive(self._host(name), process)

    def is_stopped(self, name: str, process: ProcessId) -> bool:
        """True if something has stopped this very process, so that it does not answer."""
        return self.is_alive(name, process) and host_processes.is_stopped(self._host(name), process.pid)

    def kill(self, name: str, process: ProcessId) -> None:
        """End a daemon that does not answer."""
        host_processes.end(self._host(name), [process], grace=0)

    def megabytes(self, name: str, process: ProcessId) -> int | None:
        """The memory that a daemon holds."""
        return host_processes.resident_megabytes(self._host(name), process.pid)

    def observe(self) -> Observed:
        """The state of all daemons."""
        scheduler = self.ask(SCHEDULER)
        health = Health.ABSENT
        if scheduler is not None:
            health = Health.RUNNING if self.is_alive(SCHEDULER, scheduler.process) else Health.LOST
        workers = {}
        for number in self._noted():
            name = worker_name(number)
            worker = self.ask(name)
            serves = worker is not None and scheduler is not None and worker.scheduler == scheduler.address
            running = serves and worker is not None and self.is_alive(name, worker.process)
            workers[number] = Health.RUNNING if running else Health.LOST
        return Observed(health, workers)

    def apply(self, steps: Sequence[Step]) -> list[EssError]:
        """Take the steps of :func:`ess.cluster.lifecycle.steps`; returns what went wrong with single workers.

        All processes start at the same time, since what takes long is importing Dask; workers wait for
        their scheduler.

        Raises:
            InitializationError: If the scheduler does not start.
        """
        problems: list[EssError] = []
        starting: list[tuple[str, Callable[[], ProcessId | None]]] = []
        ending = [step for step in steps if isinstance(step, EndWorker | EndScheduler)]
        self._end([worker_name(step.node_id) if isinstance(step, EndWorker) else SCHEDULER for step in ending])
        for step in steps:
            if isinstance(step, StartScheduler):
                starting.append((SCHEDULER, self._spawn(SCHEDULER, self._source.master, [SCHEDULER])))
            elif isinstance(step, StartWorker):
                starting.append((worker_name(step.node_id), self._start_worker(step.node_id)))
        for name, process in starting:
            try:
                self._wait(name, process)
            except EssError as error:
                if name == SCHEDULER:
                    self.remove_all()
                    raise
                problems.append(error)
                continue
            if name == SCHEDULER:
                self._tell_scheduler()
        return problems

    def launch_worker(self, number: int, lost: str) -> None:
        """Start the worker of a node in place of the one at the address ``lost``, without waiting for it."""
        name = worker_name(number)
        known = self.ask(name)
        if known is not None and known.address != lost and self.is_alive(name, known.process):
            return  # another job has replaced it
        starting = set(self._strays(self._host(name), ["worker", str(number)]))
        if starting - ({known.process} if known else set()):
            return  # another job is about to
        self._end([name])
        self._start_worker(number)

    def remove_all(self) -> None:
        """End everything of the cluster, also processes that no file knows."""
        self._end([*(worker_name(number) for number in self._noted()), SCHEDULER])
        for host in self._hosts():
            host_processes.end(host, self._strays(host))

    def stop_servers(self, folder: Path) -> None:
        """End the database servers whose settings are in ``folder``, on all hosts."""
        # A tool server would outlive the command.
        environment = dict(surroundings().environment) | {"ESS_WORK_DIR": str(folder), "ESS_WARM": "0"}
        for host in self._hosts():
            done = host.run(["udbd", "stop"], environment=environment)
            if done.exit_code:
                said = done.stderr.decode("utf-8", "replace").strip().splitlines()
                raise InitializationError(
                    f"its database servers do not stop ({said[-1] if said else f'code {done.exit_code}'})",
                    where=host.name,
                    hint="run: ess udbd stop",
                )

    def _host(self, name: str) -> Host:
        if name == SCHEDULER:
            return self._master
        number = int(name.removeprefix("worker-"))
        machine = self._machines.get(number)
        return self._master if machine is None else self._source.host(machine)

    def _hosts(self) -> list[Host]:
        """All different ones."""
        hosts = {(host.name, host.folder): host for host in map(self._source.host, self._machines.values())}
        hosts[self._master.name, self._master.folder] = self._master
        return list(hosts.values())

    def _noted(self) -> list[int]:
        """The nodes whose workers have said something, and were not ended."""
        found = set()
        for host in self._hosts():
            listed = host.run(["/bin/sh", "-c", 'cd "$0" && ls', host.folder]).stdout.decode("utf-8", "replace")
            names = (name.removeprefix("worker-").removesuffix(".json") for name in listed.split())
            found |= {int(number) for number in names if number.isdecimal()}
        return sorted(found)

    def _start_worker(self, number: int) -> Callable[[], ProcessId | None]:
        from ess.certificates import credentials, issue

        name = worker_name(number)
        host = self._host(name)
        # One that no file knows would hold the name at the scheduler.
        host_processes.end(host, self._strays(host, ["worker", str(number)]))
        folder = state.certificates_folder()
        try:
            own = credentials(folder, name)
        except InitializationError:
            own = issue(folder, name)
        for path in (own.authority, own.certificate, own.key):
            _place(host, f"tls/{path.name}", path.read_bytes())
        return self._spawn(name, self._machines.get(number, self._source.master), ["worker", str(number)])

    def _tell_scheduler(self) -> None:
        """Tell the hosts of workers where their scheduler is."""
        said = self._master.get(f"{self._master.folder}/{SCHEDULER}.json") or b""
        for host in self._hosts():
            _place(host, f"{SCHEDULER}.json", said)

    def _spawn(self, name: str, machine: Machine, arguments: list[str]) -> Callable[[], ProcessId | None]:
        """Start a daemon; returns a function that tells its process while it runs."""
        host = self._host(name)
        # Dask would take settings of the user from the environment; the cluster's are fixed.
        environment = {key: value for key, value in surroundings().environment.items() if not key.startswith("DASK_")}
        environment["ESS_CACHE_DIR"] = os.path.dirname(host.folder)  # noqa: PTH120 - not a path of this machine
        words = [host.python, "-P", "-m", _MODULE, *arguments, f"--listen={machine.address}"]
        log = f"{host.folder}/logs/{name}.log"
        # The last word is read by nobody but _strays().
        done = host.run(["/bin/sh", "-c", _START, log, *words, f"--cluster={host.folder}"], environment=environment)
        if done.exit_code or not done.stdout.strip().isdigit():
            said = done.stderr.decode("utf-8", "replace").strip()
            raise InitializationError(f"it cannot be started ({said})", where=name, hint=f"see {log}")
        pid = int(done.stdout)
        return lambda: host_processes.identify(host, pid)

    def _wait(self, name: str, process: Callable[[], ProcessId | None]) -> None:
        """Wait until a daemon has said that it is ready."""
        log = f"{self._host(name).folder}/logs/{name}.log"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            now = process()
            if now is None:
                raise InitializationError(
                    f"the process ended at once ({_last_line(self._host(name).get(log))})",
                    where=name,
                    hint=f"see {log}",
                )
            said = self.ask(name)
            if said is not None and said.process == now:
                return
            time.sleep(0.05)
        raise InitializationError(f"not ready after {START_SECONDS:.0f} seconds", where=name, hint=f"see {log}")

    def _end(self, names: Sequence[str]) -> None:
        """End daemons; return when they, the commands they ran and their reapers are gone."""
        known = {name: daemon for name in names if (daemon := self.ask(name)) is not None}
        by_host: dict[tuple[str, str], tuple[Host, list[Daemon]]] = {}
        for name, daemon in known.items():
            host = self._host(name)
            by_host.setdefault((host.name, host.folder), (host, []))[1].append(daemon)
        for host, daemons in by_host.values():
            host_processes.end(host, [daemon.process for daemon in daemons])
            reapers = [daemon.reaper for daemon in daemons if daemon.reaper is not None]
            deadline = time.monotonic() + 10
            while any(host_processes.alive(host, reaper) for reaper in reapers) and time.monotonic() < deadline:
                time.sleep(0.02)  # it kills the commands, then it ends by itself
            host_processes.end(host, reapers)
        for name in names:
            for host in self._hosts() if name == SCHEDULER else [self._host(name)]:
                host.run(["rm", "-f", "--", f"{host.folder}/{name}.json"])

    def _strays(self, host: Host, arguments: Sequence[str] = ()) -> list[ProcessId]:
        """Daemons of this cluster folder by their command line, whether or not a file knows them."""
        return host_processes.find(host, [_MODULE, *arguments], f"--cluster={host.folder}")


def _place(host: Host, name: str, content: bytes) -> None:
    """Put a file into the cluster's folder of a host, unless it is there already, as on this machine."""
    path = f"{host.folder}/{name}"
    if host.get(path) != content:
        host.put(path, content)


def _last_line(log: bytes | None) -> str:
    if log is None:
        return "no log"
    lines = log.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
