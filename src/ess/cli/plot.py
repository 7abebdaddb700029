"""Files and bytes a day as a drawing of characters: ``ess summary --plot``. Pure functions: values in, lines out.

Libraries that draw in terminals were looked at: plotext (MIT, 3 MB) takes 0.6 s to load, which is more than the whole
command may take, draws characters that ASCII terminals do not have, and knows no gaps.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from ess.cli.render import human_size

if TYPE_CHECKING:
    from ess.lake.days import Day

#: How many lines a drawing is high, and how wide at least.
_HEIGHT = 6
_LEAST_WIDTH = 10
#: How wide the column of a day is at most.
_WIDEST = 3
_MOST_GAPS = 12
_CYAN, _RED, _PLAIN = "\x1b[36m", "\x1b[31m", "\x1b[0m"


@dataclass(frozen=True)
class Pen:
    """The means of a terminal: its width, block characters or ASCII alone, colours."""

    width: int
    blocks: bool = True
    colours: bool = False

    @property
    def levels(self) -> str:
        """The characters that fill a cell, from the bottom up, the empty one first."""
        return " ▁▂▃▄▅▆▇█" if self.blocks else " .:|#"

    @property
    def marks(self) -> str:
        """The marks of a column without files and of one that misses some days, and the parts of the axes."""
        return "\u00d7·─└┤" if self.blocks else "x.-++"

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, if there are any."""
        return f"{colour}{text}{_PLAIN}" if self.colours and text.strip() else text


@dataclass(frozen=True)
class _Axis:
    """The days from the first to the last one, some to a column."""

    first: date
    last: date
    per_column: int

    @property
    def columns(self) -> int:
        return -(-((self.last - self.first).days + 1) // self.per_column)

    def days(self, column: int) -> list[date]:
        start = self.first + timedelta(days=column * self.per_column)
        return [day for n in range(self.per_column) if (day := start + timedelta(days=n)) <= self.last]

    def means(self, values: Mapping[date, int]) -> list[float]:
        """For each column the mean of its days."""
        columns = [self.days(column) for column in range(self.columns)]
        return [sum(values.get(day, 0) for day in days) / len(days) for days in columns]

    def missing(self, known: Mapping[date, object]) -> list[float]:
        """For each column the share of its days that have no file."""
        columns = [self.days(column) for column in range(self.columns)]
        return [sum(day not in known for day in days) / len(days) for days in columns]


def _axis(first: date, last: date, room: int) -> _Axis:
    return _Axis(first, last, -(-((last - first).days + 1) // max(room, _LEAST_WIDTH)))


def category_plot(days: Sequence[Day], pen: Pen) -> list[str]:
    """Files and bytes a day of one category, at least one day: two drawings, and the days without files."""
    files = {day.date: day.files for day in days}
    sizes = {day.date: day.bytes for day in days}
    tops = (_number(max(files.values())), human_size(max(sizes.values())))
    margin = max(map(len, tops))
    axis = _axis(days[0].date, days[-1].date, pen.width - margin - 2)
    if axis.per_column > 1:
        tops = (_number(max(axis.means(files))), human_size(round(max(axis.means(sizes)))))
        margin = max(map(len, tops))
    cell = 1 if axis.per_column > 1 else max(1, min(_WIDEST, (pen.width - margin - 2) // axis.columns))
    lines: list[str] = []
    for heading, values, top in (("files a day", files, tops[0]), ("bytes a day", sizes, tops[1])):
        many = f" (mean of {axis.per_column} days)" if axis.per_column > 1 else ""
        lines += [f"{heading}{many}", *_drawing(axis.means(values), top, margin, cell, pen)]
        lines += [*_time_axis(axis, files, margin, cell, pen), ""]
    return [*lines, *_gaps(days, pen)]


def _drawing(values: Sequence[float], top: str, margin: int, cell: int, pen: Pen) -> list[str]:
    steps = len(pen.levels) - 1
    most = max(values)
    heights = [max(1, round(value / most * _HEIGHT * steps)) if value else 0 for value in values] if most else []
    lines: list[str] = []
    for row in reversed(range(_HEIGHT)):
        bars = "".join(pen.levels[max(0, min(steps, height - row * steps))] * cell for height in heights)
        label = top if row == _HEIGHT - 1 else ""
        lines.append(f"{label:>{margin}} {pen.marks[4]}{pen.paint(bars.rstrip(), _CYAN)}".rstrip())
    return lines


def _time_axis(axis: _Axis, known: Mapping[date, object], margin: int, cell: int, pen: Pen) -> list[str]:
    line = "".join(
        pen.paint(pen.marks[0] * cell, _RED) if share == 1 else pen.marks[1 if share else 2] * cell
        for share in axis.missing(known)
    )
    return [f"{0:>{margin}} {pen.marks[3]}{line}", *_dates(axis, margin + 2, cell)]


def _dates(axis: _Axis, indent: int, cell: int) -> list[str]:
    first, last = axis.first.isoformat(), axis.last.isoformat()
    room = axis.columns * cell - len(first)
    if axis.first == axis.last:
        return [" " * indent + first]
    if room <= len(last):
        return [" " * indent + first, " " * indent + last]
    return [" " * indent + first + last.rjust(room)]


def _gaps(days: Sequence[Day], pen: Pen) -> list[str]:
    """The days between the first and the last one that have no file, as text."""
    found: list[str] = []
    missing = 0
    for before, after in pairwise(days):
        without = (after.date - before.date).days - 1
        if without:
            missing += without
            first, last = before.date + timedelta(days=1), after.date - timedelta(days=1)
            found.append(first.isoformat() if first == last else f"{first.isoformat()} to {last.isoformat()}")
    span = (days[-1].date - days[0].date).days + 1
    counted = f"{_count(span, 'day')}, all with files" if not missing else f"{span} days, {missing} without files"
    if not found:
        return [counted]
    more = [f"and {len(found) - _MOST_GAPS} more gaps"] if len(found) > _MOST_GAPS else []
    text = f"{counted} ({pen.marks[0]}): {', '.join([*found[:_MOST_GAPS], *more])}"
    return textwrap.wrap(text, max(pen.width, 2 * _LEAST_WIDTH), break_long_words=False, break_on_hyphens=False)


def datastore_plot(categories: Sequence[tuple[str, Sequence[Day]]], pen: Pen) -> list[str]:
    """Bytes a day of all categories, a line each, over the same days. Those without dates are left out."""
    dated = [(name, days) for name, days in categories if days]
    if not dated:
        return ["no file has a date in its name"]
    margin = min(max(len(name) for name, _ in dated), max(pen.width // 3, _LEAST_WIDTH))
    axis = _axis(
        min(days[0].date for _, days in dated), max(days[-1].date for _, days in dated), pen.width - margin - 1
    )
    many = f" (a character: {axis.per_column} days)" if axis.per_column > 1 else ""
    lines = [f"bytes a day{many}"]
    for name, days in dated:
        sizes = {day.date: day.bytes for day in days}
        means, missing = axis.means(sizes), axis.missing(sizes)
        steps = len(pen.levels) - 1
        most = max(means) or 1
        cells = [
            ((pen.marks[0] if _inside(axis.days(column), days) else " "), _RED)
            if missing[column] == 1
            else (pen.levels[max(1, round(value / most * steps))], _CYAN)
            for column, value in enumerate(means)
        ]
        stretches = groupby(cells, key=lambda cell: cell[1])
        text = "".join(pen.paint("".join(mark for mark, _ in marks), colour) for colour, marks in stretches)
        lines.append(f"{name[:margin]:<{margin}} {text}".rstrip())
    return [*lines, *_dates(axis, margin + 1, 1), f"{pen.marks[0]}: no files, between others"]


def _inside(column: Sequence[date], days: Sequence[Day]) -> bool:
    return days[0].date < column[0] and column[-1] < days[-1].date


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or value >= 10 else f"{value:.1f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
