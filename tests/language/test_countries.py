"""IpToCountry with the packaged table and with files in MaxMind's format; names of countries and regions."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ess.errors import InputOpenError
from ess.language.function import RecordError
from ess.language.functions import FUNCTIONS
from ess.language.functions.countries import country_name, region_name

MARK = b"\xab\xcd\xefMaxMind.com"
Value = str | bytes | Sequence["Value"] | Mapping[str, "Value"]
Node = list[int | tuple[str, int] | None]


def encoded(value: Value) -> bytes:
    """A value in the data format of MaxMind's specification 2.0 (maps, lists, texts, small numbers)."""
    if isinstance(value, str):
        data = value.encode()
        if len(data) < 29:
            return bytes([2 << 5 | len(data)]) + data
        return bytes([2 << 5 | 29, len(data) - 29]) + data
    if isinstance(value, bytes):  # a whole number of 16, 32 or 64 bits
        control = {2: [5 << 5 | 2], 4: [6 << 5 | 4], 8: [8, 9 - 7]}[len(value)]
        return bytes(control) + value
    if isinstance(value, Mapping):
        return bytes([7 << 5 | len(value)]) + b"".join(encoded(k) + encoded(v) for k, v in value.items())
    return bytes([len(value), 11 - 7]) + b"".join(map(encoded, value))


def database(networks: Mapping[str, Value]) -> bytes:
    """A file of version 6 with these networks (version 4 below ::/96, as the format has it)."""
    nodes: list[Node] = [[None, None]]
    data = b""
    for network, record in networks.items():
        net = ipaddress.ip_network(network)
        bits = f"{int(net.network_address):0128b}"[: net.prefixlen + (96 if net.version == 4 else 0)]
        at = 0
        for bit in bits[:-1]:
            below = nodes[at][int(bit)]
            if below is None:
                nodes.append([None, None])
                below = nodes[at][int(bit)] = len(nodes) - 1
            assert isinstance(below, int)
            at = below
        nodes[at][int(bits[-1])] = ("data", len(data))
        data += encoded(record)
    count = len(nodes)

    def pointer(child: int | tuple[str, int] | None) -> int:
        if child is None:
            return count
        return count + 16 + child[1] if isinstance(child, tuple) else child

    tree = b"".join(pointer(child).to_bytes(3, "big") for node in nodes for child in node)
    about: dict[str, Value] = {
        "binary_format_major_version": b"\0\2",
        "binary_format_minor_version": b"\0\0",
        "build_epoch": (1).to_bytes(8, "big"),
        "database_type": "Test",
        "description": {"en": "x"},
        "ip_version": b"\0\6",
        "languages": ["en"],
        "node_count": count.to_bytes(4, "big"),
        "record_size": b"\0\x18",
    }
    return tree + bytes(16) + data + MARK + encoded(about)


def ip(text: str) -> bytes:
    """The language's value of an address."""
    return ipaddress.ip_address(text).packed


def lookup() -> Callable[..., Any]:
    return FUNCTIONS["iptocountry"].bind(())


@pytest.fixture
def country_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "city.mmdb"
    path.write_bytes(
        database(
            {
                "1.2.3.0/24": {
                    "country": {"iso_code": "US"},
                    "subdivisions": [{"iso_code": "CA", "names": {"en": "California"}}],
                },
                "2.0.0.0/8": {"registered_country": {"iso_code": "FR"}},
                "3.0.0.0/8": {"country_code": "DE"},
                "4.0.0.0/8": {"country": "JP"},
                "5.0.0.0/8": {"country": {"iso_code": "not one"}},
                "2001:db8::/32": {"country": {"iso_code": "GB"}, "subdivisions": []},
                "6.0.0.0/8": {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "NY"}]},
            }
        )
    )
    monkeypatch.setenv("ESS_COUNTRY_FILE", str(path))
    return path


def test_the_packaged_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESS_COUNTRY_FILE", raising=False)
    known = {"8.8.8.8": b"US", "2001:4860:4860::8888": b"US", "10.0.0.1": b"", "127.0.0.1": b"", "::1": b""}
    known |= {"::ffff:8.8.8.8": b"US", "::ffff:10.0.0.1": b"", "::8.8.8.8": b""}
    assert {text: lookup()(ip(text)) for text in known} == known
    assert lookup()(b"") == b""


def test_a_file_wins(country_file: Path) -> None:
    known = {
        "1.2.3.4": b"US:California", "6.1.1.1": b"US:NY",
        "2.3.4.5": b"FR", "3.0.0.1": b"DE", "4.0.0.1": b"JP", "5.0.0.1": b"", "8.8.8.8": b"",
        "2001:db8::1": b"GB", "::1": b"", "::ffff:1.2.3.4": b"US:California",
    }  # fmt: skip
    assert {text: lookup()(ip(text)) for text in known} == known
    assert lookup()(b"") == b""


def test_a_replaced_file_is_opened_anew(country_file: Path) -> None:
    assert lookup()(ip("2.3.4.5")) == b"FR"
    fresh = country_file.with_suffix(".new")
    fresh.write_bytes(database({"2.0.0.0/8": {"country": {"iso_code": "IT"}}}))
    os.utime(fresh, ns=(1, 1))
    fresh.replace(country_file)
    assert lookup()(ip("2.3.4.5")) == b"IT"


def test_a_missing_or_wrong_file_is_said_before_any_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.mmdb"
    monkeypatch.setenv("ESS_COUNTRY_FILE", str(path))
    with pytest.raises(InputOpenError, match="cannot open"):
        lookup()
    path.write_bytes(b"not a database")
    with pytest.raises(InputOpenError, match="not a file in MaxMind's format"):
        lookup()


def test_a_damaged_file_rejects_the_record(country_file: Path) -> None:
    content = country_file.read_bytes()
    nodes = int.from_bytes(content[content.index(b"node_count") + 11 :][:4], "big")
    country_file.write_bytes(content[: nodes * 6 + 16] + b"\xff" * 8 + content[nodes * 6 + 24 :])
    with pytest.raises(RecordError, match="damaged"):
        lookup()(ip("1.2.3.4"))


@pytest.mark.parametrize(
    ("code", "country", "region"),
    [
        (b"US:California", "United States of America", "California"),
        (b"FR", "France", ""),
        (b"TW", "Taiwan", ""),
        (b"CI", "Côte d'Ivoire", ""),
        (b"US:?", "United States of America", "?"),
        (b"EU", "", ""),
        (b"us", "", ""),
        (b"", "", ""),
        (b":", "", ""),
        (b"\xff\xfe", "", ""),
    ],
)
def test_names(code: bytes, country: str, region: str) -> None:
    assert country_name(code).decode() == country
    assert region_name(code).decode() == region
