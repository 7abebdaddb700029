"""Date ranges: the two bounds of ``ess stream category lower upper``.

A bound is ``*`` (open), or a date as fine as you like: ``2014``, ``2014-09``, ``2014-09-01``,
``2014-09-01 13``, ``2014-09-01 13:05``, ``2014-09-01 13:05:59`` (also with ``T`` for the space,
``/`` for ``-``, or as ``20140901``). Both bounds belong to the range, and a bound covers the
whole year, month, day, hour or minute that it names. For a category whose files are numbered
(``[:%f:]``) a bound is a whole number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ess.errors import OptionError
from ess.lake.dates import NO_DATE, FileDate

_BOUND = re.compile(
    r"(?P<Y>[0-9]{4})(?:(?P<s>[-/])(?P<m>[0-9]{1,2})(?:(?P=s)(?P<d>[0-9]{1,2})(?P<time>[ T].+)?)?)?\Z", re.DOTALL
)
_PACKED = re.compile(r"(?P<Y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})(?P<time>[ T].+)?\Z", re.DOTALL)
_TIME = re.compile(r"[ T]+([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2}))?)?\Z")
_HINT = "write it as 2014-09-01, 2014-09-01 13, 2014-09-01 13:05 or *"


@dataclass(frozen=True)
class DateRange:
    """The dates from ``start`` on and before ``end``; ``None`` is open."""

    start: datetime | None
    end: datetime | None

    def covers(self, date: FileDate) -> bool:
        """True if a file of that date is in the range."""
        return (self.start is None or self.start <= date.date) and (self.end is None or date.date < self.end)

    def covers_time(self, seconds: float) -> bool:
        """True if a moment, in seconds since 1970, is in the range, whose bounds are UTC then."""
        try:
            return self.covers(FileDate(NO_DATE + timedelta(seconds=seconds)))
        except OverflowError:  # before the year 1 or after 9999
            return (self.start if seconds < 0 else self.end) is None


@dataclass(frozen=True)
class NumberRange:
    """The numbers from ``lowest`` to ``highest``; ``None`` is open. A file without a number is in no closed range."""

    lowest: int | None
    highest: int | None

    def covers(self, date: FileDate) -> bool:
        """True if a file of that number is in the range."""
        if date.number is None:
            return self.lowest is None and self.highest is None
        return (self.lowest is None or self.lowest <= date.number) and (
            self.highest is None or date.number <= self.highest
        )


def bound_text(bound: object, where: str) -> str:
    """A bound as one writes it; a date covers its day, a moment its second.

    Raises:
        OptionError: If it is something else, or a moment with a time zone: dates in names have none.

    >>> bound_text(date(2014, 9, 1), "lower bound")
    '2014-09-01'
    """
    if isinstance(bound, str):
        return bound
    if isinstance(bound, datetime) and bound.tzinfo is None:
        return bound.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(bound, date) and not isinstance(bound, datetime):
        return bound.isoformat()
    raise OptionError(f"{bound!r} is not a date", where=where, hint=_HINT)


def parse_range(lower: str, upper: str, *, numbers: bool = False) -> DateRange | NumberRange:
    """The range between two bounds.

    Raises:
        OptionError: If a bound is not one, or the range ends before it begins.

    >>> parse_range("2014-09-01", "2014-09-30").end
    datetime.datetime(2014, 10, 1, 0, 0)
    """
    if numbers:
        lowest, highest = _number(lower, "lower bound"), _number(upper, "upper bound")
        if lowest is not None and highest is not None and lowest > highest:
            raise _backwards(lower, upper)
        return NumberRange(lowest, highest)
    start, end = _span(lower, "lower bound"), _span(upper, "upper bound")
    if start and end and start[0] >= end[1]:
        raise _backwards(lower, upper)
    return DateRange(start and start[0], end and end[1])


def parse_modified(bounds: tuple[str, str] | None) -> DateRange | None:
    """The range of an option ``--modified``: of the times at which files were last changed.

    Raises:
        OptionError: As of :func:`parse_range`.
    """
    if bounds is None:
        return None
    try:
        found = parse_range(*bounds)
    except OptionError as error:
        raise OptionError(error.what, where=f"--modified, {error.where}", hint=error.hint) from error
    assert isinstance(found, DateRange)
    return found


def bounds_text(bounds: tuple[object, object] | None, where: str) -> tuple[str, str] | None:
    """Two bounds as one writes them, see :func:`bound_text`.

    Raises:
        OptionError: If they are not two.
    """
    if bounds is None:
        return None
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise OptionError(f"{bounds!r} is not two bounds", where=where, hint="give (lower, upper)")
    lower, upper = bounds
    return bound_text(lower, f"{where}, lower bound"), bound_text(upper, f"{where}, upper bound")


def _backwards(lower: str, upper: str) -> OptionError:
    return OptionError("the range ends before it begins", where=f"range '{lower}' to '{upper}'", hint="swap the bounds")


def _number(text: str, where: str) -> int | None:
    stripped = text.strip()
    if stripped == "*":
        return None
    if not (stripped.isascii() and stripped.isdigit() and len(stripped) < 4000):
        raise OptionError(
            f"'{text}' is not a whole number",
            where=where,
            hint="the files of this category are numbered; write 17 or *",
        )
    return int(stripped)


def _span(text: str, where: str) -> tuple[datetime, datetime] | None:
    """The first moment that a bound names, and the first moment after it."""
    stripped = text.strip()
    if stripped == "*":
        return None
    found = _BOUND.match(stripped) or _PACKED.match(stripped)
    if found is None:
        raise OptionError(f"'{text}' is not a date", where=where, hint=_HINT)
    time = None
    if found["time"] is not None:
        time = _TIME.match(found["time"])
        if time is None:
            raise OptionError(f"'{text}' has no valid time", where=where, hint=_HINT)
    try:
        year, month, day = int(found["Y"]), int(found["m"] or 1), int(found["d"] or 1)
        hour, minute, second = (int(part or 0) for part in (time.groups() if time else (0, 0, 0)))
        start = datetime(year, month, day, hour, minute, second)
        if not found["m"]:
            return start, datetime(year + 1, 1, 1)
        if not found["d"]:
            return start, datetime(year + month // 12, month % 12 + 1, 1)
        return start, start + _unit(time)
    except (ValueError, OverflowError) as error:
        raise OptionError(f"there is no date '{text}'", where=where, hint=_HINT) from error


def _unit(time: re.Match[str] | None) -> timedelta:
    if time is None:
        return timedelta(days=1)
    if time[2] is None:
        return timedelta(hours=1)
    return timedelta(minutes=1) if time[3] is None else timedelta(seconds=1)
