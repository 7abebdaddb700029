"""This machine as EC2 knows it, by the metadata service (version 2, with a token); and the address it is seen with."""

from __future__ import annotations

import http.client
import ipaddress
import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from ess import surroundings
from ess.errors import EssError, InitializationError, OptionError
from ess.settings import setting

_SERVICE = "http://169.254.169.254"
_SEEN_BY = "https://checkip.amazonaws.com"
_SECONDS = 2.0


@dataclass(frozen=True)
class Place:
    """An instance of EC2: where it is in the network of its account, and its network interface there."""

    id: str
    region: str
    vpc: str
    subnet: str
    private: str
    interface: str


def this_place() -> Place | None:
    """This machine; None if it is no instance of EC2, or its metadata service is off."""
    given = surroundings.environment()
    service = given.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "")
    if given.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" or not (service or _made_by_amazon()):
        return None
    address = urllib.parse.urlsplit(service or _SERVICE)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_SECONDS)
    try:
        token = _ask(connection, "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        with_token = {"X-aws-ec2-metadata-token": token}
        about = json.loads(_ask(connection, "GET", "/latest/dynamic/instance-identity/document", with_token))
        mac = _ask(connection, "GET", "/latest/meta-data/mac", with_token).strip()
        card = f"/latest/meta-data/network/interfaces/macs/{mac}"
        return Place(
            str(about["instanceId"]),
            str(about["region"]),
            _ask(connection, "GET", f"{card}/vpc-id", with_token).strip(),
            _ask(connection, "GET", f"{card}/subnet-id", with_token).strip(),
            str(about["privateIp"]),
            _ask(connection, "GET", f"{card}/interface-id", with_token).strip(),
        )
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def callers(place: Place | None) -> tuple[str, ...]:
    """The blocks of addresses that commands come from, as the machines see them.

    Args:
        place: This machine, if it is in the network of the machines.

    Raises:
        EssError: If it cannot be found out.
    """
    said = setting("ESS_CLUSTER_FROM")
    if said:
        return tuple(block(each) for each in said.replace(",", " ").split())
    if place is not None:
        return (block(place.private),)
    try:
        with urllib.request.urlopen(_SEEN_BY, timeout=10) as answer:
            return (block(answer.read(100).decode("ascii", "replace").strip()),)
    except (OSError, http.client.HTTPException, EssError) as error:
        raise InitializationError(
            f"the address that this machine is seen with cannot be found out ({error})",
            where=_SEEN_BY,
            hint="set ESS_CLUSTER_FROM to it, e.g. 203.0.113.7",
        ) from error


def block(text: str) -> str:
    """An IPv4 address, or a block of some, as rules of security groups have it.

    >>> block("203.0.113.7"), block("10.0.0.0/8")
    ('203.0.113.7/32', '10.0.0.0/8')

    Raises:
        OptionError: If it is none, or admits everybody.
    """
    try:
        found = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        found = None
    if found is None or found.prefixlen < 8:
        raise OptionError(f"no address '{text}'", where="ESS_CLUSTER_FROM", hint="give one like 203.0.113.7")
    return str(found)


def _ask(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]) -> str:
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = answer.read().decode("utf-8", "replace")
    if answer.status != http.client.OK:
        raise ValueError(path)
    return content


def _made_by_amazon() -> bool:
    """True if this machine may be an instance, so that nobody else's network is asked."""
    for path, beginning in (("/sys/class/dmi/id/sys_vendor", "Amazon EC2"), ("/sys/hypervisor/uuid", "ec2")):
        try:
            if Path(path).read_text("utf-8", "replace").startswith(beginning):
                return True
        except OSError:
            continue
    return False
