"""Date formats: text to time, compiled once for each format.

A format is read from left to right. ``%Y %y %m %b %d %H %I %M %S %S0-%S9 %L %f %p %z`` stand for a part of
a date. If a format holds no ``%`` at all, its letters are the codes: ``Y.m.d`` is ``%Y.%m.%d``. ``.`` stands for one
byte that is no digit; of several dots behind the seconds only the first, and the last before a number, so that
they can pass over a fraction. Any other byte stands for itself.

A code takes as many digits as it may and gives none back. Text after the last part is ignored, but a last number
does not go on there, unless it stands directly behind another one (``Ymd`` reads ``20140915120000``).
"""

from __future__ import annotations

import calendar
import datetime
import re
import time
from collections.abc import Callable

ToTime = Callable[[bytes], int]
Match = Callable[[bytes], re.Match[bytes] | None]

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_SECONDS = {b"%02d" % second: second for second in range(60)}
_NUMBERS = frozenset({"year", "short_year", "month", "day", "hour", "minute"})
_DIGITS = re.compile(rb"[0-9]+")
_CODES: dict[str, tuple[str, bytes]] = {
    "Y": ("year", rb"([0-9]{1,4}+)"),
    "y": ("short_year", rb"([0-9]{1,2}+)"),
    "m": ("month", rb"([0-9]{1,2}+)"),
    "b": ("month_name", rb"([A-Za-z]{3})"),
    "d": ("day", rb"([0-9]{1,2}+| [0-9])"),
    "H": ("hour", rb"([0-9]{1,2}+| [0-9])"),
    "I": ("hour", rb"([0-9]{1,2}+| [0-9])"),
    "M": ("minute", rb"([0-9]{1,2}+)"),
    "S": ("second", rb"([0-9]{1,2}+)"),
    "L": ("fraction", rb"([0-9]{1,9}+)"),
    "f": ("fraction", rb"([0-9]{1,9}+)"),
    "p": ("half", rb"([AaPp][Mm])"),
    "z": (
        "zone",
        rb"((?i:UTC|GMT|UT|Z)(?![A-Za-z]|[+-][0-9])"
        rb"|(?i:UTC|GMT)?[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9](?![0-9])|(?!:?[0-9])))",
    ),
}
#: The zone directly before a number.
_ZONE_AND_NUMBER = rb"([+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"
#: The result is in milliseconds and microseconds.
_FRACTIONS = {"L": 3, "f": 6}
_NOT_BARE = frozenset(_FRACTIONS)
_DIGIT_CODES = frozenset("YymdHIMSLf")
_EPOCH = datetime.date(1970, 1, 1).toordinal()
#: How many days' or minutes' beginnings a compiled format remembers.
_REMEMBERED = 50_000


class FormatError(ValueError):
    """Raised for a date format that makes no sense."""


def compile_date_format(spec: bytes, *, local: bool) -> ToTime:
    """A function from a date's text to the seconds since 1970 (or smaller units, by ``%S1`` to ``%S9``).

    Text that does not fit gives 0. Without ``%z`` the date is local time as the C library knows
    it (environment TZ; an hour that comes twice is its first coming), or GMT if not ``local``.

    Raises:
        FormatError: If the format repeats a part or has an unknown code.

    >>> compile_date_format(b"Y.m.d.H.M.S", local=False)(b"2014-09-15 00:00:01")
    1410739201
    >>> compile_date_format(b"%d/%b/%Y:%H:%M:%S3 %z", local=True)(b"15/Sep/2014:00:00:01.25 +0000")
    1410739201250
    """
    names, pattern, digits = _parse(spec)
    match = re.compile(pattern).match
    to_time = _by_parts(names, digits, match, _day_begin(local and "zone" not in names))
    return to_time if digits or "second" not in names else _by_minutes(names, match, to_time)


def may_be_digits(spec: bytes) -> frozenset[int]:
    """The places in a format of dots that may stand for digits: those that pass over a fraction behind the seconds.

    >>> sorted(may_be_digits(b"%M.%S....%z")), sorted(may_be_digits(b"M.S...d")), sorted(may_be_digits(b"b..d"))
    ([6, 7, 8], [4], [])
    """
    marked = b"%" in spec
    behind_seconds = rb"(?<=%S)\.{2,}" if marked else rb"(?<=S)\.{2,}"
    found: set[int] = set()
    for run in re.finditer(behind_seconds, spec):
        found |= set(range(run.start() + 1, run.end() - _is_number(spec, run.end(), marked=marked)))
    return frozenset(found)


def _is_number(spec: bytes, position: int, *, marked: bool) -> bool:
    """True if a code for digits stands there."""
    if marked and spec[position : position + 1] != b"%":
        return False
    code = spec[position + marked : position + marked + 1].decode("latin-1")
    return code in _DIGIT_CODES and (marked or code not in _NOT_BARE)


def _parse(spec: bytes) -> tuple[list[str], bytes, int]:
    names: list[str] = []
    pattern = b""
    digits = 0
    marked = b"%" in spec
    free = may_be_digits(spec)
    position = 0
    number_before = compact = False  # the item before is a number; and the one before that
    while position < len(spec):
        letter = chr(spec[position])
        if marked and letter == "%":
            position += 1
            letter = chr(spec[position]) if position < len(spec) else ""
            if letter == "%":
                pattern += b"%"
                position += 1
                number_before = False
                continue
            if letter not in _CODES:
                raise FormatError(f"unknown date code '%{letter}'")
            is_code = True
        else:
            is_code = not marked and letter in _CODES and letter not in _NOT_BARE
        position += 1
        if is_code:
            name, expression = _CODES[letter]
            names.append(name)
            digits = _FRACTIONS.get(letter, digits)
            if letter == "S" and spec[position : position + 1].isdigit():
                digits = int(spec[position : position + 1])
                position += 1
                names.append("fraction")
                expression += rb"(?:[.,]([0-9]*+))?+"
            elif letter == "z" and _is_number(spec, position, marked=marked):
                expression = _ZONE_AND_NUMBER
            pattern += expression
            compact, number_before = number_before, letter in _DIGIT_CODES
        else:
            any_byte = b"(?s:.)" if position - 1 in free else b"[^0-9]"
            pattern += any_byte if letter == "." else re.escape(spec[position - 1 : position])
            number_before = False
    if number_before and not compact:
        pattern += b"(?![0-9])"
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
            found = _local_day(year, month, day) if local else (_gmt_day(year, month, day), True)
            known[year, month, day] = found
        return found

    return begin


def _gmt_day(year: int, month: int, day: int) -> int:
    return (datetime.date(year, month, 1).toordinal() - _EPOCH + day - 1) * 86400


def _local_day(year: int, month: int, day: int) -> tuple[int, bool]:
    try:
        today = datetime.date(year, month, day)
        tomorrow = today + datetime.timedelta(1)
    except OverflowError:
        return _local_time(year, month, day, 0, 0, 0), False
    first = _local_time(today.year, today.month, today.day, 0, 0, 0)
    return first, _local_time(tomorrow.year, tomorrow.month, tomorrow.day, 0, 0, 0) - first == 86400


def _local_time(*date: int) -> int:
    """Year to second as local time.

    C's ``mktime`` answers for an hour that comes twice as it likes; here that is its first coming,
    in daylight saving time. A time that is skipped is read as if in standard time.
    """
    for daylight in (1, 0):
        result = int(time.mktime((*date, 0, 0, daylight)))  # type: ignore[arg-type]
        if time.localtime(result)[:6] == date:
            return result
    return int(time.mktime((*date, 0, 0, 0)))  # type: ignore[arg-type]


def _year(text: bytes) -> int:
    """A year of two digits, as POSIX reads it: 69 to 99 are of the 20th century."""
    value = int(text)
    return value + (1900 if value >= 69 else 2000)


def _day_of(names: list[str], groups: tuple[bytes | None, ...]) -> tuple[int, int, int] | None:
    """Year, month and day; None if there is no such day. Missing ones are of 1970-01-01."""
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
    exists = year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    return (year, month, day) if exists else None


def _seconds(day: tuple[int, int, int], hour: int, minute: int, second: int, begin: DayBegin) -> int:
    first, regular = begin(*day)
    if regular:
        return first + hour * 3600 + minute * 60 + second
    return _local_time(*day, hour, minute, second)


def _by_minutes(names: list[str], match: Match, to_time: ToTime) -> ToTime:
    """``to_time`` with dates looked up by their text without the seconds: logs hold many of each minute."""
    second = names.index("second") + 1
    numbers = [n for n, name in enumerate(names, 1) if name in _NUMBERS and n < second]
    ends = second == len(names)  # nothing after the seconds counts
    known: dict[bytes, int] = {}
    at = 0

    def cached(text: bytes) -> int:
        nonlocal at
        key = text[:at] if ends else text[:at] + text[at + 2 :]
        minute = known.get(key)
        seconds = _SECONDS.get(text[at : at + 2])
        if ends and text[at + 2 : at + 3].isdigit():
            minute = None
        if minute is not None and seconds is not None:
            return minute + seconds
        result = to_time(text)
        found = match(text)
        if found is not None and found[second] in _SECONDS and result:
            # Where each number is a whole run of digits, the key alone decides how the text is read.
            start = found.start(second)
            if _DIGITS.findall(text, found.start(), start) == [found[n].lstrip() for n in numbers]:
                if start != at or len(known) >= _REMEMBERED:
                    known.clear()
                    at = start
                known[text[:at] if ends else text[:at] + text[at + 2 :]] = result - _SECONDS[found[second]]
        return result

    return cached


def _offset(zone: bytes) -> int:
    """The seconds that a zone is ahead of GMT: of ``Z``, ``UTC``, ``+01``, ``+0100``, ``+01:00``, ``GMT+0100``."""
    shown = zone.lstrip(b"GMTUCZgmtucz").replace(b":", b"")
    if not shown:
        return 0
    offset = int(shown[1:3]) * 3600 + int(shown[3:] or b"0") * 60
    return -offset if shown[:1] == b"-" else offset


def _by_parts(names: list[str], digits: int, match: Match, begin: DayBegin) -> ToTime:
    """Read each part of the text and check its range."""
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
            result -= _offset(zone)
        if digits:
            fraction = (part.get("fraction") or b"")[:digits]
            result = result * unit + int(fraction.ljust(digits, b"0"))
        return result

    return to_time
