"""``DateToTime`` over a column: fixed layouts by integer arithmetic, the rest by the row implementation.

A layout is fixed when every field has all its bytes, as in ``2014-09-01 12:34:56`` for
``Y.m.d.H.M.S`` or ``01/Sep/2014:12:34:56 +0000`` for ``%d/%b/%Y:%H:%M:%S %z``. Eight bytes at a time are
read as one number and the digits taken out of it. A value of another length, with a byte that does
not fit, or out of the plain ranges goes to the row implementation, so nothing is decided here that it
does not decide.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from ess.engines.columnar.distinct import or_else
from ess.engines.columnar.plan import Kernel
from ess.language.date_format import compile_date_format, may_be_digits

#: The bytes of each field that a fixed layout may have.
_WIDTHS = {"Y": 4, "m": 2, "b": 3, "d": 2, "H": 2, "M": 2, "S": 2, "z": 5}

#: The values taken on the fast path. Days up to 28, 30 or 31 follow in ``_plain_date``.
_RANGES = {"Y": (1970, 2099), "m": (1, 12), "d": (1, 31), "H": (0, 23), "M": (0, 59), "S": (0, 59)}
#: 2100-01-01, in seconds since 1970.
_PLAIN_UNTIL = 4102444800
_UNITS = {"H": 3600, "M": 60, "S": 1}

_WORD = 8
_EACH = 0x0101010101010101
_MONTHS = (b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC")
_AS_CAPITALS = 0xDFDFDF
#: The remainders of the months' names by this number are all different.
_NAME_SLOTS = 34
_PLUS, _MINUS = b"+-"


@dataclass(frozen=True)
class _Layout:
    """The bytes of a date.

    Args:
        length: How many there are.
        fields: The offset of each field's first byte.
        literals: Each byte that is given, and its offset.
        others: The offset of each byte that is anything but a digit.
    """

    length: int
    fields: tuple[tuple[str, int], ...]
    literals: tuple[tuple[int, int], ...] = ()
    others: tuple[int, ...] = ()

    @property
    def has_zone(self) -> bool:
        """True if dates say how far they are from GMT."""
        return "z" in dict(self.fields)


@dataclass(frozen=True)
class _Atom:
    """Some bytes that are examined together: two digits, a month's name, or one literal byte or a sign."""

    name: str
    at: int
    width: int


def fixed_layout(date_format: bytes) -> _Layout | None:
    """The layout of a ``DateFmt``, or None if it holds more than fixed fields."""
    marked = b"%" in date_format
    codes = date_format.decode("latin-1")
    offset = position = 0
    fields: list[tuple[str, int]] = []
    literals: list[tuple[int, int]] = []
    others: list[int] = []
    free = may_be_digits(date_format)
    while position < len(codes):
        is_code = codes[position] == "%" if marked else codes[position] != "."
        position += 1 if marked and is_code else 0
        code = codes[position : position + 1]
        position += 1
        if is_code:
            if (
                code not in _WIDTHS
                or code in dict(fields)
                or (code == "S" and codes[position : position + 1].isdigit())
                or (code == "z" and codes[position : position + 1].isdigit())
            ):
                return None
            fields.append((code, offset))
            offset += _WIDTHS[code]
        else:
            if code != ".":
                literals.append((ord(code), offset))
            elif position - 1 not in free:
                others.append(offset)
            offset += 1
    names = {code for code, _ in fields}
    if offset < _WORD or not {"Y", "d"} <= names or len(names & {"m", "b"}) != 1:
        return None
    return _Layout(offset, tuple(fields), tuple(literals), tuple(others))


def date_kernel(date_format: bytes, *, utc: bool, row: Kernel) -> Kernel | None:
    """A kernel for dates of ``date_format``, or None if the format is not a fixed layout.

    Args:
        date_format: The constant ``DateFmt``.
        utc: Whether dates are in GMT; otherwise they are in the process's time zone, or in their own.
        row: Computes the dates that are out of the ordinary.
    """
    layout = fixed_layout(date_format)
    if layout is None:
        return None
    from ess.engines.columnar.date_runs import day_runs  # numpy and pyarrow start threads as they are imported

    plain_seconds = _seconds(layout)
    times = [(at, _RANGES[code][1], _UNITS[code]) for code, at in layout.fields if code in _UNITS]
    by_day = day_runs(layout.length, times, _day_seconds(layout, date_format))

    def kernel(arguments: tuple[pl.Series, ...]) -> pl.Series:
        dates = arguments[0]
        seconds = by_day(dates)
        if seconds is None:
            seconds = plain_seconds(dates)
        if not utc and not layout.has_zone and not _zone_is_utc():
            seconds = _to_local(seconds)
        return or_else(seconds, dates, row)

    return kernel


def _day_seconds(layout: _Layout, date_format: bytes) -> Callable[[bytes], int | None]:
    """A function that gives the seconds of one date in GMT, or None where it is no plain one."""
    digits = [
        at + n for code, at in layout.fields for n in range(_WIDTHS[code]) if code in _RANGES or (code == "z" and n > 0)
    ]
    row = compile_date_format(date_format, local=False)

    def seconds(date: bytes) -> int | None:
        # With digits where the layout has them, no field can have begun elsewhere.
        found = row(date) if all(48 <= date[at] <= 57 for at in digits) else 0
        return found if 0 < found < _PLAIN_UNTIL else None

    return seconds


def _seconds(layout: _Layout) -> Callable[[pl.Series], pl.Series]:
    """Seconds since 1970 as if the date were in GMT; null where the value is not a plain date.

    In steps, each of which makes columns of the one before: as one expression, Polars would
    compute the shared parts again for each use.
    """
    date = pl.col("date")
    words: list[pl.Expr] = []
    pairs: list[pl.Expr] = []
    tests: list[pl.Expr] = []
    fields: list[pl.Expr] = []
    atoms = _atoms(layout)
    for start in _word_starts(layout, atoms):
        word = f"word{start}"
        words.append(date.bin.slice(start, _WORD).bin.reinterpret(dtype=pl.UInt64, endianness="little").alias(word))
        inside = [atom for atom in atoms if start <= atom.at and atom.at + atom.width <= start + _WORD]
        atoms = [atom for atom in atoms if atom not in inside]
        digits = [atom for atom in inside if atom.name and atom.width == 2]
        tests += _tests(pl.col(word), start, digits, [atom for atom in inside if not atom.name], layout)
        if digits:
            nibbles = pl.col(word) & _word_literal(0x0F0F0F0F0F0F0F0F)
            # Each byte becomes ten times itself plus the byte after it, at most 165: no carry.
            pairs.append((nibbles * 10 + nibbles // 256).alias(f"pairs{start}"))
            fields += [((pl.col(f"pairs{start}") // 2 ** (8 * (d.at - start))) & 0xFF).alias(d.name) for d in digits]
        for atom in inside:
            if atom.name and atom.width != 2:
                mask = _AS_CAPITALS if atom.width == 3 else 0xFF
                pairs.append(((pl.col(word) // 2 ** (8 * (atom.at - start))) & mask).alias(atom.name))
                fields.append(pl.col(atom.name))
    plain = pl.all_horizontal(date.bin.size() == layout.length, *tests).alias("plain")
    total = _total([code for code, _ in layout.fields])
    month_name = "b" in dict(layout.fields)

    def seconds(dates: pl.Series) -> pl.Series:
        frame = dates.to_frame("date").select(date, *words)
        frame = frame.select(plain, *pairs)
        frame = frame.select("plain", *fields)
        if month_name:
            slots = frame.get_column("b") % _NAME_SLOTS
            # No name, or none of a month, gives another name or month 0.
            frame = frame.with_columns(_SLOT_NAMES.gather(slots).alias("name"), _SLOT_MONTHS.gather(slots).alias("m"))
            frame = frame.with_columns(pl.col("plain") & (pl.col("b") == pl.col("name")))
        frame = frame.with_columns((pl.col("Y") * 100 + pl.col("y")).alias("Y"))
        return frame.select(total.alias("seconds")).to_series()

    return seconds


def _tests(
    word: pl.Expr, start: int, digits: Sequence[_Atom], literals: Sequence[_Atom], layout: _Layout
) -> list[pl.Expr]:
    """Conditions: the digits of a word are digits, and its literal bytes are the given ones."""
    tests = [_all_digits(word, [atom.at - start for atom in digits])] if digits else []
    others = [atom.at - start for atom in literals if atom.at in layout.others]
    if others:
        tests.append(_no_digits(word, others))
    literals = [atom for atom in literals if atom.at not in layout.others]
    if literals:
        given = {at: byte for byte, at in layout.literals}
        mask = sum(0xFF << (8 * (atom.at - start)) for atom in literals)
        wanted = sum(given[atom.at] << (8 * (atom.at - start)) for atom in literals)
        tests.append((word & _word_literal(mask)) == _word_literal(wanted))
    return tests


def _total(codes: list[str]) -> pl.Expr:
    """The seconds of the fields, null out of the ranges that are surely right."""
    in_range = [pl.col(code).is_between(*_RANGES[code]) for code in codes if code in _RANGES]
    if "z" in codes:
        in_range += [pl.col("zone hours") <= 23, pl.col("zone minutes") <= 59]
    plain = pl.all_horizontal("plain", *in_range, _plain_date(pl.col("m"), pl.col("d")))
    # Unsigned throughout: casts would cost more than the arithmetic, and years before 1970 are out of range.
    total = _days(pl.col("Y"), pl.col("m"), pl.col("d")) * 86400
    for code, unit in _UNITS.items():
        if code in codes:
            total = total + pl.col(code) * unit
    if "z" in codes:
        ahead, sign = pl.col("zone hours") * 3600 + pl.col("zone minutes") * 60, pl.col("sign")
        # Unsigned numbers wrap, so that what is below 0 is right again as a signed number.
        total = pl.when(sign == _MINUS).then(total + ahead).when(sign == _PLUS).then(total - ahead)
    return pl.when(plain).then(total.reinterpret(signed=True))


def _atoms(layout: _Layout) -> list[_Atom]:
    """The bytes examined together, by offset; ``y`` is the second half of the year, bytes between have no name."""
    atoms = [_Atom("", at, 1) for at in (*layout.others, *(at for _, at in layout.literals))]
    for code, at in layout.fields:
        if code == "b":
            atoms.append(_Atom("b", at, 3))
        elif code == "z":
            atoms += [_Atom("sign", at, 1), _Atom("zone hours", at + 1, 2), _Atom("zone minutes", at + 3, 2)]
        else:
            atoms.append(_Atom(code, at, 2))
            if code == "Y":
                atoms.append(_Atom("y", at + 2, 2))
    return sorted(atoms, key=lambda atom: atom.at)


def _word_starts(layout: _Layout, atoms: Sequence[_Atom]) -> list[int]:
    """Positions at which to read eight bytes, so that every atom lies within one read."""
    starts: list[int] = []
    for atom in atoms:
        if not starts or atom.at + atom.width > starts[-1] + _WORD:
            starts.append(min(atom.at, layout.length - _WORD))
    return starts


def _all_digits(word: pl.Expr, offsets: list[int]) -> pl.Expr:
    """True where the two bytes at each offset are ``0`` to ``9``."""
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


def _no_digits(word: pl.Expr, offsets: list[int]) -> pl.Expr:
    """True where the byte at each offset is none of ``0`` to ``9``."""
    mask = sum(0xFF << (8 * offset) for offset in offsets)
    # Digits become 0 to 9, and what is not looked at 255. Then the usual test whether a byte is less than 10.
    values = (word ^ _word_literal(_EACH * 0x30)) | _word_literal(mask ^ (_EACH * 0xFF))
    high = (values - _word_literal(_EACH * 10)) & (values ^ _word_literal(_EACH * 0xFF)) & _word_literal(_EACH * 0x80)
    return high == _word_literal(0)


def _word_literal(number: int) -> pl.Expr:
    return pl.lit(number, dtype=pl.UInt64)


def _plain_date(month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """True where the month surely has the day; the 29th of February is left to the row implementation."""
    long_month = ((month + month // 8) & 1) == 1
    return (day <= 28) | ((month != 2) & ((day <= 30) | long_month))


def _days(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Days since 1970 of a Gregorian date, counting years from March."""
    before_march = (month <= 2).cast(pl.UInt64)
    years = year - before_march
    months = month - 3 + before_march * 12
    leap_days = years // 4 - years // 100 + years // 400
    return years * 365 + leap_days + (months * 153 + 2) // 5 + day - 719469


def _by_slot() -> tuple[pl.Series, pl.Series]:
    """The months' names as numbers, and their numbers in the year, each in the slot that its name has."""
    numbers = [int.from_bytes(name, "little") for name in _MONTHS]
    names, months = [0] * _NAME_SLOTS, [0] * _NAME_SLOTS
    for month, number in enumerate(numbers, 1):
        names[number % _NAME_SLOTS], months[number % _NAME_SLOTS] = number, month
    return pl.Series(names, dtype=pl.UInt64), pl.Series(months, dtype=pl.UInt64)


_SLOT_NAMES, _SLOT_MONTHS = _by_slot()


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
    """The offset of local time from GMT throughout the hour that begins at ``start`` in local time."""
    begin, end = (_mktime(moment) for moment in (start, start + 3599))
    # An hour on either side too, so that times which exist twice or not at all are found.
    before, after = (_mktime(moment) for moment in (start - 7200, start + 3599 + 7200))
    ahead = {start - begin, start + 3599 - end, start - 7200 - before, start + 3599 + 7200 - after}
    return ahead.pop() if len(ahead) == 1 else None


def _mktime(wall_clock: int) -> int:
    moment = datetime.datetime.fromtimestamp(wall_clock, datetime.UTC)
    return int(time.mktime((*moment.timetuple()[:6], 0, 0, -1)))
