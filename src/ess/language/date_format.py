"""Date formats: text to time, compiled once for each format.

A format is read from left to right. ``.`` stands for one byte of any kind; ``%Y %y %m %b %d %H
%I %M %S %S0-%S9 %p %z`` for a part of a date. If a format holds no ``%`` at all, its letters are
the codes: ``Y.m.d`` is ``%Y.%m.%d``. Any other byte stands for itself. What follows the last
part in the text is ignored.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Callable

_MONTHS = {
    name.encode(): number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_CODES: dict[str, tuple[str, bytes]] = {
    "Y": ("year", rb"([0-9]{1,4})"),
    "y": ("short_year", rb"([0-9]{1,2})"),
    "m": ("month", rb"([0-9]{1,2})"),
    "b": ("month_name", rb"([A-Za-z]{3})"),
    "d": ("day", rb"([0-9]{1,2})"),
    "H": ("hour", rb"([0-9]{1,2})"),
    "I": ("hour", rb"([0-9]{1,2})"),
    "M": ("minute", rb"([0-9]{1,2})"),
    "S": ("second", rb"([0-9]{1,2})"),
    "p": ("half", rb"([AaPp][Mm])"),
    "z": ("zone", rb"([+-][0-9]{2}:?[0-9]{2})"),
}
_DAY_PARTS = frozenset({"year", "short_year", "month", "month_name", "day"})
#: How many days' beginnings a compiled format remembers.
_REMEMBERED = 4096


class FormatError(ValueError):
    """A date format that makes no sense."""


def compile_date_format(spec: bytes, *, local: bool) -> Callable[[bytes], int]:
    """A function from a date's text to the seconds since 1970 (or smaller units, by ``%S1`` to ``%S9``).

    Text that does not fit gives 0. Without ``%z`` the date is local time as the C library knows
    it (environment TZ; over daylight saving its ``mktime`` decides), or GMT if not ``local``.

    Raises:
        FormatError: If the format repeats a part or has an unknown code.

    >>> compile_date_format(b"Y.m.d.H.M.S", local=False)(b"2014-09-15 00:00:01")
    1410739201
    >>> compile_date_format(b"%d/%b/%Y:%H:%M:%S3 %z", local=True)(b"15/Sep/2014:00:00:01.25 +0000")
    1410739201250
    """
    names, pattern, digits = _parse(spec)
    match = re.compile(pattern).match
    begin = _day_begin(local and "zone" not in names)
    if [name for name in names if name in _DAY_PARTS] == names[: len(names) - 3] and names[-3:] == [
        "hour",
        "minute",
        "second",
    ]:
        return _common_shape(names, spec, digits, begin)
    return _any_shape(names, digits, match, begin)


def _parse(spec: bytes) -> tuple[list[str], bytes, int]:
    names: list[str] = []
    pattern = b""
    digits = 0
    marked = b"%" in spec
    position = 0
    while position < len(spec):
        letter = chr(spec[position])
        if marked and letter == "%":
            position += 1
            letter = chr(spec[position]) if position < len(spec) else ""
            if letter == "%":
                pattern += b"%"
                position += 1
                continue
            if letter not in _CODES:
                raise FormatError(f"unknown date code '%{letter}'")
            is_code = True
        else:
            is_code = not marked and letter in _CODES
        position += 1
        if is_code:
            name, expression = _CODES[letter]
            names.append(name)
            if letter == "S" and spec[position : position + 1].isdigit():
                digits = int(spec[position : position + 1])
                position += 1
                names.append("fraction")
                expression += rb"(?:\.([0-9]*))?"
            pattern += expression
        else:
            pattern += b"(?s:.)" if letter == "." else re.escape(spec[position - 1 : position])
    kinds = ["year" if n == "short_year" else "month" if n == "month_name" else n for n in names]
    for name in kinds:
        if kinds.count(name) > 1:
            raise FormatError(f"the date format gives the {name} twice")
    if not names:
        raise FormatError("the date format holds no date code")
    return names, pattern, digits


DayBegin = Callable[[int, int, int], tuple[int, bool]]


def _day_begin(local: bool) -> DayBegin:
    """The time a day begins at, and whether all its hours have 60 minutes in a row."""
    known: dict[tuple[int, int, int], tuple[int, bool]] = {}

    def begin(year: int, month: int, day: int) -> tuple[int, bool]:
        found = known.get((year, month, day))
        if found is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            if local:
                first = int(time.mktime((year, month, day, 0, 0, 0, 0, 0, -1)))
                found = (first, int(time.mktime((year, month, day + 1, 0, 0, 0, 0, 0, -1))) - first == 86400)
            else:
                found = (calendar.timegm((year, month, 1, 0, 0, 0)) + (day - 1) * 86400, True)
            known[year, month, day] = found
        return found

    return begin


def _year(text: bytes) -> int:
    """A year of two digits, as POSIX reads it: 69 to 99 are of the 20th century."""
    value = int(text)
    return value + (1900 if value >= 69 else 2000)


def _day_of(names: list[str], groups: tuple[bytes | None, ...]) -> tuple[int, int, int] | None:
    """Year, month and day; None if a number is out of range. Missing ones are of 1970-01-01."""
    year, month, day = 1970, 1, 1
    for name, text in zip(names, groups, strict=True):
        if text is None:
            continue
        if name == "year":
            year = int(text)
        elif name == "short_year":
            year = _year(text)
        elif name == "month":
            month = int(text)
        elif name == "month_name":
            month = _MONTHS.get(text.lower(), 0)
        elif name == "day":
            day = int(text)
    return (year, month, day) if 1 <= month <= 12 and 1 <= day <= 31 and year >= 1 else None


def _seconds(day: tuple[int, int, int], hour: int, minute: int, second: int, begin: DayBegin) -> int:
    first, regular = begin(*day)
    if regular:
        return first + hour * 3600 + minute * 60 + second
    return int(time.mktime((*day, hour, minute, second, 0, 0, -1)))


def _common_shape(names: list[str], spec: bytes, digits: int, begin: DayBegin) -> Callable[[bytes], int]:
    """Days first, then hour, minute and second: the text of the day part is the key of a cache."""
    day_names = names[:-3]
    marked = b"%" in spec
    at = (
        spec.index(b"%H" if b"%H" in spec else b"%I")
        if marked
        else min(place for place in (spec.find(b"H"), spec.find(b"I")) if place >= 0)
    )
    _, day_pattern, _ = _parse(spec[:at]) if day_names else ([], b"", 0)
    _, time_pattern, _ = _parse((b"" if marked else b"") + spec[at:])
    match = re.compile(b"(" + day_pattern.replace(b"([", b"(?:[") + b")" + time_pattern).match
    day_match = re.compile(day_pattern).match
    known: dict[bytes, tuple[int, int, int] | int | None] = {}

    def day_of(text: bytes) -> tuple[int, int, int] | int | None:
        """The first second of a regular day, or the day itself; None if it is out of range."""
        groups = day_match(text)
        day = _day_of(day_names, groups.groups()) if groups else None
        result: tuple[int, int, int] | int | None = day
        if day is not None:
            first, regular = begin(*day)
            result = first if regular else day
        if len(known) >= _REMEMBERED:
            known.clear()
        known[text] = result
        return result

    def to_time(text: bytes) -> int:
        found = match(text)
        if found is None:
            return 0
        day_text, h, m, s = found.groups()
        day = known.get(day_text, 0)
        if day == 0:
            day = day_of(day_text)
        hour, minute, second = int(h), int(m), int(s)
        if day is None or hour > 23 or minute > 59 or second > 60:
            return 0
        if day.__class__ is int:
            return day + hour * 3600 + minute * 60 + second  # type: ignore[operator]
        return _seconds(day, hour, minute, second, begin)  # type: ignore[arg-type]

    return to_time


def _any_shape(
    names: list[str], digits: int, match: Callable[[bytes], re.Match[bytes] | None], begin: DayBegin
) -> Callable[[bytes], int]:
    unit = 10**digits

    def to_time(text: bytes) -> int:
        found = match(text)
        if found is None:
            return 0
        groups = found.groups()
        day = _day_of(names, groups)
        part = dict(zip(names, groups, strict=True))
        hour, minute, second = (int(part.get(name) or 0) for name in ("hour", "minute", "second"))
        half = part.get("half")
        if half is not None:
            if hour > 12:
                half = None  # 13 PM: the hour says it already
            elif half[:1] in b"pP":
                hour = hour + 12 if hour < 12 else 12
            else:
                hour %= 12
        if day is None or hour > 23 or minute > 59 or second > 60:
            return 0
        result = _seconds(day, hour, minute, second, begin)
        zone = part.get("zone")
        if zone is not None:
            offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
            result += offset if zone[:1] == b"-" else -offset
        if digits:
            fraction = (part.get("fraction") or b"")[:digits]
            result = result * unit + int(fraction.ljust(digits, b"0"))
        return result

    return to_time
