"""The parameters of a launch, and what is checked before one, as EC2's own refusals come late or are hard to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ess.cluster.cloud import plan
from ess.cluster.cloud.limits import on_shutdown
from ess.cluster.cloud.shapes import FIRST, Image, InstanceType, Order, Subnet
from ess.cluster.cloud.timer import MOST_BYTES
from ess.errors import OptionError

#: GB of a machine's disk, unless the user or the image says more.
_DISK = 30
_LARGEST_DISK = 16384


@dataclass(frozen=True)
class Site:
    """The things that all machines of a cluster have in common.

    Attributes:
        group: Its security group; ``key``: the name of its key pair.
        outside: True if the machines are reached from outside their network.
        user_data: The script that they start with.
    """

    cluster: str
    owner: str
    created: int
    kind: InstanceType
    image: Image
    group: str
    key: str
    outside: bool
    user_data: str


def check(order: Order, kind: InstanceType, image: Image) -> None:
    """Refuse an order that EC2 would refuse, or that would give machines that do not start.

    Raises:
        OptionError: If type, image, disk and market do not go together.
    """
    if image.architecture != kind.architecture:
        raise OptionError(
            f"the image {image.id} is for {image.architecture} machines, and {kind.name} is {kind.architecture}",
            where="--image",
            hint="leave it out, or give another --type",
        )
    if order.disk and not image.least <= order.disk <= _LARGEST_DISK:
        raise OptionError(
            f"a disk of {order.disk} GB",
            where="--disk",
            hint=f"the image needs {image.least}, and {_LARGEST_DISK} is the most",
        )
    if order.spot and not kind.spot:
        raise OptionError(f"the spot market has no {kind.name}", where="--spot", hint="leave it out, or change --type")


def parameters(order: Order, site: Site, subnet: Subnet, numbers: range, least: int) -> dict[str, Any]:
    """The parameters of RunInstances, but for the client token, which is made from them.

    Args:
        order: What the user wants.
        site: What the machines have in common.
        subnet: The place to try.
        numbers: The nodes, without gaps.
        least: The number of machines below which EC2 shall make none.
    """
    if len(site.user_data.encode()) > MOST_BYTES:
        raise OptionError("the script of the machines is too long", where="user data")
    common = plan.tags(site.cluster, site.owner, site.created)
    tagged = [
        *plan.tagging(["instance"], {**common, FIRST: str(numbers.start)}),
        *plan.tagging(["volume", "network-interface", *(["spot-instances-request"] if order.spot else [])], common),
    ]
    wanted: dict[str, Any] = {
        "ImageId": site.image.id,
        "InstanceType": site.kind.name,
        "MinCount": least,
        "MaxCount": len(numbers),
        "KeyName": site.key,
        "UserData": site.user_data,
        "InstanceInitiatedShutdownBehavior": on_shutdown(order.limits, spot=order.spot),
        # A program that is tricked into fetching an address for others does not get at the machine's role.
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [
            {
                "DeviceName": site.image.device,
                "Ebs": {
                    "VolumeSize": order.disk or max(_DISK, site.image.least),
                    "VolumeType": "gp3",
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                },
            }
        ],
        "TagSpecifications": tagged,
    }
    if site.outside:
        interface = {"DeviceIndex": 0, "SubnetId": subnet.id, "Groups": [site.group], "AssociatePublicIpAddress": True}
        wanted["NetworkInterfaces"] = [{**interface, "DeleteOnTermination": True}]
    else:
        wanted |= {"SubnetId": subnet.id, "SecurityGroupIds": [site.group]}
    if order.role:
        wanted["IamInstanceProfile"] = {"Name": order.role}
    if order.spot:
        once = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        wanted["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": once}
    return wanted
