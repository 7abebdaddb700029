"""EC2 and what goes with it, as moto has it: a server for each process of a run, as one mixes up what comes at once.

Moto lets pass much that AWS refuses; what it would have said is put in place of an answer (``refuse``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSResponse

from ess.cluster.cloud.account import Account
from ess.cluster.cloud.machines import CloudMachines
from ess.cluster.cloud.place import Place
from ess.cluster.cloud.shapes import CLUSTER, Order
from tests import shared_servers
from tests.store_servers import WORKER, _moto

REGION = "us-east-1"

#: What the price list says of a machine, but for what is not read.
PRICE_LIST = [
    json.dumps(
        {
            "product": {"attributes": {"instanceType": "m7i.large"}},
            "terms": {
                "OnDemand": {
                    "A.B": {"priceDimensions": {"A.B.C": {"unit": "Hrs", "pricePerUnit": {"USD": "0.1008000000"}}}}
                }
            },
        }
    )
]

_known: list[Ec2] = []


class Raw:
    """The body of an answer."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return [self._content]

    def read(self, *_: object, **__: object) -> bytes:
        return self._content


def answer(status: int, content: str) -> AWSResponse:
    """An answer in place of that of a server."""
    return AWSResponse("http://aws", status, {}, Raw(content.encode()))


def refusal(code: str, message: str, status: int = 400) -> AWSResponse:
    """An error of EC2 as it comes over the wire."""
    text = message.replace("&", "&amp;").replace("<", "&lt;")
    return answer(
        status,
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
        f"<Code>{code}</Code><Message>{text}</Message></Error></Errors>"
        "<RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>",
    )


class Ec2:
    """The account of the tests: everything may be done with its key."""

    #: The name of its server, see ``shared_servers``.
    server = f"ec2-{WORKER or 0}"

    def __init__(self) -> None:
        import boto3

        told = shared_servers.use(self.server, _moto)
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{told['port']}",
            "AWS_ACCESS_KEY_ID": told["key"],
            "AWS_SECRET_ACCESS_KEY": told["secret"],
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ESS_CLUSTER_FROM": "203.0.113.7",
        }
        self.secret = told["secret"]
        given = {
            "endpoint_url": self.environment["AWS_ENDPOINT_URL"],
            "aws_access_key_id": told["key"],
            "aws_secret_access_key": told["secret"],
            "region_name": REGION,
        }
        self.api = boto3.client("ec2", **given)
        self.iam = boto3.client("iam", **given)
        #: Moto's default network has no way out, as AWS's has.
        self.vpc = self.api.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        gateway = self.api.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.api.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        table = self.api.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"][0]
        self.api.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        found = self.api.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["Subnets"]
        zones = self.api.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["m7i.large"]}]
        )["InstanceTypeOfferings"]
        offered = {zone["Location"] for zone in zones}
        #: Those whose zones have our type.
        self.subnets: list[str] = sorted(each["SubnetId"] for each in found if each["AvailabilityZone"] in offered)

        image = self.api.describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"][0][
            "ImageId"
        ]
        own = self.api.run_instances(
            ImageId=image, InstanceType="m7i.large", MinCount=1, MaxCount=1, SubnetId=self.subnets[0]
        )["Instances"][0]
        interface = own["NetworkInterfaces"][0]["NetworkInterfaceId"]
        #: A machine in the default network, which commands are given on.
        self.master = Place(own["InstanceId"], REGION, self.vpc, self.subnets[0], own["PrivateIpAddress"], interface)

    def instances(self) -> list[dict[str, Any]]:
        """All with the tag of a cluster that have not ended."""
        found = self.api.describe_instances(Filters=[{"Name": "tag-key", "Values": [CLUSTER]}])["Reservations"]
        every = [item for reservation in found for item in reservation["Instances"]]
        return [item for item in every if item["State"]["Name"] not in ("shutting-down", "terminated")]

    def left(self) -> list[str]:
        """Everything with the tag of a cluster, as AWS's own library sees it."""
        tagged = [{"Name": "tag-key", "Values": [CLUSTER]}]
        return [
            *(item["InstanceId"] for item in self.instances()),
            *(item["VolumeId"] for item in self.api.describe_volumes(Filters=tagged)["Volumes"]),
            *(item["GroupId"] for item in self.api.describe_security_groups(Filters=tagged)["SecurityGroups"]),
            *(item["KeyName"] for item in self.api.describe_key_pairs(Filters=tagged)["KeyPairs"]),
        ]

    def empty(self) -> None:
        """End everything that has the tag of a cluster."""
        tagged = [{"Name": "tag-key", "Values": [CLUSTER]}]
        machines = [item["InstanceId"] for item in self.instances()]
        if machines:
            self.api.terminate_instances(InstanceIds=machines)
        for group in self.api.describe_security_groups(Filters=tagged)["SecurityGroups"]:
            self.api.delete_security_group(GroupId=group["GroupId"])
        for pair in self.api.describe_key_pairs(Filters=tagged)["KeyPairs"]:
            self.api.delete_key_pair(KeyName=pair["KeyName"])


def ec2() -> Ec2:
    """The server, for this process of the test run."""
    if not _known:
        _known.append(Ec2())
    return _known[0]


def account() -> Account:
    """An account whose price list is at hand: moto has none."""
    made = Account()
    listed = json.dumps({"FormatVersion": "aws_v1", "PriceList": PRICE_LIST})
    made.events.register("before-send.pricing.GetProducts", lambda **_: answer(200, listed))
    return made


def machines(used: Account | None = None, place: Place | None = None) -> CloudMachines:
    """The provider, which waits for nothing: moto's machines are there at once."""
    return CloudMachines(used or account(), place=lambda: place, pause=lambda _: None, patience=20.0)


def order(**changes: Any) -> Order:
    """An order, but for the changes: machines of the type that the price list has."""
    return Order(REGION, **changes)


def refuse(used: Account, operation: str, *answers: AWSResponse | None) -> list[dict[str, Any]]:
    """Have the next calls of an operation of EC2 answered so; None for moto's own answer. Returns what is asked."""
    waiting = list(answers)
    asked: list[dict[str, Any]] = []

    def instead(request: Any, **_: Any) -> AWSResponse | None:
        asked.append({"body": request.body, "url": request.url})
        return waiting.pop(0) if waiting else None

    _register(used, f"before-send.ec2.{operation}", instead)
    return asked


def watch(used: Account, found: Callable[[str, dict[str, Any]], None]) -> None:
    """Tell of each call to AWS: its name, as ``ec2:RunInstances``, and its parameters."""

    def told(model: Any, params: dict[str, Any], **_: Any) -> None:
        found(f"{model.service_model.service_name}:{model.name}", params)

    _register(used, "provide-client-params.*.*", told)


def _register(used: Account, event: str, handler: Callable[..., Any]) -> None:
    """Register with clients that are made from now on, and with those that there are."""
    for events in (used.events, *(client.meta.events for client in used._clients.values())):
        events.register(event, handler)
