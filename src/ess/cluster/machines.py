"""The machines of clusters: a provider makes, lists and ends them. It knows nothing of Dask or of databases.

This machine is as many nodes as are asked for; hosts reached by SSH are in :mod:`ess.cluster.host_machines`. A kind is
one class and one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ess import settings
from ess.cluster import state
from ess.cluster.host import Host, ThisMachine

VERSION = 1


@dataclass(frozen=True)
class Machine:
    """A machine of a cluster.

    Attributes:
        id: How its provider calls it.
        number: That of the node on it, from 0.
        address: Where its processes listen, and others reach them.
    """

    id: str
    number: int
    address: str


class Machines(Protocol):
    """A provider of machines. What belongs to a cluster is found by its tag."""

    #: The most that make sense; more is a slip of the finger.
    most: int

    @property
    def master(self) -> Machine:
        """The machine of the scheduler, which commands are given on."""

    def list(self, tag: str) -> Sequence[Machine]:
        """The machines of a cluster, by number."""

    def make(self, tag: str, numbers: Sequence[int]) -> None:
        """Make the machines of these nodes; one that exists already is left alone."""

    def start(self, tag: str) -> None:
        """Switch on the machines of a cluster that are off, if the provider can."""

    def stop(self, tag: str) -> None:
        """Switch off the machines of a cluster, if the provider can; they keep what is on their disks."""

    def end(self, tag: str) -> None:
        """End all machines of a cluster, and forget them."""

    def host(self, machine: Machine) -> Host:
        """The way to a machine."""


class LocalMachines:
    """This machine; see :class:`Machines`. A file in the cluster's folder has the place of tags."""

    most = 64
    master = Machine("here", 0, "127.0.0.1")

    def list(self, tag: str) -> Sequence[Machine]:
        """As many as were made."""
        content = settings.read_state(state.cluster_folder() / "machines.json", VERSION)
        numbers = sorted(int(number) for number in content.get("numbers", ()) if content.get("tag") == tag)
        return [Machine("here", number, self.master.address) for number in numbers]

    def make(self, tag: str, numbers: Sequence[int]) -> None:
        """Note them."""
        every = sorted({*numbers, *(machine.number for machine in self.list(tag))})
        settings.write_state(state.cluster_folder() / "machines.json", VERSION, {"tag": tag, "numbers": every})

    def start(self, tag: str) -> None:
        """Nothing: it runs."""

    def stop(self, tag: str) -> None:
        """Nothing: it runs on."""

    def end(self, tag: str) -> None:
        """Forget them; the machine stays."""
        (state.cluster_folder() / "machines.json").unlink(missing_ok=True)

    def host(self, machine: Machine) -> Host:
        """This machine."""
        return ThisMachine()


def _custom() -> Machines:
    from ess.cluster.host_machines import HostMachines  # which few clusters need

    return HostMachines()


def _cloud() -> Machines:
    from ess.cluster.cloud.nodes import CloudNodes  # which few clusters need

    return CloudNodes()


#: The providers by the words of ``ess cluster set``.
PROVIDERS: Mapping[str, Callable[[], Machines]] = {"local": LocalMachines, "cloud": _cloud, "custom": _custom}


def machines_of(mode: str) -> Machines:
    """The provider that ``ess cluster set`` chose."""
    return PROVIDERS[mode]()
