"""The grammar of numbers, strings and addresses, and that Polars takes only a part of it."""

from __future__ import annotations

import ipaddress
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.formats.values import BadValueError, Value, address_text, converter, shown
from ess.schema.batch import PHYSICAL
from ess.schema.columns import parse_column
from ess.schema.types import INTEGER_RANGES, ColumnType


def value_of(spec: str, raw: bytes) -> Value | None:
    try:
        return converter(parse_column(spec, where="-d"))(raw)
    except BadValueError:
        return None


@pytest.mark.parametrize(
    ("spec", "raw", "expected"),
    [
        ("i:x", b"", 0),
        ("i:x", b"-", 0),
        ("i:x", b"42", 42),
        ("i:x", b"+42", 42),
        ("i:x", b"0042", 42),
        ("i:x", b"-0", 0),
        ("i:x", b"-1", None),
        ("i:x", b"4294967295", 2**32 - 1),
        ("i:x", b"4294967296", None),
        ("i:x", b"0" * 30 + b"7", 7),
        ("i:x", b"9" * 30, None),
        ("i:x", b" 42", None),
        ("i:x", b"42 ", None),
        ("i,trm:x", b" 42\t", 42),
        ("i,trm:x", b"  ", 0),
        ("i:x", b"4_2", None),
        ("i:x", b"4.0", None),
        ("i:x", b"0x10", None),
        ("i:x", b"TBD", None),
        ("i:x", b"42\n", None),
        ("i:x", b"+", None),
        ("i:x", "٣".encode(), None),
        ("is:x", b"-2147483648", -(2**31)),
        ("is:x", b"2147483648", None),
        ("l:x", b"18446744073709551615", 2**64 - 1),
        ("l:x", b"18446744073709551616", None),
        ("ls:x", b"-9223372036854775808", -(2**63)),
        ("ls:x", b"9223372036854775808", None),
        ("i,hex:x", b"100", 256),
        ("i,hex:x", b"0xfF", 255),
        ("i,hex:x", b"0x", None),
        ("i,hex:x", b"", 0),
        ("ls,hex:x", b"-0X10", -16),
        ("f:x", b"", 0.0),
        ("f:x", b"-", 0.0),
        ("f:x", b"2.50", 2.5),
        ("f:x", b".5", 0.5),
        ("f:x", b"5.", 5.0),
        ("f:x", b"-1E-2", -0.01),
        ("f:x", b"inf", math.inf),
        ("f:x", b"-Infinity", -math.inf),
        ("f:x", b"1e999", None),
        ("f:x", b"1e-999", 0.0),
        ("f:x", b".", None),
        ("f:x", b"1e", None),
        ("f:x", b"1,5", None),
        ("f:x", b"1_0", None),
        ("f:x", b"0x1p3", None),
        ("f:x", b" 1", None),
        ("f,trm:x", b" 1 ", 1.0),
        ("s,lo:x", b"AbC\xc9", b"abc\xc9"),
        ("s,up:x", b"AbC\xe9", b"ABC\xe9"),
        ("s,trm:x", b" \ta b\r", b"a b"),
        ("s:x", b"x" * 65535, b"x" * 65535),
        ("s:x", b"x" * 65536, None),
        ("ip:x", b"", b""),
        ("ip:x", b"10.0.0.1", b"\n\0\0\1"),
        ("ip:x", b"::1", bytes(15) + b"\1"),
        ("ip:x", b"10.0.0", None),
        ("ip:x", b"10.0.0.256", None),
        ("ip:x", b"-", b""),
    ],
)
def test_grammar(spec: str, raw: bytes, expected: Value | None) -> None:
    assert value_of(spec, raw) == expected


def test_nan() -> None:
    value = value_of("f:x", b"NaN")
    assert isinstance(value, float)
    assert math.isnan(value)


numbers = st.one_of(
    st.text(alphabet="0123456789+-.eE_ xinfaty", max_size=8),
    st.integers(-(2**66), 2**66).map(str),
    st.floats().map(repr),
    st.floats().map(lambda number: f"{number:.17g}"),
    st.decimals().map(str),
)


@settings(max_examples=300, deadline=None)
@given(numbers, st.sampled_from([ColumnType.F, *INTEGER_RANGES]))
def test_what_polars_takes_is_in_the_grammar(text: str, kind: ColumnType) -> None:
    # The columnar path relies on it: a finite value of Polars is the value.
    fast = pl.Series([text.encode()]).cast(pl.String).cast(PHYSICAL[kind], strict=False)[0]
    if fast is not None and math.isfinite(fast):
        exact = value_of(f"{kind.name}:x", text.encode())
        assert isinstance(exact, int | float)
        assert exact == fast
        assert math.copysign(1, exact) == math.copysign(1, fast)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_addresses_go_in_and_out(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    packed = value_of("ip:x", str(address).encode())
    assert packed == address.packed
    assert ipaddress.ip_address(address_text(address.packed).decode()) == address


def test_bytes_in_messages_are_printable_and_cut() -> None:
    assert shown(b"\x1b[31m\n") == "'\\x1b[31m\\x0a'"
    assert shown(b"a" * 50) == "'" + "a" * 40 + "'..."
