"""Clusters of EC2 instances: what is ordered, who asks, and what there is."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from ess.cluster.cloud.belongings import Thing
    from ess.cluster.cloud.overview import Overview

__all__ = ["cloud_keys", "cloud_leftovers", "cloud_machines", "cloud_order", "cloud_sweep"]


def cloud_keys(
    credentials: str | None = None, aws_access_key: str | None = None, aws_secret_access_key: str | None = None
) -> AbstractContextManager[None]:
    """Ask AWS with a key, as long as this context is entered; without one, its own chain of places has the key.

    The key is kept nowhere: it has to be given for each command that makes, stops, starts or ends machines.

    Args:
        credentials: A CSV file of Amazon's console with an access key.
        aws_access_key: The name of a key.
        aws_secret_access_key: Its secret.

    Raises:
        OptionError: If only half of a key is given, or two.
        EssError: If the file cannot be read.
    """
    from ess.cluster.cloud.overview import with_key

    return with_key(credentials, aws_access_key, aws_secret_access_key)


def cloud_order(
    *,
    region: str | None = None,
    type: str | None = None,  # noqa: A002 - as the option is called
    image: str | None = None,
    subnets: Sequence[str] = (),
    spot: bool = False,
    disk: int | None = None,
    role: str | None = None,
    idle: int | None = None,
    max_age: float | None = None,
    budget: float | None = None,
    price: float | None = None,
) -> None:
    """Say what the machines are that :func:`cluster_create` makes next; what is left out stays as it was.

    Args:
        region: The region of AWS; else that of the settings, the profile, or of this machine.
        type: The type of the machines, ``m7i.large`` by default.
        image: Their image; else Amazon Linux 2023. Its user has to be ``ec2-user``.
        subnets: The subnets to try, in this order; else those of the network of this machine.
        spot: Buy them on the spot market.
        disk: GB of their disks.
        role: The instance profile that they get, which reads and writes cloud files.
        idle: Minutes without work after which a machine stops by itself, 30 by default; 0 for never.
        max_age: Hours after which they end whatever they do.
        budget: Dollars after which they end.
        price: Dollars that one costs in an hour, if the price list of AWS cannot be read.

    Raises:
        OptionError: If the next cluster is not one of the cloud, or a limit makes no sense.
    """
    from ess.cluster.cloud.overview import order

    order(region, type, image, subnets, spot, disk, role, idle, max_age, budget, price)


def cloud_machines() -> Overview:
    """The machines of the cluster in the cloud, and what they cost."""
    from ess.cluster.cloud.overview import overview

    return overview()


def cloud_leftovers(region: str | None = None) -> list[Thing]:
    """Everything in the account that has the tag of a cluster, also of others and of forgotten ones.

    Args:
        region: The region; ``all`` for every one; else that of the cluster or of the settings.
    """
    from ess.cluster.cloud.overview import leftovers

    return leftovers(region)


def cloud_sweep(region: str | None = None) -> list[Thing]:
    """End everything in the account that has the tag of a cluster and that this user has made; return what it was.

    Args:
        region: See :func:`cloud_leftovers`.
    """
    from ess.cluster.cloud.overview import sweep

    return sweep(region)
