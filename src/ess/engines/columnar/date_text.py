"""``TimeToDate`` over a column: quarters of an hour by the row implementation, minutes and seconds added.

Whatever a format shows beside minutes and seconds is the same for a whole quarter of an hour, so
the row implementation is called once a quarter for the parts between ``%M`` and ``%S``. Times
before 1970 or after 2106, and quarters in which the clock changes, go to it whole.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Callable

import polars as pl

from ess.engines.columnar.distinct import or_else
from ess.engines.columnar.plan import Kernel
from ess.language.function import RowFunction

#: Codes that say the same for a whole quarter of an hour; the longest of them has 10 bytes.
_STEADY = "YmdHyjaAbBpIeFD%"

#: Up to this many codes and bytes the text stays below the longest that the row implementation gives.
_MOST_CODES, _LONGEST_FORMAT = 8, 40

_QUARTER = 900
_LATEST = 2**32 - 1
_TWO_DIGITS = pl.Series("digits", [b"%02d" % number for number in range(60)], dtype=pl.Binary)

#: How many rows a quarter must stand for on average, so that calling the row implementation less pays.
_ROWS_A_QUARTER = 4


def split_format(date_format: bytes) -> list[bytes] | None:
    """The format cut before and after each ``%M`` and ``%S``; None if another code needs the exact time.

    >>> split_format(b"%Y %H:%M:%S.")
    [b'%Y %H:', b'%M', b':', b'%S', b'.']
    >>> split_format(b"%T") is None
    True
    """
    codes = re.findall(rb"%(.?)", date_format, re.DOTALL)
    if len(codes) > _MOST_CODES or len(date_format) > _LONGEST_FORMAT or not date_format.isascii():
        return None
    if any(code.decode("ascii") not in [*_STEADY, "M", "S"] for code in codes):
        return None
    return re.findall(rb"%[MS]|(?:%[^MS]|[^%])+", date_format, re.DOTALL)


def date_text_kernel(
    date_format: bytes, *, utc: bool, part_function: Callable[[bytes], RowFunction], row: Kernel
) -> Kernel | None:
    """A kernel for dates of ``date_format``, or None if the format is not made of steady codes.

    Args:
        date_format: The constant ``DateFmt``.
        utc: Whether dates are in GMT; otherwise they are in the process's time zone.
        part_function: Makes the row implementation for a part of the format.
        row: Computes the times that are out of the ordinary.
    """
    parts = split_format(date_format)
    if not parts:
        return None
    steady = {f"part{i}": part_function(part) for i, part in enumerate(parts) if part not in (b"%M", b"%S")}

    def kernel(arguments: tuple[pl.Series, ...]) -> pl.Series:
        times = arguments[0].alias("time")
        plain = pl.when(pl.col("time").is_between(0, _LATEST)).then(pl.col("time"))
        frame = times.to_frame().select(plain, (plain // _QUARTER).alias("quarter"))
        quarters = frame.get_column("quarter").drop_nulls().unique().sort()
        if quarters.len() * _ROWS_A_QUARTER > times.len():
            return row(arguments)
        starts = [quarter * _QUARTER for quarter in quarters]
        table = [quarters, pl.Series("ahead", [_ahead(start, utc=utc) for start in starts], dtype=pl.Int64)]
        table += [pl.Series(name, list(map(part, starts)), dtype=pl.Binary) for name, part in steady.items()]
        found = frame.join(pl.DataFrame(table), on="quarter", how="left", maintain_order="left")
        local = found.get_column("time") + found.get_column("ahead")
        minutes, seconds = (_TWO_DIGITS.gather(number) for number in ((local // 60) % 60, local % 60))
        pieces = [
            minutes if part == b"%M" else seconds if part == b"%S" else found.get_column(f"part{i}")
            for i, part in enumerate(parts)
        ]
        # Also where no piece tells minutes: they are null in quarters that the row implementation must do.
        named = [piece.alias(f"piece{i}") for i, piece in enumerate(pieces)]
        text = pl.DataFrame([*named, minutes.alias("minutes")]).select(
            pl.when(pl.col("minutes").is_not_null()).then(_joined(len(named)))
        )
        return or_else(text.to_series(), times, row)

    return kernel


def _joined(count: int) -> pl.Expr:
    text = pl.col("piece0")
    for i in range(1, count):
        text = text + pl.col(f"piece{i}")
    return text


def _ahead(start: int, *, utc: bool) -> int | None:
    """The offset of local time from GMT in the quarter from ``start``; None if it changes or has seconds."""
    if utc:
        return 0
    begin, end = (calendar.timegm(time.localtime(moment)) - moment for moment in (start, start + _QUARTER - 1))
    return begin if begin == end and begin % 60 == 0 else None
