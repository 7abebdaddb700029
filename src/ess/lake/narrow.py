"""Folders in which no file of a range of dates is, where dates stand in the names of folders.

Nothing is taken for granted: a look at all files of a category tells how far the dates of its files stray from those
of their folders (:func:`slack_of`). A look at some dates then leaves out folders that are farther away than that, and
is followed by a look at all if it meets a file that strays farther (:func:`fits`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ess.lake.dates import automatic_date
from ess.lake.entry import FileEntry
from ess.lake.index import Span

_DAY = timedelta(days=1)
#: A year, or a year and a month, at the end of a folder's path: ``2014/``, ``2014/09/``, ``year=2014/month=9/``.
_YEAR_OR_MONTH = re.compile(
    r"(?:^|/)(?:[A-Za-z_]+=)?((?:19|20)[0-9]{2})"
    r"(?:(?:/(?:[A-Za-z_]+=)?|[-_.])(0?[1-9]|1[0-2])|(0[1-9]|1[0-2]))?/$"
)
#: With more folders than these that have no date, a look folder by folder takes longer than one at everything.
_MOST_WITHOUT = 100
#: The least part of the files that must lie in folders with dates.
_LEAST_PART = 0.9


def folder_span(folder: str, base_length: int = 0) -> tuple[datetime, datetime] | None:
    """The day, month or year that the path of a folder names, as its first moment and the first after it.

    Args:
        folder: With a ``/`` at its end.
        base_length: How many of its characters say nothing, because all folders have them.

    >>> folder_span("logs/2014/09/")
    (datetime.datetime(2014, 9, 1, 0, 0), datetime.datetime(2014, 10, 1, 0, 0))
    >>> folder_span("logs/dt=2014-09-01/host/")
    (datetime.datetime(2014, 9, 1, 0, 0), datetime.datetime(2014, 9, 2, 0, 0))
    """
    date = automatic_date(folder, base_length)
    if date is not None:
        day = datetime(date.year, date.month, date.day)
        return day, day + _DAY
    found = _YEAR_OR_MONTH.search(folder)
    if found is None or found.end() <= base_length:
        return None
    year, month = int(found[1]), int(found[2] or found[3] or 0)
    if not month:
        return datetime(year, 1, 1), datetime(year + 1, 1, 1)
    return datetime(year, month, 1), datetime(year + month // 12, month % 12 + 1, 1)


@dataclass
class Folders:
    """Says what the folders of files tell about their dates; each is looked at once."""

    base_length: int
    without: int = 0
    _spans: dict[str, tuple[datetime, datetime] | None] = field(default_factory=dict)

    def span(self, folder: str) -> tuple[datetime, datetime] | None:
        """The dates that a folder and all above it allow; an impossible span if they contradict each other."""
        if folder in self._spans:
            return self._spans[folder]
        pending = [folder]  # without recursion: paths can be deep
        while True:
            above = pending[-1][: pending[-1].rfind("/", 0, -1) + 1]
            if len(above) < self.base_length or not above or above in self._spans:
                break
            pending.append(above)
        around = self._spans.get(above)
        for each in reversed(pending):
            own = folder_span(each, self.base_length)
            if own is None:
                self.without += around is None
            elif around is not None:
                own = max(own[0], around[0]), min(own[1], around[1])
            around = self._spans[each] = own or around
        return around

    def stray(self, entry: FileEntry) -> int | None:
        """The days between the date of a file and those of its folder; None if the folder has none."""
        span = self.span(entry.path[: entry.path.rfind("/") + 1])
        if span is None:
            return None
        if entry.date < span[0]:
            return -((entry.date - span[0]) // _DAY)
        return 0 if entry.date < span[1] else (entry.date - span[1]) // _DAY + 1


def slack_of(entries: Iterable[FileEntry], base_length: int) -> int | None:
    """The most days, 0 or 1, between dates of files and those of their folders; None if folders tell nothing.

    Args:
        entries: All files of a category.
        base_length: How many characters all their folders have in common.
    """
    folders = Folders(base_length)
    slack = dated = count = 0
    for entry in entries:
        count += 1
        stray = folders.stray(entry)
        if stray is None:
            continue
        if stray > 1 or entry.number is not None:
            return None
        dated += 1
        slack = max(slack, stray)
    return slack if dated and dated >= count * _LEAST_PART and folders.without <= _MOST_WITHOUT else None


@dataclass(frozen=True)
class Narrowing:
    """A look at some dates of a category whose folders tell them.

    Attributes:
        span: The dates.
        slack: By how many days files may stray from their folders.
        base_length: How many characters all folders have in common.
    """

    span: Span
    slack: int
    base_length: int

    def leaves_out(self, folder: str) -> bool:
        """True if no file with a date in the range is in a folder, or below it."""
        own = folder_span(folder, self.base_length)
        if own is None:
            return False
        slack = self.slack * _DAY
        try:
            first, end = own[0] - slack, own[1] + slack
        except OverflowError:
            return False
        return (self.span.end is not None and first >= self.span.end) or (
            self.span.start is not None and end <= self.span.start
        )

    def takes_all(self, folder: str) -> bool:
        """True if no folder below one needs to be looked at by itself."""
        own = folder_span(folder, self.base_length)
        if own is None:
            return False
        inside = (self.span.start is None or own[0] >= self.span.start) and (
            self.span.end is None or own[1] <= self.span.end
        )
        return inside or own[1] - own[0] == _DAY

    def fits(self, entries: Iterable[FileEntry]) -> bool:
        """True if no file strays farther from its folder than was known."""
        folders = Folders(self.base_length)
        return all((folders.stray(entry) or 0) <= self.slack for entry in entries)
