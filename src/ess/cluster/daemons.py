"""The daemons of a cluster: a Dask scheduler and workers, and database servers, started and ended over hosts.

Each is in a session of its own, with a log. It says itself who it is and where it listens, in a file on its host, which
names the process by number and start time: a number that the system gave to another process is never ended.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ess import settings
from ess.cluster import host_processes, state
from ess.cluster.host import Host, in_parallel
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
from ess.cluster.processes import ProcessId, identity
from ess.cluster.state import Daemon
from ess.cluster.user_environment import surroundings
from ess.errors import EssError, InitializationError

#: How long a process may take until it is ready, in seconds; importing Dask is slow on a busy core.
START_SECONDS = 60.0

SCHEDULER = "scheduler"

#: How often it is seen whether a process is ready, in seconds: here, and on a host, which has to be asked.
_LOOK, _FAR_LOOK = 0.05, 0.4

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
        workers: dict[int, Health] = {}
        hosts = self._hosts()
        for host, found in zip(hosts, in_parallel([partial(_seen, host) for host in hosts]), strict=True):
            if isinstance(found, EssError):
                # Nobody knows. Where its machine cannot be reached, it is as good as lost.
                workers |= dict.fromkeys(self._numbers(host), Health.LOST)
                continue
            for number, worker, is_alive in found:
                serves = worker is not None and scheduler is not None and worker.scheduler == scheduler.address
                workers[number] = Health.RUNNING if serves and is_alive else Health.LOST
        return Observed(health, workers)

    def apply(self, steps: Sequence[Step]) -> list[EssError]:
        """Take the steps of :func:`ess.cluster.lifecycle.steps`; returns what went wrong with single workers.

        All processes start at the same time, since what takes long is importing Dask; workers wait for
        their scheduler.

        Raises:
            InitializationError: If the scheduler does not start.
        """
        starting: list[tuple[str, Callable[[], ProcessId | None]]] = []
        ending = [step for step in steps if isinstance(step, EndWorker | EndScheduler)]
        failed = self._end([worker_name(step.node_id) if isinstance(step, EndWorker) else SCHEDULER for step in ending])
        problems = [*failed.values()]
        for step in steps:
            if isinstance(step, StartScheduler):
                starting.append((SCHEDULER, self._start_scheduler()))
        numbers = [step.node_id for step in steps if isinstance(step, StartWorker)]
        numbers = [number for number in numbers if worker_name(number) not in failed]
        if numbers and not starting:
            self._tell_scheduler()  # it runs already, and new hosts do not know it
        begun = in_parallel([partial(self._start_worker, number) for number in numbers])
        for number, found in zip(numbers, begun, strict=True):
            if isinstance(found, EssError):
                problems.append(found)
            else:
                starting.append((worker_name(number), found))
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
        self._tell_scheduler(self._host(name))
        self._start_worker(number)

    def remove_all(self) -> list[EssError]:
        """End everything of the cluster, also processes that no file knows; returns which hosts cannot be reached."""
        hosts = self._hosts()
        failed: dict[str, EssError] = {}
        for host, found in zip(hosts, in_parallel([partial(_noted, host) for host in hosts]), strict=True):
            if isinstance(found, EssError):
                failed[host.name] = found
            else:
                self._end([worker_name(number) for number in found])
        reached = [host for host in hosts if host.name not in failed]
        self._end([SCHEDULER], reached)
        for host, ended in zip(
            reached, in_parallel([partial(self._end_strays, host) for host in reached]), strict=True
        ):
            if isinstance(ended, EssError):
                failed[host.name] = ended
        return [*failed.values()]

    def _end_strays(self, host: Host) -> None:
        host_processes.end(host, self._strays(host))

    def stop_servers(self, folder: Path) -> None:
        """End the database servers whose settings are in ``folder``, on all hosts that share its files."""
        # A tool server would outlive the command.
        environment = dict(surroundings().environment) | {"ESS_WORK_DIR": str(folder), "ESS_WARM": "0"}
        for host in self._hosts():
            if not host.shares_files:
                continue
            done = host.run(["udbd", "stop"], environment=environment)
            if done.exit_code:
                said = done.stderr.decode("utf-8", "replace").strip().splitlines()
                raise InitializationError(
                    f"its database servers do not stop ({said[-1] if said else f'code {done.exit_code}'})",
                    where=host.name,
                    hint="run: ess udbd stop",
                )

    def shares_files(self, number: int) -> bool:
        """True if a node has the files of this machine under their names."""
        return self._host(worker_name(number)).shares_files

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

    def _numbers(self, host: Host) -> list[int]:
        """The nodes on a host."""
        names = (host.name, host.folder)
        found = ((number, self._source.host(machine)) for number, machine in self._machines.items())
        return [number for number, other in found if (other.name, other.folder) == names]

    def _start_scheduler(self) -> Callable[[], ProcessId | None]:
        address = self._source.master.address
        if address != "127.0.0.1":
            from ess.certificates import issue  # loads the cryptography library

            issue(state.certificates_folder(), SCHEDULER, hosts=["localhost", "127.0.0.1", address])
        return self._spawn(SCHEDULER, self._source.master, [SCHEDULER])

    def _start_worker(self, number: int) -> Callable[[], ProcessId | None]:
        from ess.certificates import credentials, issue

        name = worker_name(number)
        host = self._host(name)
        # One that no file knows would hold the name at the scheduler.
        host_processes.end(host, self._strays(host, ["worker", str(number)]))
        folder = state.certificates_folder()
        machine = self._machines.get(number, self._source.master)
        try:
            if not host.shares_files:  # the number may have been that of another host
                raise InitializationError("made anew")
            own = credentials(folder, name)
        except InitializationError:
            own = issue(folder, name, hosts=[*dict.fromkeys(["localhost", "127.0.0.1", "::1", machine.address])])
        for path in (own.authority, own.certificate, own.key):
            _place(host, f"tls/{path.name}", path.read_bytes())
        far = [] if host.shares_files else ["--far"]
        return self._spawn(name, machine, ["worker", str(number), *far])

    def _tell_scheduler(self, *hosts: Host) -> None:
        """Tell the hosts of workers (all, if none are given) where their scheduler is."""
        said = self._master.get(f"{self._master.folder}/{SCHEDULER}.json") or b""
        # One that cannot be reached has a worker that is not ready, and so it is told.
        in_parallel([partial(_place, host, f"{SCHEDULER}.json", said) for host in hosts or self._hosts()])

    def _spawn(self, name: str, machine: Machine, arguments: list[str]) -> Callable[[], ProcessId | None]:
        """Start a daemon; returns a function that tells its process while it runs."""
        host = self._host(name)
        # Dask would take settings of the user from the environment; the cluster's are fixed.
        environment = {key: value for key, value in surroundings().environment.items() if not key.startswith("DASK_")}
        environment = dict(host.environment(environment))
        environment["ESS_CACHE_DIR"] = os.path.dirname(host.folder)  # noqa: PTH120 - not a path of this machine
        words = [host.python, "-P", "-m", _MODULE, *arguments, f"--listen={machine.address}"]
        log = f"{host.folder}/logs/{name}.log"
        # The last word is read by nobody but _strays().
        done = host.run(["/bin/sh", "-c", _START, log, *words, f"--cluster={host.folder}"], environment=environment)
        if done.exit_code or not done.stdout.strip().isdigit():
            said = done.stderr.decode("utf-8", "replace").strip()
            raise InitializationError(f"it cannot be started ({said})", where=name, hint=_see(host, log))
        pid = int(done.stdout)
        return lambda: host_processes.identify(host, pid)

    def _wait(self, name: str, process: Callable[[], ProcessId | None]) -> None:
        """Wait until a daemon has said that it is ready."""
        host = self._host(name)
        log = f"{host.folder}/logs/{name}.log"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            now = process()
            if now is None:
                raise InitializationError(
                    f"the process ended at once ({_last_line(host.get(log))})",
                    where=name,
                    hint=_see(host, log),
                )
            said = self.ask(name)
            if said is not None and said.process == now:
                return
            time.sleep(_LOOK if host.shares_files else _FAR_LOOK)
        raise InitializationError(f"not ready after {START_SECONDS:.0f} seconds", where=name, hint=_see(host, log))

    def _end(self, names: Sequence[str], hosts: Sequence[Host] | None = None) -> dict[str, EssError]:
        """End daemons; return when they, the commands they ran and their reapers are gone.

        Args:
            names: Which ones.
            hosts: Where the address of the scheduler is known; None: on all hosts.

        Returns:
            Those of which nobody knows, as their host cannot be reached, and why.
        """
        by_host: dict[tuple[str, str], tuple[Host, list[str]]] = {}
        for name in names:
            host = self._host(name)
            by_host.setdefault((host.name, host.folder), (host, []))[1].append(name)
        places = [*by_host.values()]
        failed: dict[str, EssError] = {}
        for (_, ended), found in zip(
            places, in_parallel([partial(self._end_on, *each) for each in places]), strict=True
        ):
            if isinstance(found, EssError):
                failed |= dict.fromkeys(ended, found)
        if SCHEDULER in names:
            in_parallel([partial(_remove, host, [SCHEDULER]) for host in hosts or self._hosts()])
        return failed

    def _end_on(self, host: Host, names: Sequence[str]) -> None:
        daemons = [daemon for name in names if (daemon := self.ask(name)) is not None]
        host_processes.end(host, [daemon.process for daemon in daemons])
        reapers = [daemon.reaper for daemon in daemons if daemon.reaper is not None]
        deadline = time.monotonic() + 10
        while any(host_processes.alive(host, reaper) for reaper in reapers) and time.monotonic() < deadline:
            time.sleep(0.02)  # it kills the commands, then it ends by itself
        host_processes.end(host, reapers)
        _remove(host, names)

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


def _see(host: Host, log: str) -> str:
    return f"see {log}" if host.shares_files else f"see {log} on {host.name}"


def _remove(host: Host, names: Sequence[str]) -> None:
    """Remove what daemons have said."""
    host.run(["rm", "-f", "--", *(f"{host.folder}/{name}.json" for name in names)])


def _noted(host: Host) -> list[int]:
    """The nodes whose workers have said something there, and were not ended."""
    listed = host.run(["/bin/sh", "-c", 'cd "$0" && ls', host.folder]).stdout.decode("utf-8", "replace")
    names = (name.removeprefix("worker-").removesuffix(".json") for name in listed.split())
    return sorted(int(number) for number in names if number.isdecimal())


def _seen(host: Host) -> list[tuple[int, Daemon | None, bool]]:
    """The workers of a host: number, what each has said, and whether it is alive."""
    if not host.shares_files:
        return _seen_far(host)
    found = []
    for number in _noted(host):
        worker = state.parse_daemon(host.get(f"{host.folder}/{worker_name(number)}.json") or b"")
        found.append((number, worker, worker is not None and host_processes.alive(host, worker.process)))
    return found


#: Prints what each worker has said, and the status of its process: in one go, as each question takes a while.
_SEEN = """
import glob, json, os, sys
found = {}
for path in glob.glob(os.path.join(glob.escape(sys.argv[1]), "worker-*.json")):
    said = status = ""
    try:
        with open(path) as file:
            said = file.read()
        with open("/proc/%d/stat" % json.loads(said)["process"]["pid"], "rb") as file:
            status = file.read().decode("latin-1")
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found[os.path.basename(path)[7:-5]] = [said, status]
print(json.dumps(found))
"""


def _seen_far(host: Host) -> list[tuple[int, Daemon | None, bool]]:
    done = host.run([host.python, "-I", "-S", "-c", _SEEN, host.folder])
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise InitializationError("it does not say what runs there", where=host.name) from None
    found = []
    for number, (content, status) in said.items():
        worker = state.parse_daemon(content.encode())
        if number.isdecimal():
            now = None if worker is None else identity(worker.process.pid, status.encode("latin-1"))
            found.append((int(number), worker, worker is not None and now == worker.process))
    return found
