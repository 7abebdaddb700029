"""Times as web servers write them, where they stand: the same as ``ess.formats.known.made.log_time``.

Lines of a log are in order of time, so day and zone are those of the line before; only the time of day is read from
each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ess.formats.known.made import log_time
from ess.formats.known.text_places import TextPlaces

_FORM = b"00/Mmm/0000:00:00:00 +0000"
_TIME, _ZONE = 12, 20
_MIDNIGHT = _FORM[_TIME:_ZONE]
_ZEROS = np.uint64(int.from_bytes(_MIDNIGHT, "little"))
_COLONS = np.uint64(int.from_bytes(b"\0\0\xff\0\0\xff\0\0", "little"))
#: What makes a byte above 9 reach its high bit.
_ABOVE_NINE, _HIGH_BITS = np.uint64(0x7676767676767676), np.uint64(0x8080808080808080)
_DIGIT = np.uint64(0xF)
_YEAR_END = np.uint64(0xFFFFFFFF)


def placed_log_times(times: TextPlaces) -> NDArray[np.int64]:
    """The milliseconds since 1970 of each text, 0 if it is no time."""
    plain = times.placed & (times.lengths == len(_FORM))
    found = np.zeros(len(plain), dtype=np.int64)
    if plain.any():
        starts = np.where(plain, times.starts, times.starts[plain.argmax()])
        first, year = times.words(starts), times.words(starts + 8) & _YEAR_END
        zone = times.words(starts + (len(_FORM) - 8)) >> np.uint64(16)
        new = np.ones(len(starts), dtype=np.bool_)
        new[1:] = (first[1:] != first[:-1]) | (year[1:] != year[:-1]) | (zone[1:] != zone[:-1])
        begins = np.flatnonzero(new)
        midnights = _midnights(times, starts[begins].tolist())
        midnight = np.repeat(midnights, np.diff(begins, append=len(starts)))
        # Clipped ones are 0, too.
        plain &= midnight > 0
        seconds, is_time = _seconds_of_day(times.words(starts + _TIME))
        plain &= is_time
        found = midnight + seconds * 1000
    odd = np.flatnonzero(~plain).astype(np.int64, copy=False)
    if len(odd):
        found[odd] = [log_time(text) for text in times.some(odd)]
    return found


def _midnights(times: TextPlaces, starts: list[int]) -> NDArray[np.int64]:
    """The beginnings of the days of some texts, in their zones."""
    known: dict[bytes, int] = {}
    made: list[int] = []
    for start in starts:
        text = times.piece(start, len(_FORM))
        text = text[:_TIME] + _MIDNIGHT + text[_ZONE:]
        if text not in known:
            known[text] = log_time(text)
        made.append(known[text])
    return np.array(made, dtype=np.int64)


def _seconds_of_day(words: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The seconds since midnight of ``HH:MM:SS``, and which of them are such times."""
    digits = words ^ _ZEROS
    plain = ((((digits + _ABOVE_NINE) | digits) & _HIGH_BITS) | (digits & _COLONS)) == 0

    def number(place: int) -> NDArray[np.uint64]:
        tens = (digits >> np.uint64(8 * place)) & _DIGIT
        found: NDArray[np.uint64] = tens * np.uint64(10) + ((digits >> np.uint64(8 * place + 8)) & _DIGIT)
        return found

    hours, minutes, seconds = number(0), number(3), number(6)
    plain &= (hours < 24) & (minutes < 60) & (seconds < 60)
    total = (hours * np.uint64(60) + minutes) * np.uint64(60) + seconds
    return total.view(np.int64), plain
