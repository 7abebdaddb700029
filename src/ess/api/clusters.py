"""The cluster: nodes that streams and commands run on."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ess.cluster.providers import ClusterStatus, Node
    from ess.cluster.state import ClusterState

__all__ = [
    "cluster_add",
    "cluster_create",
    "cluster_mode",
    "cluster_nodes",
    "cluster_remove",
    "cluster_reset",
    "cluster_set",
    "cluster_start",
    "cluster_status",
    "cluster_stop",
    "cluster_terminate",
]


def cluster_set(mode: str) -> ClusterState:
    """Choose where the nodes of the next cluster come from.

    Args:
        mode: ``local``, ``custom`` for hosts that are reached by SSH, or ``cloud`` for instances of EC2.

    Returns:
        The present cluster; its ``desired`` is None without one.

    Raises:
        OptionError: If the mode is not known, or there is a cluster of another one.
    """
    from ess.cluster import providers
    from ess.errors import OptionError

    if mode not in ("local", "cloud", "custom"):
        raise OptionError(f"unknown mode '{mode}'", where="cluster set", hint="use local, cloud or custom")
    return providers.set_mode(mode)


def cluster_mode() -> str:
    """The place where the nodes of the present cluster, or the next one, come from.

    >>> import ess
    >>> ess.cluster_mode()
    'local'
    """
    from ess.cluster import state
    from ess.errors import InitializationError

    try:
        return state.read_cluster().mode
    except InitializationError:
        return "local"


def cluster_create(number: int = 1, *, add: bool = False, hosts: Sequence[str] = ()) -> ClusterStatus:
    """Start worker nodes: processes that talk to each other with certificates of their own.

    Args:
        number: How many workers, on this machine.
        add: Add them to the present cluster.
        hosts: The hosts to have a worker each, in a cluster of hosts (``cluster_set("custom")``): names, addresses or
            aliases of ``~/.ssh/config``, with ``USER@`` before it. Without them, those of ``reservation.json``.

    Returns:
        What runs then. A worker that could not be started is not ``running`` in it, and ``problems`` says why.

    Raises:
        OptionError: If the number is not valid, or there is a cluster already, or none to add to.
        InitializationError: If the cluster cannot be started.
    """
    from dataclasses import replace

    from ess.cluster import providers

    if cluster_mode() == "cloud":
        from ess.cluster.cloud.overview import ordered

        ordered()
    problems = providers.create(number, add=add, hosts=hosts)
    return replace(providers.status(), problems=tuple(problems))


def cluster_status() -> ClusterStatus:
    """The processes that run; without a cluster, ``state.desired`` is None and commands run in this process.

    >>> import ess
    >>> ess.cluster_status().state.desired is None
    True
    """
    from ess.cluster import providers

    return providers.status()


def cluster_nodes() -> list[Node]:
    """The nodes that commands run on; without a cluster this machine.

    >>> import ess
    >>> [node.id for node in ess.cluster_nodes()]
    [0]
    """
    from ess.cluster import providers

    return providers.nodes()


def cluster_add(hosts: Sequence[str]) -> ClusterStatus:
    """Add hosts to a cluster of hosts; see :func:`cluster_create`."""
    return cluster_create(add=True, hosts=hosts)


def cluster_remove(hosts: Sequence[str]) -> ClusterStatus:
    """Take hosts out of a cluster of hosts. Their workers end, and the others are numbered anew, without a gap.

    Raises:
        OptionError: If one is none of the cluster, or no other is left.
    """
    from ess.cluster import providers

    providers.remove_hosts(hosts)
    return providers.status()


def cluster_start(*, partly: bool = False) -> ClusterStatus:
    """Start a stopped cluster again, and replace workers that were lost.

    Args:
        partly: If some workers cannot be started, go on with the others; ``problems`` of the result says why.

    Raises:
        OptionError: If there is no cluster.
        EssError: If a worker cannot be started.
    """
    from dataclasses import replace

    from ess.cluster import providers

    problems = providers.start()
    if problems and not partly:
        raise problems[0]
    return replace(providers.status(), problems=tuple(problems))


def cluster_stop() -> None:
    """End the processes of the cluster and what they run; :func:`cluster_start` brings it back."""
    from ess.cluster import providers

    if cluster_mode() == "cloud":
        from ess.cluster.cloud.overview import require_stoppable

        require_stoppable()
    providers.stop()


def cluster_terminate(*, everything: bool = False) -> bool:
    """End the cluster with its database servers, and forget it.

    Args:
        everything: Whether to delete its certificates and logs as well.

    Returns:
        Whether there was one.
    """
    from ess.cluster import providers

    return providers.terminate(everything=everything)


def cluster_reset() -> None:
    """Clear the configuration of the cluster, whatever state it is in; its processes end."""
    from ess.cluster import providers

    providers.reset()
