"""The file with what this machine knows of its cluster in the cloud. It holds no secret.

It is written before something is asked of AWS, so that a command that was killed can be done again as it was; whatever
it says, what belongs to a cluster is found by its tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ess import settings
from ess.cluster import state
from ess.cluster.cloud.limits import Limits
from ess.cluster.cloud.shapes import Order
from ess.errors import InitializationError

VERSION = 1


@dataclass(frozen=True)
class Record:
    """The order, and how far it has come.

    Attributes:
        tag: The cluster; blank until one is made.
        created: When it was made, in seconds since 1970.
        owner: Who made it, as its tags say.
        generation: How many launches are known to have happened.
        open: True while nobody knows if a launch has happened.
        share: How many machines share the budget of the order.
        hourly: What one costs in an hour; None if nobody knows.
        spent: The seconds of earlier runs, by the id of the instance.
    """

    order: Order
    tag: str = ""
    created: int = 0
    owner: str = ""
    generation: int = 0
    open: bool = False
    share: int = 0
    hourly: float | None = None
    spent: Mapping[str, float] = field(default_factory=dict)


def path() -> Path:
    """The file."""
    return state.cluster_folder() / "cloud.json"


def read() -> Record | None:
    """The record; None if there is none.

    Raises:
        InitializationError: If the file is damaged.
    """
    content = settings.read_state(path(), VERSION)
    if not content:
        return None
    try:
        return _record(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InitializationError(
            "the file is damaged", where=str(path()), hint="ess cluster terminate --all ends what it was about"
        ) from error


def write(record: Record) -> Record:
    """Write and return it."""
    settings.make_private_folder(settings.cache_dir())
    settings.write_state(path(), VERSION, asdict(record))
    return record


def forget() -> None:
    """Delete the file; the order of another cluster begins anew."""
    path().unlink(missing_ok=True)


def begin(known: Record, tag: str, created: int, owner: str, missing: int) -> Record:
    """The record with the intent to make some machines; one that is open already stays, to be done again."""
    if known.tag != tag:
        known = Record(known.order, tag, created, owner)
    return known if known.open else replace(known, open=True, share=missing)


def done(known: Record) -> Record:
    """The record once a launch is known to have happened."""
    return replace(known, open=False, generation=known.generation + 1)


def _record(content: Mapping[str, Any]) -> Record:
    order = dict(content["order"])
    limits = order.pop("limits")
    order["subnets"] = tuple(str(subnet) for subnet in order["subnets"])
    hourly = content["hourly"]
    return Record(
        Order(**order, limits=Limits(int(limits["idle"]), float(limits["max_age"]), float(limits["budget"]))),
        str(content["tag"]),
        int(content["created"]),
        str(content["owner"]),
        int(content["generation"]),
        bool(content["open"]),
        int(content["share"]),
        None if hourly is None else float(hourly),
        {str(name): float(seconds) for name, seconds in content["spent"].items()},
    )
