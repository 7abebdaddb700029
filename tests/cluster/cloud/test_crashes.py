"""A command that is killed at any call to AWS leaves nothing that is not found by its tag."""

from __future__ import annotations

from typing import Any

import pytest

from ess.cluster.cloud import belongings, record
from ess.cluster.cloud.account import Account
from tests.cluster.cloud.ec2 import Ec2, account, machines, order, watch

pytestmark = pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")


class Killed(BaseException):
    """As a signal is: nobody catches it."""


def killing(at: int) -> tuple[Account, list[str]]:
    """An account whose call of that number kills the command before it hears the answer; and the calls."""
    used = account()
    calls: list[str] = []

    def before(model: Any, **_: Any) -> None:
        calls.append(model.name)

    def afterwards(**_: Any) -> None:
        if len(calls) == at:
            raise Killed

    used.events.register("before-call.*.*", before)
    used.events.register("after-call.*.*", afterwards)
    return used, calls


def life(used: Account, tag: str) -> None:
    source = machines(used)
    source.order(order())
    source.make(tag, range(2))
    source.stop(tag)
    source.start(tag)
    source.end(tag)


def calls_of_a_life(tag: str) -> list[str]:
    used = account()
    calls: list[str] = []
    watch(used, lambda call, _: calls.append(call))
    life(used, tag)
    return calls


def changing(calls: list[str]) -> list[int]:
    """The numbers of the calls that change something. To be killed elsewhere leaves what one of these has left."""
    looks = ("Describe", "Get")
    return [number for number, call in enumerate(calls, 1) if not call.partition(":")[2].startswith(looks)]


def test_whatever_call_a_command_is_killed_at_all_is_found_by_tag(cloud: Ec2) -> None:
    calls = calls_of_a_life("cloud-whole")
    assert len(changing(calls)) >= 9
    for number in changing(calls):
        used, _ = killing(number)
        with pytest.raises(Killed):
            life(used, f"cloud-{number}")
        if number % 2:  # also when the file of this machine is lost
            record.forget()
        there = {item["InstanceId"] for item in cloud.instances()}
        found = belongings.look(account())
        assert there <= {thing.id for thing in found} and len(cloud.left()) == len(found)
        owner = account()
        belongings.end(owner, owner=owner.owner, pause=lambda _: None)
        assert cloud.left() == [], calls[number - 1]
        record.forget()


def test_a_command_that_was_killed_is_finished_by_the_next(cloud: Ec2) -> None:
    calls = calls_of_a_life("cloud-whole-again")
    for number in changing(calls)[:4]:
        tag = f"cloud-again-{number}"
        used, _ = killing(number)
        source = machines(used)
        source.order(order())
        with pytest.raises(Killed):
            source.make(tag, range(2))
        machines().make(tag, range(2))
        assert [machine.number for machine in machines().list(tag)] == [0, 1], calls
        assert len(cloud.instances()) == 2
        machines().end(tag)
        assert cloud.left() == []
