"""Columns that are made of others: a time as a number, the parts of a request.

A value that cannot be made is blank or 0: such a record has its text, and is not rejected.
"""

from __future__ import annotations

import re
import time
from calendar import timegm
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

Values = Sequence[bytes]
_Made = TypeVar("_Made")
Rule = Callable[[Sequence[Values]], list[bytes] | list[int]]

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_LOG_TIME = re.compile(
    rb"([0-9]{1,2})/([A-Za-z]{3})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    rb"(?: ([+-])([0-9]{2}):?([0-9]{2}))?\Z"
)
_ISO_TIME = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,9}))?"
    rb"(?:Z|z| ?([+-])([0-9]{2}):?([0-9]{2}))?\Z"
)
_SECONDS = re.compile(rb"([0-9]{1,12})(?:\.([0-9]{1,9}))?\Z")
_REQUEST = re.compile(rb"([A-Za-z][A-Za-z_-]*) +(.*?)(?: +(HTTP/[0-9.]+|[A-Z]+/[0-9.]+))?\Z", re.DOTALL)
_LATEST = 1 << 40
_MOST_REMEMBERED = 100_000


def _milliseconds(parts: tuple[int, int, int, int, int, int], fraction: bytes | None, zone: Sequence[bytes]) -> int:
    """Milliseconds since 1970; 0 if there is no such time."""
    year, month, day, hour, minute, second = parts
    try:
        datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return 0
    if second > 60:  # a leap second is the next one
        return 0
    seconds = timegm((year, month, day, hour, minute, second))
    if zone[0]:
        offset = int(zone[1]) * 3600 + int(zone[2]) * 60
        seconds += offset if zone[0] == b"-" else -offset
    return max(0, seconds * 1000 + (int(fraction[:3].ljust(3, b"0")) if fraction else 0))


def log_time(text: bytes) -> int:
    """The milliseconds since 1970 of a time as web servers write it, 0 if it is none.

    >>> log_time(b"12/Mar/2026:10:15:32 +0100")
    1773306932000
    """
    match = _LOG_TIME.match(text)
    if match is None:
        return 0
    day, name, year, hour, minute, second, fraction, *zone = match.groups()
    month = _MONTHS.get(name.lower(), 0)
    return _milliseconds((int(year), month, int(day), int(hour), int(minute), int(second)), fraction, zone)


def iso_time(text: bytes) -> int:
    """The milliseconds since 1970 of an ISO 8601 time, which is UTC without a zone; 0 if it is none.

    >>> iso_time(b"2026-03-12T09:15:32.123456Z"), iso_time(b"2026-03-12 09:15")
    (1773306932123, 0)
    """
    match = _ISO_TIME.match(text)
    if match is None:
        return 0
    *parts, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, parts)
    return _milliseconds((year, month, day, hour, minute, second), fraction, (sign, hours, minutes))


def unix_time(text: bytes) -> int:
    """The milliseconds of seconds since 1970 with a fraction, 0 if it is no such number.

    >>> unix_time(b"1773306932.5")
    1773306932500
    """
    match = _SECONDS.match(text)
    return int(match[1]) * 1000 + int((match[2] or b"")[:3].ljust(3, b"0")) if match else 0


def request_parts(text: bytes) -> tuple[bytes, bytes, bytes]:
    """The method, the target and the protocol of the first line of a request; all blank if it is none.

    >>> request_parts(b"GET /a?b=c HTTP/1.1")
    (b'GET', b'/a?b=c', b'HTTP/1.1')
    >>> request_parts(b"-")
    (b'', b'', b'')
    """
    match = _REQUEST.match(text)
    return (match[1], match[2], match[3] or b"") if match else (b"", b"", b"")


def _looked_up(texts: Values, known: dict[bytes, _Made], rule: Callable[[bytes], _Made]) -> list[_Made]:
    """The results of a rule for each text, where many are the same; ``known`` remembers it from block to block."""
    if len(known) > _MOST_REMEMBERED:
        known.clear()
    for text in set(texts):
        if text not in known:
            known[text] = rule(text)
    return [known[text] for text in texts]


def _day_and_time(fields: Sequence[Values]) -> list[int]:
    known: dict[bytes, int] = {}
    pairs = [b"T".join(pair) for pair in zip(*fields, strict=True)]
    return _looked_up(pairs, known, lambda text: iso_time(text) // 1000)


_BSD_TIME = re.compile(rb"([A-Za-z]{3}) +([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\Z")
_DAY = 86_400_000
_FACILITIES = (
    *(b"kern", b"user", b"mail", b"daemon", b"auth", b"syslog", b"lpr", b"news", b"uucp", b"cron", b"authpriv", b"ftp"),
    *(b"ntp", b"audit", b"alert", b"clock", *(b"local%d" % number for number in range(8))),
)
_SEVERITIES = (b"emerg", b"alert", b"crit", b"err", b"warning", b"notice", b"info", b"debug")


def syslog_time(text: bytes, now: int | None = None) -> int:
    """The milliseconds since 1970 of a time of a syslog message, 0 if it is none.

    One without a year is the last such day and time that is not later than a day from ``now`` (in milliseconds).

    >>> syslog_time(b"Dec 31 23:59:59", now=iso_time(b"2026-03-12T00:00:00Z")) == iso_time(b"2025-12-31T23:59:59Z")
    True
    """
    match = _BSD_TIME.match(text)
    if match is None:
        return iso_time(text)
    name, *numbers = match.groups()
    day, hour, minute, second = map(int, numbers)
    latest = (time.time_ns() // 1_000_000 if now is None else now) + _DAY
    year = datetime.fromtimestamp(latest / 1000, UTC).year
    for each in range(year, year - 8, -1):  # the 29th of February may be long ago
        found = _milliseconds((each, _MONTHS.get(name.lower(), 0), day, hour, minute, second), None, (b"", b"", b""))
        if found and found <= latest:
            return found
    return 0


def _priority(text: bytes, *, severity: bool) -> bytes:
    number = int(text) if text.isdigit() else len(_FACILITIES) << 3
    if number >= len(_FACILITIES) << 3:
        return b""
    return _SEVERITIES[number & 7] if severity else _FACILITIES[number >> 3]


def _numbers(factor: int) -> Rule:
    """The rule that takes a number of seconds."""

    def make(fields: Sequence[Values]) -> list[int]:
        return [int(value * factor) if 0 <= value < _LATEST else 0 for value in map(float, fields[0])]

    return make


#: What makes a number of a text.
NUMBERS: dict[str, Callable[[bytes], int]] = {
    "log seconds": lambda text: log_time(text) // 1000,
    "log milliseconds": log_time,
    "iso seconds": lambda text: iso_time(text) // 1000,
    "iso milliseconds": iso_time,
    "syslog seconds": lambda text: syslog_time(text) // 1000,
    "syslog milliseconds": syslog_time,
}
#: The parts of a request, by their number in ``request_parts``.
REQUEST_PARTS = {"request method": 0, "request url": 1, "request protocol": 2}
#: What makes a column of the values of fields.
RULES: dict[str, Rule] = {
    "day and time": _day_and_time,
    "number seconds": _numbers(1),
    "number milliseconds": _numbers(1000),
    "syslog facility": lambda fields: [_priority(text, severity=False) for text in fields[0]],
    "syslog severity": lambda fields: [_priority(text, severity=True) for text in fields[0]],
}
