"""AgentParse over the kinds of agents that logs hold."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.language.functions import FUNCTIONS
from ess.language.functions.agents import agent_code, is_crawler, user_id

WEBKIT = b"AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "code"),
    [
        (b"Mozilla/5.0 (Windows NT 10.0) " + WEBKIT + b" Chrome/120.0.0.0 Safari/537.36", "Chrome:Windows:PC:"),
        (
            b"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            b"Version/17.0 Mobile/15E148 Safari/604.1",
            "Mobile Safari:iOS:Phone:iPhone",
        ),
        (
            b"Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.0 "
            b"Mobile/15E148 Safari/604.1",
            "Mobile Safari:iOS:Tablet:iPad",
        ),
        (b"Mozilla/5.0 (Linux; Android 13; Pixel 7) " + WEBKIT + b" Chrome/120.0.0.0 Mobile Safari/537.36",
         "Chrome Mobile:Android:Phone:Pixel 7"),
        (b"Mozilla/5.0 (Linux; Android 13; Pixel C) " + WEBKIT + b" Chrome/120.0.0.0 Safari/537.36",
         "Chrome:Android:Tablet:Pixel C"),
        (b"Dalvik/2.1.0 (Linux; U; Android 9; SM-G960F Build/PPR1)", "Android:Android:Phone:Samsung SM-G960F"),
        (b"Dalvik/2.1.0 (Linux; U; Android 9; SM-T510 Build/PPR1)", "Android:Android:Tablet:Samsung SM-T510"),
        (b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", "IE:Windows:PC:"),
    ],
)  # fmt: skip
def test_browsers(agent: bytes, code: str) -> None:
    assert agent_code(agent).decode() == code
    assert not is_crawler(agent_code(agent))
    assert user_id(agent) > 2
    assert user_id(agent) == user_id(agent, b"\x01\x02\x03\x04")


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (b"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", b"bingbot"),
        (b"Wget/1.21.3", b"Wget"),
        (b"python-requests/2.31.0", b"python-requests"),
    ],
)
def test_crawlers(agent: bytes, name: bytes) -> None:
    assert agent_code(agent) == name
    assert is_crawler(name) == 1
    assert user_id(agent) == 2


@pytest.mark.parametrize("agent", [b"", b" ", b"-", b"\xff\xfe", b"a:b:c"])
def test_nothing_known_is_blank(agent: bytes) -> None:
    assert agent_code(agent) == b""


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_give_four_components_or_none(agent: bytes) -> None:
    code = agent_code(b"Mozilla/5.0 " + agent)
    assert code.count(b":") in (0, 3)
    if not is_crawler(code) and code:
        name_of = FUNCTIONS["agentname"].row
        assert name_of is not None
        assert name_of(code)


def test_the_rules_load_only_when_an_agent_is_parsed() -> None:
    code = (
        "import sys; from ess.language.functions import FUNCTIONS;"
        "FUNCTIONS['agentname'].row(b'a:b:c:d');"
        "print([m for m in ('ua_parser', 'crawleruseragents', 'iptocc', 'maxminddb', 'iso3166') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
