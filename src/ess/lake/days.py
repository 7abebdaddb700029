"""Files by the day in their names: what ``ess summary --plot`` draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ess.lake.dates import NO_DATE
from ess.lake.entry import FileEntry


@dataclass(frozen=True)
class Day:
    """The number of files of a day, and their bytes."""

    date: date
    files: int
    bytes: int


def days_of(files: Iterable[FileEntry]) -> list[Day]:
    """The days that files have in their names, in order; a file without a date has none."""
    counts: Counter[date] = Counter()
    sizes: Counter[date] = Counter()
    for entry in files:
        if entry.date != NO_DATE and entry.number is None:
            day = entry.date.date()
            counts[day] += 1
            sizes[day] += entry.size
    return [Day(day, counts[day], sizes[day]) for day in sorted(counts)]
