"""``DateToTime`` over a column: fixed layouts by integer arithmetic, the rest by the row implementation.

A layout is fixed when every field has all its digits, as in ``2014-09-01 12:34:56`` for
``Y.m.d.H.M.S``. Eight bytes at a time are read as one number and the digits taken out of it. A
value of another length, with a byte that is no digit, or out of the plain ranges goes to the row
implementation, so nothing is decided here that it does not decide.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from ess.engines.columnar.distinct import or_else
from ess.engines.columnar.plan import Kernel

#: The digits of each field that a fixed layout may have.
_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}

#: The values taken on the fast path. Days up to 28, 30 or 31 follow in ``_plain_date``.
_RANGES = {"Y": (1970, 2099), "m": (1, 12), "d": (1, 31), "H": (0, 23), "M": (0, 59), "S": (0, 59)}

_WORD = 8


@dataclass(frozen=True)
class _Layout:
    """``fields`` gives the offset of each field's first byte."""

    length: int
    fields: tuple[tuple[str, int], ...]


def fixed_layout(date_format: bytes) -> _Layout | None:
    """The layout of a ``DateFmt``, or None if it holds more than fixed numeric fields."""
    codes = date_format.decode("latin-1").replace("%", "")
    offset = 0
    fields: list[tuple[str, int]] = []
    for code in codes:
        if code == ".":
            offset += 1
        elif code in _WIDTHS and code not in dict(fields):
            fields.append((code, offset))
            offset += _WIDTHS[code]
        else:
            return None
    if offset < _WORD or not {"Y", "m", "d"} <= set(dict(fields)):
        return None
    return _Layout(offset, tuple(fields))


def date_kernel(date_format: bytes, *, utc: bool, row: Kernel) -> Kernel | None:
    """A kernel for dates of ``date_format``, or None if the format is not a fixed layout.

    Args:
        date_format: The constant ``DateFmt``.
        utc: Whether dates are in GMT; otherwise they are in the process's time zone.
        row: Computes the dates that are out of the ordinary.
    """
    layout = fixed_layout(date_format)
    if layout is None:
        return None
    plain_seconds = _seconds(layout)

    def kernel(arguments: tuple[pl.Series, ...]) -> pl.Series:
        dates = arguments[0]
        seconds = plain_seconds(dates)
        if not utc and not _zone_is_utc():
            seconds = _to_local(seconds)
        return or_else(seconds, dates, row)

    return kernel


def _seconds(layout: _Layout) -> Callable[[pl.Series], pl.Series]:
    """Seconds since 1970 as if the date were in GMT; null where the value is not a plain date.

    In steps, each of which makes columns of the one before: as one expression, Polars would
    compute the shared parts again for each use.
    """
    date = pl.col("date")
    words: list[pl.Expr] = []
    pairs: list[pl.Expr] = []
    digits: list[pl.Expr] = []
    fields: list[pl.Expr] = []
    seen: set[str] = set()
    for start in _word_starts(layout):
        word = f"word{start}"
        words.append(date.bin.slice(start, _WORD).bin.reinterpret(dtype=pl.UInt64, endianness="little").alias(word))
        inside = [(code, at - start) for code, at in _digit_pairs(layout) if start <= at <= start + _WORD - 2]
        inside = [(code, at) for code, at in inside if code not in seen]
        seen.update(code for code, _ in inside)
        digits.append(_all_digits(pl.col(word), [at for _, at in inside]))
        nibbles = pl.col(word) & _word_literal(0x0F0F0F0F0F0F0F0F)
        # Each byte becomes ten times itself plus the byte after it, at most 165: no carry.
        pairs.append((nibbles * 10 + nibbles // 256).alias(f"pairs{start}"))
        fields += [((pl.col(f"pairs{start}") // 2 ** (8 * at)) & 0xFF).alias(code) for code, at in inside]
    plain = pl.all_horizontal(date.bin.size() == layout.length, *digits).alias("plain")
    total = _total([code for code, _ in layout.fields])

    def seconds(dates: pl.Series) -> pl.Series:
        frame = dates.to_frame("date").select(date, *words)
        frame = frame.select(plain, *pairs)
        frame = frame.select("plain", *fields)
        frame = frame.with_columns((pl.col("Y") * 100 + pl.col("y")).alias("Y"))
        return frame.select(total.alias("seconds")).to_series()

    return seconds


def _total(codes: list[str]) -> pl.Expr:
    """The seconds of the fields, null out of the ranges that are surely right."""
    in_range = [pl.col(code).is_between(*_RANGES[code]) for code in codes]
    plain = pl.all_horizontal("plain", *in_range, _plain_date(pl.col("m"), pl.col("d")))
    # Unsigned throughout: casts would cost more than the arithmetic, and years before 1970 are out of range.
    total = _days(pl.col("Y"), pl.col("m"), pl.col("d")) * 86400
    for code, unit in (("H", 3600), ("M", 60), ("S", 1)):
        if code in codes:
            total = total + pl.col(code) * unit
    return pl.when(plain).then(total.reinterpret(signed=True))


def _digit_pairs(layout: _Layout) -> list[tuple[str, int]]:
    """The offsets of two-digit groups; ``y`` is the second half of the year."""
    pairs: list[tuple[str, int]] = []
    for code, at in layout.fields:
        pairs.append((code, at))
        if code == "Y":
            pairs.append(("y", at + 2))
    return pairs


def _word_starts(layout: _Layout) -> list[int]:
    """Where to read eight bytes so that every pair lies within one reading."""
    starts: list[int] = []
    for _, at in _digit_pairs(layout):
        if not starts or at + 2 > starts[-1] + _WORD:
            starts.append(min(at, layout.length - _WORD))
    return starts


def _all_digits(word: pl.Expr, offsets: list[int]) -> pl.Expr:
    """Whether the two bytes at each offset are ``0`` to ``9``."""
    high, six, zero = 0, 0, 0
    for offset in offsets:
        shift = 8 * offset
        high |= 0xF0F0 << shift
        six |= 0x0606 << shift
        zero |= 0x3030 << shift
    # A digit is 0x30 to 0x39: its upper half is 3, also after adding 6. Once the upper halves are
    # known to be 3, the addition carries nowhere.
    masked = word & _word_literal(high | (high >> 4))
    return ((masked & _word_literal(high)) == _word_literal(zero)) & (
        ((masked + _word_literal(six)) & _word_literal(high)) == _word_literal(zero)
    )


def _word_literal(number: int) -> pl.Expr:
    return pl.lit(number, dtype=pl.UInt64)


def _plain_date(month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Whether the month surely has the day; the 29th of February is left to the row implementation."""
    long_month = ((month + month // 8) & 1) == 1
    return (day <= 28) | ((month != 2) & ((day <= 30) | long_month))


def _days(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Days since 1970 of a Gregorian date, counting years from March."""
    before_march = (month <= 2).cast(pl.UInt64)
    years = year - before_march
    months = month - 3 + before_march * 12
    leap_days = years // 4 - years // 100 + years // 400
    return years * 365 + leap_days + (months * 153 + 2) // 5 + day - 719469


def _zone_is_utc() -> bool:
    return time.timezone == 0 and not time.daylight


def _to_local(seconds: pl.Series) -> pl.Series:
    """Read the dates as local time: null where an hour has no one offset from GMT (the clock changes)."""
    hours = (seconds // 3600).alias("hour")
    offsets = hours.drop_nulls().unique().to_frame()
    offsets = offsets.with_columns(
        pl.Series("offset", [_offset(hour * 3600) for hour in offsets.get_column("hour")], dtype=pl.Int64)
    )
    return seconds - hours.to_frame().join(offsets, on="hour", how="left", maintain_order="left").get_column("offset")


def _offset(start: int) -> int | None:
    """What local time is ahead of GMT throughout the hour that begins at ``start`` in local time."""
    begin, end = (_mktime(moment) for moment in (start, start + 3599))
    # An hour on either side too, so that times which exist twice or not at all are found.
    before, after = (_mktime(moment) for moment in (start - 7200, start + 3599 + 7200))
    ahead = {start - begin, start + 3599 - end, start - 7200 - before, start + 3599 + 7200 - after}
    return ahead.pop() if len(ahead) == 1 else None


def _mktime(wall_clock: int) -> int:
    moment = datetime.datetime.fromtimestamp(wall_clock, datetime.UTC)
    return int(time.mktime((*moment.timetuple()[:6], 0, 0, -1)))
