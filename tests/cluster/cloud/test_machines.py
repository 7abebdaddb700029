"""Machines of EC2 from their order to their end, at moto's server."""

from __future__ import annotations

import base64
import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ess import api
from ess.cluster.cloud import belongings, plan, record
from ess.cluster.cloud.belongings import Kind
from ess.cluster.cloud.limits import Limits
from ess.cluster.cloud.machines import CloudMachines
from ess.cluster.cloud.shapes import Status
from ess.errors import EssError, EssWarning, OptionError
from tests.cluster.cloud.ec2 import REGION, Ec2, account, answer, machines, order, refusal, refuse, watch

CLUSTER = "cloud-1a2b3c4d"


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_machines_are_made_stopped_started_and_ended(cloud: Ec2) -> None:
    source = machines()
    source.order(order(disk=40))
    assert source.list(CLUSTER) == []
    source.make(CLUSTER, range(3))
    made = source.list(CLUSTER)
    assert [machine.number for machine in made] == [0, 1, 2]
    assert {machine.instance.status for machine in made} == {Status.RUNNING}
    assert len({machine.address for machine in made} | {machine.instance.public for machine in made}) == 6
    assert len({machine.instance.reservation for machine in made}) == 1

    for item in cloud.instances():
        assert item["MetadataOptions"]["HttpTokens"] == "required"
        assert item["InstanceType"] == "m7i.large"
        behaviour = cloud.api.describe_instance_attribute(
            InstanceId=item["InstanceId"], Attribute="instanceInitiatedShutdownBehavior"
        )
        assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "stop"
        data = cloud.api.describe_instance_attribute(InstanceId=item["InstanceId"], Attribute="userData")
        script = base64.b64decode(data["UserData"]["Value"]).decode()
        assert script.startswith("#cloud-boothook\n#!/bin/sh\n") and "idle=30 ends=0 runs=0\n" in script
        assert cloud.secret not in script
        tags = {tag["Key"]: tag["Value"] for tag in item["Tags"]}
        assert tags["essentia-cluster"] == CLUSTER and tags["essentia-owner"].endswith(":user/saver")
        assert tags["essentia-created"][:2] == "20"
    volumes = [thing.id for thing in belongings.look(account(), CLUSTER) if thing.kind is Kind.VOLUME]
    for volume in cloud.api.describe_volumes(VolumeIds=volumes)["Volumes"]:
        assert (volume["Encrypted"], volume["Size"], volume["VolumeType"]) == (True, 40, "gp3")

    source.stop(CLUSTER)
    assert {machine.instance.status for machine in source.list(CLUSTER)} == {Status.STOPPED}
    source.stop(CLUSTER)
    source.start(CLUSTER)
    again = source.list(CLUSTER)
    assert [machine.id for machine in again] == [machine.id for machine in made]
    assert {machine.instance.status for machine in again} == {Status.RUNNING}
    assert all(machine.instance.public for machine in again)

    source.end(CLUSTER)
    assert source.list(CLUSTER) == [] and record.read() is None
    assert not source.key_file.exists()
    source.end(CLUSTER)


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_what_is_lost_is_made_again_and_what_is_there_twice_is_ended(cloud: Ec2) -> None:
    source = machines()
    source.order(order())
    source.make(CLUSTER, range(3))
    first = source.list(CLUSTER)
    cloud.api.terminate_instances(InstanceIds=[first[1].id])
    source.make(CLUSTER, range(3))
    second = source.list(CLUSTER)
    assert [machine.number for machine in second] == [0, 1, 2]
    assert [second[0].id, second[2].id] == [first[0].id, first[2].id] and second[1].id != first[1].id
    # A launch that nobody knows of, as when a command is killed before its machines can be seen.
    double = cloud.api.run_instances(
        ImageId=second[0].instance.image,
        InstanceType="m7i.large",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [{"Key": "essentia-cluster", "Value": CLUSTER}, {"Key": "essentia-first", "Value": "2"}],
            }
        ],
    )["Instances"][0]["InstanceId"]
    source.make(CLUSTER, range(4))
    third = source.list(CLUSTER)
    assert [machine.number for machine in third] == [0, 1, 2, 3]
    assert [machine.id for machine in third[:2]] == [machine.id for machine in second[:2]]
    # Launched in the same second, one is as good as the other.
    assert {third[2].id} < {second[2].id, double} and len(cloud.instances()) == 4
    source.end(CLUSTER)


def test_the_network_is_named_and_only_the_cluster_and_the_caller_get_in(
    cloud: Ec2, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = machines()
    source.order(order())
    with pytest.warns(EssWarning, match=rf"into {cloud.vpc}, the default network of {REGION}; --subnet chooses"):
        source.make(CLUSTER, [0])
    [thing] = [thing for thing in belongings.look(account(), CLUSTER) if thing.kind is Kind.GROUP]

    def admitted() -> list[tuple[object, ...]]:
        group = cloud.api.describe_security_groups(GroupIds=[thing.id])["SecurityGroups"][0]
        return [
            (
                rule["IpProtocol"],
                rule.get("FromPort"),
                [pair["GroupId"] for pair in rule["UserIdGroupPairs"]],
                [block["CidrIp"] for block in rule["IpRanges"]],
            )
            for rule in group["IpPermissions"]
        ]

    assert admitted() == [("-1", None, [thing.id], []), ("tcp", 22, [], ["203.0.113.7/32"])]
    # A laptop that has gone elsewhere
    monkeypatch.setenv("ESS_CLUSTER_FROM", "198.51.100.0/28")
    source.start(CLUSTER)
    assert admitted() == [("-1", None, [thing.id], []), ("tcp", 22, [], ["198.51.100.0/28"])]
    monkeypatch.setenv("ESS_CLUSTER_FROM", "0.0.0.0/0")
    with pytest.raises(OptionError, match="no address"):
        source.start(CLUSTER)
    assert source.key_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) == 0
    source.end(CLUSTER)


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_from_a_master_machines_go_into_its_subnet_and_admit_its_private_address(
    cloud: Ec2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ESS_CLUSTER_FROM")
    source = machines(place=cloud.master)
    source.order(order())
    source.make(CLUSTER, [0])
    [machine] = source.list(CLUSTER)
    assert machine.instance.subnet == cloud.subnets[0]

    def groups() -> set[str]:
        found = cloud.api.describe_network_interfaces(NetworkInterfaceIds=[cloud.master.interface])
        return {group["GroupName"] for group in found["NetworkInterfaces"][0]["Groups"]}

    assert groups() == {"default", f"essentia-{CLUSTER}"}
    [group] = cloud.api.describe_security_groups(Filters=[{"Name": "tag-key", "Values": ["essentia-cluster"]}])[
        "SecurityGroups"
    ]
    assert [block for rule in group["IpPermissions"] for block in rule["IpRanges"]] == [
        {"CidrIp": f"{cloud.master.private}/32"}
    ]
    source.end(CLUSTER)
    assert groups() == {"default"}


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_machines_of_the_spot_market_leave_nothing_and_cannot_be_stopped(cloud: Ec2) -> None:
    used = account()
    calls: list[tuple[str, dict[str, object]]] = []
    watch(used, lambda call, asked: calls.append((call, asked)))
    source = machines(used)
    source.order(order(spot=True))
    source.make(CLUSTER, [0])
    [asked] = [asked for call, asked in calls if call == "ec2:RunInstances"]
    assert asked["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert asked["InstanceMarketOptions"] == {
        "MarketType": "spot",
        "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
    }
    with pytest.raises(OptionError, match="spot market cannot be stopped; use: ess cluster terminate"):
        source.stop(CLUSTER)
    source.end(CLUSTER)


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_the_image_follows_the_type(cloud: Ec2) -> None:
    source = machines()
    source.order(order(type="m7g.large"))
    source.make(CLUSTER, [0])
    [item] = cloud.instances()
    assert item["Architecture"] == "arm64"
    x86 = cloud.api.describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"][0]["ImageId"]
    source.order(order(type="m7g.large", image=x86))
    with pytest.raises(OptionError, match=f"{x86} is for x86_64 machines, and m7g.large is arm64"):
        source.make(CLUSTER, range(2))
    source.end(CLUSTER)


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "m7i.tiny"}, "--type: .*m7i.tiny.*; give a type of EC2"),
        ({"image": "ami-0123456789abcdef0"}, "--image: .*ami-0123456789abcdef0.*belongs to one region"),
        ({"disk": 4}, "--disk: a disk of 4 GB; the image needs 15"),
        ({"subnets": ("subnet-0123456789abcdef0",)}, "--subnet: .*name one of this region"),
        ({"limits": Limits(budget=0.00001)}, "--budget: 1e-05 dollars are less than a minute"),
        ({"limits": Limits(idle=-1)}, "--idle: bad limit -1"),
    ],
)
def test_an_order_that_cannot_be_met_makes_nothing(cloud: Ec2, changes: dict[str, object], said: str) -> None:
    source = machines()
    with pytest.raises(EssError, match=said):
        source.order(order(**changes))
        source.make(CLUSTER, [0])
    assert cloud.left() == []


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_where_there_is_no_room_the_next_subnet_is_tried(cloud: Ec2) -> None:
    full = refusal("InsufficientInstanceCapacity", CAPACITY, 500)
    used = account()
    # All three together in no subnet, then as many as there is room for; moto makes one at a time.
    asked = refuse(used, "RunInstances", *[full] * len(cloud.subnets), full, None, None)
    source = machines(used)
    source.order(order())
    source.make(CLUSTER, range(3))
    assert [machine.number for machine in source.list(CLUSTER)] == [0, 1, 2]
    tried = [re.findall(r"SubnetId=(subnet-\w+)", each["body"])[0] for each in asked]
    assert sorted(tried[: len(cloud.subnets)]) == cloud.subnets
    assert [machine.instance.subnet for machine in source.list(CLUSTER)] == tried[-3:]
    source.end(CLUSTER)


@pytest.mark.filterwarnings("ignore:the machines go into")
def test_machines_that_are_made_are_kept_if_there_is_no_room_for_the_others(cloud: Ec2) -> None:
    full = refusal("InsufficientInstanceCapacity", CAPACITY, 500)
    used = account()
    refuse(used, "RunInstances", *[full] * len(cloud.subnets), None, *[full] * 10)
    source = machines(used)
    source.order(order())
    with pytest.warns(EssWarning, match=r"1 of 3 machines could be made: .*sufficient m7i.large.*another --type"):
        source.make(CLUSTER, range(3))
    assert [machine.number for machine in source.list(CLUSTER)] == [0]
    source.end(CLUSTER)


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_a_launch_whose_answer_was_lost_is_asked_for_with_the_same_token(cloud: Ec2) -> None:
    """EC2 gives the same machines then. So does this, in place of moto, which makes others."""
    tokens: list[object] = []

    def killed(model: object, params: dict[str, object], **_: object) -> None:
        tokens.append(params["ClientToken"])
        raise KeyboardInterrupt

    for _ in range(2):
        used = account()
        used.events.register("provide-client-params.ec2.RunInstances", killed)
        source = machines(used)
        source.order(order())
        with pytest.raises(KeyboardInterrupt):
            source.make(CLUSTER, range(2))
        known = record.read()
        assert known is not None and known.open
    assert tokens[0] == tokens[1]
    # Once a launch is known to have happened, its token would give machines that may be gone.
    source = machines()
    source.make(CLUSTER, range(2))
    cloud.api.terminate_instances(InstanceIds=[machine.id for machine in source.list(CLUSTER)])
    used = account()
    used.events.register("provide-client-params.ec2.RunInstances", killed)
    with pytest.raises(KeyboardInterrupt):
        machines(used).make(CLUSTER, range(2))
    assert tokens[2] != tokens[0]
    source.end(CLUSTER)


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_new_machines_that_cannot_be_seen_yet_are_waited_for_and_ended(cloud: Ec2) -> None:
    """DescribeInstances knows nothing of a machine for up to a second after its launch."""
    empty = (
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>x</requestId>'
        "<reservationSet/></DescribeInstancesResponse>"
    )
    used = account()
    refuse(used, "DescribeInstances", None, answer(200, empty), answer(200, empty))
    source = machines(used)
    source.order(order())
    source.make(CLUSTER, [0])
    [machine] = source.list(CLUSTER)
    known = record.read()
    assert known is not None
    record.write(replace(known, open=True))
    used = account()
    refuse(used, "DescribeInstances", answer(200, empty))
    cloud.api.delete_key_pair(KeyName=f"essentia-{CLUSTER}")
    machines(used).end(CLUSTER)
    assert machine.id not in {item["InstanceId"] for item in cloud.instances()}


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_secrets_are_kept_nowhere(cloud: Ec2, places: dict[str, str]) -> None:
    source = machines()
    source.order(order())
    source.make(CLUSTER, [0])
    written = [path for path in Path(places["ESS_CACHE_DIR"]).rglob("*") if path.is_file()]
    assert len(written) >= 3
    assert not [path for path in written if cloud.secret.encode() in path.read_bytes()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in written if path.suffix != ".pub")
    source.end(CLUSTER)


CAPACITY = (
    "We currently do not have sufficient m7i.large capacity in the Availability Zone you requested (us-east-1a). Our "
    "system will be working on provisioning additional capacity."
)


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_forgotten_clusters_are_found_by_tag_and_ended_but_not_those_of_others(cloud: Ec2) -> None:
    for name in ("cloud-one", "cloud-two"):
        source = machines()
        source.order(order())
        source.make(name, [0])
        record.forget()  # as when the folder of the settings is lost
    foreign = cloud.api.create_security_group(
        GroupName="of-another",
        Description="x",
        TagSpecifications=[
            {
                "ResourceType": "security-group",
                "Tags": [
                    {"Key": "essentia-cluster", "Value": "cloud-three"},
                    {"Key": "essentia-owner", "Value": "somebody"},
                ],
            }
        ],
    )["GroupId"]
    used = account()
    found = belongings.look(used)
    assert {thing.cluster for thing in found} == {"cloud-one", "cloud-two", "cloud-three"}
    assert {thing.kind for thing in found} == set(Kind)
    ended = belongings.end(used, owner=used.owner, pause=lambda _: None)
    assert {thing.cluster for thing in ended} == {"cloud-one", "cloud-two"}
    assert [thing.id for thing in belongings.look(used)] == [foreign]
    assert REGION in belongings.regions(used)
    cloud.api.delete_security_group(GroupId=foreign)


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_leftovers_are_sought_in_all_regions_or_in_one(cloud: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = "ca-central-1"
    monkeypatch.setattr(belongings, "regions", lambda _: [REGION, elsewhere])
    group = {
        "GroupName": f"left-by-{REGION}",
        "Description": "x",
        "TagSpecifications": plan.tagging(["security-group"], plan.tags("cloud-left", account().owner, 0)),
    }
    for region in (REGION, elsewhere):
        account().call("ec2", "create_security_group", group, region=region)
    here = {thing.region for thing in api.cloud_leftovers() if thing.cluster == "cloud-left"}
    everywhere = {thing.region for thing in api.cloud_leftovers("all") if thing.cluster == "cloud-left"}
    assert (here, everywhere) == ({REGION}, {REGION, elsewhere})
    assert {thing.region for thing in api.cloud_sweep(elsewhere)} == {elsewhere}
    assert {thing.region for thing in api.cloud_sweep("all")} == {REGION}


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_a_group_that_is_in_use_is_tried_again(cloud: Ec2) -> None:
    used = account()
    source = machines(used)
    source.order(order())
    source.make(CLUSTER, [0])
    busy = refusal("DependencyViolation", "resource sg-1 has a dependent object")
    asked = refuse(used, "DeleteSecurityGroup", busy, busy)
    source.end(CLUSTER)
    assert len(asked) == 3


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_what_cannot_be_ended_is_named(cloud: Ec2) -> None:
    used = account()
    source = machines(used)
    source.order(order())
    source.make(CLUSTER, [0])
    busy = refusal("DependencyViolation", "resource sg-1 has a dependent object")
    refuse(used, "DeleteSecurityGroup", *[busy] * 500)
    stuck = CloudMachines(used, place=lambda: None, pause=lambda _: None, patience=0.0)
    with pytest.raises(EssError, match=r"there are still .*; run it again"):
        stuck.end(CLUSTER)
    assert record.read() is not None  # it is forgotten only when it is gone
    machines().end(CLUSTER)


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_the_cost_is_known_where_the_price_is(cloud: Ec2) -> None:
    source = machines()
    source.order(order(limits=Limits(30, 2, 5)))
    source.make("cloud-bill", range(2))
    bill = source.bill("cloud-bill")
    # Each start costs a minute at least.
    assert bill.hourly == pytest.approx(0.2016) and bill.so_far is not None and bill.so_far > 0.0033
    assert bill.warning is None
    source.stop("cloud-bill")
    assert source.bill("cloud-bill").hourly == 0.0
    source.start("cloud-bill")
    again = source.bill("cloud-bill").so_far
    assert again is not None and again > 0.0067
    source.end("cloud-bill")
    used = account()
    used.events.register_first(
        "before-send.pricing.GetProducts",
        lambda **_: answer(400, json.dumps({"__type": "AccessDeniedException", "Message": "not authorized"})),
    )
    source = machines(used)
    source.order(order(limits=Limits(budget=1)))
    with pytest.raises(OptionError, match="price of these machines is not known; give --price"):
        source.make("cloud-bill", [0])
    source.order(order(limits=Limits(budget=1), price=0.5))
    source.make("cloud-bill", [0])
    assert source.bill("cloud-bill").hourly == 0.5
    source.end("cloud-bill")


@pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")
def test_a_damaged_record_keeps_nothing_alive(cloud: Ec2) -> None:
    source = machines()
    source.order(order())
    source.make(CLUSTER, [0])
    record.path().write_text('{"version": 1, "order": {}}')
    with pytest.raises(EssError, match="damaged; ess cluster terminate --all ends what it was about"):
        machines().make(CLUSTER, [0])
    machines().end(CLUSTER)
