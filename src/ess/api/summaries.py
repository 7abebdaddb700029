"""Summaries of categories: numbers of files, the contents of files, and days."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from ess.api.results import DatastoreSummary
    from ess.cluster.scanning import Contents
    from ess.cluster.stream import Progress
    from ess.lake.categories import Category
    from ess.lake.days import Day

__all__ = ["category", "contents", "days", "summary"]


def summary(*, scan: bool = False, label: str | None = None) -> DatastoreSummary:
    """A datastore and its categories.

    Args:
        scan: Whether to look at the disk; otherwise the numbers are those of the last look.
        label: The datastore, if not the selected one.
    """
    from ess.api.results import DatastoreSummary
    from ess.lake import categories, datastores

    store = datastores.datastore(label)
    known = tuple(categories.categories(store).values())
    if scan:
        from ess.lake.select import scan_each, with_new_files

        known = tuple(with_new_files(*each) for each in zip(known, scan_each(known), strict=True))
    return DatastoreSummary(store, known)


def category(name: str, *, scan: bool = False, label: str | None = None) -> Category:
    """A category with all that is known of it.

    Args:
        name: Its name.
        scan: Whether to look at the disk; otherwise the numbers are those of the last look.
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If it does not exist.
    """
    from ess.lake import categories

    found = categories.category(name, label=label)
    return _scanned(found) if scan else found


def _scanned(item: Category) -> Category:
    from ess.lake import select as lake_select

    return lake_select.with_new_files(item, lake_select.scan(item))


def contents(
    category: str,
    lower: str | date = "*",
    upper: str | date = "*",
    *,
    columns: Sequence[str] = (),
    threads: int | None = None,
    master: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    tell: Callable[[str], None] | None = None,
    label: str | None = None,
) -> Contents:
    r"""Read all files of a category between two dates, and tell what is in them: rows, columns, rejected records.

    The files are read as :func:`stream` reads them: on the cluster, or on all processors of this machine.

    Args:
        category: Its name.
        lower: The first date, or ``*``.
        upper: The last date.
        columns: Those to tell about; without any, all. A record that another column spoils is rejected all the same.
        threads: The number of files at a time on each node.
        master: Read on this machine, although there is a cluster.
        progress: Called whenever files are done.
        cancelled: Asked at least twice a second; true ends it as Ctrl-C does.
        tell: Gets a line about each file that gives nothing, though its name promises something.
        label: The datastore, if not the selected one.

    Returns:
        The sums. A file that cannot be read is no exception: see ``failures``.

    Raises:
        OptionError: If the category or a column does not exist, or an argument is not valid.

    >>> import ess, pathlib, tempfile
    >>> _ = ess.select("local")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "visits_20140901.csv").write_text("day,user\n2014-09-01,7\n2014-09-01,TBD\n2014-09-01,\n")
    >>> _ = ess.category_add("visits", f"{folder}/visits*", columnspec="S:day I:user", overwrite=True)
    >>> found = ess.contents("visits")
    >>> found.read, found.rows, found.rejected, found.columns[1].blank
    (3, 2, 1, 1)
    """
    from ess.cluster.scanning import scan_contents
    from ess.lake import categories
    from ess.lake.ranges import bound_text

    return scan_contents(
        categories.category(category, label=label),
        bound_text(lower, "lower bound"),
        bound_text(upper, "upper bound"),
        columns=tuple(columns),
        threads=threads,
        master=master,
        progress=progress,
        cancelled=cancelled or (lambda: False),
        tell=tell or (lambda _text: None),
    )


def days(category: str, *, label: str | None = None) -> list[Day]:
    r"""The files of a category by the day in their names: how many, and how many bytes; only days that have some.

    Files without a date are no part of it, nor are numbered ones.

    Args:
        category: Its name.
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If the category does not exist.

    >>> import ess, pathlib, tempfile
    >>> _ = ess.select("local")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = [(folder / f"visits_2014090{day}.csv").write_text("1,2\n") for day in (1, 3)]
    >>> _ = ess.category_add("visits", f"{folder}/visits*", overwrite=True)
    >>> [(str(day.date), day.files, day.bytes) for day in ess.days("visits")]
    [('2014-09-01', 1, 4), ('2014-09-03', 1, 4)]
    """
    from ess.lake import categories
    from ess.lake.days import days_of
    from ess.lake.select import files_in_use

    return days_of(files_in_use(categories.category(category, label=label)).files)
