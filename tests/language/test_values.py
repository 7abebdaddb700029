"""Numbers and addresses read from text."""

from __future__ import annotations

import ipaddress
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.language import text_codes, values
from ess.language.functions import FUNCTIONS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"", 0),
        (b"-", 0),
        (b"+7", 7),
        (b" \t-12abc", -12),
        (b"0" * 45 + b"7", 7),
        (b"9" * 5000, 2**63 - 1),
        (b"-" + b"9" * 5000, -(2**63)),
        (b"9223372036854775807", 2**63 - 1),
        (b"9223372036854775808", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"0x10", 0),
        (b"1_0", 1),
        ("\u0663".encode(), 0),
    ],
)
def test_integers(text: bytes, value: int) -> None:
    assert values.parse_integer(text) == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_come_back(value: int) -> None:
    assert values.parse_integer(values.format_integer(value) + b".5") == value


@given(st.floats(allow_nan=False))
def test_floats_come_back(value: float) -> None:
    assert values.parse_float(values.format_float(value)) == value


@given(st.ip_addresses())
def test_addresses_come_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    packed = values.parse_address(str(address).encode())
    assert packed == address.packed
    assert values.parse_address(values.format_address(packed)) == packed


@pytest.mark.parametrize(
    "text", [b"1.2.3", b"1.2.3.4.5", b"256.1.1.1", b" 1.2.3.4", b":::", b"\xff", b"1.2.3.4\0", b"x"]
)
def test_what_is_no_address_is_blank(text: bytes) -> None:
    assert values.parse_address(text) == b""


@given(st.floats())
def test_floats_are_cut_towards_zero(value: float) -> None:
    got = values.to_integer(value)
    assert got == (int(value) if abs(value) < 2**63 else -(2**63))


@given(st.binary(max_size=30))
def test_encodings_come_back(value: bytes) -> None:
    assert text_codes.url_decode(text_codes.url_encode(value)) == value
    assert text_codes.url_encode(value).isascii()
    encoded = FUNCTIONS["base64enc"].bind(())(value)
    assert text_codes.base64_decode(encoded) == value == text_codes.base64_decode(encoded[:4] + b"\n" + encoded[4:])


@given(st.text("%4+a=Gg/\n", max_size=12).map(str.encode))
def test_decoding_takes_anything(value: bytes) -> None:
    assert text_codes.url_decode(value) == urllib.parse.unquote_to_bytes(value.replace(b"+", b" "))
    assert isinstance(text_codes.base64_decode(value), bytes)
