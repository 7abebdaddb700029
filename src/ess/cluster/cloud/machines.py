"""The provider of machines of EC2: make, list, stop, start and end them; see :class:`ess.cluster.machines.Machines`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from ess.cluster import state
from ess.cluster.cloud import belongings, costs, making, network, plan, record
from ess.cluster.cloud.account import Account
from ess.cluster.cloud.limits import deadlines, warning
from ess.cluster.cloud.place import Place, this_place
from ess.cluster.cloud.record import Record
from ess.cluster.cloud.shapes import Instance, Order, Status
from ess.cluster.machines import Machine
from ess.errors import EssWarning, InitializationError, OptionError


@dataclass(frozen=True)
class CloudMachine(Machine):
    """A machine of EC2.

    Attributes:
        instance: What EC2 says of it.
    """

    instance: Instance


@dataclass(frozen=True)
class Bill:
    """The dollars that a cluster costs: in an hour, as it runs now, and so far, both without disks; None if unknown.

    Attributes:
        warning: A line if the machines are about to end by themselves.
    """

    hourly: float | None
    so_far: float | None
    warning: str | None


class CloudMachines:
    """The machines of the user's cluster in the cloud.

    Args:
        account: Who asks; None for the user, in the region of the order.
        place: Finds out where this machine is.
        pause: Waits.
        patience: Seconds after which a machine that does not start, stop or end is an error.
    """

    most = 1000

    def __init__(
        self,
        account: Account | None = None,
        *,
        place: Callable[[], Place | None] = this_place,
        pause: Callable[[float], None] = time.sleep,
        patience: float = belongings.PATIENCE,
    ) -> None:
        self._given, self._find_place = account, place
        self._pause, self._patience = pause, patience

    @cached_property
    def _place(self) -> Place | None:
        return self._find_place()

    @cached_property
    def _account(self) -> Account:
        if self._given is not None:
            return self._given
        try:
            known = record.read()
        except InitializationError:
            known = None  # a damaged file must keep nothing alive
        return Account(known.order.region if known else "", otherwise=self._place.region if self._place else "")

    @property
    def key_file(self) -> Path:
        """The private key for the machines of the cluster."""
        return state.cluster_folder() / "cloud-key" / "key"

    def list(self, tag: str) -> Sequence[CloudMachine]:
        """Those that are there, also stopped ones, by number."""
        found = plan.sort_out((), belongings.instances(self._account, tag)).kept
        return [CloudMachine(instance.id, number, instance.private, instance) for number, instance in found.items()]

    def order(self, wanted: Order) -> None:
        """Write down what the next machines shall be; those of a cluster are all in one region.

        Raises:
            OptionError: If it makes no sense.
        """
        wanted.limits.check()
        known = record.read()
        if known is not None and known.tag and wanted.region not in ("", known.order.region):
            raise OptionError(
                f"the machines of the cluster are in {known.order.region}", where="--region", hint="leave it out"
            )
        if known is not None and known.tag:
            wanted = replace(wanted, region=known.order.region)
        elif not wanted.region:
            wanted = replace(wanted, region=self._account.region)
        record.write(replace(known, order=wanted) if known else Record(wanted))

    def make(self, tag: str, numbers: Sequence[int]) -> None:
        """Make the machines of these nodes that are not there, adopt the others, and end what is there twice.

        Raises:
            EssError: If none can be made. If only some can, that is a warning.
        """
        known = record.read() or Record(Order(self._account.region))
        found = plan.sort_out(numbers, belongings.instances(self._account, tag))
        if found.doubled:
            ids = [instance.id for instance in found.doubled]
            self._account.call("ec2", "terminate_instances", {"InstanceIds": ids})
        if not found.missing:
            if known.open and known.tag == tag:
                record.write(record.done(known))
            return
        if found.kept and known.order.limits.budget and known.tag == tag and not known.open:
            lost = len(found.missing)
            warnings.warn(
                f"{lost} more machines get a budget of their own, {known.order.limits.budget:g} dollars",
                EssWarning,
                stacklevel=2,
            )
        known = record.write(record.begin(known, tag, int(time.time()), self._account.owner, len(found.missing)))
        made, refusals = making.make(self._account, known, self._place, self.key_file, found.missing)
        if not made:
            raise refusals[0]
        record.write(record.done(record.read() or known))
        running, ended = self._until_running(tag, made)
        if not running:
            raise InitializationError("the machines ended while they started", where="EC2", hint=_reasons(ended))
        if refusals or ended:
            why = [*(str(refusal) for refusal in refusals[:1]), *([_reasons(ended)] if ended else [])]
            text = f"{len(running)} of {len(found.missing)} machines could be made: {'; '.join(why)}"
            warnings.warn(text, EssWarning, stacklevel=2)

    def stop(self, tag: str) -> None:
        """Stop the machines; their disks are kept. Returns when none runs.

        Raises:
            OptionError: If they are of the spot market.
        """
        running = plan.can_stop(machine.instance for machine in self.list(tag))
        if running:
            self._account.call("ec2", "stop_instances", {"InstanceIds": [instance.id for instance in running]})
        self._until(tag, {instance.id for instance in running}, {Status.STOPPED, Status.ENDING, Status.ENDED})

    def start(self, tag: str) -> None:
        """Start the machines that are stopped. They have other public addresses then."""
        network.admit(self._account, tag, self._inside(tag))
        stopped = plan.can_start(machine.instance for machine in self.list(tag))
        ids = {instance.id for instance in stopped}
        self._until(tag, ids, {Status.STOPPED, Status.ENDING, Status.ENDED})
        known = record.read()
        if known is not None and ids:
            now = datetime.now(UTC)
            earlier = dict(known.spent)
            for instance in belongings.instances(self._account, tag):
                if instance.id in ids and instance.status is Status.STOPPED:
                    earlier[instance.id] = earlier.get(instance.id, 0.0) + costs.run_seconds(instance, now)
            record.write(replace(known, spent=earlier))
        if ids:
            self._account.call("ec2", "start_instances", {"InstanceIds": sorted(ids)})
            _, ended = self._until_running(tag, ids)
            if ended:
                raise InitializationError("machines ended while they started", where="EC2", hint=_reasons(ended))

    def end(self, tag: str) -> None:
        """End the machines and all that belongs to the cluster, and forget it once it is confirmed gone."""
        try:
            known = record.read()
            doubt = known is not None and known.open
        except InitializationError:
            known, doubt = None, True  # a damaged file must keep nothing alive
        if known is not None and known.tag != tag:
            return  # nothing has been asked of AWS for it
        belongings.end(self._account, tag, doubt=doubt, patience=self._patience, pause=self._pause)
        record.forget()
        for file in (self.key_file, self.key_file.with_name("key.pub")):
            file.unlink(missing_ok=True)

    def host_keys(self, machine: Machine) -> tuple[str, ...]:
        """The keys of a machine's SSH server by its console; none if it has not printed them yet."""
        said = self._account.call("ec2", "get_console_output", {"InstanceId": machine.id})
        return plan.host_keys(str(said.get("Output", "")))

    def bill(self, tag: str) -> Bill:
        """The cost of the cluster."""
        known = record.read()
        now = datetime.now(UTC)
        found = belongings.instances(self._account, tag)
        hourly = known.hourly if known is not None else None
        earlier = known.spent if known is not None else {}
        warned = None
        if known is not None and known.tag == tag and known.created:
            limits = deadlines(known.order.limits, known.created, max(1, known.share), hourly)
            ran = max((_minutes(instance, earlier, now) for instance in found), default=0)
            warned = warning(limits, int(now.timestamp()), ran)
        return Bill(costs.per_hour(found, hourly), costs.so_far(found, earlier, hourly, now), warned)

    def require_inside(self) -> None:
        """Refuse to make machines that this one could not work with.

        Raises:
            OptionError: If this machine is no instance of the region.
        """
        if self._place is None or self._place.region != self._account.region:
            raise OptionError(
                f"this machine is no EC2 instance of {self._account.region}: from outside it is not available yet",
                where="ess cluster create",
                hint="give the command on an instance in the network that the machines shall be in",
            )

    # Waiting ---------------------------------------------------------------------------------------------------------

    def _until_running(self, tag: str, ids: Iterable[str]) -> tuple[set[str], set[str]]:
        """Wait until machines run, or have ended; returns which do which."""
        seen = self._until(tag, set(ids), {Status.RUNNING, Status.ENDING, Status.ENDED})
        running = {name for name, status in seen.items() if status is Status.RUNNING}
        return running, seen.keys() - running

    def _until(self, tag: str, ids: set[str], states: set[Status]) -> Mapping[str, Status]:
        """Wait until each of some machines is in one of these states. One that cannot be seen yet is waited for."""
        deadline = time.monotonic() + self._patience
        while True:
            found = {i.id: i.status for i in belongings.instances(self._account, tag) if i.id in ids}
            late = sorted(ids - {name for name, status in found.items() if status in states})
            if not late:
                return found
            if time.monotonic() > deadline:
                said = ", ".join(f"{name} {found.get(name, 'cannot be seen')}" for name in late)
                raise InitializationError(
                    f"after {self._patience:.0f} seconds: {said}", where="EC2", hint="see: ess cluster status"
                )
            self._pause(1.0)

    def _inside(self, tag: str) -> Place | None:
        """This machine, if it is in the network of the cluster."""
        if self._place is None or self._place.region != self._account.region:
            return None
        for thing in belongings.look(self._account, tag):
            if thing.instance is not None and thing.instance.vpc == self._place.vpc:
                return self._place
        return None


def _minutes(instance: Instance, earlier: Mapping[str, float], now: datetime) -> int:
    return int((costs.run_seconds(instance, now) + earlier.get(instance.id, 0.0)) // 60)


def _reasons(ended: Iterable[str]) -> str:
    return f"the console of EC2 says why: {', '.join(sorted(ended))}"
