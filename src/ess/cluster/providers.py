"""The user's cluster and its life, on machines of any kind."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ess import settings
from ess.cluster import state
from ess.cluster.daemons import Daemons
from ess.cluster.host import Host, ThisMachine
from ess.cluster.host_machines import HostMachines, reservation
from ess.cluster.lifecycle import Desired, EndWorker, Health, StartWorker, steps
from ess.cluster.machines import LocalMachines, Machines, machines_of
from ess.cluster.state import ClusterState
from ess.errors import EssError, EssWarning, InitializationError, OptionError


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


def _daemons(known: ClusterState) -> Daemons:
    return Daemons(machines_of(known.mode), str(known.id))


def daemons() -> Daemons:
    """The daemons of the user's cluster."""
    return _daemons(state.read_cluster())


def nodes() -> list[Node]:
    """The nodes that commands run on: those of the cluster, or this machine (0) if there is none."""
    known = state.read_cluster()
    if known.desired is None:
        return [Node(0, LocalMachines.master.address)]
    return [Node(machine.number, machine.address) for machine in machines_of(known.mode).list(str(known.id))]


def hosts_of_nodes() -> list[tuple[Node, Host]]:
    """The nodes that commands run on, and the ways to their hosts.

    Raises:
        InitializationError: If there is a cluster that is stopped.
    """
    known = state.read_cluster()
    if known.desired is None:
        return [(Node(0, LocalMachines.master.address), ThisMachine())]
    if not known.desired.running:
        raise _stopped()
    source = machines_of(known.mode)
    machines = source.list(str(known.id))
    return [(Node(machine.number, machine.address), source.host(machine)) for machine in machines]


def set_mode(mode: str) -> ClusterState:
    """Choose the provider of the next cluster.

    Raises:
        OptionError: If a cluster of another provider is there.
    """
    machines_of(mode)
    with settings.lock(state.cluster_folder()):
        known = state.read_cluster()
        if known.id is not None and known.mode != mode:
            raise OptionError(
                f"there is a {known.mode} cluster", where="ess cluster set", hint="run first: ess cluster terminate"
            )
        known = replace(known, mode=mode)
        state.write_cluster(known)
        return known


def create(workers: int, *, add: bool = False, hosts: Sequence[str] = ()) -> list[EssError]:
    """Make a cluster of some workers, or add some to it; returns the errors of single workers.

    Args:
        workers: How many; of hosts, it is their number.
        add: Add them to the cluster.
        hosts: The hosts that are to be the nodes, if the provider takes hosts that exist; none: those of
            ``reservation.json``.

    Raises:
        OptionError: If the number is not valid, there is a cluster already, or none to add to.
        InitializationError: If it cannot be started.
    """
    with settings.lock(state.cluster_folder(), seconds=120):
        known = state.read_cluster()
        source = machines_of(known.mode)
        names, identity = _hosts(source, hosts)
        workers = len(names) or workers
        if not 1 <= workers <= source.most:
            raise OptionError(
                f"bad number of workers {workers}", where="--number", hint=f"give a number from 1 to {source.most}"
            )
        if add:
            if known.desired is None:
                raise OptionError("there is no cluster to add to", where="--add", hint="leave out --add")
            size = known.desired.workers + workers
            if size > source.most:
                raise OptionError(f"{size} workers are too many", where="--number")
            known = replace(known, desired=Desired(size))
        else:
            if known.desired is not None:
                raise OptionError(
                    f"there is a cluster of {known.desired.workers} workers already",
                    where="ess cluster create",
                    hint="use --add for more workers, or run first: ess cluster terminate",
                )
            _end(known, everything=False)
            known = ClusterState(known.mode, f"{known.mode}-{secrets.token_hex(4)}", Desired(workers))
            _daemons(known).prepare(str(known.id))
        if isinstance(source, HostMachines):
            source.propose(str(known.id), names, identity=identity)
        state.write_cluster(known)
        try:
            problems = _reconcile(known)
            if not add and len(problems) == workers:
                raise problems[0]
        except BaseException:
            if not add:  # nothing is left of a cluster that could not be made, or was interrupted
                _end(known, everything=False)
                state.write_cluster(ClusterState(known.mode))
            elif names:
                _take_back(known, names)
            raise
        return problems


def add_hosts(names: Sequence[str]) -> list[EssError]:
    """Add hosts to the cluster; see :func:`create`."""
    return create(len(names), add=True, hosts=names)


def remove_hosts(names: Sequence[str]) -> None:
    """Take hosts out of the cluster: their workers end, and nothing of the cluster stays on them.

    Raises:
        OptionError: If one is none of the cluster, or no other is left.
    """
    with settings.lock(state.cluster_folder(), seconds=120):
        known = state.read_cluster()
        source = machines_of(known.mode)
        if not isinstance(source, HostMachines) or known.desired is None:
            raise OptionError(
                "there is no cluster of hosts", where="ess cluster remove", hint="see: ess cluster status"
            )
        from ess.cluster.node_databases import require_no_servers  # loads what databases need

        require_no_servers("ess cluster remove")
        have = [machine.id for machine in source.list(str(known.id))]
        for name in names:
            if name not in have:
                raise OptionError(
                    f"'{name}' is no host of the cluster", where="ess cluster remove", hint=f"it has {', '.join(have)}"
                )
        if len(set(names)) == len(have):
            raise OptionError("no host would be left", where="ess cluster remove", hint="use: ess cluster terminate")
        _take_out(known, source, list(dict.fromkeys(names)))
        _warn(_reconcile(state.read_cluster()))


def _take_back(known: ClusterState, names: Sequence[str]) -> None:
    """Take out the hosts that could not be added with the others."""
    source = machines_of(known.mode)
    if isinstance(source, HostMachines):
        have = {machine.id for machine in source.list(str(known.id))}
        source.withdraw()
        desired = None if known.desired is None else replace(known.desired, workers=len(have))
        known = replace(known, desired=desired)
        state.write_cluster(known)
        _take_out(known, source, [name for name in names if name in have])


def _take_out(known: ClusterState, source: HostMachines, names: Sequence[str]) -> None:
    for name in names:
        machines = source.list(str(known.id))
        number = next(machine.number for machine in machines if machine.id == name)
        last = max(machine.number for machine in machines)
        ended = [EndWorker(each) for each in sorted({number, last})]
        _warn(_daemons(known).apply(ended))  # the last one takes its number
        _warn(source.take_out(number))
        assert known.desired is not None
        known = replace(known, desired=replace(known.desired, workers=known.desired.workers - 1))
        state.write_cluster(known)


def _hosts(source: Machines, hosts: Sequence[str]) -> tuple[list[str], Path | None]:
    """The hosts that are to be nodes, and the key for them."""
    if isinstance(source, HostMachines):
        return ([*hosts], None) if hosts else reservation()
    if hosts:
        raise OptionError(
            "only clusters of hosts have hosts", where="--hosts", hint="run first: ess cluster set custom"
        )
    return [], None


def _warn(problems: Sequence[EssError]) -> None:
    """Tell what went wrong and stops nothing."""
    for problem in problems:
        warnings.warn(str(problem), EssWarning, stacklevel=3)


def start() -> list[EssError]:
    """Bring the cluster to its desired state: start it, and replace what was lost."""
    return _want(True)


def stop() -> None:
    """End the processes of the cluster; it can be started again. A host that cannot be reached is a warning."""
    _warn(_want(False))


def terminate(*, everything: bool = False) -> bool:
    """End the cluster and forget it; with ``everything`` also its logs. False if there was none.

    The database servers of the working folder run on the nodes, so they end with them.
    """
    with settings.lock(state.cluster_folder()):
        try:
            known = state.read_cluster()
        except InitializationError:
            known = _in_the_cloud() or ClusterState()
            everything = True  # a damaged file must not keep processes alive
        daemons = _daemons(known)
        _end(known, everything=everything)
        if not everything:
            state.write_cluster(ClusterState(known.mode))
    if known.id is not None:
        daemons.stop_servers(settings.work_dir())
    return known.id is not None


def _in_the_cloud() -> ClusterState | None:
    """The cluster in the cloud that a record tells of."""
    from ess.cluster.cloud import record  # which few clusters need

    known = record.read()
    return ClusterState("cloud", known.tag, Desired(1)) if known is not None and known.tag else None


def _end(known: ClusterState, *, everything: bool) -> None:
    """End the daemons and machines of a cluster, and forget it."""
    source = machines_of(known.mode)
    if known.mode == "cloud":  # what runs there ends with the machines, which may be off
        if known.id is not None:
            source.end(known.id)
        _warn(_daemons(known).remove_all())
    else:
        _warn(_daemons(known).remove_all())
        source.end(str(known.id))
    state.clear(everything=everything)


def reset() -> None:
    """Forget the configuration of the cluster; also ends processes, which nothing would know afterwards."""
    terminate(everything=True)


def status() -> ClusterStatus:
    """The state of each process of the cluster."""
    known = state.read_cluster()
    if known.desired is None:
        return ClusterStatus(known)
    daemons = _daemons(known)
    seen = daemons.observe()
    lines = [_line(daemons, "scheduler", seen.scheduler, machines_of(known.mode).master.address)]
    for node in nodes():
        health = seen.workers.get(node.id, Health.ABSENT)
        lines.append(_line(daemons, f"worker-{node.id}", health, node.host))
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
        raise _stopped()
    if steps(known.desired, _daemons(known).observe()):
        with settings.lock(state.cluster_folder(), seconds=120):
            # Machines that are paid for are made when the user asks for them.
            problems = _reconcile(state.read_cluster(), make=known.mode != "cloud")
        if problems and known.mode == "cloud":
            raise InitializationError(
                f"{problems[0].what}: its machine may have stopped by itself, or is gone",
                where=problems[0].where,
                hint="run: ess cluster start",
            )
        if problems:
            raise problems[0]
    return known


def _stopped() -> InitializationError:
    return InitializationError(
        "the cluster is stopped", where="cluster", hint="run: ess cluster start, or use --master"
    )


def replace_worker(cluster_id: str, node_id: int, lost: str) -> None:
    """Replace a worker that a job has lost, unless the cluster is being stopped or is another one by now."""
    with settings.lock(state.cluster_folder(), seconds=120):
        known = state.read_cluster()
        if known.id == cluster_id and known.desired is not None and known.desired.running:
            _daemons(known).launch_worker(node_id, lost)


def _want(running: bool) -> list[EssError]:
    with settings.lock(state.cluster_folder(), seconds=120):
        known = state.read_cluster()
        if known.desired is None:
            raise OptionError("there is no cluster", where="cluster", hint="run: ess cluster create --number 2")
        known = replace(known, desired=replace(known.desired, running=running))
        source = machines_of(known.mode)
        if running:
            source.start(str(known.id))
        state.write_cluster(known)
        problems = _reconcile(known)
        if not running:
            source.stop(str(known.id))
        return problems


def _reconcile(known: ClusterState, *, make: bool = True) -> list[EssError]:
    if known.desired is None:
        return []
    source = machines_of(known.mode)
    if known.desired.running and make:
        source.make(str(known.id), range(known.desired.workers))
    daemons = _daemons(known)
    have = {machine.number for machine in machines_of(known.mode).list(str(known.id))}
    problems: list[EssError] = []
    taken = []
    for step in steps(known.desired, daemons.observe()):
        if isinstance(step, StartWorker) and step.node_id not in have:
            problems.append(
                InitializationError(
                    "it has no machine", where=f"worker-{step.node_id}", hint="make one with: ess cluster start"
                )
            )
        else:
            taken.append(step)
    return [*problems, *daemons.apply(taken)]


def _line(daemons: Daemons, name: str, health: Health, address: str) -> NodeStatus:
    daemon = daemons.ask(name) if health is Health.RUNNING else None
    if daemon is None:
        return NodeStatus(name, health, address)
    return NodeStatus(name, health, address, daemon.process.pid, daemons.megabytes(name, daemon.process))
