"""The order in which files are begun, and their grouping: runs of neighbours of about equal bytes."""

from __future__ import annotations

from collections.abc import Sequence

from ess.lake.entry import FileEntry


def order_of_work(entries: Sequence[FileEntry]) -> list[int]:
    """The indices of files in the order in which they are best begun.

    The files of a compressed tar archive come at the place of the first of them, in the order of the archive: so
    one pass through it gives them all, whatever their dates. All others stay where they are.

    >>> from ess.lake.member import Member
    >>> tgz = FileEntry("a.tgz", 9, 0.0)
    >>> late, early = tgz.inside(Member("1", form="gzip", at=512)), tgz.inside(Member("2", form="gzip", at=0))
    >>> order_of_work([late, FileEntry("b", 1, 0.0), early])
    [2, 0, 1]
    """
    first: dict[str, int] = {}
    keys: list[tuple[int, int, int]] = []
    for index, entry in enumerate(entries):
        if entry.member is None or entry.member.form in ("", "zip", "tar"):
            keys.append((index, 0, index))
        else:
            keys.append((first.setdefault(entry.stored_path, index), entry.member.at, index))
    return [index for _, _, index in sorted(keys)]


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
