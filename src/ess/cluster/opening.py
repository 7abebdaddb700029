"""The choice of a job's runtime: the cluster if there is one, else this process."""

from __future__ import annotations

from pathlib import Path

from ess.cluster.dispatch import Runtime
from ess.cluster.embedded import EmbeddedRuntime
from ess.cluster.processors import usable_processors
from ess.cluster.state import read_cluster


def open_runtime(folder: Path, *, threads: int | None, master: bool = False) -> Runtime:
    """The runtime for a job; workers of the cluster that were lost are replaced first.

    Args:
        folder: Takes the output of the commands until it is delivered.
        threads: The number of bundles at a time on each node; None: one on each node of a cluster, else one for each
            processor.
        master: Run here, although there is a cluster.

    Raises:
        InitializationError: If there is a cluster that is stopped or cannot be used.
    """
    if master or read_cluster().desired is None:
        return EmbeddedRuntime(folder, threads or usable_processors())
    from ess.cluster.providers import ensure_running  # loads what machines need

    found = ensure_running()
    if found is None:  # it was terminated a moment ago
        return EmbeddedRuntime(folder, threads or usable_processors())
    if found.mode != "local":
        from ess.cluster.node_databases import far_hosts, share_definitions

        share_definitions(far_hosts())
    assert found.id is not None
    assert found.desired is not None
    from ess.cluster.runtime import DaskRuntime  # takes half a second, which a run without a cluster need not spend

    return DaskRuntime(found.desired.workers, found.id, folder, threads or 1)
