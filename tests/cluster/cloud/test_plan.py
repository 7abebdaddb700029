"""Decisions about machines of EC2, for any input."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.cluster.cloud import costs, launching, plan
from ess.cluster.cloud.limits import Deadlines, Limits, deadlines, due, minutes_left, on_shutdown, warning
from ess.cluster.cloud.prices import cheapest_listed, highest_of_zones
from ess.cluster.cloud.shapes import THERE, Image, Instance, InstanceType, Order, Status, Subnet, stop_time
from ess.errors import InitializationError, OptionError
from tests.cluster.cloud.ec2 import PRICE_LIST

MOMENT = datetime(2026, 11, 30, 12, tzinfo=UTC)
KIND = InstanceType("m7i.large", "x86_64", 2, 8192, True, frozenset({"a", "b"}))

NUMBERS = st.sets(st.integers(0, 12), max_size=8)
FOUND = st.lists(
    st.builds(
        lambda name, number, status, age: Instance(
            f"i-{name}", number, status, launched=MOMENT - timedelta(seconds=age)
        ),
        st.integers(0, 10**6),
        st.integers(0, 12),
        st.sampled_from(Status),
        st.integers(0, 3),
    ),
    max_size=12,
    unique_by=lambda instance: instance.id,
)


@given(NUMBERS, FOUND)
@settings(max_examples=100)
def test_each_node_has_one_machine_and_none_is_made_or_ended_without_need(
    wanted: set[int], found: list[Instance]
) -> None:
    result = plan.sort_out(wanted, found)
    there = [instance for instance in found if instance.status in THERE]
    assert {*result.kept.values(), *result.doubled} == set(there)
    assert len(result.kept) + len(result.doubled) == len(there)
    assert set(result.missing) == wanted - {instance.number for instance in there}
    for instance in result.doubled:
        better = result.kept[instance.number]
        if instance.status in (Status.PENDING, Status.RUNNING):
            assert better.status in (Status.PENDING, Status.RUNNING) and better.launched <= instance.launched
    # Done twice, or in another order, it decides the same; and what it has made is enough.
    assert plan.sort_out(wanted, found[::-1]) == result
    made = [Instance(f"i-new{number}", number, Status.PENDING) for number in result.missing]
    after = plan.sort_out(wanted, [*result.kept.values(), *made])
    assert not after.missing and not after.doubled


@given(NUMBERS)
def test_runs_are_the_numbers_without_gaps(numbers: set[int]) -> None:
    found = plan.runs(numbers)
    assert [number for run in found for number in run] == sorted(numbers)
    assert all(before.stop < after.start for before, after in itertools.pairwise(found))


def test_a_token_belongs_to_a_cluster_its_nodes_and_all_parameters() -> None:
    order = Order("us-east-1")
    image = Image("ami-1", "x86_64", "/dev/xvda", 8)
    site = launching.Site("c", "me", 1, KIND, image, "sg-1", "key", False, "#!/bin/sh\n")
    subnet = Subnet("subnet-1", "vpc-1", "a", 10)

    def token(
        cluster: str = "c",
        numbers: range = range(2),
        generation: int = 0,
        order: Order = order,
        site: launching.Site = site,
        subnet: Subnet = subnet,
        least: int = 2,
    ) -> str:
        parameters = launching.parameters(order, site, subnet, numbers, least)
        return plan.token(cluster, numbers, generation, parameters)

    others = [
        token("d"),
        token(numbers=range(1, 3)),
        token(numbers=range(3)),
        token(generation=1),
        token(least=1),
        token(order=replace(order, spot=True)),
        token(order=replace(order, disk=50)),
        token(order=replace(order, role="reader")),
        token(order=replace(order, limits=Limits(0, 5, 0))),
        token(site=replace(site, image=replace(image, id="ami-2"))),
        token(site=replace(site, kind=replace(KIND, name="m7i.xlarge"))),
        token(site=replace(site, user_data="#!/bin/sh\n:\n")),
        token(site=replace(site, outside=True)),
        token(subnet=replace(subnet, id="subnet-2")),
    ]
    assert token() == token() and len({token(), *others}) == len(others) + 1
    assert all(len(each) <= 64 and each.isalnum() for each in others)


def test_everything_that_a_launch_makes_is_tagged_and_its_disk_is_encrypted_and_goes_with_it() -> None:
    order = Order("us-east-1", spot=True, role="reader")
    site = launching.Site("c", "me", 0, KIND, Image("ami-1", "x86_64", "/dev/xvda", 8), "sg-1", "key", True, "")
    asked = launching.parameters(order, site, Subnet("subnet-1", "vpc-1", "a", 10), range(4, 7), 1)
    tags = {
        each["ResourceType"]: {tag["Key"]: tag["Value"] for tag in each["Tags"]} for each in asked["TagSpecifications"]
    }
    common = {"essentia-cluster": "c", "essentia-owner": "me", "essentia-created": "1970-01-01T00:00:00Z"}
    assert tags == {
        "instance": {**common, "essentia-first": "4"},
        "volume": common,
        "network-interface": common,
        "spot-instances-request": common,
    }
    [disk] = asked["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"] and disk["Ebs"]["DeleteOnTermination"] and disk["Ebs"]["VolumeSize"] == 30
    assert (asked["MinCount"], asked["MaxCount"]) == (1, 3)
    assert asked["NetworkInterfaces"][0]["AssociatePublicIpAddress"] and "SecurityGroupIds" not in asked
    assert asked["IamInstanceProfile"] == {"Name": "reader"}
    with pytest.raises(OptionError, match="too long"):
        launching.parameters(order, replace(site, user_data="x" * 16385), Subnet("s", "v", "a", 1), range(1), 1)


def test_an_order_whose_parts_do_not_go_together_is_refused() -> None:
    image = Image("ami-1", "arm64", "/dev/xvda", 8)
    with pytest.raises(OptionError, match="for arm64 machines, and m7i.large is x86_64"):
        launching.check(Order("r"), KIND, image)
    fit = replace(image, architecture="x86_64")
    with pytest.raises(OptionError, match="the spot market has no m7i.large"):
        launching.check(Order("r", spot=True), replace(KIND, spot=False), fit)
    for disk in (7, 16385):
        with pytest.raises(OptionError, match=f"a disk of {disk} GB"):
            launching.check(Order("r", disk=disk), KIND, fit)
    launching.check(Order("r", disk=8, spot=True), KIND, fit)
    with pytest.raises(OptionError, match="i386"):
        plan.architecture_of(["i386"], "t1.micro")
    assert plan.architecture_of(["i386", "x86_64"], "m3.medium") == "x86_64"


SUBNETS = st.lists(
    st.builds(
        Subnet, st.sampled_from("pqrstuv"), st.just("vpc"), st.sampled_from("abc"), st.integers(0, 3), st.booleans()
    ),
    max_size=6,
    unique_by=lambda subnet: subnet.id,
)


@given(SUBNETS, st.sampled_from("pqz"), st.booleans())
def test_subnets_that_are_fit_are_tried_from_near_to_far(subnets: list[Subnet], near: str, outside: bool) -> None:
    fit = {s.id for s in subnets if s.zone in "ab" and s.free and (s.outside or not outside)}
    if not fit:
        with pytest.raises(InitializationError, match="no subnet is fit"):
            plan.order_subnets(subnets, KIND, near=near, outside=outside)
        return
    found = plan.order_subnets(subnets, KIND, near=near, outside=outside)
    assert {subnet.id for subnet in found} == fit
    if near in fit:
        assert found[0].id == near
    elsewhere = [
        s.free for s in found if s.id != near and s.zone != next((o.zone for o in subnets if o.id == near), "")
    ]
    assert elsewhere == sorted(elsewhere, reverse=True)


def test_subnets_that_the_user_names_are_tried_in_his_order() -> None:
    subnets = [Subnet(name, "vpc", zone, 5) for name, zone in (("p", "a"), ("q", "b"), ("r", "c"), ("s", "a"))]
    assert [s.id for s in plan.order_subnets(subnets, KIND, chosen=["q", "p"])] == ["q", "p"]
    with pytest.raises(InitializationError, match=r"--subnet: .*r: no m7i.large in c"):
        plan.order_subnets(subnets, KIND, chosen=["r"])
    with pytest.raises(InitializationError, match="no route to the internet"):
        plan.order_subnets(subnets, KIND, outside=True)
    with pytest.raises(InitializationError, match="no address is free"):
        plan.order_subnets([replace(subnets[0], free=0)], KIND)


def test_a_way_out_is_a_route_to_an_internet_gateway() -> None:
    def table(gateway: str, *subnets: str, main: bool = False, state: str = "active") -> dict[str, object]:
        route = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway, "State": state}
        links: list[dict[str, object]] = [{"Main": main}] if main else [{"SubnetId": name} for name in subnets]
        return {"Routes": [{"DestinationCidrBlock": "10.0.0.0/8", "GatewayId": "local"}, route], "Associations": links}

    names = ["p", "q", "r"]
    assert plan.ways_out([table("igw-1", main=True)], names) == names
    assert plan.ways_out([table("igw-1", main=True), table("vgw-1", "q")], names) == ["p", "r"]
    assert plan.ways_out([table("nat-1", main=True), table("igw-1", "q")], names) == ["q"]
    assert plan.ways_out([table("igw-1", main=True, state="blackhole")], names) == []
    assert plan.ways_out([], names) == []


def test_a_group_admits_itself_and_the_callers_of_now() -> None:
    ours = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}]}
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "1.1.1.1/32"}]}
    assert plan.admission([], "sg-1", ["2.2.2.2/32"]) == plan.Admission(True, ("2.2.2.2/32",), ())
    assert plan.admission([ours, ssh], "sg-1", ["1.1.1.1/32"]) == plan.Admission(False, (), ())
    assert plan.admission([ours, ssh], "sg-1", ["2.2.2.2/32"]) == plan.Admission(
        False, ("2.2.2.2/32",), ("1.1.1.1/32",)
    )
    other = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-2"}]}
    assert plan.admission([other], "sg-1", []).itself


def test_what_can_be_started_and_stopped() -> None:
    every = [Instance(f"i-{status}", 0, status) for status in Status]
    assert {i.status for i in plan.can_start(every)} == {Status.STOPPED, Status.STOPPING}
    assert {i.status for i in plan.can_stop(every)} == {Status.PENDING, Status.RUNNING}
    with pytest.raises(OptionError, match="spot market"):
        plan.can_stop([Instance("i-1", 0, Status.RUNNING, spot=True)])


# Limits and costs -----------------------------------------------------------------------------------------------------


@given(
    st.builds(Deadlines, st.integers(0, 5), st.integers(0, 900), st.integers(0, 9)),
    st.integers(0, 1000),
    st.integers(0, 10),
    st.integers(0, 6),
)
def test_a_machine_is_due_when_a_limit_is_reached_and_warned_of_before(
    limits: Deadlines, now: int, ran: int, idle: int
) -> None:
    reached = (
        bool(limits.ends) and now >= limits.ends,
        bool(limits.runs) and ran >= limits.runs,
        bool(limits.idle) and idle >= limits.idle,
    )
    assert (due(limits, now, ran, idle) is not None) == any(reached)
    left = minutes_left(limits, now, ran)
    assert (left is None) == (not limits.ends and not limits.runs)
    if reached[0] or reached[1]:
        assert left is not None and left[0] == 0 and warning(limits, now, ran)


@given(st.floats(0.01, 100), st.integers(1, 50), st.floats(0.01, 5))
def test_a_budget_is_never_exceeded(budget: float, machines: int, hourly: float) -> None:
    try:
        found = deadlines(Limits(0, 0, budget), 0, machines, hourly)
    except OptionError:
        assert budget / machines / hourly * 60 < 1
        return
    assert found.runs * machines * hourly / 60 <= budget * (1 + 1e-9)


def test_limits_that_make_no_sense_are_refused() -> None:
    for limits, name in (
        (Limits(-1), "--idle"),
        (Limits(0, float("inf")), "--max-age"),
        (Limits(0, 0, -2), "--budget"),
    ):
        with pytest.raises(OptionError, match=name):
            deadlines(limits, 0, 1, 1.0)
    with pytest.raises(OptionError, match="--price"):
        deadlines(Limits(budget=1), 0, 1, None)
    assert deadlines(Limits(5, 0, 1), 0, 1, 0.0).runs == 0


def test_a_shutdown_keeps_the_disk_only_if_the_machine_may_come_back() -> None:
    assert on_shutdown(Limits(30), spot=False) == "stop"
    assert on_shutdown(Limits(30, 5, 1), spot=False) == "stop"
    assert on_shutdown(Limits(0, 5), spot=False) == "terminate"
    assert on_shutdown(Limits(0, 0, 5), spot=False) == "terminate"
    assert on_shutdown(Limits(0), spot=False) == "stop"
    assert on_shutdown(Limits(30), spot=True) == "terminate"


def test_costs_are_those_of_the_time_that_machines_ran() -> None:
    hour = timedelta(hours=1)
    runs = Instance("i-1", 0, Status.RUNNING, launched=MOMENT - 2 * hour)
    stopped = Instance("i-2", 1, Status.STOPPED, launched=MOMENT - 3 * hour, stopped=MOMENT - 2 * hour)
    unknown = Instance("i-3", 2, Status.STOPPED, launched=MOMENT - 3 * hour)
    short = Instance("i-4", 3, Status.RUNNING, launched=MOMENT)
    assert costs.so_far([runs, stopped, unknown], {"i-2": 3600.0}, 0.5, MOMENT) == pytest.approx(2.0)
    assert costs.so_far([short], {}, 60.0, MOMENT) == pytest.approx(1.0)  # a minute at least
    assert costs.so_far([runs], {}, None, MOMENT) is None
    assert costs.per_hour([runs, stopped, short], 0.5) == 1.0
    assert costs.per_hour([stopped], None) == 0.0 and costs.per_hour([runs], None) is None
    assert [costs.shown(amount) for amount in (None, 0.0, 12.345)] == ["unknown", "$0.000", "$12.35"]
    assert stop_time("User initiated (2026-11-30 12:00:00 GMT)") == MOMENT and stop_time("") is None


def test_prices_are_read_from_the_list_and_the_market() -> None:
    assert cheapest_listed(PRICE_LIST) == 0.1008
    assert cheapest_listed([]) is None and cheapest_listed(['{"terms": {"Reserved": {}}}']) is None
    history = [
        {"AvailabilityZone": zone, "SpotPrice": price, "Timestamp": MOMENT + timedelta(hours=hours)}
        for zone, price, hours in (("a", "0.03", 1), ("a", "0.09", 0), ("b", "0.04", 0))
    ]
    assert highest_of_zones(history) == 0.04 and highest_of_zones([]) is None
