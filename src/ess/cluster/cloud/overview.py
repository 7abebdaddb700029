"""The cloud as ``ess cluster`` shows and orders it: keys for a command, orders, machines with their cost, leftovers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ess import surroundings
from ess.cluster import state
from ess.cluster.cloud import belongings, plan, record
from ess.cluster.cloud.account import Account
from ess.cluster.cloud.belongings import Thing
from ess.cluster.cloud.machines import Bill, CloudMachine, CloudMachines
from ess.cluster.cloud.place import this_place
from ess.cluster.cloud.shapes import Order
from ess.errors import EssWarning, InitializationError, OptionError
from ess.lake.key_files import read_key_file


@dataclass(frozen=True)
class Overview:
    """The machines of the cluster, and what they cost."""

    machines: tuple[CloudMachine, ...]
    bill: Bill


@contextmanager
def with_key(credentials: str | None, access: str | None, secret: str | None) -> Iterator[None]:
    """Ask AWS with a key that was given; see :func:`ess.api.cloud_keys`."""
    if credentials is not None and (access is not None or secret is not None):
        raise OptionError("these exclude each other", where="--credentials, --aws_access_key", hint="give one of them")
    if credentials is not None:
        access, secret = read_key_file(Path(credentials))
    elif access is not None or secret is not None:
        if not access or not secret:
            raise OptionError("one is missing", where="--aws_access_key, --aws_secret_access_key", hint="give both")
        warnings.warn(
            "a key among the options can be seen in the list of processes; --credentials FILE.csv hides it",
            EssWarning,
            stacklevel=4,
        )
    if access is None or secret is None:
        yield
        return
    # As if they were the user's settings, for this command only. A token would belong to another key.
    given = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    environment = {
        name: value
        for name, value in surroundings.environment().items()
        if name not in ("AWS_SESSION_TOKEN", "AWS_PROFILE")
    }
    here = surroundings.Workspace(surroundings.current_folder(), environment | given, surroundings.umask())
    with here.entered():
        yield


def order(
    region: str | None,
    kind: str | None,
    image: str | None,
    subnets: Sequence[str],
    spot: bool,
    disk: int | None,
    role: str | None,
    idle: int | None,
    max_age: float | None,
    budget: float | None,
    price: float | None,
) -> None:
    """Write down what machines shall be; see :func:`ess.api.cloud_order`."""
    if state.read_cluster().mode != "cloud":
        raise OptionError(
            "the next cluster is not one of the cloud",
            where="ess cluster create",
            hint="run first: ess cluster set cloud",
        )
    known = record.read()
    old = known.order if known is not None else Order("")
    limits = replace(
        old.limits,
        idle=old.limits.idle if idle is None else idle,
        max_age=old.limits.max_age if max_age is None else max_age,
        budget=old.limits.budget if budget is None else budget,
    )
    wanted = Order(
        region or old.region,
        kind or old.type,
        old.image if image is None else image,
        tuple(subnets) or old.subnets,
        spot or old.spot,
        old.disk if disk is None else disk,
        old.role if role is None else role,
        limits,
        old.price if price is None else price,
    )
    CloudMachines().order(wanted)


def ordered() -> None:
    """See to it that there is an order: it tells that nothing has been asked of AWS yet."""
    if state.read_cluster().mode == "cloud" and record.read() is None:
        CloudMachines().order(Order(""))


def require_stoppable() -> None:
    """Refuse to stop what cannot be stopped, before anything ends there.

    Raises:
        OptionError: If the machines are of the spot market.
    """
    known = record.read()
    if state.read_cluster().mode == "cloud" and known is not None and known.order.spot:
        raise plan.not_stopped()


def overview() -> Overview:
    """The machines of the cluster; see :func:`ess.api.cloud_machines`."""
    tag = str(state.read_cluster().id)
    source = CloudMachines()
    return Overview(tuple(source.list(tag)), source.bill(tag))


def leftovers(region: str | None) -> list[Thing]:
    """Everything with a tag; see :func:`ess.api.cloud_leftovers`."""
    account, regions = _regions(region)
    return [thing for each in regions for thing in belongings.look(account, region=each)]


def sweep(region: str | None) -> list[Thing]:
    """End what is ours; see :func:`ess.api.cloud_sweep`."""
    account, regions = _regions(region)
    return [thing for each in regions for thing in belongings.end(account, region=each, owner=account.owner)]


def _regions(region: str | None) -> tuple[Account, list[str]]:
    try:
        known = record.read()
    except InitializationError:
        known = None  # it is damaged, which must keep nothing alive
    place = this_place()
    own = known.order.region if known is not None else ""
    account = Account(own if region in (None, "all") else str(region), otherwise=place.region if place else "")
    return account, belongings.regions(account) if region == "all" else [account.region]
