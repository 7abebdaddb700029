"""The desired and the observed state of a cluster, and the steps from one to the other: pure decisions."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Health(enum.Enum):
    """The health of a process of a cluster."""

    RUNNING = "running"
    LOST = "lost"  #: it was started and is gone without having been told to
    ABSENT = "absent"


@dataclass(frozen=True)
class Desired:
    """The cluster that the user asked for. A stopped cluster keeps its size and its certificates."""

    workers: int
    running: bool = True


@dataclass(frozen=True)
class Observed:
    """The cluster as found; ``workers`` by node number. A worker of an earlier scheduler counts as lost."""

    scheduler: Health
    workers: Mapping[int, Health]


@dataclass(frozen=True)
class StartScheduler:
    """Start the scheduler."""


@dataclass(frozen=True)
class EndScheduler:
    """End the scheduler."""


@dataclass(frozen=True)
class StartWorker:
    """Start the worker of a node."""

    node_id: int


@dataclass(frozen=True)
class EndWorker:
    """End the worker of a node, with all it runs, and forget it."""

    node_id: int


Step = StartScheduler | EndScheduler | StartWorker | EndWorker


def steps(desired: Desired, observed: Observed) -> list[Step]:
    """The steps, in order, from the observed to the desired state; none if they are the same.

    >>> steps(Desired(2), Observed(Health.RUNNING, {0: Health.RUNNING, 1: Health.LOST}))
    [EndWorker(node_id=1), StartWorker(node_id=1)]
    """
    wanted = range(desired.workers) if desired.running else range(0)
    result: list[Step] = []
    keeps_scheduler = desired.running and observed.scheduler is Health.RUNNING
    for node_id, health in sorted(observed.workers.items()):
        if health is Health.ABSENT:
            continue
        # Workers do not outlive their scheduler: they would serve one that nobody can reach.
        if node_id not in wanted or health is Health.LOST or not keeps_scheduler:
            result.append(EndWorker(node_id))
    if not keeps_scheduler and observed.scheduler is not Health.ABSENT:
        result.append(EndScheduler())
    if desired.running and not keeps_scheduler:
        result.append(StartScheduler())
    for node_id in wanted:
        if not keeps_scheduler or observed.workers.get(node_id) is not Health.RUNNING:
            result.append(StartWorker(node_id))
    return result
