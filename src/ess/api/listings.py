"""Listings of more files than one wants to hold."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from ess.lake.index import Listed

__all__ = ["ls_index"]


def ls_index(
    cat: str,
    *,
    dates: tuple[str | date, str | date] | None = None,
    limit: int | None = None,
    label: str | None = None,
) -> Iterator[list[Listed]] | None:
    """The files of a category with ``usecache``, in the order of :func:`ls`, a thousand at a time: for millions.

    Args:
        cat: The category.
        dates: Bounds of the dates in the names, both included.
        limit: The maximum number of files.
        label: The datastore, if not the selected one.

    Returns:
        Lists of files, each with ``path``, ``size`` and ``date`` (text); None if the category has no index: :func:`ls`
        lists it.

    Raises:
        OptionError: If an argument is not valid or the category does not exist.
        InitializationError: While they come, if the index turns out to be damaged.
    """
    from ess.lake import organize
    from ess.lake.ranges import bounds_text

    return organize.list_from_index(cat, dates=bounds_text(dates, "dates"), limit=limit, label=label)
