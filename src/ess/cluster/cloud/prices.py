"""The price of a machine in an hour: of AWS's price list, or of the spot market. Unknown where they may not be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ess.errors import EssError

if TYPE_CHECKING:
    from ess.cluster.cloud.account import Account

#: One of the three regions that have the price list.
_LIST_REGION = "us-east-1"


def hourly(account: Account, kind: str, *, spot: bool) -> float | None:
    """The dollars that a machine of a type costs in an hour in the account's region; None if nobody knows."""
    try:
        return _spot(account, kind) if spot else _on_demand(account, kind)
    except EssError:
        return None


def cheapest_listed(entries: Iterable[str]) -> float | None:
    """The price in an hour in entries of the price list; None if they have none in dollars."""
    found = []
    for entry in entries:
        terms: Any = json.loads(entry).get("terms", {}).get("OnDemand", {})
        for term in terms.values():
            for dimension in term.get("priceDimensions", {}).values():
                price = float(dimension.get("pricePerUnit", {}).get("USD", 0))
                if dimension.get("unit") == "Hrs" and price > 0:
                    found.append(price)
    return min(found, default=None)


def highest_of_zones(history: Sequence[dict[str, Any]]) -> float | None:
    """The highest of the present prices of all zones; None if there are none. Nobody knows the zone before a launch."""
    latest: dict[str, tuple[datetime, float]] = {}
    for item in history:
        zone, when, price = item["AvailabilityZone"], item["Timestamp"], float(item["SpotPrice"])
        if zone not in latest or when > latest[zone][0]:
            latest[zone] = when, price
    return max((price for _, price in latest.values()), default=None)


def _on_demand(account: Account, kind: str) -> float | None:
    wanted = {
        "instanceType": kind,
        "regionCode": account.region,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    asked = {"ServiceCode": "AmazonEC2", "Filters": filters, "MaxResults": 100}
    return cheapest_listed(account.call("pricing", "get_products", asked, region=_LIST_REGION).get("PriceList", ()))


def _spot(account: Account, kind: str) -> float | None:
    asked = {
        "InstanceTypes": [kind],
        "ProductDescriptions": ["Linux/UNIX"],
        "StartTime": datetime.now(UTC),  # the present prices only
    }
    return highest_of_zones(list(account.pages("ec2", "describe_spot_price_history", asked, "SpotPriceHistory")))
