"""The network that machines are put into, their security group and their key pair."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ess import settings
from ess.cluster.cloud import plan
from ess.cluster.cloud.account import Account, Refused
from ess.cluster.cloud.place import Place, callers
from ess.cluster.cloud.shapes import CLUSTER, Order, Subnet, tags_of
from ess.errors import InitializationError, OptionError


@dataclass(frozen=True)
class Network:
    """The network of a cluster.

    Attributes:
        subnets: Those that could be taken.
        near: That of this machine; blank if it is not in the network.
        said: A sentence that says which network it is, and why.
    """

    vpc: str
    subnets: tuple[Subnet, ...]
    near: str
    said: str

    @property
    def outside(self) -> bool:
        """True if this machine is outside, so that the others need addresses on the internet."""
        return not self.near


def find_network(account: Account, order: Order, place: Place | None) -> Network:
    """The network of the subnets that the user has named, else that of this machine, else the default one.

    Raises:
        OptionError: If there is none, or the subnets are of several networks.
    """
    if order.subnets:
        asked: dict[str, Any] = {"SubnetIds": list(order.subnets)}
        said = "the network of --subnet"
    elif place is not None and place.region == account.region:
        asked = {"Filters": _filters({"vpc-id": place.vpc})}
        said = "the network of this machine"
    else:
        asked = {"Filters": _filters({"default-for-az": "true"})}
        said = f"the default network of {account.region}"
    found = list(account.pages("ec2", "describe_subnets", asked, "Subnets"))
    networks = {subnet["VpcId"] for subnet in found}
    if len(networks) != 1:
        what = "the subnets are of different networks" if networks else f"{said} has no subnet"
        raise OptionError(what, where="--subnet", hint="name subnets of one network")
    vpc = networks.pop()
    inside = place is not None and place.region == account.region and place.vpc == vpc
    names = [subnet["SubnetId"] for subnet in found]
    ways = names
    if not inside:
        tables = account.pages("ec2", "describe_route_tables", {"Filters": _filters({"vpc-id": vpc})}, "RouteTables")
        ways = plan.ways_out(list(tables), names)
    subnets = (
        Subnet(
            subnet["SubnetId"],
            vpc,
            subnet["AvailabilityZone"],
            int(subnet["AvailableIpAddressCount"]),
            subnet["SubnetId"] in ways,
        )
        for subnet in found
    )
    near = place.subnet if inside and place is not None else ""
    return Network(vpc, tuple(subnets), near, f"the machines go into {vpc}, {said}; --subnet chooses another")


def make_group(account: Account, vpc: str, name: str, tags: dict[str, str]) -> str:
    """The security group of a cluster, made if it is not there.

    Raises:
        OptionError: If the cluster is in another network.
    """
    found = _groups(account, {f"tag:{CLUSTER}": tags[CLUSTER]})
    if not found:
        asked = {
            "GroupName": name,
            "Description": f"Essentia cluster {tags[CLUSTER]}",
            "VpcId": vpc,
            "TagSpecifications": plan.tagging(["security-group"], tags),
        }
        try:
            return str(account.call("ec2", "create_security_group", asked)["GroupId"])
        except Refused as error:
            if error.code != "InvalidGroup.Duplicate":
                raise
            # Another command has made it just now, or it cannot be seen yet.
            found = _groups(account, {"group-name": name, "vpc-id": vpc})
            if not any(tags_of(group).get(CLUSTER) == tags[CLUSTER] for group in found):
                raise
    if found[0]["VpcId"] != vpc:
        raise OptionError(
            f"the machines of the cluster are in {found[0]['VpcId']}", where="--subnet", hint="name a subnet of that"
        )
    return str(found[0]["GroupId"])


def admit(account: Account, cluster: str, place: Place | None) -> None:
    """Have the group admit itself, and SSH from where commands come from now, and nothing else.

    Args:
        account: Who asks.
        cluster: The tag.
        place: This machine, if it is in the network of the cluster.
    """
    for group in _groups(account, {f"tag:{CLUSTER}": cluster}):
        name = group["GroupId"]
        change = plan.admission(group.get("IpPermissions", ()), name, callers(place))
        wanted: list[dict[str, Any]] = []
        if change.itself:
            wanted.append({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": name}]})
        if change.admit:
            wanted.append(_ssh(change.admit))
        if wanted:
            try:
                account.call("ec2", "authorize_security_group_ingress", {"GroupId": name, "IpPermissions": wanted})
            except Refused as error:
                if error.code != "InvalidPermission.Duplicate":
                    raise
        if change.refuse:
            gone = {"GroupId": name, "IpPermissions": [_ssh(change.refuse)]}
            account.call("ec2", "revoke_security_group_ingress", gone)


def join(account: Account, group: str, interface: str) -> None:
    """Put this machine into the group of its cluster: its scheduler and the workers reach each other then."""
    for found in _interfaces(account, {"NetworkInterfaceIds": [interface]}):
        groups = [each["GroupId"] for each in found.get("Groups", ())]
        if group not in groups:
            wanted = {"NetworkInterfaceId": interface, "Groups": [*groups, group]}
            account.call("ec2", "modify_network_interface_attribute", wanted)


def leave(account: Account, group: str, region: str = "") -> None:
    """Take all machines that are in other groups, too, out of a group that is to be deleted."""
    for found in _interfaces(account, {"Filters": _filters({"group-id": group})}, region):
        others = [each["GroupId"] for each in found.get("Groups", ()) if each["GroupId"] != group]
        if others:
            wanted = {"NetworkInterfaceId": found["NetworkInterfaceId"], "Groups": others}
            account.call("ec2", "modify_network_interface_attribute", wanted, region=region)


def _interfaces(account: Account, asked: dict[str, Any], region: str = "") -> list[dict[str, Any]]:
    return list(account.pages("ec2", "describe_network_interfaces", asked, "NetworkInterfaces", region=region))


def make_key(account: Account, file: Path, name: str, tags: dict[str, str]) -> None:
    """Make a key pair here, and give its public half to EC2. The private half stays in ``file``, for its owner."""
    public = make_key_file(file)
    found = account.call("ec2", "describe_key_pairs", {"Filters": _filters({f"tag:{CLUSTER}": tags[CLUSTER]})})
    if found.get("KeyPairs"):
        return
    asked = {
        "KeyName": name,
        "PublicKeyMaterial": public,
        "TagSpecifications": plan.tagging(["key-pair"], tags),
    }
    try:
        account.call("ec2", "import_key_pair", asked)
    except Refused as error:
        if error.code != "InvalidKeyPair.Duplicate":
            raise


def make_key_file(file: Path) -> bytes:
    """The public half of the key in a file, made if it is not there.

    Raises:
        InitializationError: If OpenSSH is not installed.
    """
    settings.make_private_folder(settings.cache_dir())
    settings.make_private_folder(file.parent)
    public = file.with_name(f"{file.name}.pub")
    if not (file.exists() and public.exists()):
        file.unlink(missing_ok=True)
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "essentia", "-f", str(file)]
        try:
            subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            raise InitializationError(
                "no key can be made", where="ssh-keygen", hint="install the OpenSSH client"
            ) from error
    return public.read_bytes()


def _ssh(blocks: Sequence[str]) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": block} for block in blocks]}


def _groups(account: Account, wanted: dict[str, str]) -> list[dict[str, Any]]:
    return list(account.pages("ec2", "describe_security_groups", {"Filters": _filters(wanted)}, "SecurityGroups"))


def _filters(wanted: dict[str, str]) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": [value]} for name, value in wanted.items()]
