"""The contents of archives as they were read: in the index of a datastore, by path and version of the archive."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Sequence
from pathlib import Path

from ess.lake.archives import Contents, contents
from ess.lake.entry import FileEntry
from ess.lake.index import as_bytes
from ess.lake.index_file import Unusable, changing, index_of
from ess.stores.kinds import Access


def contents_known(entry: FileEntry, source: Access, folder: Path) -> Contents:
    """The contents of a file, from the index or else as they are read now.

    Raises:
        EssError: As of :func:`ess.lake.archives.contents`.
    """
    found = known_contents(folder, [entry]).get(entry.path)
    if found is None:
        found = contents(entry, source)
        put_contents(folder, [(entry, found)])
    return found


def known_contents(folder: Path, entries: Sequence[FileEntry]) -> dict[str, Contents]:
    """The contents that the index knows of archives in these versions, by path."""
    found: dict[str, Contents] = {}
    with contextlib.suppress(Unusable), index_of(folder, make=False) as database:
        for entry in entries:
            if not entry.version:
                continue
            row = database.execute(
                "SELECT contents FROM archive WHERE key = ? AND version = ?",
                (as_bytes(entry.path), as_bytes(entry.version)),
            ).fetchone()
            if row is not None:
                found[entry.path] = Contents.load(zlib.decompress(row[0]))
    return found


def put_contents(folder: Path, found: Sequence[tuple[FileEntry, Contents]]) -> None:
    """Make the index know contents, in place of those of other versions; nothing happens where there is no index."""
    rows = [
        (as_bytes(entry.path), as_bytes(entry.version), zlib.compress(content.dump(), 1))
        for entry, content in found
        if entry.version
    ]
    if not rows:
        return
    with contextlib.suppress(Unusable), index_of(folder) as database, changing(database):
        database.executemany("INSERT OR REPLACE INTO archive (key, version, contents) VALUES (?, ?, ?)", rows)
