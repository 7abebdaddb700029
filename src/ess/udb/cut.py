"""``-top`` and ``-last``: a part of a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ess.errors import OptionError

if TYPE_CHECKING:
    from ess.engines.batch import Batch


@dataclass(frozen=True)
class Cut:
    """A part of a sorted result: ``count`` rows, beginning with row ``start`` from the front or the back (1-based).

    ``-top 10`` is ``Cut(1, 10)``; ``-last 3:5`` is five rows of which the last is the third from the end.
    """

    start: int
    count: int
    from_end: bool = False

    @property
    def reach(self) -> int:
        """How many rows from the front (or the back) it needs."""
        return self.start - 1 + self.count

    def apply(self, rows: Batch) -> Batch:
        """The rows."""
        if self.from_end:
            return rows.head(max(0, rows.height - self.start + 1)).tail(self.count)
        return rows.slice(self.start - 1, self.count)


def parse_cut(text: str, *, where: str, from_end: bool = False) -> Cut:
    """``N`` or ``N:M``.

    Raises:
        OptionError: If it is neither.

    >>> parse_cut("3:5", where="-top"), parse_cut("10", where="-top").reach
    (Cut(start=3, count=5, from_end=False), 10)
    """
    words = text.split(":")
    if len(words) > 2 or not all(word.isascii() and word.isdigit() for word in words):
        raise OptionError(f"bad number '{text}'", where=where, hint="the form is N or N:M")
    numbers = [int(word) for word in words]
    if len(numbers) == 1:
        return Cut(1, numbers[0], from_end)
    if numbers[0] < 1:
        raise OptionError(f"'{text}': rows are counted from 1", where=where)
    return Cut(numbers[0], numbers[1], from_end)
