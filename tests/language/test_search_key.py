"""SearchKey over the forms of addresses that logs hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.language.functions.search import ENGINES, SearchEngine, search_key


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ((b"http://www.google.com/search?hl=en&q=a%20b&x=1",), b"a b"),
        ((b"HTTPS://WWW.Google.Co.UK:443/search?q=a",), b"a"),
        ((b"user@www.google.de", b"/search?q=%E4%C3%A4"), b"\xe4\xc3\xa4"),
        ((b"https://www.google.com/#hl=en&q=behind",), b"behind"),
        ((b"http://www.google.com", b"/search?q=one#q=two"), b"one"),
        ((b"www.google.com?q=no+path",), b"no path"),
        ((b"http://uk.search.yahoo.com", b"/search?p=x"), b"x"),
        ((b"yandex.com.tr/search/?text=x",), b"x"),
        ((b"www.baidu.com/s?wd=&word=second",), b"second"),
        ((b"www.google.com",), b"-"),
        ((b"www.google.com", b""), b"-"),
        ((b"www.google.com/search?q=+",), b"-"),
        ((b"mail.google.com/?q=x",), b""),
        ((b"notgoogle.com/?q=x",), b""),
        ((b"www.google.com.evil.example/?q=x",), b""),
        ((b"",), b""),
        ((b"", b"/search?q=x"), b""),
    ],
)
def test_forms_of_addresses(arguments: tuple[bytes, ...], key: bytes) -> None:
    assert search_key(*arguments) == key


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.hosts[0])
def test_every_host_and_parameter_of_the_table_is_found(engine: SearchEngine) -> None:
    for host in engine.hosts:
        name = host.replace("*.", "de.") if host.startswith("*.") else host
        for country in ("com", "fr", "co.jp") if name.endswith(".*") else ("",):
            for key in engine.keys:
                site = name.removesuffix(".*") + (f".{country}" if country else "")
                assert search_key(site.encode(), b"/s?a=b&" + key + b"=found") == b"found"


@given(st.binary(max_size=60), st.none() | st.binary(max_size=60))
def test_any_bytes_give_a_key(site: bytes, path: bytes | None) -> None:
    assert isinstance(search_key(site, path), bytes)
