"""Files by the day in their names, as ``ess summary --plot`` draws them, and those without one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from ess.lake.dates import NO_DATE, DateFinder, DateRule, DateRuleKind
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


def undated_remark(files: Sequence[FileEntry], rule: DateRule) -> str:
    """A sentence about files in whose names a rule finds no date, or no number; blank if there are none of these."""
    if rule.kind is DateRuleKind.NONE or (rule.kind is DateRuleKind.AUTO and len(files) == 1):
        return ""  # a single file needs no date
    numbers = DateFinder(rule).numbers
    without = [entry for entry in files if (entry.number is None if numbers else entry.date == NO_DATE)]
    if not without:
        return ""
    count = f"{len(without):,}" if len(without) == len(files) else f"{len(without):,} of {len(files):,}"
    which = f"name of {without[0].path}" if len(files) == 1 else f"names of {count} files, such as {without[0].path}"
    they = "it belongs" if len(without) == 1 else "they belong"
    what, place = ("number", "to no range but '*' '*'") if numbers else ("date", "to 1970-01-01")
    return (
        f"no {what} is found in the {which}: {they} {place}; try a rule with: ess ls -r PATTERN --dateregex RULE"
        " (none: there is none)"
    )
