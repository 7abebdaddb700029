"""The selection of a category's files that a command works on.

Every use of a category looks at its datastore anew, and refreshes the index and the numbers that
``ess summary`` shows. A ``--usecache`` category takes its files from the index, unless that does not
know them; ``ess summary NAME --scan`` looks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from os.path import commonprefix

from ess.errors import EssError, InputOpenError, OptionError
from ess.lake import categories, index
from ess.lake.categories import Category, Stats
from ess.lake.classify import Group, list_groups, shared_prefixes
from ess.lake.datastores import datastore
from ess.lake.dates import NO_DATE, DateFinder, date_text
from ess.lake.entry import FileEntry
from ess.lake.keys import Asked
from ess.lake.listing import Listing, list_files
from ess.lake.narrow import Narrowing, slack_of
from ess.lake.patterns import Pattern, compile_exclude
from ess.lake.ranges import DateRange, NumberRange, parse_modified, parse_range

#: A file with such a name has at least the head of its compression.
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def files_of(
    category: str | Category,
    lower: str = "*",
    upper: str = "*",
    *,
    exclude: str | None = None,
    limit: int | None = None,
    archive: str | None = None,
    modified: tuple[str, str] | None = None,
    label: str | None = None,
    tell: Callable[[str], None] = lambda _text: None,
) -> list[FileEntry]:
    """The files of a category between two dates, both included, sorted by (date, number, path).

    Args:
        category: The category, or its name.
        lower: The first date, e.g. ``2014-09-01`` or ``*`` (see :mod:`ess.lake.ranges`).
        upper: The last date.
        exclude: A pattern of files to leave out, beside the category's own.
        limit: The maximum number of files, from the first.
        archive: Patterns of files in archives, in place of the category's own.
        modified: Bounds of the times, in UTC, at which the files were last changed.
        label: The datastore, if it is not the selected one and ``category`` is a name.
        tell: Gets a line about each file that gives nothing, though its name promises something.

    Raises:
        OptionError: If the category does not exist or the range, pattern or limit is not valid.
        InputOpenError: If a folder that may hold files of the category cannot be read.
    """
    chosen = category if isinstance(category, Category) else categories.category(category, label=label)
    wanted = parse_range(lower, upper, numbers=DateFinder(chosen.date_rule).numbers)
    unwanted = compile_exclude(exclude, where="--exclude", root=datastore(chosen.datastore).root)
    changed = parse_modified(modified)
    check_limit(limit)
    if archive is not None:
        chosen = dataclasses.replace(chosen, archive=archive)
    listing = files_in_use(chosen, span_of(wanted)) if archive is None else look(chosen)
    if listing.unreadable:
        raise InputOpenError(
            f"{len(listing.unreadable)} folder(s) of category '{chosen.name}' cannot be read",
            where=listing.unreadable[0],
            hint="check the permissions, or leave the folder out with a narrower pattern or --exclude",
        )
    files = [
        entry
        for entry in listing.files
        # nobody knows the dates of what cannot be read
        if (wanted.covers(entry.file_date) or entry.problem) and not (unwanted and unwanted.match(entry.path))
    ]
    if changed is not None:
        files = [entry for entry in files if changed.covers_time(entry.modified)]
    files = files[:limit]
    for note in listing.notes:
        tell(note)
    for link in listing.dangling:
        if wanted.covers(link.file_date) and not (unwanted and unwanted.match(link.path)):
            tell(f"{link.path}: a link to something that is not there; it is left out")
    for entry in files:
        if entry.size == 0 and entry.path.endswith(_COMPRESSED):
            tell(f"{entry.path}: it is empty, which no compressed file is; nothing is read of it")
    return files


def span_of(wanted: DateRange | NumberRange) -> index.Span:
    """The dates of a range; all for a range of numbers."""
    return index.Span(wanted.start, wanted.end) if isinstance(wanted, DateRange) else index.ALL


def check_limit(limit: int | None) -> None:
    """Refuse a limit that is not positive."""
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise OptionError(f"bad limit {limit!r}", where="--limit", hint="give a whole number from 1")


def files_in_use(category: Category, span: index.Span = index.ALL) -> Listing:
    """The files of a category: from the index with ``--usecache``, else from its datastore.

    Args:
        category: The category.
        span: The dates that are wanted; files with others may be left out.
    """
    if category.archive:
        span = index.ALL  # a damaged archive stands for files of all dates
    if category.usecache:
        part = part_of(category)
        found = index.files(part, span)
        if found is not None:
            return Listing(tuple(found), requests=(Asked("index", part.root, keys=len(found)),))
    return scan(category, span)


def look(category: Category, narrowing: Narrowing | None = None) -> Listing:
    """All files of a category, from its datastore, or those with some dates; nothing is stored."""
    place = datastore(category.datastore)
    exclude = compile_exclude(category.exclude, where="--exclude", root=place.root)
    found = list_files(
        [Pattern(text) for text in category.patterns],
        label=category.datastore,
        exclude=exclude,
        rule=category.date_rule,
        store=place.access.open(),
        narrowing=narrowing,
    )
    if not category.archive:
        return found
    from ess.lake.archive_listing import with_members  # loads the decompressors

    return with_members(
        found,
        category.archive,
        finder=DateFinder(category.date_rule),
        exclude=exclude,
        source=place.access,
        index=place.folder,
    )


def scan(category: Category, span: index.Span = index.ALL) -> Listing:
    """The files of a category, from its datastore; refreshes the index and the numbers of ``ess summary``.

    Args:
        category: The category.
        span: The dates that are wanted. Where folders tell dates, only those of these are looked at.
    """
    began = time.time()
    narrowing = _narrowing(category, span)
    listing = look(category, narrowing)
    if narrowing is not None:
        base = category.patterns[0][: narrowing.base_length]
        listing = dataclasses.replace(listing, requests=(Asked("dates", base), *listing.requests))
    if narrowing is not None and not narrowing.fits(listing.files):
        narrowing = None
        again = look(category)
        listing = dataclasses.replace(again, requests=(*listing.requests, *again.requests))
    if narrowing is None:
        return _kept(category, listing, began=began)
    part = part_of(category)
    if not listing.unreadable and index.refresh(part, listing.files, began=began, span=span):
        _keep_stats(category, _stats_known(part))
    return listing


def scan_each(found: Sequence[Category]) -> list[Listing]:
    """The files of all categories of a datastore, see :func:`scan`; keys that several may have are listed once."""
    if not found:
        return []
    place = datastore(found[0].datastore)
    store = place.access.open()
    groups = {each.name: _group(each, place.root) for each in found if _can_share(each)}
    patterns = [pattern for group in groups.values() for pattern in group.patterns]
    if not store.flat or len(shared_prefixes(patterns)) == len(patterns):
        return [scan(each) for each in found]
    began = time.time()
    listings = list_groups([*groups.values()], label=place.label, store=store)
    listed = dict(zip(groups, listings, strict=True))
    return [_kept(each, listed[each.name], began=began) if each.name in listed else scan(each) for each in found]


def _can_share(category: Category) -> bool:
    """True if nothing but keys decides which files a category has: no archive, no name that may be of a folder."""
    return not category.archive and all(Pattern(text).has_wildcard for text in category.patterns)


def _group(category: Category, root: str) -> Group:
    return Group(
        tuple(Pattern(f"{text}*" if text.endswith("/") else text) for text in category.patterns),
        compile_exclude(category.exclude, where="--exclude", root=root),
        category.date_rule,
    )


def _kept(category: Category, listing: Listing, *, began: float) -> Listing:
    """The listing of all files, after the index and the numbers have been refreshed."""
    remember(category, listing, began=began)
    _keep_stats(category, stats_of(listing.files))
    return listing


def _keep_stats(category: Category, stats: Stats | None) -> None:
    # The numbers are a convenience: a user who can only read the settings can still use the category.
    with contextlib.suppress(EssError, OSError):
        if stats is not None and stats != category.stats:
            categories.change(
                category.name, lambda now: dataclasses.replace(now, stats=stats), label=category.datastore
            )


def _narrowing(category: Category, span: index.Span) -> Narrowing | None:
    """The way to look at some dates only, if the folders of a category are known to tell them."""
    slack = None if span.whole else index.slack(part_of(category))
    return None if slack is None else Narrowing(span, slack, _base_length(category))


def _base_length(category: Category) -> int:
    """The number of characters that the folders of all files have in common."""
    bases = [Pattern(text).base for text in category.patterns]
    return commonprefix(bases).rfind("/") + 1  # noqa: RUF071 - a bucket's paths are no paths of a disk


def _stats_known(part: index.Part) -> Stats | None:
    known = index.known(part)
    if known is None:
        return None
    if not known.count:
        return Stats()
    return Stats(known.count, known.size, date_text(known.first), date_text(known.last))


def stats_of(files: Sequence[FileEntry]) -> Stats:
    """The numbers of ``ess summary`` for these files; files without a date do not count for the range."""
    numbers = [entry.number for entry in files if entry.number is not None]
    dates = [entry.date for entry in files if entry.date != NO_DATE]
    size = sum(entry.size for entry in files)
    if numbers:
        return Stats(len(files), size, str(min(numbers)), str(max(numbers)))
    if not files:
        return Stats()
    return Stats(len(files), size, date_text(min(dates, default=NO_DATE)), date_text(max(dates, default=NO_DATE)))


def remember(category: Category, listing: Listing, *, began: float) -> None:
    """Make the index know all files of a category, but not if a folder could not be read: that must not be lost.

    Args:
        category: The category.
        listing: What a look at its datastore has found.
        began: When that look began, in seconds since 1970.
    """
    if not listing.unreadable:
        slack = slack_of(listing.files, _base_length(category))
        index.refresh(part_of(category), listing.files, began=began, slack=slack)


def part_of(category: Category) -> index.Part:
    """The part of the datastore's index that belongs to a category."""
    place = datastore(category.datastore)
    return index.Part(place.folder, category.name, category.rules, place.root, place.label)


def with_new_files(category: Category, listing: Listing) -> Category:
    """The category with the numbers of a listing."""
    return dataclasses.replace(category, stats=stats_of(listing.files))
