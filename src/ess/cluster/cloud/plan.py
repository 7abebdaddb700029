"""Decisions about machines of EC2, from what was ordered and found; nothing is asked here."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ess.cluster.cloud.shapes import CLUSTER, CREATED, OWNER, THERE, Instance, InstanceType, Status, Subnet
from ess.errors import InitializationError, OptionError

#: The architectures that there are images for.
ARCHITECTURES = ("x86_64", "arm64")

_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"


def image_parameter(architecture: str) -> str:
    """The public parameter of SSM that has the newest image of Amazon Linux 2023.

    >>> image_parameter("arm64")
    '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64'
    """
    if architecture not in ARCHITECTURES:
        raise OptionError(f"no image for {architecture} machines", where="--type", hint="give another type")
    return _IMAGE + architecture


def architecture_of(supported: Sequence[str], name: str) -> str:
    """The architecture of a type, from those that it supports.

    Raises:
        OptionError: If there are no images for it.
    """
    for architecture in ARCHITECTURES:
        if architecture in supported:
            return architecture
    raise OptionError(
        f"machines of the type {name} are {', '.join(supported) or 'of no known architecture'}",
        where="--type",
        hint="give a type of x86_64 or arm64 machines, e.g. m7i.large or m7g.large",
    )


def require_processor(kind: InstanceType, here: str) -> None:
    """Refuse machines that cannot run what this one sends them; ``here`` as ``uname -m`` has it.

    Raises:
        OptionError: If they have another processor.
    """
    if {"aarch64": "arm64"}.get(here, here) != kind.architecture:
        raise OptionError(
            f"{kind.name} machines are {kind.architecture}, and this one, whose program they get, is {here}",
            where="--type",
            hint="give a type with the processor of this machine",
        )


def tags(cluster: str, owner: str, created: int) -> dict[str, str]:
    """The tags of all that belongs to a cluster: which one, whose, and since when."""
    when = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {CLUSTER: cluster, OWNER: owner[:256], CREATED: when}


def tagging(kinds: Iterable[str], values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tags for what a call makes, as EC2 wants them."""
    listed = [{"Key": key, "Value": value} for key, value in values.items()]
    return [{"ResourceType": kind, "Tags": listed} for kind in kinds]


def token(cluster: str, numbers: Sequence[int], generation: int, parameters: Mapping[str, Any]) -> str:
    """The client token of a launch: EC2 does a launch with the same one only once.

    It is another one for another cluster, other nodes, other parameters (EC2 refuses those under a token that is
    known), and after a launch that is known to have happened: its machines may be gone by now, and be wanted again.
    """
    text = json.dumps([cluster, list(numbers), generation, parameters], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def owner_of(arn: str) -> str:
    """The owner that a caller is known by: the name of the session of an instance's role is left out.

    >>> owner_of("arn:aws:sts::1:assumed-role/Master/i-0123456789abcdef0")
    'arn:aws:sts::1:assumed-role/Master'
    >>> owner_of("arn:aws:sts::1:assumed-role/People/ann@example.com")
    'arn:aws:sts::1:assumed-role/People/ann@example.com'
    """
    return re.sub(r"(:assumed-role/.*)/i-[0-9a-f]+$", r"\1", arn)[:256]


def runs(numbers: Iterable[int]) -> list[range]:
    """The numbers as ranges without gaps.

    >>> runs([4, 0, 1, 5, 7])
    [range(0, 2), range(4, 6), range(7, 8)]
    """
    found: list[range] = []
    for number in sorted(set(numbers)):
        if found and found[-1].stop == number:
            found[-1] = range(found[-1].start, number + 1)
        else:
            found.append(range(number, number + 1))
    return found


@dataclass(frozen=True)
class Sorted:
    """The machines of a cluster, sorted out.

    Attributes:
        kept: One for each node that has one.
        missing: The nodes that have none.
        doubled: What a launch has made twice; to be ended.
    """

    kept: Mapping[int, Instance]
    missing: tuple[int, ...]
    doubled: tuple[Instance, ...]


def sort_out(wanted: Iterable[int], found: Iterable[Instance]) -> Sorted:
    """Decide which machines to adopt, to make and to end.

    Of two for one node, the one that runs is kept, then the older one. Machines of other nodes are left alone, and
    what has ended does not count.
    """
    by_number: dict[int, list[Instance]] = {}
    for instance in found:
        if instance.status in THERE:
            by_number.setdefault(instance.number, []).append(instance)
    kept: dict[int, Instance] = {}
    doubled: list[Instance] = []
    for number, instances in sorted(by_number.items()):
        kept[number], *others = sorted(instances, key=_preference)
        doubled += others
    return Sorted(kept, tuple(sorted(set(wanted) - kept.keys())), tuple(doubled))


def _preference(instance: Instance) -> tuple[bool, datetime, str]:
    return instance.status not in (Status.PENDING, Status.RUNNING), instance.launched, instance.id


def order_subnets(
    subnets: Sequence[Subnet], kind: InstanceType, *, near: str = "", chosen: Sequence[str] = (), outside: bool = False
) -> list[Subnet]:
    """The subnets to try, in order.

    Args:
        subnets: Those of the network.
        kind: The type of the machines: some zones have none of it.
        near: The subnet of this machine, if it is in the network: first, as nothing is paid for traffic in a zone.
        chosen: Those that the user has named: these only, in this order.
        outside: True if commands come from outside, so that the machines need addresses on the internet.

    Raises:
        InitializationError: If none is fit, with the reasons.
    """
    where = "--subnet" if chosen else "network"
    usable, reasons = [], []
    for subnet in subnets:
        if chosen and subnet.id not in chosen:
            continue
        if kind.zones and subnet.zone not in kind.zones:
            reasons.append(f"{subnet.id}: no {kind.name} in {subnet.zone}")
        elif not subnet.free:
            reasons.append(f"{subnet.id}: no address is free")
        elif outside and not subnet.outside:
            reasons.append(f"{subnet.id}: no route to the internet")
        else:
            usable.append(subnet)
    if not usable:
        raise InitializationError(
            f"no subnet is fit ({'; '.join(reasons) or 'there is none'})",
            where=where,
            hint="name one that is with --subnet, or give another --type or --region",
        )
    home = next((subnet.zone for subnet in subnets if subnet.id == near), "")
    names = list(chosen)

    def rank(subnet: Subnet) -> tuple[int, bool, bool, int, str]:
        place = names.index(subnet.id) if names else 0
        return place, subnet.id != near, subnet.zone != home, -subnet.free, subnet.id

    return sorted(usable, key=rank)


def can_start(instances: Iterable[Instance]) -> list[Instance]:
    """Those that can be started: the others run, or are gone for good."""
    return [instance for instance in instances if instance.status in (Status.STOPPED, Status.STOPPING)]


def can_stop(instances: Iterable[Instance]) -> list[Instance]:
    """Those that run.

    Raises:
        OptionError: If one was bought on the spot market: AWS does not stop it.
    """
    running = [instance for instance in instances if instance.status in (Status.PENDING, Status.RUNNING)]
    if any(instance.spot for instance in running):
        raise not_stopped()
    return running


def not_stopped() -> OptionError:
    """The error for stopping machines of the spot market."""
    return OptionError(
        "machines of the spot market cannot be stopped", where="cluster", hint="use: ess cluster terminate"
    )


@dataclass(frozen=True)
class Admission:
    """The rules that a security group lacks, and those that it must lose; addresses are blocks such as 1.2.3.4/32."""

    itself: bool
    admit: tuple[str, ...]
    refuse: tuple[str, ...]


def admission(rules: Sequence[Mapping[str, Any]], group: str, callers: Iterable[str]) -> Admission:
    """Compare the rules of a group with what it shall admit: itself, and SSH from where commands come from."""
    itself = any(
        rule.get("IpProtocol") == "-1"
        and any(pair.get("GroupId") == group for pair in rule.get("UserIdGroupPairs", ()))
        for rule in rules
    )
    present = {
        block["CidrIp"]
        for rule in rules
        if (rule.get("IpProtocol"), rule.get("FromPort"), rule.get("ToPort")) == ("tcp", 22, 22)
        for block in rule.get("IpRanges", ())
    }
    wanted = set(callers)
    return Admission(not itself, tuple(sorted(wanted - present)), tuple(sorted(present - wanted)))


def ways_out(tables: Sequence[Mapping[str, Any]], subnets: Iterable[str]) -> list[str]:
    """The subnets from which a route leads to an internet gateway, by the route tables of their network.

    A subnet with no table of its own has the main one.
    """
    own: dict[str, bool] = {}
    main = False
    for table in tables:
        out = any(
            route.get("GatewayId", "").startswith("igw-")
            and route.get("DestinationCidrBlock") == "0.0.0.0/0"
            and route.get("State") != "blackhole"
            for route in table.get("Routes", ())
        )
        for link in table.get("Associations", ()):
            if link.get("SubnetId"):
                own[link["SubnetId"]] = out
            main = main or (out and bool(link.get("Main")))
    return [subnet for subnet in subnets if own.get(subnet, main)]


def host_keys(output: str) -> tuple[str, ...]:
    r"""The keys of a machine's SSH server that it has printed on its console when it first started.

    >>> host_keys("-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA root@a\n-----END SSH HOST KEY KEYS-----\n")
    ('ssh-ed25519 AAAA',)
    """
    found = re.findall(r"BEGIN SSH HOST KEY KEYS-+\r?\n(.*?)-+END SSH HOST KEY KEYS", output, re.DOTALL)
    keys = re.findall(r"((?:ssh|ecdsa)-[\w@.-]+ [\w+/=]+)", found[-1]) if found else []
    return tuple(keys)
