"""``-top`` and ``-last``: a part of a result."""

from __future__ import annotations

from dataclasses import dataclass

from ess.errors import OptionError
from ess.udb.wire.protocol import MOST

#: More are no number that could be meant.
_DIGITS = 100


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
        """The number of rows from the front (or the back) that it needs."""
        return self.start - 1 + self.count

    def places(self, height: int) -> slice:
        """Its slice of a result of ``height`` rows; an empty part may be anywhere.

        >>> Cut(1, 10).places(4), Cut(3, 5, from_end=True).places(20), Cut(3, 5, from_end=True).places(4)
        (slice(0, 4, None), slice(13, 18, None), slice(0, 2, None))
        """
        if self.from_end:
            stop = max(0, height - self.start + 1)
            return slice(max(0, stop - self.count), stop)
        return slice(min(self.start - 1, height), min(self.reach, height))


def whole_number(digits: str, *, where: str) -> int:
    """The number that digits are, if it is of a size that servers can work with.

    Raises:
        OptionError: If it is larger.
    """
    # Thousands of digits are no number to Python.
    number = int(digits) if len(digits) <= _DIGITS else MOST + 1
    if number > MOST:
        raise OptionError("the number is too large", where=where, hint=f"the largest is {MOST}")
    return number


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
    numbers = [whole_number(word, where=where) for word in words]
    if len(numbers) == 1:
        return Cut(1, numbers[0], from_end)
    if numbers[0] < 1:
        raise OptionError(f"'{text}': rows are counted from 1", where=where)
    whole_number(str(numbers[0] + numbers[1]), where=where)
    return Cut(numbers[0], numbers[1], from_end)
