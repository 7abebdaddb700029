"""The assignment of bundles to nodes: a state machine fed with events, and the interface of a runtime.

It knows no processes and no network, so that losing nodes at any moment is a plain test.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ess.cluster.work import Job, Outcome, Task

#: After this many lost nodes, a bundle is not tried again: it may be what kills them.
ATTEMPTS = 3


@dataclass(frozen=True, order=True)
class Slot:
    """A place that runs one bundle at a time: a thread of a node, both counted from 0."""

    node_id: int
    thread_id: int


@dataclass(frozen=True)
class Finished:
    """The end of a bundle in ``slot``, with one outcome for each of its tasks."""

    slot: Slot
    bundle: int
    attempt: int
    outcomes: Sequence[Outcome]


@dataclass(frozen=True)
class NodeLost:
    """The loss of a node, with all it was running."""

    node_id: int


@dataclass(frozen=True)
class Notice:
    """A line for the user: something does not answer."""

    text: str


Event = Finished | NodeLost | Notice


class Runtime(Protocol):
    """The slots that bundles run in: in this process, or on a cluster."""

    def slots(self) -> Sequence[Slot]:
        """The places there are now; nodes may be lost and replaced."""
        ...

    @property
    def at_a_time(self) -> int:
        """The number of bundles that run at a time; there may be more slots, where bundles wait."""
        ...

    def start(self, slot: Slot, bundle: int, attempt: int, job: Job, tasks: list[Task]) -> None:
        """Begin a bundle in a slot that is idle."""
        ...

    def wait(self, seconds: float) -> list[Event]:
        """The events so far; returns early as soon as there is one."""
        ...

    def stop(self) -> None:
        """Kill all running commands of this runtime's jobs and return when they are gone."""
        ...

    def close(self) -> None:
        """Give everything back. Stops what still runs."""
        ...


class Dispatch:
    """The bundles of a job: waiting, running, done, or given up."""

    def __init__(self, nodes: Sequence[int | None], *, attempts: int = ATTEMPTS) -> None:
        """Args: the node each bundle has to run on (None: any), and how often one is tried at most."""
        self._nodes = nodes
        self._waiting = deque(range(len(nodes)))
        self._running: dict[Slot, int] = {}
        self._tried = [0] * len(nodes)
        self._most = attempts
        self._done: set[int] = set()

    @property
    def complete(self) -> bool:
        """True if nothing waits or runs any more."""
        return len(self._done) == len(self._nodes)

    @property
    def running(self) -> int:
        """The number of bundles that run."""
        return len(self._running)

    def assign(self, slots: Iterable[Slot]) -> list[tuple[Slot, int, int]]:
        """Give waiting bundles, the earliest first, to idle slots: ``(slot, bundle, attempt)``, attempts from 1.

        Nodes take turns, so that a few bundles do not all go to the threads of one node.
        """
        idle = sorted(
            (slot for slot in slots if slot not in self._running), key=lambda slot: (slot.thread_id, slot.node_id)
        )
        assigned = []
        for slot in idle:
            bundle = next((each for each in self._waiting if self._nodes[each] in (None, slot.node_id)), None)
            if bundle is None:
                continue
            self._waiting.remove(bundle)
            self._running[slot] = bundle
            self._tried[bundle] += 1
            assigned.append((slot, bundle, self._tried[bundle]))
        return assigned

    def runs(self, slot: Slot, bundle: int, attempt: int) -> bool:
        """True if a bundle runs in that slot; False if it was given to another node meanwhile."""
        return self._running.get(slot) == bundle and self._tried[bundle] == attempt

    def finished(self, slot: Slot, bundle: int, attempt: int) -> bool:
        """Record a bundle's end; False if :meth:`runs` is."""
        if not self.runs(slot, bundle, attempt):
            return False
        del self._running[slot]
        self._done.add(bundle)
        return True

    def lost(self, node_id: int) -> list[int]:
        """Record the loss of a node: its bundles wait again; returns those given up, which count as done."""
        slots = [slot for slot in self._running if slot.node_id == node_id]
        return [bundle for slot in slots for bundle in self.broken_off(slot)]

    def broken_off(self, slot: Slot) -> list[int]:
        """Record that the bundle in a slot was not run to its end: as :meth:`lost`."""
        bundle = self._running.pop(slot)
        if self._tried[bundle] < self._most:
            bisect.insort(self._waiting, bundle)
            return []
        self._done.add(bundle)
        return [bundle]
