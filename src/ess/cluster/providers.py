"""The user's cluster and its life, on machines of any kind."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Protocol

from ess import settings
from ess.cluster import state
from ess.cluster.lifecycle import Desired, Health, Observed, Step, steps
from ess.cluster.local import LocalProvider
from ess.cluster.state import ClusterState
from ess.errors import EssError, InitializationError, OptionError

#: The largest cluster on one machine; more worker processes than that are a slip of the finger.
MOST_LOCAL_WORKERS = 64


@dataclass(frozen=True)
class Node:
    """A node: its number from 0, and the host name or address of its servers."""

    id: int
    host: str


@dataclass(frozen=True)
class NodeStatus:
    """A line of ``ess cluster status``; ``pid`` and ``megabytes`` (resident memory) if it runs."""

    name: str
    health: Health
    host: str
    pid: int | None = None
    megabytes: int | None = None


@dataclass(frozen=True)
class ClusterStatus:
    """The content of ``ess cluster status``; ``state.id`` None means there is no cluster.

    ``problems`` are the reasons why single workers could not be started just now.
    """

    state: ClusterState
    nodes: tuple[NodeStatus, ...] = ()
    problems: tuple[EssError, ...] = ()


class Provider(Protocol):
    """The operations that every kind of machines must offer, on the steps of :func:`ess.cluster.lifecycle.steps`."""

    @property
    def host(self) -> str:
        """The address of its nodes (as long as there is one provider, they share it)."""
        ...

    def prepare(self, cluster_id: str) -> None:
        """Make what a new cluster needs before its first process starts."""
        ...

    def observe(self) -> Observed:
        """The processes that there are."""
        ...

    def apply(self, steps: list[Step]) -> list[EssError]:
        """Take steps; returns what went wrong with single workers."""
        ...

    def launch_worker(self, node_id: int, lost: str) -> None:
        """Replace the worker that was reached at ``lost``, without waiting; nothing if that was done already."""
        ...

    def remove_all(self) -> None:
        """End everything, also processes that no file knows."""
        ...


def provider(mode: str) -> Provider:
    """The provider that ``ess cluster set`` chose.

    Raises:
        OptionError: If it is not available yet.
    """
    if mode == "local":
        return LocalProvider()
    kind = {"cloud": "EC2 instances", "custom": "hosts reached by SSH"}[mode]
    raise OptionError(
        f"clusters of {kind} are not available yet", where=f"ess cluster set {mode}", hint="use: ess cluster set local"
    )


def nodes() -> list[Node]:
    """The nodes that commands run on: those of the cluster, or this machine (0) if there is none."""
    known = state.read_cluster()
    if known.desired is None:
        return [Node(0, LocalProvider.host)]
    host = provider(known.mode).host
    return [Node(number, host) for number in range(known.desired.workers)]


def set_mode(mode: str) -> ClusterState:
    """Choose the provider of the next cluster.

    Raises:
        OptionError: If it is not available yet, or a cluster of another provider is there.
    """
    provider(mode)
    with settings.lock(state.cluster_folder()):
        known = state.read_cluster()
        if known.id is not None and known.mode != mode:
            raise OptionError(
                f"there is a {known.mode} cluster", where="ess cluster set", hint="run first: ess cluster terminate"
            )
        known = replace(known, mode=mode)
        state.write_cluster(known)
        return known


def create(workers: int, *, add: bool = False) -> list[EssError]:
    """Make a cluster of some workers, or add some to it; returns the errors of single workers.

    Raises:
        OptionError: If the number is not valid, there is a cluster already, or none to add to.
        InitializationError: If it cannot be started.
    """
    if not 1 <= workers <= MOST_LOCAL_WORKERS:
        raise OptionError(
            f"bad number of workers {workers}", where="--number", hint=f"give a number from 1 to {MOST_LOCAL_WORKERS}"
        )
    with settings.lock(state.cluster_folder(), seconds=120):
        known = state.read_cluster()
        source = provider(known.mode)
        if add:
            if known.desired is None:
                raise OptionError("there is no cluster to add to", where="--add", hint="leave out --add")
            size = known.desired.workers + workers
            if size > MOST_LOCAL_WORKERS:
                raise OptionError(f"{size} workers are too many", where="--number")
            known = replace(known, desired=Desired(size))
        else:
            if known.desired is not None:
                raise OptionError(
                    f"there is a cluster of {known.desired.workers} workers already",
                    where="ess cluster create",
                    hint="use --add for more workers, or run first: ess cluster terminate",
                )
            source.remove_all()
            state.clear(everything=False)
            known = ClusterState(known.mode, f"{known.mode}-{secrets.token_hex(4)}", Desired(workers))
            source.prepare(str(known.id))
        state.write_cluster(known)
        try:
            problems = _reconcile(known, source)
            if not add and len(problems) == workers:
                raise problems[0]
        except BaseException:
            if not add:  # nothing is left of a cluster that could not be made, or was interrupted
                source.remove_all()
                state.clear(everything=False)
                state.write_cluster(ClusterState(known.mode))
            raise
        return problems


def start() -> list[EssError]:
    """Bring the cluster to its desired state: start it, and replace what was lost."""
    return _want(True)


def stop() -> None:
    """End the processes of the cluster; it can be started again."""
    _want(False)


def terminate(*, everything: bool = False) -> bool:
    """End the cluster and forget it; with ``everything`` also its logs. False if there was none.

    The database servers of the working folder run on the nodes, so they end with them.
    """
    with settings.lock(state.cluster_folder()):
        try:
            known = state.read_cluster()
        except InitializationError:
            known = ClusterState()
            everything = True  # a damaged file must not keep processes alive
        provider(known.mode).remove_all()
        state.clear(everything=everything)
        if not everything:
            state.write_cluster(ClusterState(known.mode))
    if known.id is not None:
        _stop_database_servers()
    return known.id is not None


def _stop_database_servers() -> None:
    from ess.udb.admin import service
    from ess.udb.wire import access  # loads the transport

    folder = access.udb_folder()
    if folder.is_dir() and service.running_ports(folder):
        for _line in service.stop(folder, ()):
            pass  # it works while its lines are read


def reset() -> None:
    """Forget the configuration of the cluster; also ends processes, which nothing would know afterwards."""
    terminate(everything=True)


def status() -> ClusterStatus:
    """The state of each process of the cluster."""
    known = state.read_cluster()
    if known.desired is None:
        return ClusterStatus(known)
    source = provider(known.mode)
    seen = source.observe()
    lines = [_line("scheduler", "scheduler", seen.scheduler, source.host)]
    for number in range(known.desired.workers):
        lines.append(
            _line(f"worker-{number}", f"worker-{number}", seen.workers.get(number, Health.ABSENT), source.host)
        )
    return ClusterStatus(known, tuple(lines))


def ensure_running() -> ClusterState | None:
    """The cluster, with what it lost replaced; None if there is none.

    Raises:
        InitializationError: If it is stopped or cannot be mended.
    """
    known = state.read_cluster()
    if known.desired is None:
        return None
    if not known.desired.running:
        raise InitializationError(
            "the cluster is stopped", where="cluster", hint="run: ess cluster start, or use --master"
        )
    source = provider(known.mode)
    if steps(known.desired, source.observe()):
        with settings.lock(state.cluster_folder(), seconds=120):
            problems = _reconcile(state.read_cluster(), source)
        if problems:
            raise problems[0]
    return known


def replace_worker(cluster_id: str, node_id: int, lost: str) -> None:
    """Replace a worker that a job has lost, unless the cluster is being stopped or is another one by now."""
    with settings.lock(state.cluster_folder(), seconds=120):
        known = state.read_cluster()
        if known.id == cluster_id and known.desired is not None and known.desired.running:
            provider(known.mode).launch_worker(node_id, lost)


def _want(running: bool) -> list[EssError]:
    with settings.lock(state.cluster_folder(), seconds=120):
        known = state.read_cluster()
        if known.desired is None:
            raise OptionError("there is no cluster", where="cluster", hint="run: ess cluster create --number 2")
        known = replace(known, desired=replace(known.desired, running=running))
        state.write_cluster(known)
        return _reconcile(known, provider(known.mode))


def _reconcile(known: ClusterState, source: Provider) -> list[EssError]:
    if known.desired is None:
        return []
    return source.apply(steps(known.desired, source.observe()))


def _line(name: str, daemon_name: str, health: Health, host: str) -> NodeStatus:
    daemon = state.read_daemon(daemon_name)
    if health is not Health.RUNNING or daemon is None:
        return NodeStatus(name, health, host)
    return NodeStatus(name, health, host, daemon.process.pid, _resident_megabytes(daemon.process.pid))


def _resident_megabytes(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) // 1024
    except OSError:
        return None
    return None
