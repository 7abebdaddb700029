"""Widths of bins that people can read."""

from __future__ import annotations

import math

#: So many bins at most.
MOST = 20
_STEPS = (1, 2, 5, 10)


def bin_width(least: float, most: float, *, is_whole: bool) -> float:
    """The width of at most about twenty bins from the least to the greatest number: 1, 2 or 5 times a power of ten.

    Args:
        least: The least number.
        most: The greatest.
        is_whole: Whether all numbers are whole; then a bin is not narrower than 1.

    >>> bin_width(0, 1900, is_whole=True), bin_width(3, 4, is_whole=True), bin_width(0, 1, is_whole=False)
    (100.0, 1, 0.05)
    """
    extent = most - least
    if not 0 < extent < math.inf:
        return 1
    unit = float(f"1e{math.floor(math.log10(extent / MOST))}")
    width = next(step * unit for step in _STEPS if step * unit >= extent / MOST * (1 - 1e-9))
    return max(1, width) if is_whole else width
