"""Dates in file names: found automatically, by ``--dateregex`` or by the older ``--dateformat``.

Everything here is a pure function of the path. A file without a (valid) date belongs to
1970-01-01, :data:`NO_DATE`, as the manual says (category rules, "Date Regex").

The automatic rules, which the manual leaves open:

- Years are 1900 to 2099. ``YYYYMMDD``, ``YYYY-MM-DD`` (also with ``_``, ``.`` or ``/``), and
  month names as ``2014-Sep-01``, ``01Sep2014`` or ``Sep-01-2014``.
- ISO weeks: ``2026-W48-1``, ``2026W481``, and ``2026-W48`` for its Monday. Logs of IIS:
  ``u_ex261130``, ``u_ex26113007`` and ``u_ex2611``. Folders of Hive:
  ``year=2026/month=11/day=30/hour=07``; an ``hour=`` may also follow another date.
- A run of 8, 10 (with hour), 12 (minute) or 14 (second) digits is a date if it is valid; a run
  of any other length is not.
- A time may follow: ``T`` and 2, 4 or 6 digits; after ``YYYYMMDD`` also ``-``, ``_`` or ``.``
  and 4 or 6 digits; after a date with separators also ``-``, ``_``, ``.`` or a space, and hours,
  minutes and seconds with or without separators. A time that is not valid is no time.
- An hour of one digit counts after a date with ``-`` or ``_``, behind the same separator and at
  the end of the name (``2026-11-30-7.json.gz``). Behind ``2026/11/30/`` a folder ``07/`` is the hour.
- The first valid date in the file's name counts; if there is none, the first in the folders
  that does not end in the fixed part of the pattern (``logs/2014/09/01/x.gz``).
- If there is no such date at all, a number of 10 digits from 2010 to 2033 is one of seconds since
  1970, and of 13 digits milliseconds, if neither a letter nor a word such as ``user_`` stands before
  it: then it is an identifier.
"""

from __future__ import annotations

import enum
import functools
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ess.errors import OptionError

if TYPE_CHECKING:
    from ess.language.regex.limited import LimitedPattern

#: The date of a file that has none in its name.
NO_DATE = datetime(1970, 1, 1)

_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)} | {
    name[:3]: number for number, name in enumerate(_MONTHS, 1)
}
_MONTH_NAME = "(?:" + "|".join(sorted(_MONTH_NUMBERS, key=len, reverse=True)) + ")"


class DateRuleKind(enum.Enum):
    """The ways to find the date of a file."""

    AUTO = "auto"
    NONE = "none"
    REGEX = "regex"
    FORMAT = "format"


@dataclass(frozen=True)
class DateRule:
    """A rule for finding the date, or the number, in a path. ``text`` is the regex or format as typed."""

    kind: DateRuleKind
    text: str = ""


AUTO = DateRule(DateRuleKind.AUTO)


@dataclass(frozen=True)
class FileDate:
    """The result for a path: a date, or the number that ``[:%f:]`` found."""

    date: datetime = NO_DATE
    number: int | None = None


def date_rule(dateregex: str | None, dateformat: str | None) -> DateRule:
    """The rule that the two options ask for; automatic if neither is given.

    Raises:
        OptionError: If both are given, or the rule is not valid.

    >>> date_rule(None, "YMD.csv").kind
    <DateRuleKind.FORMAT: 'format'>
    """
    if dateregex and dateformat:
        raise OptionError("two rules for the date", where="--dateregex, --dateformat", hint="give one of them")
    text = dateregex or dateformat or "auto"
    if text.lower() in ("auto", "none"):
        return DateRule(DateRuleKind(text.lower()))
    rule = DateRule(DateRuleKind.REGEX if dateregex else DateRuleKind.FORMAT, text)
    DateFinder(rule)
    return rule


def date_text(date: datetime) -> str:
    """``2014-09-01``, with the time if there is one.

    >>> date_text(datetime(2014, 9, 1, 13, 5))
    '2014-09-01 13:05:00'
    """
    return date.strftime("%Y-%m-%d") if date.time() == datetime.min.time() else date.strftime("%Y-%m-%d %H:%M:%S")


# --- automatic ------------------------------------------------------------------------------

_AUTO = re.compile(
    r"""(?<![0-9])(?:
      (?P<run>[0-9]{14}|[0-9]{12}|[0-9]{10}|(?P<day>[0-9]{8}))(?![0-9])
      (?(day)(?:T(?P<t1>[0-9]{2}(?:[0-9]{2}){0,2})(?![0-9])|[-_.](?P<t2>[0-9]{4}(?:[0-9]{2})?)(?![0-9]))?)
    | (?P<Y1>[0-9]{4})(?P<s1>[-_./])(?P<m1>[0-9]{2})(?P=s1)(?P<d1>[0-9]{2})(?![0-9])
    | (?P<Y2>[0-9]{4})(?P<s2>[-_./]?)(?P<b2>MONTH)(?P=s2)(?P<d2>[0-9]{2})(?![0-9])
    | (?P<d3>[0-9]{2})(?P<s3>[-_./]?)(?P<b3>MONTH)(?P=s3)(?P<Y3>[0-9]{4})(?![0-9])
    | (?<![A-Za-z])(?P<b4>MONTH)(?P<s4>[-_./])(?P<d4>[0-9]{2})(?P=s4)(?P<Y4>[0-9]{4})(?![0-9])
    | (?P<Y5>[0-9]{4})(?P<s5>[-_./]?)W(?P<week>[0-9]{2})(?:(?P=s5)(?P<weekday>[1-7]))?(?![0-9])
    | (?<![A-Za-z0-9])(?:year|y{1,4})=(?P<Y6>[0-9]{4})/(?:month|m{1,2})=(?P<m6>[0-9]{1,2})
      /(?:day|d{1,2})=(?P<d6>[0-9]{1,2})(?![^/])
    | (?<![A-Za-z0-9])(?:u_(?:ex|in|nc)|ex(?=[0-9]{6}(?![0-9])))(?P<Y7>[0-9]{2})(?P<m7>[0-9]{2})
      (?:(?P<d7>[0-9]{2})(?P<h7>[0-9]{2})?)?(?![0-9])
    )""".replace("MONTH", _MONTH_NAME),
    re.VERBOSE | re.IGNORECASE | re.ASCII,  # else an old form of s begins a September
)
_TIME = re.compile(
    r"[-_. T](?:([0-9]{2})(?:[-_.:]([0-9]{2})(?:[-_.:]([0-9]{2}))?)?|([0-9]{4}|[0-9]{6}))(?![0-9])", re.IGNORECASE
)
#: An hour of one digit at the end of a name, and the separator before it.
_SHORT_HOUR = re.compile(r"([-_])([0-9])(?=/|\Z|\.[A-Za-z])")
#: The hour, and maybe the minute, as the names of folders.
_HOUR_FOLDERS = re.compile(r"/([0-9]{2})(?:/([0-5][0-9]))?/")
_NAMED_HOUR = re.compile(
    r"/(?:hour|hr|h{1,2})=([0-9]{1,2})(?![^/])(?:/(?:minute|min|m{1,2})=([0-9]{1,2})(?![^/]))?", re.IGNORECASE
)
#: Seconds or milliseconds since 1970, from 2010 to 2033, and the word before them.
_EPOCH = re.compile(
    r"([A-Za-z]*)[^0-9A-Za-z]?(?<![0-9A-Za-z])(1(?:2[6-9]|[3-9][0-9])[0-9]{7})([0-9]{3})?(?![0-9A-Za-z])"
)
#: What stands before a number that identifies something.
_OWNERS = frozenset(
    (
        "id",
        "uid",
        "no",
        "nr",
        "account",
        "client",
        "customer",
        "device",
        "invoice",
        "order",
        "product",
        "session",
        "user",
    )
)


def automatic_date(text: str, beyond: int = 0, *, start: int = 0) -> datetime | None:
    """The first date in ``text`` by the automatic rules of this module, seconds since 1970 excepted.

    Args:
        text: A path or a part of one.
        beyond: The date must end behind that many characters.
        start: No date begins before that many characters.

    >>> automatic_date("browse_20140901.gz")
    datetime.datetime(2014, 9, 1, 0, 0)
    >>> automatic_date("account12345678_20140609.csv")
    datetime.datetime(2014, 6, 9, 0, 0)
    >>> automatic_date("2015-04-30-00-05-22-63C8146U29G91")
    datetime.datetime(2015, 4, 30, 0, 5, 22)
    >>> automatic_date("2026-11-30-7.json.gz")
    datetime.datetime(2026, 11, 30, 7, 0)
    >>> automatic_date("order 201409013 of 20149999")
    """
    at = start
    while (found := _AUTO.search(text, at)) is not None:
        date, end = _date_of_match(text, found)
        if date is not None and end > beyond:
            return date
        at = found.start() + 1  # later dates may overlap, e.g. 99-2014-09-01
    return None


def deciding_part(shape: str) -> tuple[int, int] | None:
    """The part of all texts of a shape that decides which date :func:`automatic_date` finds; None if there is none.

    Args:
        shape: A text with a ``1`` in place of each digit. The expressions above take a ``1`` wherever they take
            any digit, so they match the same parts of each text of that shape; weekdays are the exception.
    """
    begin, end, at = -1, 0, 0
    while (found := _AUTO.search(shape, at)) is not None:
        if found["Y5"]:
            return 0, len(shape)
        begin = found.start() if begin < 0 else begin
        behind = (each.match(shape, found.end()) for each in (_NAMED_HOUR, _HOUR_FOLDERS, _SHORT_HOUR, _TIME))
        end = max(end, found.end(), *(time.end() for time in behind if time is not None))
        at = found.start() + 1
    return None if begin < 0 else (begin, end)


def epoch_date(text: str) -> datetime | None:
    """The first number in ``text`` that counts the seconds or milliseconds since 1970, as a date (UTC).

    >>> epoch_date("events-1795993200.json")
    datetime.datetime(2026, 11, 29, 23, 0)
    >>> epoch_date("user_1795993200.json")
    """
    for found in _EPOCH.finditer(text):
        if found[1].lower() not in _OWNERS:
            return NO_DATE + timedelta(seconds=int(found[2]))
    return None


def _date_of_match(text: str, found: re.Match[str]) -> tuple[datetime | None, int]:
    """The date, with the time that follows it, and where it ends."""
    end = found.end()
    run = found["run"]
    if run:
        times = run[8:] or found["t1"] or found["t2"] or ""
        date = _datetime(run[:4], run[4:6], run[6:8])
        if date is not None and times:
            with_time = _with_time(date, times[:2], times[2:4], times[4:6])
            date = with_time if with_time or len(run) > 8 else date
            return date, end
    else:
        date = _day_of_match(found)
    if date is None:
        return None, end
    if found["Y7"]:
        return (_with_time(date, found["h7"], "", "") if found["h7"] else date), end
    return _time_behind(text, found, date)


def _day_of_match(found: re.Match[str]) -> datetime | None:
    if year := found["Y1"]:  # the most usual
        return _datetime(year, found["m1"], found["d1"])
    for number in "2346":
        if found[f"Y{number}"]:
            month = found["m6"] if number == "6" else str(_MONTH_NUMBERS[found[f"b{number}"].lower()])
            return _datetime(found[f"Y{number}"], month, found[f"d{number}"])
    if found["Y7"]:
        return _datetime("20" + found["Y7"], found["m7"], found["d7"] or "1")
    try:
        date = datetime.fromisocalendar(int(found["Y5"]), int(found["week"]), int(found["weekday"] or 1))
    except ValueError:
        return None
    return date if 1900 <= date.year <= 2099 else None


def _time_behind(text: str, found: re.Match[str], date: datetime) -> tuple[datetime, int]:
    """The date with the time that stands behind it, if one does, and where that ends."""
    end = found.end()
    named = _NAMED_HOUR.match(text, end)
    if named is not None:
        with_time = _with_time(date, named[1], named[2] or "", "")
        return (with_time, named.end()) if with_time else (date, end)
    if found["run"] or found["Y6"]:
        return date, end
    separator = found["s1"] or next((found[f"s{number}"] for number in "2345" if found[f"s{number}"]), "")
    if separator == "/":
        folders = _HOUR_FOLDERS.match(text, end)
        with_time = folders and (
            _with_time(date, folders[1], folders[2] or "", "") or _with_time(date, folders[1], "", "")
        )
        if folders and with_time:
            return with_time, folders.end()
    short = _SHORT_HOUR.match(text, end)
    if short is not None and short[1] == separator and (not found["week"] or found["weekday"]):
        return date.replace(hour=int(short[2])), short.end()
    time = _TIME.match(text, end)
    if time is None or (found["week"] and not found["weekday"]):
        return date, end
    packed = time[4] or ""
    if packed:
        with_time = _with_time(date, packed[:2], packed[2:4], packed[4:])
    else:
        with_time = _with_time(date, time[1], time[2] or "", time[3] or "") or _with_time(date, time[1], "", "")
    return (with_time, time.end()) if with_time else (date, end)


@functools.lru_cache(maxsize=4096)
def _datetime(year: str, month: str, day: str) -> datetime | None:
    if not 1900 <= int(year) <= 2099:
        return None
    try:
        return datetime(int(year), int(month), int(day))
    except ValueError:
        return None


def _with_time(day: datetime, hour: str, minute: str, second: str) -> datetime | None:
    try:
        return day.replace(hour=int(hour), minute=int(minute or 0), second=int(second or 0))
    except ValueError:
        return None


# --- by a rule of the user ------------------------------------------------------------------

_CLASS = re.compile(r"\[:%([A-Za-z])(?::\{([^}]*)\})?:?\]")
_CLASS_PATTERNS = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "m": "[0-9]{2}",
    "b": "(?ai:" + "|".join(name[:3] for name in _MONTHS) + ")",
    "B": "(?ai:" + "|".join(_MONTHS) + ")",
    "d": "[0-9]{2}",
    "H": "[0-9]{2}",
    "M": "[0-9]{2}",
    "S": "[0-9]{2}",
    "z": "(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})",
    "p": "(?i:[ap]m)",
}
_FORMAT_PATTERNS = {
    "Y": ("Y", _CLASS_PATTERNS["Y"]),
    "y": ("y", _CLASS_PATTERNS["y"]),
    "M": ("m", "(?:[0-9]{2}|(?ai:" + _MONTH_NAME + "))"),
    "D": ("d", _CLASS_PATTERNS["d"]),
    "h": ("H", _CLASS_PATTERNS["H"]),
    "m": ("M", _CLASS_PATTERNS["M"]),
    "s": ("S", _CLASS_PATTERNS["S"]),
    "Z": ("z", _CLASS_PATTERNS["z"]),
    "P": ("p", _CLASS_PATTERNS["p"]),
    "#": ("f", "[0-9]+"),
}


#: Parts of a date that may have one digit in a name, if it has no date with two.
_ONE_OR_TWO = r"(?:[0-9]{2}|(?<![0-9])[0-9](?![0-9]))"
_PADDED = frozenset("mdHMS")


def _compile_regex(text: str, *, padded: bool = True) -> LimitedPattern:
    """The rule as a regular expression; without ``padded`` its numbers may have one digit."""
    from ess.language.regex import RegexError  # few categories have a rule of their own
    from ess.language.regex.limited import LimitedPattern

    where = "--dateregex"
    known = "known: " + " ".join(f"[:%{letter}:]" for letter in _CLASS_PATTERNS) + " [:%f:{min,max}]"
    parts: list[str] = []
    seen: set[str] = set()
    at = 0
    for found in _CLASS.finditer(text):
        letter, lengths = found[1], found[2]
        if letter in seen:
            raise OptionError(f"[:%{letter}:] occurs twice in '{text}'", where=where, hint="leave one of them out")
        seen.add(letter)
        if letter == "f":
            if lengths is None or not re.fullmatch(r"[0-9]{1,4}(,[0-9]{0,4})?", lengths):
                raise OptionError(f"bad lengths in '{found[0]}'", where=where, hint="write [:%f:{8,}] or [:%f:{4,8}]")
            pattern = f"[0-9]{{{lengths if ',' in lengths else lengths + ','}}}"
        elif letter not in _CLASS_PATTERNS or lengths is not None:
            raise OptionError(f"unknown date class '{found[0]}'", where=where, hint=known)
        else:
            pattern = _CLASS_PATTERNS[letter] if padded or letter not in _PADDED else _ONE_OR_TWO
        parts.append(text[at : found.start()] + f"(?P<ess_{letter}>{pattern})")
        at = found.end()
    if not seen:
        raise OptionError(f"no date class in '{text}'", where=where, hint=known)
    parts.append(text[at:])
    try:
        return LimitedPattern("".join(parts), where=where)
    except RegexError as error:
        raise OptionError(
            f"bad regular expression '{text}': {error}", where=where, hint="see the page on categories"
        ) from error


def _compile_format(text: str, *, padded: bool = True) -> LimitedPattern:
    from ess.language.regex.limited import LimitedPattern

    where = "--dateformat"
    parts: list[str] = []
    seen: set[str] = set()
    # a word with any other letter in it, such as "csv" or "account", is itself
    for word in re.findall(r"[A-Za-z]+|[^A-Za-z]", text):
        codes = word == "#" or all(char in _FORMAT_PATTERNS or char in "Tt" for char in word)
        for char in word:
            if not codes or char not in _FORMAT_PATTERNS:
                parts.append({"*": ".*", "?": "."}.get(char) or re.escape(char))
                continue
            letter, pattern = _FORMAT_PATTERNS[char]
            if not padded and letter in _PADDED:
                pattern = pattern.replace("[0-9]{2}", _ONE_OR_TWO)
            if char in seen:
                raise OptionError(
                    f"'{char}' occurs twice in '{text}'",
                    where=where,
                    hint="use --dateregex to match such a letter itself",
                )
            seen.add(char)
            parts.append(f"(?P<ess_{letter}>{pattern})")
    if not seen:
        raise OptionError(f"no date part in '{text}'", where=where, hint="the parts are Y y M D h m s Z P and #")
    return LimitedPattern("".join(parts), where=where)


#: Dates of repeated parts of names that are remembered.
_REMEMBERED = 100_000


class DateFinder:
    """A date rule, compiled; raises OptionError if the rule is not valid.

    >>> rule = DateRule(DateRuleKind.REGEX, "account[:%f:{4,4}]")
    >>> DateFinder(rule).find("/logs/account12345678_20140609.csv").number
    1234
    """

    def __init__(self, rule: DateRule) -> None:
        self._pattern: LimitedPattern | None = None
        self._unpadded: LimitedPattern | None = None
        self._automatic = rule.kind is DateRuleKind.AUTO
        self._of_parts: dict[tuple[str | None, ...], FileDate] = {}
        if rule.kind is DateRuleKind.REGEX:
            self._pattern = _compile_regex(rule.text)
            self._unpadded = _compile_regex(rule.text, padded=False)
        elif rule.kind is DateRuleKind.FORMAT:
            self._pattern = _compile_format(rule.text)
            self._unpadded = _compile_format(rule.text, padded=False)

    @property
    def numbers(self) -> bool:
        """True if the rule finds numbers instead of dates."""
        return self._pattern is not None and "ess_f" in self._pattern.groupindex

    def find(self, path: str, base_length: int = 0) -> FileDate:
        """The date or number of ``path``.

        Args:
            path: The whole path.
            base_length: How many of its characters are the fixed part of the pattern, which the
                automatic rule does not look at for a date in a folder's name.
        """
        name_at = path.rfind("/") + 1
        if self._automatic:
            folders = path[:name_at]
            date = automatic_date(path[name_at:])
            if date is None and base_length < name_at:
                date = automatic_date(folders, base_length)
            if date is None:
                date = epoch_date(path[name_at:]) or epoch_date(folders[base_length:])
            return FileDate(date or NO_DATE)
        if self._pattern is None:
            return FileDate()
        found = self._pattern.search(path[name_at:]) or self._pattern.search(path)
        if found is None and self._unpadded is not None:
            found = self._unpadded.search(path[name_at:]) or self._unpadded.search(path)
        if found is None:
            return FileDate()
        parts = found.groups()  # the same in many names
        if parts not in self._of_parts:
            if len(self._of_parts) >= _REMEMBERED:
                self._of_parts.clear()
            self._of_parts[parts] = _date_of_parts(found.groupdict())
        return self._of_parts[parts]

    def find_inside(self, name: str, archive: FileDate, archive_path: str) -> FileDate:
        """The date or number of a file in an archive: in its own name, else that of the archive.

        Args:
            name: The path in the archive.
            archive: The date or number of the archive.
            archive_path: Its path.

        >>> DateFinder(AUTO).find_inside("logs/a_20140902.csv", FileDate(datetime(2014, 9, 1)), "x.zip").date.day
        2
        """
        if self._automatic:
            at = name.rfind("/") + 1
            date = automatic_date(name[at:]) or automatic_date(name[:at])
            if date is not None:
                return FileDate(date)
            return archive if archive != FileDate() else FileDate(epoch_date(name) or NO_DATE)
        found = self.find(name)
        if found == FileDate():
            found = archive if archive != FileDate() else self.find(f"{archive_path}/{name}")
        return found


def _date_of_parts(groups: dict[str, str | None]) -> FileDate:
    parts = {name[4:]: value for name, value in groups.items() if name.startswith("ess_") and value is not None}
    if "f" in parts:
        return FileDate(number=int(parts["f"]))
    month = parts.get("b") or parts.get("B") or parts.get("m") or "1"
    hour = int(parts.get("H", 0))
    if "p" in parts:
        if not 1 <= hour <= 12:
            return FileDate()
        hour = hour % 12 + (12 if parts["p"].lower() == "pm" else 0)
    try:
        date = datetime(
            _year(parts),
            int(month) if month.isdigit() else _MONTH_NUMBERS[month.lower()],
            int(parts.get("d", 1)),
            hour,
            int(parts.get("M", 0)),
            int(parts.get("S", 0)),
        )
        return FileDate(_to_utc(date, parts["z"]) if "z" in parts else date)
    except (ValueError, OverflowError):
        return FileDate()


def _year(parts: dict[str, str]) -> int:
    if "Y" in parts:
        return int(parts["Y"])
    if "y" in parts:
        two = int(parts["y"])  # the rule of POSIX strptime
        return two + (1900 if two >= 69 else 2000)
    return NO_DATE.year


def _to_utc(date: datetime, zone: str) -> datetime:
    if zone in ("Z", "UTC", "GMT"):
        return date
    sign = -1 if zone[0] == "-" else 1
    offset = timezone(sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])))
    return date.replace(tzinfo=offset).astimezone(UTC).replace(tzinfo=None)
