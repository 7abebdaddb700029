"""Everything in an account that has the tag of a cluster, also what was forgotten; and its end."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ess.cluster.cloud import network
from ess.cluster.cloud.account import Account, Refused
from ess.cluster.cloud.shapes import CLUSTER, CREATED, OWNER, THERE, Instance, Status, instances_in, tags_of
from ess.errors import InitializationError

#: How long the end of machines, and of what they hold, may take, in seconds.
PATIENCE = 600.0

#: Ids in one call.
_MOST = 500

#: Refusals that only mean that something else has to be gone first, or that it is gone already.
_LATER = frozenset({"DependencyViolation", "VolumeInUse", "InvalidGroup.InUse", "IncorrectState"})


class Kind(enum.StrEnum):
    """The kinds of things that belong to clusters, in the order of their end."""

    INSTANCE = "instance"
    VOLUME = "volume"
    GROUP = "security group"
    KEY = "key pair"


@dataclass(frozen=True)
class Thing:
    """Something with the tag of a cluster; ``free`` is False while it cannot be deleted."""

    kind: Kind
    id: str
    cluster: str
    owner: str
    created: str
    region: str
    free: bool = True
    instance: Instance | None = None


def regions(account: Account) -> list[str]:
    """The regions that are switched on for the account."""
    return sorted(region["RegionName"] for region in account.call("ec2", "describe_regions")["Regions"])


def instances(account: Account, cluster: str = "", region: str = "") -> list[Instance]:
    """The instances with the tag of a cluster, or of any; those that have ended are among them for an hour."""
    found = account.pages("ec2", "describe_instances", {"Filters": _filter(cluster)}, "Reservations", region=region)
    return list(instances_in(list(found)))


def look(account: Account, cluster: str = "", region: str = "") -> list[Thing]:
    """Everything that has the tag of a cluster, or of any, in a region; without what has ended."""
    where = region or account.region
    things = []
    for instance in instances(account, cluster, where):
        if instance.status is not Status.ENDED:
            free = instance.status in THERE
            things.append(
                Thing(Kind.INSTANCE, instance.id, instance.cluster, instance.owner, "", where, free, instance)
            )
    listings = (
        (Kind.VOLUME, "describe_volumes", "Volumes", "VolumeId"),
        (Kind.GROUP, "describe_security_groups", "SecurityGroups", "GroupId"),
    )
    for kind, method, result, name in listings:
        for item in account.pages("ec2", method, {"Filters": _filter(cluster)}, result, region=where):
            if item.get("State") not in ("deleting", "deleted"):
                things.append(_thing(kind, item, name, where))
    pairs = account.call("ec2", "describe_key_pairs", {"Filters": _filter(cluster)}, region=where)
    things += [_thing(Kind.KEY, item, "KeyName", where) for item in pairs.get("KeyPairs", ())]
    return things


def end(
    account: Account,
    cluster: str = "",
    *,
    region: str = "",
    owner: str | None = None,
    doubt: bool = False,
    patience: float = PATIENCE,
    pause: Callable[[float], None] = time.sleep,
) -> list[Thing]:
    """End everything that has the tag of a cluster, or of any; returns what there was.

    Instances are ended first; volumes, groups and keys follow when they are confirmed gone.

    Args:
        account: Who asks.
        cluster: The tag; blank for all clusters.
        region: Another region than that of the account.
        owner: Only what this user has made; None for anybody.
        doubt: True if a launch may have happened that nobody has seen: new instances can be invisible for a second.
        patience: Seconds after which it is an error that something is still there.
        pause: Waits.

    Raises:
        InitializationError: If something is still there in the end.
    """
    seen: dict[str, Thing] = {}
    deadline = time.monotonic() + patience
    empty_looks = 0
    while empty_looks < (3 if doubt else 1):
        found = [thing for thing in look(account, cluster, region) if owner in (None, thing.owner)]
        seen |= {thing.id: thing for thing in found}
        if found:
            empty_looks = 0
            _end_some(account, found, region)
            if time.monotonic() > deadline:
                left = ", ".join(f"{thing.kind} {thing.id}" for thing in found)
                raise InitializationError(
                    f"after {patience:.0f} seconds there are still {left}",
                    where="cluster",
                    hint="run it again; the console of EC2 shows what holds them",
                )
        else:
            empty_looks += 1
        if found or doubt:
            pause(1.0)
    return list(seen.values())


def _end_some(account: Account, found: Sequence[Thing], region: str) -> None:
    """End what can be ended now."""
    machines = [thing for thing in found if thing.kind is Kind.INSTANCE]
    if machines:
        for ids in _portions([thing.id for thing in machines if thing.free]):
            _try(account, "terminate_instances", {"InstanceIds": ids}, region)
        return
    for thing in found:
        if thing.kind is Kind.VOLUME and thing.free:
            _try(account, "delete_volume", {"VolumeId": thing.id}, region)
        elif thing.kind is Kind.GROUP:
            network.leave(account, thing.id, region)
            _try(account, "delete_security_group", {"GroupId": thing.id}, region)
        elif thing.kind is Kind.KEY:
            _try(account, "delete_key_pair", {"KeyName": thing.id}, region)


def _try(account: Account, method: str, parameters: dict[str, Any], region: str) -> None:
    try:
        account.call("ec2", method, parameters, region=region)
    except Refused as error:
        # What does not exist is gone; what is held is tried again after the next look.
        if error.code not in _LATER and not error.code.endswith(".NotFound"):
            raise


def _portions(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _MOST):
        yield list(ids[start : start + _MOST])


def _thing(kind: Kind, item: dict[str, Any], name: str, region: str) -> Thing:
    tags = tags_of(item)
    free = item.get("State", "available") == "available"
    return Thing(kind, item[name], tags.get(CLUSTER, ""), tags.get(OWNER, ""), tags.get(CREATED, ""), region, free)


def _filter(cluster: str) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{CLUSTER}", "Values": [cluster]} if cluster else {"Name": "tag-key", "Values": [CLUSTER]}]
