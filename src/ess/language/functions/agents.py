"""User agents: AgentParse, the parts of its code, IsCrawler, AgentToUId.

Browsers, systems and devices come from the rules of ua-parser, crawlers from those of
crawler-user-agents. Both load on the first call, about half a second, and a distinct agent is parsed once.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from ess.language.function import Example, Function, RowFunction, address, text
from ess.language.tree import ValueType

if TYPE_CHECKING:
    from ua_parser import PartialResult, UserAgent
    from ua_parser.core import Matcher

_REMEMBERED = 1 << 16
_CRAWLER_ID = 2
_DESKTOPS = r"Windows|Mac OS|Linux|Ubuntu|Debian|Fedora|Red Hat|SUSE|Mint|Chrome OS|BSD|Solaris|Gentoo|Arch"
_TELEVISIONS = r"TV\b|\bTV|AppleTV|Roku|BRAVIA|AFT[A-Z]"
_CONSOLES = r"PlayStation|Xbox|Nintendo"
_TABLETS = r"iPad|Tablet|Kindle|PlayBook|Silk/|KF[A-Z]{2,}|SM-[TXP][0-9]|Nexus (?:7|9|10)\b|Pixel C\b|MediaPad"
_PHONES = r"Mobile|iPhone|iPod|Phone|BlackBerry|Symbian|MIDP|Opera Mini"


@cache
def _agent_rules() -> Callable[[str], PartialResult]:
    from ua_parser import Domain, load_builtins
    from ua_parser.regex import Resolver

    resolver = Resolver(load_builtins())
    return lambda agent: resolver(agent, Domain.ALL)


@cache
def _crawler_rules() -> Callable[[str], PartialResult]:
    """The crawler's name as the "browser" of an agent; by the same engine, which looks for all patterns at once."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA
    from ua_parser import Domain
    from ua_parser.lazy import UserAgentMatcher
    from ua_parser.regex import Resolver

    patterns: list[Matcher[UserAgent]] = [
        UserAgentMatcher(f"({entry['pattern']})", "$1") for entry in CRAWLER_USER_AGENTS_DATA
    ]
    resolver = Resolver((patterns, [], []))
    return lambda agent: resolver(agent, Domain.USER_AGENT)


def _device_type(agent: str, system: str) -> str:
    """``TV``, ``Console``, ``Tablet``, ``Phone``, ``PC`` or blank: the agent's own words decide."""
    if re.search(_CONSOLES, agent):
        return "Console"
    if re.search(_TELEVISIONS, agent):
        return "TV"
    # Browsers for Android say "Mobile" on a phone; other programs there, with Dalvik's agent or their own, never do.
    is_browser = agent.startswith("Mozilla/")
    if re.search(_TABLETS, agent) or (system == "Android" and is_browser and "Mobile" not in agent):
        return "Tablet"
    if re.search(_PHONES, agent) or system == "Android":
        return "Phone"
    return "PC" if re.match(_DESKTOPS, system) else ""


def _component(value: str) -> str:
    return value.replace(":", " ").strip()


@lru_cache(maxsize=_REMEMBERED)
def _parsed(agent: bytes) -> bytes:
    words = agent.decode("utf-8", "replace")
    if not words.strip():
        return b""
    crawler = _crawler_rules()(words).user_agent
    if crawler:
        return (_component(crawler.family.strip(" /;()+,")) or "Crawler").encode()
    result = _agent_rules()(words)
    browser = _component(result.user_agent.family) if result.user_agent else ""
    device = _component(result.device.family) if result.device else ""
    if device == "Spider":
        return (browser or "Crawler").encode()
    if not browser:
        return b""
    system = _component(result.os.family) if result.os else ""
    return ":".join((browser, system, _device_type(words, system), device)).encode()


def agent_code(agent: bytes, ip: bytes = b"") -> bytes:
    """The browser, system, device type and device of an agent, or the crawler's name; blank if unknown.

    >>> agent_code(b"curl/8.0")
    b'curl'
    """
    return _parsed(agent)


def is_crawler(code: bytes) -> int:
    """1 for a code without components that is not blank."""
    return 1 if code and b":" not in code else 0


def user_id(agent: bytes, ip: bytes = b"") -> int:
    """2 for a crawler, 0 for a blank agent, else the agent's CRC-32 (at least 3)."""
    if is_crawler(_parsed(agent)):
        return _CRAWLER_ID
    return max(zlib.crc32(agent), _CRAWLER_ID + 1) if agent else 0


def _part(index: int) -> RowFunction:
    def part(code: bytes) -> bytes:
        parts = code.split(b":", 3)
        return parts[index] if len(parts) > max(1, index) else b""

    return part


def _agent_part(name: str, what: str, index: int, expected: bytes) -> Function:
    return Function(
        name,
        (text("Code"),),
        ValueType.STRING,
        f"The {what} of a code that AgentParse gave; blank for a crawler.",
        (Example(f"{name}('Firefox:Linux:PC:x')", expected), Example(f"{name}('Googlebot')", b"")),
        row=_part(index),
    )


_FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
_GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_NO_ADDRESS = "Ip is accepted and ignored: crawlers are known by their agent alone."

FUNCTIONS = (
    Function(
        "AgentParse",
        (text("Agent"), address("Ip", optional=True)),
        ValueType.STRING,
        "The facts in a user agent, as 'Browser:OS:DeviceType:DeviceName' for AgentName and the others; the name alone "
        "of a crawler; blank if no browser is known. The type is PC, Phone, Tablet, TV, Console or blank.",
        (
            Example(f"AgentParse('{_FIREFOX}')", b"Firefox:Linux:PC:"),
            Example(f"AgentParse('{_GOOGLEBOT}')", b"Googlebot"),
            Example("AgentParse('-')", b""),
        ),
        row=agent_code,
        differences=f"The names are those of ua-parser and crawler-user-agents. {_NO_ADDRESS}",
    ),
    _agent_part("AgentName", "browser's name", 0, b"Firefox"),
    _agent_part("AgentOS", "operating system", 1, b"Linux"),
    _agent_part("AgentDevType", "type of the device", 2, b"PC"),
    _agent_part("AgentDevName", "name of the device", 3, b"x"),
    Function(
        "IsCrawler",
        (text("Code"),),
        ValueType.INTEGER,
        "1 if a code that AgentParse gave names a crawler, else 0.",
        (
            Example("IsCrawler('Googlebot')", 1),
            Example("IsCrawler('Firefox:Linux:PC:')", 0),
            Example("IsCrawler('')", 0),
        ),
        row=is_crawler,
    ),
    Function(
        "AgentToUId",
        (text("Agent"), address("Ip", optional=True)),
        ValueType.INTEGER,
        "A number for a user agent: 2 for any crawler, 0 for a blank agent, else a 32-bit hash of it.",
        (
            Example(f"AgentToUId('{_GOOGLEBOT}')", 2),
            Example(f"AgentToUId('{_FIREFOX}')", 2480184306),
            Example("AgentToUId('')", 0),
        ),
        row=user_id,
        differences=f"The numbers are not those of the reference system. {_NO_ADDRESS}",
    ),
)
