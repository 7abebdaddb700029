"""Tables for a terminal. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from ess.cli.render import shown, table

_BETWEEN = "  "
_LEAST_BAR, _LONGEST_BAR = 8, 40
_BLOCKS = "▏▎▍▌▋▊▉█"


def fitted(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    numbers: Sequence[bool] = (),
    bars: bool = False,
    blocks: bool = True,
) -> list[str]:
    """A table (:func:`ess.cli.render.table`) that fits the terminal.

    Args:
        titles: The titles.
        rows: As many values in each.
        width: Columns of the terminal; the widest columns of text are cut to fit, if it is not too narrow.
        numbers: Which columns end below each other.
        bars: Whether the first column of numbers behind the first column is drawn as a bar, too.
        blocks: Whether the terminal has block characters.

    >>> fitted(["url", "count"], [["/", "12"], ["/a", "3"]], width=80, numbers=[False, True])
    ['url  count', '---  -----', '/       12', '/a       3']
    """
    cells = [[shown(value) for value in row] for row in (titles, *rows)]
    right = [bool(each) for _, each in zip_longest(titles, numbers, fillvalue=False)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    room = width - sum(widths) - len(_BETWEEN) * (len(widths) - 1)
    texts = [number for number, is_number in enumerate(right) if not is_number]
    while room < 0 and texts:
        widest = max(texts, key=widths.__getitem__)
        if widths[widest] <= max(_LEAST_BAR, len(titles[widest])):
            break
        widths[widest] -= 1
        room += 1
    cut = [[_cut(value, size, blocks) for value, size in zip(row, widths, strict=True)] for row in cells]
    lines = table(cut[0], cut[1:], right)
    drawn = _bars([row[_drawn(right)] for row in rows], room - len(_BETWEEN), blocks) if bars and rows else []
    return [f"{line}{_BETWEEN}{bar}".rstrip() for line, bar in zip_longest(lines, ["", "", *drawn], fillvalue="")]


def _drawn(right: Sequence[bool]) -> int:
    return next((n for n, each in enumerate(right) if each and n), len(right) - 1)


def _cut(value: str, size: int, blocks: bool) -> str:
    end = "…" if blocks else "~"
    return value if len(value) <= size else value[: size - 1] + end


def _bars(values: Sequence[str], room: int, blocks: bool) -> list[str]:
    """A bar for each number, the longest for the greatest; none where there is no room."""
    found = [max(0.0, float(value or 0)) for value in values]
    most, longest = max(found), min(room, _LONGEST_BAR)
    if longest < _LEAST_BAR or not 0 < most < float("inf"):
        return []
    if not blocks:
        return ["#" * max(1 if value else 0, round(value / most * longest)) for value in found]
    eighths = [max(1 if value else 0, round(value / most * longest * 8)) for value in found]
    return ["█" * (each // 8) + (_BLOCKS[each % 8 - 1] if each % 8 else "") for each in eighths]
