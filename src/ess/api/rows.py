"""The rows of a category, without a command."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import polars as pl

    from ess.formats.reader import InputBatch
    from ess.schema import Column

__all__ = ["read", "rows"]


def read(
    category: str,
    lower: str | date = "*",
    upper: str | date = "*",
    *,
    eok: bool = False,
    exclude: str | None = None,
    limit: int | None = None,
    archive: str | None = None,
    modified: tuple[str | date, str | date] | None = None,
    label: str | None = None,
) -> pl.DataFrame:
    r"""All rows of a category between two dates as one Polars frame, which must fit into memory.

    Args:
        category: Its name.
        lower: The first date, or ``*`` (see :func:`ess.files`).
        upper: The last date.
        eok: Leave out bad records, such as a word where a number belongs, in place of an error.
        exclude: Globs of files to leave out.
        limit: The maximum number of files.
        archive: Globs of files in archives, in place of the category's own.
        modified: Bounds of the times, in UTC, at which the files were last changed.
        label: The datastore, if not the selected one.

    Returns:
        The wanted columns of the column spec under their names. Strings are ``String`` if the
        whole column is valid UTF-8, else ``Binary``; addresses are text; blank numbers are 0.

    Raises:
        OptionError: If the category or its columns are not known, no file is in the range, or an
            argument is not valid.
        InputDataError: If a record is bad and ``eok`` is not given.
        InputOpenError: If a file cannot be opened.
        InputReadError: If a file is damaged.

    >>> import ess, pathlib, tempfile
    >>> _ = ess.select("local")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "visits_20140901.csv").write_text("day,user\n2014-09-01,7\n2014-09-01,8\n")
    >>> _ = ess.category_add("visits", f"{folder}/visits*", overwrite=True)
    >>> ess.read("visits")["user"].sum()
    15
    """
    import polars as pl

    from ess.errors import OptionError
    from ess.formats.output.frames import user_frame

    columns, batches = _open(category, lower, upper, eok, exclude, limit, archive, modified, label)
    frames = [batch.frame for batch in batches]
    if not frames:
        raise OptionError("no row is in the range", where=f"category {category}", hint="see: ess summary")
    return user_frame(pl.concat(frames), [(column.key, column.name, column.type) for column in columns])


def rows(
    category: str,
    lower: str | date = "*",
    upper: str | date = "*",
    *,
    eok: bool = False,
    exclude: str | None = None,
    limit: int | None = None,
    archive: str | None = None,
    modified: tuple[str | date, str | date] | None = None,
    label: str | None = None,
) -> Iterator[dict[str, str | bytes | int | float]]:
    """The rows of a category between two dates, one after the other, in constant memory.

    The arguments and errors are those of :func:`read`. In a batch of rows where a string column
    holds bytes that are not UTF-8, its values are ``bytes``.
    """
    from ess.formats.output.frames import user_frame

    columns, batches = _open(category, lower, upper, eok, exclude, limit, archive, modified, label)
    names = [(column.key, column.name, column.type) for column in columns]
    for batch in batches:
        yield from user_frame(batch.frame, names).iter_rows(named=True)


def _open(
    name: str,
    lower: str | date,
    upper: str | date,
    eok: bool,
    exclude: str | None,
    limit: int | None,
    archive: str | None,
    modified: tuple[str | date, str | date] | None,
    label: str | None,
) -> tuple[list[Column], Iterator[InputBatch]]:
    from ess.lake import categories, ranges, reading, select

    found = categories.category(name, label=label)
    columns = [column for column in reading.input_columns(found).columns if column.wanted]
    first, last = ranges.bound_text(lower, "lower bound"), ranges.bound_text(upper, "upper bound")
    changed = ranges.bounds_text(modified, "modified")
    files = select.files_of(found, first, last, exclude=exclude, limit=limit, archive=archive, modified=changed)
    return columns, reading.read_rows(found, files, eok=eok)
