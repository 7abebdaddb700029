"""Machines of EC2 as nodes of a cluster: they are made by :mod:`machines`, and then are hosts reached by SSH."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from ess import settings
from ess.cluster import program
from ess.cluster.cloud.machines import CloudMachine, CloudMachines
from ess.cluster.cloud.shapes import Status
from ess.cluster.host import Host, in_parallel
from ess.cluster.host_machines import HostMachines
from ess.cluster.machines import Machine
from ess.cluster.ssh_host import SshHost, known_hosts
from ess.errors import EssError, InitializationError

#: The user of Amazon Linux.
USER = "ec2-user"

#: How long a machine that runs may take until its SSH server lets us in, in seconds.
PATIENCE = 240.0

#: Installs the Python that the program needs, where it is a package of the system: Amazon Linux has 3.9 itself.
_PYTHON = """command -v "$0" >/dev/null || { command -v dnf >/dev/null && sudo -n dnf -y -q install "$0" >&2; }"""


class CloudNodes:
    """Nodes on EC2; see :class:`ess.cluster.machines.Machines`.

    Args:
        machines: The provider of the machines.
        pause: Waits.
        patience: See :data:`PATIENCE`.
    """

    most = CloudMachines.most

    def __init__(
        self,
        machines: CloudMachines | None = None,
        *,
        pause: Callable[[float], None] = time.sleep,
        patience: float = PATIENCE,
    ) -> None:
        self.machines = machines or CloudMachines()
        self._hosts = HostMachines()
        self._pause, self._patience = pause, patience

    @property
    def master(self) -> Machine:
        """This machine, by the address at which the others reach it."""
        return self._hosts.master

    def list(self, tag: str) -> Sequence[Machine]:
        """The machines that are nodes; nobody asks AWS for them."""
        return self._hosts.list(tag)

    def host(self, machine: Machine) -> Host:
        """The way to a machine."""
        return self._hosts.host(machine)

    def make(self, tag: str, numbers: Sequence[int]) -> None:
        """Make the machines that are missing, and nodes of all that run.

        Raises:
            EssError: If there is none, or one cannot be a node.
        """
        self.machines.require_inside()
        self.machines.make(tag, numbers)
        running = [each for each in self.machines.list(tag) if each.instance.status is Status.RUNNING]
        before = {machine.number: machine.id for machine in self._hosts.list(tag)}
        new = [each for each in running if before.get(each.number) != _name(each)]
        for each in new:
            _forget_key(each.address)  # of a machine that had the address before
        self._hosts.settle(tag, {each.number: _name(each) for each in running}, identity=self.machines.key_file)
        for problem in in_parallel([partial(self._ready, each) for each in new]):
            if problem is not None:
                raise problem
        self._hosts.make(tag, [each.number for each in running])

    def start(self, tag: str) -> None:
        """Start the machines that are stopped."""
        self.machines.require_inside()
        self.machines.start(tag)
        running = [each for each in self.machines.list(tag) if each.instance.status is Status.RUNNING]
        for problem in in_parallel([partial(self._ready, each) for each in running]):
            if problem is not None:
                raise problem

    def stop(self, tag: str) -> None:
        """Stop the machines; their disks are kept."""
        self.machines.stop(tag)

    def end(self, tag: str) -> None:
        """End the machines, and all that belongs to the cluster."""
        self.machines.end(tag)
        for machine in self._hosts.list(tag):
            _forget_key(machine.address)
        self._hosts.forget(tag)

    def _ready(self, machine: CloudMachine) -> None:
        """Wait until a machine lets us in, compare its key with that on its console, and see to its Python."""
        host = SshHost(_name(machine), identity=self.machines.key_file)
        deadline = time.monotonic() + self._patience
        while True:
            try:
                host.run(["true"])
                break
            except EssError:
                if time.monotonic() > deadline:
                    raise
            self._pause(2.0)
        printed = self.machines.host_keys(machine)
        pinned = _pinned(machine.address)
        if printed and pinned and not set(pinned) & set(printed):
            raise InitializationError(
                "the key of its SSH server is not one that it has printed on its console",
                where=f"{machine.id} ({machine.address})",
                hint="somebody may be in its place; end it with: ess cluster terminate",
            )
        host.run(["/bin/sh", "-c", _PYTHON, f"python{program.this_program().needs.python}"])


def _name(machine: CloudMachine) -> str:
    return f"{USER}@{machine.address}"


def _pinned(address: str) -> list[str]:
    """The keys that are known of a host."""
    try:
        lines = known_hosts().read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    return [line.partition(" ")[2].strip() for line in lines if address in line.partition(" ")[0].split(",")]


def _forget_key(address: str) -> None:
    file = known_hosts()
    try:
        lines = file.read_text("utf-8", "surrogateescape").splitlines(keepends=True)
    except FileNotFoundError:
        return
    kept = [line for line in lines if address not in line.partition(" ")[0].split(",")]
    if len(kept) < len(lines):
        settings.write_private(file, "".join(kept).encode("utf-8", "surrogateescape"))
