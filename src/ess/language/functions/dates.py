"""DateToTime, TimeToDate and their GMT siblings."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from ess.language.date_format import FormatError, compile_date_format
from ess.language.function import (
    Argument,
    ArgumentError,
    Example,
    Function,
    RowFunction,
    Specialize,
    constant,
    fixed_text,
    text,
    whole,
)
from ess.language.tree import ValueType

#: The longest date TimeToDate gives, in bytes.
LONGEST_DATE = 127
_REMEMBERED = 8192
_STRFTIME_CODE = re.compile(rb"(%[-_0^#]*[EO]?[A-Za-z%])")


def _to_time(*, local: bool) -> Specialize:
    def specialize(arguments: Sequence[Argument]) -> RowFunction:
        try:
            return compile_date_format(fixed_text(arguments[1]), local=local)
        except FormatError as error:
            raise ArgumentError(
                str(error), argument=1, hint="the codes are Y y m b d H I M S p z, %L, %f and . for one other character"
            ) from None

    return specialize


def _to_date(split: Callable[[float], time.struct_time]) -> Specialize:
    def specialize(arguments: Sequence[Argument]) -> RowFunction:
        # Only the codes go through the C library, so the bytes between them may be any.
        parts = _STRFTIME_CODE.split(fixed_text(arguments[1]))
        known: dict[int, bytes] = {}

        def to_date(seconds: int) -> bytes:
            date = known.get(seconds)
            if date is None:
                try:
                    moment = split(seconds)
                    date = b"".join(
                        time.strftime(part.decode("ascii"), moment).encode() if index % 2 else part
                        for index, part in enumerate(parts)
                    )[:LONGEST_DATE]
                except (OverflowError, ValueError, OSError):
                    date = b""  # beyond what the C library can name
                if len(known) >= _REMEMBERED:
                    known.clear()
                known[seconds] = date
            return date

        return to_date

    return specialize


_TO_TIME = (
    "The UNIX time of a date in seconds, or in smaller units if the format has %S1 (tenths; the seconds with their "
    "fraction behind a point or comma) to %S9, %L (milliseconds) or %f (microseconds; both the digits of a fraction "
    "alone). In the format, Y y m b d H I M S p z, each with or without a leading %, stand for the parts of a date and "
    ". for one character that is no digit; several dots behind S pass over a fraction. A code takes all digits that it "
    "may. Day and hour may begin with a blank. Text that does not fit, and a day that does not exist, give 0. "
    "Without z (Z, UTC, GMT, +01, +0100, +01:00) the date is "
)
_TO_DATE = "The date of a UNIX time in seconds, by a format of C's strftime; at most 127 bytes. The date is "

FUNCTIONS = (
    Function(
        "DateToTime",
        (text("DateVal"), constant("DateFmt")),
        ValueType.INTEGER,
        _TO_TIME + "in the program's time zone (environment TZ).",
        (
            Example("DateToTime('1969-12-31 16:00:01.1234 -0800', '%Y.%m.%d.%H.%M.%S......%z')", 1),
            Example("DateToTime('1969-12-31 16:00:01.1234 -0800', '%Y.%m.%d.%H.%M.%S3.%z')", 1123),
            Example("DateToTime('15/Sep/2014:00:00:01 +0000', 'd.b.Y.H.M.S.z')", 1410739201),
            Example("DateToTime('2014-09-15T00:00:01,250Z', '%Y-%m-%dT%H:%M:%S,%L%z')", 1410739201250),
            Example("DateToTime('TBD', 'Y.m.d')", 0),
            Example("DateToTime('2026-02-29', 'Y.m.d')", 0),
        ),
        specialize=_to_time(local=True),
    ),
    Function(
        "GmDateToTime",
        (text("DateVal"), constant("DateFmt")),
        ValueType.INTEGER,
        _TO_TIME + "in GMT.",
        (
            Example("GmDateToTime('2014-09-15', 'Y.m.d')", 1410739200),
            Example("GmDateToTime('9/15/14 1:02:03 PM', 'm.d.y.I.M.S.p')", 1410786123),
        ),
        specialize=_to_time(local=False),
    ),
    Function(
        "TimeToDate",
        (whole("TimeVal"), constant("DateFmt")),
        ValueType.STRING,
        _TO_DATE + "in the program's time zone (environment TZ).",
        (Example("SLeng(TimeToDate(1410739201, '%Y-%m-%d %H:%M:%S'))", 19),),
        specialize=_to_date(time.localtime),
    ),
    Function(
        "TimeToGmDate",
        (whole("TimeVal"), constant("DateFmt")),
        ValueType.STRING,
        _TO_DATE + "in GMT.",
        (
            Example("TimeToGmDate(1410739201, '%Y-%m-%d %H:%M:%S')", b"2014-09-15 00:00:01"),
            Example("TimeToGmDate(0, '%B %d\u00e9 100%%')", "January 01\u00e9 100%".encode()),
        ),
        specialize=_to_date(time.gmtime),
    ),
)
