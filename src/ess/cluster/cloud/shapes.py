"""Instances, subnets and types of EC2 as they were found, and what the user has ordered."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ess.cluster.cloud.limits import Limits

#: The tags of all that belongs to a cluster. Hyphens, as conditions of policies name them, too.
CLUSTER, OWNER, CREATED, FIRST = "essentia-cluster", "essentia-owner", "essentia-created", "essentia-first"


class Status(enum.StrEnum):
    """The states of an instance, in EC2's words."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ENDING = "shutting-down"
    ENDED = "terminated"


_NEVER = datetime.fromtimestamp(0, UTC)

#: Those of an instance that is there, or will be.
THERE = frozenset({Status.PENDING, Status.RUNNING, Status.STOPPING, Status.STOPPED})


@dataclass(frozen=True)
class Instance:
    """An instance with the tag of a cluster.

    Attributes:
        number: That of its node: the first of its launch, which is a tag, and its place in the launch.
        private: Its address in the VPC; public: that from outside; blank without one.
        launched: The start of the present run; ``stopped``: its end, if it is known.
        spot: True if AWS may take it back, so that it cannot be stopped.
        vpc: Its network.
    """

    id: str
    number: int
    status: Status
    cluster: str = ""
    owner: str = ""
    type: str = ""
    image: str = ""
    zone: str = ""
    subnet: str = ""
    reservation: str = ""
    private: str = ""
    public: str = ""
    launched: datetime = _NEVER
    stopped: datetime | None = None
    spot: bool = False
    vpc: str = ""


@dataclass(frozen=True)
class Subnet:
    """A subnet; ``free`` are the addresses left in it, ``outside`` True if a route leads to the internet."""

    id: str
    vpc: str
    zone: str
    free: int
    outside: bool = False


@dataclass(frozen=True)
class InstanceType:
    """A kind of machine; ``memory`` in MB. ``zones`` are those that have it."""

    name: str
    architecture: str
    processors: int
    memory: int
    spot: bool
    zones: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Image:
    """A disk image: its first device, and the least size of that in GB."""

    id: str
    architecture: str
    device: str
    least: int


@dataclass(frozen=True)
class Order:
    """The machines as the user has ordered them.

    Attributes:
        image: Blank for Amazon Linux 2023.
        subnets: None for those of the network that is found.
        disk: GB; 0 for what the image needs, at least 30.
        role: The instance profile of the machines, which reads cloud files; blank for none.
        price: Dollars per hour and machine, if the user says so.
    """

    region: str
    type: str = "m7i.large"
    image: str = ""
    subnets: tuple[str, ...] = ()
    spot: bool = False
    disk: int = 0
    role: str = ""
    limits: Limits = field(default_factory=Limits)
    price: float | None = None


def tags_of(item: Mapping[str, Any]) -> dict[str, str]:
    """The tags of something that AWS has described."""
    return {tag["Key"]: tag["Value"] for tag in item.get("Tags", ())}


def instances_in(reservations: Sequence[Mapping[str, Any]]) -> Iterator[Instance]:
    """The instances in an answer of DescribeInstances that have a cluster's tags."""
    for reservation in reservations:
        for item in reservation.get("Instances", ()):
            tags = tags_of(item)
            first = tags.get(FIRST, "")
            if CLUSTER in tags:
                yield Instance(
                    item["InstanceId"],
                    (int(first) if first.isdecimal() else 0) + int(item.get("AmiLaunchIndex", 0)),
                    Status(item["State"]["Name"]),
                    tags[CLUSTER],
                    tags.get(OWNER, ""),
                    item.get("InstanceType", ""),
                    item.get("ImageId", ""),
                    item.get("Placement", {}).get("AvailabilityZone", ""),
                    item.get("SubnetId", ""),
                    reservation.get("ReservationId", ""),
                    item.get("PrivateIpAddress") or "",
                    item.get("PublicIpAddress") or "",
                    item["LaunchTime"],
                    stop_time(item.get("StateTransitionReason") or ""),
                    item.get("InstanceLifecycle") == "spot",
                    item.get("VpcId", ""),
                )


def stop_time(reason: str) -> datetime | None:
    """The time in the reason that EC2 gives for a state.

    >>> stop_time("User initiated (2026-11-30 10:00:00 GMT)")
    datetime.datetime(2026, 11, 30, 10, 0, tzinfo=datetime.timezone.utc)
    """
    found = re.search(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)", reason)
    return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if found else None
