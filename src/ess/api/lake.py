"""Files and categories."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from typing import Any, BinaryIO, Concatenate, ParamSpec, TypeVar

    from ess.lake.archives import Contents
    from ess.lake.categories import Category
    from ess.lake.category_options import CategoryOptions
    from ess.lake.entry import FileEntry
    from ess.lake.listing import Listing
    from ess.lake.member import Member
    from ess.lake.probing import ProbeResult

    P = ParamSpec("P")
    Result = TypeVar("Result")

    def _with_arguments_of(
        kind: Callable[P, object],
    ) -> Callable[[Callable[..., Result]], Callable[Concatenate[str, str, P], Result]]: ...

    with_category_options = _with_arguments_of(CategoryOptions)
else:

    def with_category_options(function):
        """The function; type checkers see the options of ``CategoryOptions`` as its arguments."""
        return function


__all__ = [
    "archive_contents",
    "cat",
    "category_add",
    "category_change",
    "category_change_columnspec",
    "category_change_comment",
    "category_change_dateformat",
    "category_change_dateregex",
    "category_change_usecache",
    "category_copy",
    "category_delete",
    "category_export",
    "category_import",
    "compression",
    "files",
    "ls",
    "lsa",
    "probe",
    "probe_output",
]


# --- files ----------------------------------------------------------------------------------


def ls(
    pattern: str | None = None,
    *,
    exclude: str | None = None,
    cat: str | None = None,
    archive: str | None = None,
    recursive: bool = False,
    dateregex: str | None = None,
    limit: int | None = None,
    dates: tuple[str | date, str | date] | None = None,
    modified: tuple[str | date, str | date] | None = None,
    label: str | None = None,
) -> Listing:
    """List the files that a pattern names.

    Args:
        pattern: Globs separated by spaces, absolute or seen from the current folder; without one,
            the current folder. With ``cat`` it narrows the files of the category.
        exclude: Globs of files to leave out; a relative one may match any end of a path.
        cat: A category whose files to list.
        archive: Globs of files in archives; these are listed in place of the archives.
        recursive: Whether ``*`` also stands for ``/``, so that files in all folders below match.
        dateregex: How to find the date in a name: ``auto``, ``none`` or a pattern.
        limit: The maximum number of files.
        dates: Bounds of the dates in the names, both included (see :func:`files`).
        modified: Bounds of the times, in UTC, at which the files were last changed.
        label: The datastore, if not the selected one.

    Returns:
        The files (and, without ``recursive``, folders), sorted by date and path, the folders
        that could not be read, and in ``requests`` what the store was asked for.

    Raises:
        OptionError: If an argument is not valid or the category does not exist.
        InputOpenError: If a pattern without wildcards names nothing.

    >>> import ess
    >>> _ = ess.select("local")
    >>> [entry.path for entry in ess.ls("/et*").files]
    ['/etc/']
    """
    from ess.lake import organize
    from ess.lake.ranges import bounds_text

    return organize.list_by_pattern(
        pattern,
        exclude=exclude,
        cat=cat,
        archive=archive,
        recursive=recursive,
        dateregex=dateregex,
        limit=limit,
        dates=bounds_text(dates, "dates"),
        modified=bounds_text(modified, "modified"),
        label=label,
    )


def files(
    category: str,
    lower: str | date = "*",
    upper: str | date = "*",
    *,
    exclude: str | None = None,
    limit: int | None = None,
    archive: str | None = None,
    modified: tuple[str | date, str | date] | None = None,
    label: str | None = None,
) -> list[FileEntry]:
    """The files of a category between two dates, both included, sorted by (date, number, path).

    Args:
        category: Its name.
        lower: The first date: ``2014-09-01``, ``2014-09-01 13:05``, ``2014-09`` or ``*``; a
            whole number if the category's files are numbered.
        upper: The last date.
        exclude: Globs of files to leave out, beside the category's own.
        limit: The maximum number of files, from the first.
        archive: Globs of files in archives, in place of the category's own.
        modified: Bounds of the times, in UTC, at which the files were last changed; also both included.
        label: The datastore, if not the selected one.

    An archive that is damaged stands for the files that are missing, whatever the dates; its ``problem`` says why.

    Raises:
        OptionError: If the category does not exist or an argument is not valid.
        InputOpenError: If a folder that may hold files of the category cannot be read.
    """
    from ess.lake.ranges import bound_text, bounds_text
    from ess.lake.select import files_of

    first, last = bound_text(lower, "lower bound"), bound_text(upper, "upper bound")
    changed = bounds_text(modified, "modified")
    return files_of(category, first, last, exclude=exclude, limit=limit, archive=archive, modified=changed, label=label)


def cat(
    filename: str,
    *,
    decompress: bool = False,
    archive: str | None = None,
    modified: tuple[str | date, str | date] | None = None,
    label: str | None = None,
) -> BinaryIO:
    """Open a file of the datastore for reading bytes; the caller closes it.

    Args:
        filename: Its path, absolute or seen from the current folder; also that of an archive with a path in it.
        decompress: Whether to undo its compression, which its first bytes show.
        archive: Globs of files in the archive ``filename``, which are read one after the other.
        modified: Bounds of the time, in UTC, at which it was last changed.
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If nothing in the archive matches.
        InputOpenError: If it cannot be opened, or was not changed at such a time.
        InputReadError: If its compression is known by name only (7z, rar, compress, lz4); from ``read``, if the
            compressed data is damaged.
    """
    from ess.lake import content, organize
    from ess.lake.datastores import datastore
    from ess.lake.ranges import bounds_text

    entry = organize.file_entry(filename, label=label)
    organize.check_modified(entry, bounds_text(modified, "modified"))
    source = datastore(label).access
    open_file = content.open_undone if decompress else content.open_raw
    if archive is None:
        return open_file(entry, source=source)
    from ess.lake.archives import read_each
    from ess.stores.store import opened

    return opened(read_each(entry, archive, source, lambda each: open_file(each, source=source)))


def compression(filename: str, *, label: str | None = None) -> str:
    """The compression of a file of the datastore, from its first bytes: ``gzip``, ``zip`` ..., or ``none``.

    Args:
        filename: Its path, absolute or seen from the current folder.
        label: The datastore, if not the selected one.

    Raises:
        InputOpenError: If it cannot be opened.
    """
    from ess.lake import content

    with cat(filename, label=label) as raw:
        return content.compression_of(raw.read(512))


def lsa(filename: str, *, pattern: str | None = None, label: str | None = None) -> list[Member]:
    """The files in a zip or tar archive.

    Args:
        filename: The archive's path.
        pattern: Globs that the names must match.
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If it is no archive.
        InputOpenError: If it cannot be opened.
        InputReadError: If it is damaged; :func:`archive_contents` gives what can be read.
    """
    from ess.lake import archives, organize

    found = archive_contents(filename, pattern=pattern, label=label)
    if found.problem:
        raise archives.damage(found, organize.file_entry(filename, label=label))
    return list(found.members)


def archive_contents(filename: str, *, pattern: str | None = None, label: str | None = None) -> Contents:
    """The files in a zip or tar archive, also in a damaged one, and what is left out.

    Args:
        filename: The archive's path.
        pattern: Globs that the names must match.
        label: The datastore, if not the selected one.

    Returns:
        The ``members`` in the order of the archive; the names of ``others`` (links, devices) and of those that are
        ``repeated``, of which the last counts; ``notes``; and the ``problem`` of a damaged archive.

    Raises:
        OptionError: If it is no archive.
        InputOpenError: If it cannot be opened.
    """
    from ess.lake import archives, organize
    from ess.lake.datastores import datastore

    entry = organize.file_entry(filename, label=label)
    found = archives.contents(entry, datastore(label).access)
    return archives.require_archive(found, entry).matching(pattern, where="--pattern")


# --- categories -----------------------------------------------------------------------------


@with_category_options
def category_add(name: str, pattern: str, **options: Any) -> Category:
    r"""Group the files that a pattern names, and find out how their data is laid out.

    Args:
        name: Letters, digits, ``_``, ``-`` and ``.``.
        pattern: Globs separated by spaces; ``*`` also stands for ``/``.
        options: Those of ``ess category add`` under their names, e.g. ``columnspec="S:day I:user"``,
            ``noprobe=True``; see the reference page of ``ess``, or ``ess category add --help``.

    Raises:
        OptionError: If the name is taken, no file matches, or an argument is not valid.
        InputReadError: If none of the sample files can be read.

    >>> import ess, pathlib, tempfile
    >>> _ = ess.select("local")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "visits_20140901.csv").write_text("day,user\n2014-09-01,7\n2014-09-01,8\n")
    >>> ess.category_add("visits", f"{folder}/visits*", overwrite=True).columnspec
    'S:day I:user'
    """
    from ess.lake import organize
    from ess.lake.category_options import CategoryOptions

    return organize.add(name, pattern, CategoryOptions(**options))


def category_change(name: str, option: str, value: str | bool, *, label: str | None = None) -> Category:
    """Give an option of a category another value.

    Args:
        name: The category.
        option: ``pattern``, or an option of :func:`category_add`, but for ``label`` and ``overwrite``.
        value: As :func:`category_add` takes it; blank text for none. ``alls`` and ``allx`` take True; False for
            ``noprobe`` looks into the files again.
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If the category does not exist, the option cannot be changed, or the value is not valid.
    """
    from ess.lake import organize

    return organize.change(name, option, value, label=label)


def category_change_columnspec(name: str, columnspec: str, *, label: str | None = None) -> Category:
    """Give a category other columns, e.g. ``"S:eventDate S:userID I:articleID"``."""
    return category_change(name, "columnspec", columnspec, label=label)


def category_change_dateregex(name: str, dateregex: str, *, label: str | None = None) -> Category:
    """Give a category another ``dateregex``: ``auto``, ``none`` or a pattern."""
    return category_change(name, "dateregex", dateregex, label=label)


def category_change_dateformat(name: str, dateformat: str, *, label: str | None = None) -> Category:
    """Give a category another ``dateformat``: ``auto``, ``none`` or a pattern."""
    return category_change(name, "dateformat", dateformat, label=label)


def category_change_usecache(name: str, usecache: bool, *, label: str | None = None) -> Category:
    """Let a category keep its list of files, or look at the disk each time."""
    return category_change(name, "usecache", usecache, label=label)


def category_change_comment(name: str, comment: str, *, label: str | None = None) -> Category:
    """Give a category another comment."""
    return category_change(name, "comment", comment, label=label)


def category_copy(source: str, target: str, *, label: str | None = None) -> Category:
    """Make a category with the same settings under another name.

    Raises:
        OptionError: If ``source`` does not exist or ``target`` does.
    """
    from ess.lake import categories

    return categories.copy(source, target, label=label)


def category_delete(name: str, *, label: str | None = None) -> None:
    """Forget a category. Its files are not touched.

    Raises:
        OptionError: If it does not exist.
    """
    from ess.lake import categories

    categories.delete(name, label=label)


def category_export(*names: str, label: str | None = None) -> str:
    """Categories as text that people share: JSON with their rules and layout, without data, keys and numbers.

    Args:
        names: The categories; without any, all.
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If one does not exist, or holds the value of a secret.
    """
    from ess.lake import categories, datastores, sharing

    store = datastores.datastore(label)
    chosen = [categories.category(name, label=label) for name in names]
    return sharing.exported(chosen or list(categories.categories(store).values()), store)


def category_import(
    file: str,
    *names: str,
    new_name: str | None = None,
    overwrite: bool = False,
    commands: bool = False,
    label: str | None = None,
) -> list[Category]:
    """Take categories from a file that :func:`category_export` has made; all or, after an error, none.

    The file may be a stranger's: all of it is checked, and nothing is run. Their files are not looked at yet.

    Args:
        file: Its path.
        names: The categories to take; without any, all.
        new_name: Another name for the only one that is taken.
        overwrite: Whether categories of these names are replaced.
        commands: Whether to take categories with a preprocess command, which runs whenever their data is read.
        label: The datastore, if not the selected one. Patterns are seen from its folder.

    Raises:
        InputOpenError: If the file cannot be opened.
        InputReadError: If it is damaged, or no such file.
        OptionError: If something in it is not valid, a name is taken, or there is a command without ``commands``.
    """
    from ess.lake import datastores, sharing

    store = datastores.datastore(label)
    return sharing.take(file, names, store, new_name=new_name, overwrite=overwrite, commands=commands)


def probe(
    name: str,
    *,
    file: str | None = None,
    size: int | None = None,
    archive: str | None = None,
    label: str | None = None,
) -> ProbeResult:
    """Look into the files of a category, or one of them, and tell how the data is laid out.

    The category stays as it is.

    Args:
        name: The category.
        file: One of its files.
        size: How many bytes of content to read of each file.
        archive: Globs of files in archives, in place of the category's own.
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If the category or file does not exist.
    """
    from ess.lake import categories, organize

    found = categories.category(name, label=label)
    return organize.probe_category(found, file=file, sample_bytes=size, archive=archive)


def probe_output(
    name: str,
    command: str,
    *,
    file: str | None = None,
    size: int | None = None,
    archive: str | None = None,
    label: str | None = None,
) -> bytes:
    """The output of a shell command that gets the beginning of a category's first file, or of ``file``.

    The content is decompressed, and goes through the category's preprocess command first.

    Args:
        name: The category.
        command: The command, e.g. ``loginf -f,auto - -o_pp_col -``.
        file: One of its files.
        size: How many bytes of content it gets.
        archive: Globs of files in archives, in place of the category's own.
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If the category or file does not exist, or the command fails.
    """
    from ess.lake import categories, organize

    found = categories.category(name, label=label)
    return organize.probe_output(found, command, file=file, sample_bytes=size, archive=archive)
