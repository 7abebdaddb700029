"""Countries of addresses: IpToCountry, CountryName, CountryRegion.

The file that ``ESS_COUNTRY_FILE`` names wins: any MaxMind-format file with ISO codes of countries. Without
it the package iptocc tells the country that an address was assigned to, from the tables of the five
regional registries. Names of countries are those of ISO 3166.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ess.errors import InputOpenError
from ess.language.function import Argument, Example, Function, RecordError, RowFunction, address, text
from ess.language.tree import ValueType
from ess.language.values import format_address
from ess.settings import setting
from ess.surroundings import absolute

if TYPE_CHECKING:
    from maxminddb import Reader

_COUNTRY_FILE = "ESS_COUNTRY_FILE"
_REMEMBERED = 1 << 16
_IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"
_COUNTRY = re.compile("[A-Z]{2}")


@lru_cache(maxsize=4)
def _reader(path: Path, changed: int) -> Reader:
    """The file's reader; ``changed`` (nanoseconds) causes a replaced file to be opened again."""
    import maxminddb

    try:
        return maxminddb.open_database(path)
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        raise InputOpenError(
            "it is not a file in MaxMind's format", where=str(path), hint=f"mend or unset {_COUNTRY_FILE}"
        ) from error


def _open(name: str) -> Reader:
    path = absolute(name)
    try:
        return _reader(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise InputOpenError(
            f"cannot open ({error.strerror})", where=str(path), hint=f"mend or unset {_COUNTRY_FILE}"
        ) from error


def _code_of(record: object) -> bytes:
    """``US:California`` from a record of a city file, ``US`` from one of a country file, blank from any other."""
    if not isinstance(record, Mapping):
        return b""
    country = _iso(record.get("country")) or _iso(record.get("registered_country")) or record.get("country_code")
    if not isinstance(country, str) or not _COUNTRY.fullmatch(country):
        return b""
    regions = record.get("subdivisions")
    region = _name(regions[0]) if isinstance(regions, list) and regions else ""
    return (f"{country}:{region}" if region else country).encode()


def _iso(part: Any) -> str | None:
    """The code of ``{"iso_code": "US"}``, or of a plain ``"US"``."""
    code = part.get("iso_code") if isinstance(part, Mapping) else part
    return code if isinstance(code, str) else None


def _name(part: Any) -> str:
    """The English name of ``{"names": {"en": "California"}}``, else what ``_iso`` finds.

    The name and not its code goes into the result, so that ``CountryRegion`` needs no table of all regions.
    """
    names = part.get("names") if isinstance(part, Mapping) else None
    name = names.get("en") if isinstance(names, Mapping) else None
    found = name if isinstance(name, str) else _iso(part) or ""
    return found.replace(":", " ").strip()


def _address(ip: bytes) -> str:
    """The address as text; of an IPv4 address written as IPv6 (``::ffff:8.8.8.8``) the IPv4 address."""
    return format_address(ip.removeprefix(_IPV4_IN_IPV6) if len(ip) == 16 else ip).decode("ascii")


def _file_lookup(name: str) -> RowFunction:
    import maxminddb

    reader = _open(name)
    only_version_4 = reader.metadata().ip_version == 4

    def lookup(ip: bytes) -> bytes:
        shown = _address(ip)
        if not shown or (only_version_4 and ":" in shown):
            return b""
        try:
            return _code_of(reader.get(shown))
        except maxminddb.InvalidDatabaseError as error:
            raise RecordError(f"the country file {name} is damaged") from error

    return lru_cache(maxsize=_REMEMBERED)(lookup)


def _registry_lookup(ip: bytes) -> bytes:
    from iptocc import country_code

    shown = _address(ip)
    return (country_code(shown) or "").encode() if shown else b""


def _ip_to_country(_arguments: Sequence[Argument]) -> RowFunction:
    """Read the setting when the expression is checked, so a missing file is reported before any row."""
    name = setting(_COUNTRY_FILE)
    return _file_lookup(name) if name else _registry_lookup


@lru_cache(maxsize=4096)
def country_name(code: bytes) -> bytes:
    """The name (UTF-8) of a code's country; blank if ISO 3166 has none.

    >>> country_name(b"US:California")
    b'United States of America'
    """
    import iso3166

    found = iso3166.countries_by_alpha2.get(code.partition(b":")[0].decode("latin-1"))
    return b"" if found is None else found.apolitical_name.encode()


def region_name(code: bytes) -> bytes:
    """The name of a code's region; blank if it has none.

    >>> region_name(b"US:California")
    b'California'
    """
    return code.partition(b":")[2]


FUNCTIONS = (
    Function(
        "IpToCountry",
        (address("Ip"),),
        ValueType.STRING,
        "The country of an address as its ISO code, 'US', or with the region, 'US:California'. Blank if it is not "
        "known. The setting ESS_COUNTRY_FILE names a MaxMind-format file to use; without it the answer is the country "
        "that the regional registries assigned the address to, never with a region.",
        (Example("IpToCountry(8.8.8.8)", b"US"), Example("IpToCountry(10.0.0.1)", b"")),
        specialize=_ip_to_country,
        differences="The table is of the version of the package iptocc that is installed; the codes are ISO's.",
    ),
    Function(
        "CountryName",
        (text("Code"),),
        ValueType.STRING,
        "The name of the country of a code that IpToCountry gave; blank if there is none.",
        (
            Example("CountryName('US:California')", b"United States of America"),
            Example("CountryName('TW')", b"Taiwan"),
            Example("CountryName('')", b""),
        ),
        row=country_name,
        differences="The names are those of ISO 3166.",
    ),
    Function(
        "CountryRegion",
        (text("Code"),),
        ValueType.STRING,
        "The name of the region of a code that IpToCountry gave; blank if there is none.",
        (Example("CountryRegion('US:California')", b"California"), Example("CountryRegion('US')", b"")),
        row=region_name,
        differences="The region in a code is the name that the MaxMind-format file has, not a number.",
    ),
)
