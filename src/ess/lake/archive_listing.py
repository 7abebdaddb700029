"""Listings of archives: each file in them stands in place of the archive.

What is in an archive is kept in the index of the datastore by the archive's version, and read again only if that
changes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ess.errors import EssError
from ess.lake.archive_index import known_contents, put_contents
from ess.lake.archives import Contents, contents
from ess.lake.dates import DateFinder
from ess.lake.entry import FileEntry
from ess.lake.listing import Listing
from ess.lake.member import Member
from ess.stores.kinds import Access
from ess.surroundings import carried

#: Archives that are looked into at the same time.
_READERS = 8
#: Of files that are left out, so many are named.
_NAMED = 3


def with_members(
    listing: Listing,
    pattern: str,
    *,
    finder: DateFinder,
    exclude: re.Pattern[str] | None,
    source: Access,
    index: Path | None = None,
) -> Listing:
    """The files in the archives of a listing, sorted by (date, number, path); a damaged archive stands for itself.

    Args:
        listing: Of the archives.
        pattern: Globs that the paths in an archive must match, from any folder on.
        finder: Finds dates.
        exclude: What paths must not match.
        source: Where the archives are.
        index: The folder of the datastore in the settings, whose index knows what was read before.
    """
    entries = _with_versions(listing.files, source)
    known = known_contents(index, entries) if index is not None else {}
    unknown = [entry for entry in entries if entry.path not in known]
    found = {entry.path: content for entry, content in zip(unknown, _read(unknown, source), strict=True)}
    if index is not None:
        put_contents(index, [(entry, got) for entry in unknown if isinstance(got := found[entry.path], Contents)])
    files: list[FileEntry] = []
    others: list[str] = []
    repeated: list[str] = []
    not_archives: list[str] = []
    notes: list[str] = []
    for entry in entries:
        content = known.get(entry.path) or found[entry.path]
        if isinstance(content, EssError):
            files.append(_standing_for(entry, str(content)))
            continue
        if not content.form:
            not_archives.append(entry.path)
        wanted = content.matching(pattern, where="--archive")
        for member in wanted.members:
            inside = entry.inside(member, finder.find_inside(member.path, entry.file_date, entry.path))
            if exclude is None or not exclude.match(inside.path):
                files.append(inside)
        if content.problem:
            files.append(_standing_for(entry, f"the archive is damaged: {content.problem}"))
        others += (f"{entry.path}/{path}" for path in wanted.others)
        repeated += (f"{entry.path}/{path}" for path in wanted.repeated)
        notes += (f"{entry.path}: {note}" for note in content.notes)
    files.sort(key=lambda entry: entry.order)
    told = (
        *_told(not_archives, "no archive, so it is left out", "no archives, so they are left out"),
        *_told(
            others, "a link or device in an archive; it is left out", "links and devices in archives; they are left out"
        ),
        *_told(
            repeated,
            "more than once in its archive; the last one counts",
            "more than once in their archives; the last ones count",
        ),
        *notes[:_NAMED],
    )
    return dataclasses.replace(listing, files=tuple(files), notes=(*listing.notes, *told))


def _told(paths: Sequence[str], one: str, several: str) -> tuple[str, ...]:
    if not paths:
        return ()
    if len(paths) == 1:
        return (f"{paths[0]}: {one}",)
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return (f"{len(paths)} files are {several}: {', '.join(paths[:_NAMED])}{more}",)


def _standing_for(entry: FileEntry, problem: str) -> FileEntry:
    return entry._replace(member=Member("", problem=problem))


def _with_versions(entries: Iterable[FileEntry], source: Access) -> list[FileEntry]:
    """The entries; of each that a listing has told no version, the store is asked for it."""
    store = source.open()
    made: list[FileEntry] = []
    for entry in entries:
        if not entry.version and entry.size:
            try:
                version = store.head(entry.path.removeprefix(store.at(""))).version
            except EssError:
                version = ""  # reading it tells what is wrong
            entry = entry._replace(version=version)
        made.append(entry)
    return made


def _read(entries: Sequence[FileEntry], source: Access) -> list[Contents | EssError]:
    def read(entry: FileEntry) -> Contents | EssError:
        try:
            return contents(entry, source)
        except EssError as error:
            return error

    if len(entries) < 2:
        return [read(entry) for entry in entries]
    with ThreadPoolExecutor(_READERS) as readers:
        return [task.result() for task in [readers.submit(carried(read), entry) for entry in entries]]
