"""The cost of machines: per hour, and so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from ess.cluster.cloud.shapes import Instance, Status

#: EC2 charges at least so many seconds of each start.
_LEAST_SECONDS = 60.0


def run_seconds(instance: Instance, now: datetime) -> float:
    """The seconds that the present, or latest, run of an instance is charged for."""
    if instance.status in (Status.PENDING, Status.RUNNING):
        end = now
    elif instance.stopped is not None:
        end = instance.stopped
    else:
        return 0.0
    return max(_LEAST_SECONDS, (end - instance.launched).total_seconds())


def so_far(
    instances: Iterable[Instance], earlier: Mapping[str, float], hourly: float | None, now: datetime
) -> float | None:
    """The dollars that machines have cost, without their disks; None if the price is not known.

    Args:
        instances: Those of the cluster.
        earlier: The seconds of the runs before the present one, by the id of the instance.
        hourly: What one costs in an hour.
        now: The time.
    """
    if hourly is None:
        return None
    known = {instance.id: run_seconds(instance, now) for instance in instances}
    return hourly / 3600 * (sum(known.values()) + sum(earlier.values()))


def per_hour(instances: Iterable[Instance], hourly: float | None) -> float | None:
    """The dollars an hour that the machines cost which run now; None if the price is not known."""
    running = sum(1 for instance in instances if instance.status in (Status.PENDING, Status.RUNNING))
    return 0.0 if not running else None if hourly is None else hourly * running


def shown(dollars: float | None) -> str:
    """An amount for people.

    >>> shown(0.0123), shown(None)
    ('$0.012', 'unknown')
    """
    return "unknown" if dollars is None else f"${dollars:.2f}" if dollars >= 1 else f"${dollars:.3f}"
