"""Dates in order of time: neighbours that differ only in hour, minute and second share the work on their day.

Logs are written as things happen, so a batch has few different days. The seconds of each day are computed
once; a date adds its time of the day, by tables of two-digit numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

#: With more runs of one day than one in so many rows, the kernel for all dates takes less time.
_ROWS_A_RUN = 16
#: How many days are remembered from batch to batch.
_MOST_DAYS = 4096
_WORD = 8
_Number = TypeVar("_Number", np.uint16, np.uint64)
_EIGHT_BYTES: np.dtype[np.uint64] = np.dtype("<u8")
_TWO_BYTES: np.dtype[np.uint16] = np.dtype("<u2")
#: Added for an invalid time: less than all units of a time can make up for.
_NO_TIME = -1_000_000


def day_runs(
    length: int, times: Sequence[tuple[int, int, int]], seconds: Callable[[bytes], int | None]
) -> Callable[[pl.Series], pl.Series | None]:
    """A function that turns dates into seconds, null where it does not know; it gives None for dates not made for it.

    Args:
        length: How many bytes each date has, 8 or more.
        times: For each two-digit number of the time of the day: its offset, its largest value, its unit in seconds.
        seconds: Gives the seconds of one date; None where it does not know.
    """
    starts = [*range(0, length - _WORD, _WORD), length - _WORD]
    time_bytes = {offset + digit for offset, _, _ in times for digit in (0, 1)}
    masks = [
        sum(0xFF << 8 * (at - start) for at in range(start, start + _WORD) if at not in time_bytes) for start in starts
    ]
    tables = [(offset, _table(largest, unit)) for offset, largest, unit in times]
    days: dict[bytes, int | None] = {}

    def day_of(date: bytes) -> bytes:
        """The date at 0 o'clock."""
        return bytes(ord("0") if at in time_bytes else byte for at, byte in enumerate(date))

    def remember(names: set[bytes]) -> None:
        new = [name for name in names if name not in days]
        if len(days) + len(new) > _MOST_DAYS:
            days.clear()
            new = list(names)
        days.update((name, seconds(name)) for name in new)

    def runs(dates: pl.Series) -> pl.Series | None:
        content = _content(dates, length)
        if content is None:
            return None
        height = dates.len()
        changes = np.zeros(height, dtype=np.bool_)
        changes[0] = True
        for start, mask in zip(starts, masks, strict=True):
            word = _column(content, height, length, start, _EIGHT_BYTES) & np.uint64(mask)
            changes[1:] |= word[1:] != word[:-1]
        begins = np.flatnonzero(changes)
        if len(begins) * _ROWS_A_RUN > height + _ROWS_A_RUN:
            return None
        names = [day_of(bytes(content[begin : begin + length])) for begin in (begins * length).tolist()]
        remember(set(names))
        found = [days[name] for name in names]
        day = np.array([0 if start is None else start for start in found], dtype=np.int64)
        unknown = np.array([start is None for start in found], dtype=np.bool_)
        counts = np.diff(begins, append=height)
        total = np.repeat(day, counts)
        time = np.zeros(height, dtype=np.int32)
        for offset, table in tables:
            time += table[_column(content, height, length, offset, _TWO_BYTES)]
        total += time
        missing = time < 0
        if unknown.any():
            missing |= np.repeat(unknown, counts)
        result = pl.from_arrow(pa.array(total, mask=missing if missing.any() else None))
        assert isinstance(result, pl.Series)
        return result

    return runs


def _table(largest: int, unit: int) -> NDArray[np.int32]:
    """For each pair of bytes, read as a number of units, its seconds."""
    table = np.full(1 << 16, _NO_TIME, dtype=np.int32)
    for number in range(largest + 1):
        table[int.from_bytes(b"%02d" % number, "little")] = number * unit
    return table


def _content(dates: pl.Series, length: int) -> memoryview | None:
    """The bytes of all dates, one after the other; None unless each has that length."""
    if dates.null_count() or not dates.len():
        return None
    array = dates.to_arrow(compat_level=pl.CompatLevel.oldest())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    _, offsets, content = array.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    if content is None or not (np.diff(bounds) == length).all():
        return None
    return memoryview(content)[bounds[0] : bounds[-1]]


def _column(content: memoryview, height: int, length: int, offset: int, dtype: np.dtype[_Number]) -> NDArray[_Number]:
    """The number at an offset in each date."""
    return np.ndarray((height,), dtype=dtype, buffer=content, offset=offset, strides=(length,)).copy()
