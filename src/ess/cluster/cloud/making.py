"""The steps of a launch: what machines need is found or made, then they are, where there is room for them."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ess.cluster.cloud import launching, network, plan, prices, record
from ess.cluster.cloud.account import Account
from ess.cluster.cloud.limits import deadlines
from ess.cluster.cloud.place import Place
from ess.cluster.cloud.record import Record
from ess.cluster.cloud.refusals import NO_ROOM, Refused
from ess.cluster.cloud.shapes import Image, InstanceType, Order, Subnet
from ess.cluster.cloud.timer import user_data
from ess.errors import EssWarning, OptionError


def make(
    account: Account, known: Record, place: Place | None, key_file: Path, missing: Iterable[int]
) -> tuple[set[str], list[Refused]]:
    """Launch the machines of some nodes: together in one subnet if there is room, else where there is some.

    Args:
        account: Who asks.
        known: The record, with the intent to launch.
        place: This machine, if it is an instance.
        key_file: The private key for the machines; made if it is not there.
        missing: The nodes.

    Returns:
        The ids of the machines that are made, and why the others are not.

    Raises:
        EssError: If the order cannot be met, or AWS refuses it.
    """
    site, subnets, known = _prepare(account, known, place, key_file)
    made: set[str] = set()
    refusals: list[Refused] = []
    for wanted in plan.runs(missing):
        rest = wanted
        said: list[Refused] = []
        for all_or_none in (True, False) if len(wanted) > 1 else (True,):
            for subnet in subnets:
                if not rest:
                    break
                try:
                    ids = _run(account, known, site, subnet, rest, len(rest) if all_or_none else 1)
                except Refused as error:
                    if error.code not in NO_ROOM:
                        if made:  # what is made is kept: a quota is reached, say
                            return made, [error]
                        raise
                    said.append(error)
                    continue
                made |= ids
                rest = range(rest.start + len(ids), rest.stop)
        if rest:
            refusals += said
    return made, refusals


def _prepare(
    account: Account, known: Record, place: Place | None, key_file: Path
) -> tuple[launching.Site, list[Subnet], Record]:
    """All that machines need before they are made; what is there already is used."""
    order = known.order
    kind = _type(account, order)
    image = _image(account, order, kind)
    launching.check(order, kind, image)
    hourly = order.price if order.price is not None else prices.hourly(account, order.type, spot=order.spot)
    known = record.write(replace(known, hourly=hourly))
    limits = deadlines(order.limits, known.created, known.share, hourly)
    found = network.find_network(account, order, place)
    subnets = plan.order_subnets(found.subnets, kind, near=found.near, chosen=order.subnets, outside=found.outside)
    if not known.generation:
        warnings.warn(found.said, EssWarning, stacklevel=3)
    if place is not None and not found.outside:
        plan.require_processor(kind, platform.machine())
    tags = plan.tags(known.tag, known.owner, known.created)
    name = f"essentia-{known.tag}"
    group = network.make_group(account, found.vpc, name, tags)
    if place is not None and not found.outside:
        network.join(account, group, place.interface)
    network.admit(account, known.tag, None if found.outside else place)
    network.make_key(account, key_file, name, tags)
    site = launching.Site(
        known.tag, known.owner, known.created, kind, image, group, name, found.outside, user_data(limits)
    )
    return site, subnets, known


def _run(account: Account, known: Record, site: launching.Site, subnet: Subnet, numbers: range, least: int) -> set[str]:
    asked = launching.parameters(known.order, site, subnet, numbers, least)
    token = plan.token(known.tag, numbers, known.generation, asked)
    answer = account.call("ec2", "run_instances", {**asked, "ClientToken": token})
    return {str(instance["InstanceId"]) for instance in answer["Instances"]}


def _type(account: Account, order: Order) -> InstanceType:
    asked = {"InstanceTypes": [order.type]}
    found = account.call("ec2", "describe_instance_types", asked)["InstanceTypes"]
    if not found:
        raise OptionError(f"no type '{order.type}'", where="--type", hint="give a type of EC2, e.g. m7i.large")
    zones = account.pages(
        "ec2",
        "describe_instance_type_offerings",
        {
            "LocationType": "availability-zone",
            "Filters": [{"Name": "instance-type", "Values": [order.type]}],
        },
        "InstanceTypeOfferings",
    )
    offered = frozenset(str(zone["Location"]) for zone in zones)
    if not offered:
        raise OptionError(
            f"{account.region} has no machines of the type {order.type}",
            where="--type",
            hint="give another --type or --region",
        )
    return InstanceType(
        order.type,
        plan.architecture_of(found[0]["ProcessorInfo"]["SupportedArchitectures"], order.type),
        int(found[0]["VCpuInfo"]["DefaultVCpus"]),
        int(found[0]["MemoryInfo"]["SizeInMiB"]),
        "spot" in found[0]["SupportedUsageClasses"],
        offered,
    )


def _image(account: Account, order: Order, kind: InstanceType) -> Image:
    name = order.image
    if not name:
        parameter = {"Name": plan.image_parameter(kind.architecture)}
        name = str(account.call("ssm", "get_parameter", parameter)["Parameter"]["Value"])
    found = account.call("ec2", "describe_images", {"ImageIds": [name]})["Images"]
    if not found or found[0].get("State") != "available":
        raise OptionError(
            f"{account.region} has no image {name} that can be used",
            where="--image",
            hint="an image belongs to one region; leave it out for Amazon Linux 2023",
        )
    device = str(found[0].get("RootDeviceName", "/dev/xvda"))
    sizes = [
        int(disk["Ebs"]["VolumeSize"])
        for disk in found[0].get("BlockDeviceMappings", ())
        if disk.get("DeviceName") == device and "VolumeSize" in disk.get("Ebs", {})
    ]
    return Image(name, str(found[0]["Architecture"]), device, max(sizes, default=1))
