"""Grouping of files: runs of neighbours of about equal bytes."""

from __future__ import annotations

from collections.abc import Sequence


def bundle(sizes: Sequence[int], parts: int) -> list[range]:
    """Cut files into at most ``parts`` runs of neighbours, so that output in file order flows early.

    Args:
        sizes: The files' sizes in bytes, in file order.
        parts: At least 1.

    Returns:
        Ranges of indices that cover all files in order; none is empty. A run exceeds its fair
        share by at most one file.

    >>> bundle([10, 10, 10, 10], 2)
    [range(0, 2), range(2, 4)]
    >>> bundle([1, 1, 100], 3)
    [range(0, 2), range(2, 3)]
    """
    weights = [max(size, 1) for size in sizes]  # an empty file still costs a process
    total = sum(weights)
    ranges: list[range] = []
    start, before, current = 0, 0, 0
    for index, weight in enumerate(weights):
        # A file belongs to the part in which its middle byte lies.
        part = (2 * before + weight) * parts // (2 * total)
        if part != current and index > start:
            ranges.append(range(start, index))
            start = index
        current = part
        before += weight
    if weights:
        ranges.append(range(start, len(weights)))
    return ranges
