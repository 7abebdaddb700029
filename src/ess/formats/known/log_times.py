"""Times as web servers write them, many at once: the same as ``ess.formats.known.made.log_time``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ess.formats.known.made import log_time

_FORM = b"00/Mmm/0000:00:00:00 +0000"
_DIGITS = [place for place, byte in enumerate(_FORM) if byte == ord("0")]
_MARKS = [place for place, byte in enumerate(_FORM) if byte in b"/: "]
_NAMES = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_KEYS = np.array([int.from_bytes(name, "big") for name in _NAMES], dtype=np.int64)
_ORDER = np.argsort(_KEYS)
#: Where each month begins in a year that begins in March, and how many days it has at least.
_BEFORE = np.array([306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275], dtype=np.int64)
_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
_DAYS_TO_1970 = 719468


def log_times(texts: Sequence[bytes]) -> NDArray[np.int64]:
    """The milliseconds since 1970 of each text, 0 if it is no time."""
    size = len(_FORM)
    joined = b"".join(texts)
    if len(joined) != size * len(texts) or any(len(text) != size for text in texts):
        return np.array([log_time(text) for text in texts], dtype=np.int64)
    bytes_ = np.frombuffer(joined, dtype=np.uint8).reshape(-1, size)
    plain = (bytes_[:, _MARKS] == np.array([_FORM[place] for place in _MARKS], dtype=np.uint8)).all(axis=1)
    digits = bytes_.astype(np.int64) - ord("0")
    plain &= ((digits[:, _DIGITS] >= 0) & (digits[:, _DIGITS] <= 9)).all(axis=1)
    sign = bytes_[:, 21]
    plain &= (sign == ord("+")) | (sign == ord("-"))
    letters = bytes_[:, 3:6].astype(np.int64) | 0x20
    key = (letters[:, 0] << 16) | (letters[:, 1] << 8) | letters[:, 2]
    place = np.minimum(np.searchsorted(_KEYS[_ORDER], key), len(_KEYS) - 1)
    month = _ORDER[place]
    plain &= _KEYS[month] == key

    def number(*places: int) -> NDArray[np.int64]:
        value = np.zeros(len(bytes_), dtype=np.int64)
        for each in places:
            value = value * 10 + digits[:, each]
        return value

    day, year = number(0, 1), number(7, 8, 9, 10)
    hour, minute, second = number(12, 13), number(15, 16), number(18, 19)
    # What is not surely a time, such as the 29th of February, is looked at by itself.
    plain &= (year >= 1970) & (day >= 1) & (day <= _DAYS[month]) & (hour < 24) & (minute < 60) & (second < 60)
    counted = year - (month < 2)
    days = counted * 365 + counted // 4 - counted // 100 + counted // 400 + _BEFORE[month] + day - 1 - _DAYS_TO_1970
    zone = number(22, 23) * 3600 + number(24, 25) * 60
    seconds = days * 86400 + hour * 3600 + minute * 60 + second + np.where(sign == ord("-"), zone, -zone)
    found: NDArray[np.int64] = np.maximum(seconds * 1000, 0)
    for row in np.flatnonzero(~plain).tolist():
        found[row] = log_time(texts[row])
    return found
