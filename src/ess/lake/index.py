"""The index of a datastore: the files of its categories, as the last looks have found them, in one SQLite file.

It is a memory, not a truth: what a look finds replaces what is there, in one transaction, and only the differences
are written. So a look that is killed or fails leaves the index as it was, and processes share it safely. A file that
is damaged is thrown away, with one line said; the next look fills it again. Where it cannot be written, everything
works without it.

Paths are bytes, in the order of their characters (so bytes that are no UTF-8 come back as they were). The table
``file`` is in the order of listings: a range of dates is one stretch of it. A file in an archive has the path that
users see, and in ``member`` the way to its content; the table ``archive`` keeps what is in an archive, so that it is
not read again (:mod:`ess.lake.archive_index`).
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ess.errors import InitializationError
from ess.lake.dates import NO_DATE, date_text
from ess.lake.entry import FileEntry
from ess.lake.index_file import Unusable, changing, index_of
from ess.lake.member import Member

if TYPE_CHECKING:  # a command that needs no index does not load it
    import sqlite3

_FIRST, _LAST = -(1 << 62), 1 << 62

#: A file as it is stored: date, number, path, member; size, time of change, version. The first four tell it apart.
Row = tuple[int, bytes, bytes, bytes, int, float, bytes]
_KEY = 4
_COLUMNS = "date, number, path, member, size, modified, version"
#: Files that are held at a time, where not all are.
_AT_A_TIME = 1000


@dataclass(frozen=True)
class Span:
    """The dates from ``start`` on and before ``end``; None is open."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def whole(self) -> bool:
        """True if it holds all dates."""
        return self.start is None and self.end is None


ALL = Span()


@dataclass(frozen=True)
class Part:
    """The part of an index that belongs to a category.

    Attributes:
        folder: That of the datastore in the settings.
        name: The category.
        rules: All that decides which files it has, and their dates; what was found under other rules is not used.
        root: What stands before all paths.
        label: The datastore.
    """

    folder: Path
    name: str
    rules: str
    root: str
    label: str


@dataclass(frozen=True)
class Known:
    """The numbers of a category in the index, and how far dates stray from those of their folders.

    ``first`` and ``last`` are those of the files with a date. ``slack`` is in days, None if folders say nothing.
    """

    count: int
    size: int
    first: datetime
    last: datetime
    slack: int | None


def as_bytes(text: str) -> bytes:
    """A path as it is stored: any text comes back, and bytes have the order of the characters."""
    return text.encode("utf-8", "surrogatepass")


def as_text(stored: bytes) -> str:
    """The path that :func:`as_bytes` was given."""
    return stored.decode("utf-8", "surrogatepass")


def files(part: Part, span: Span = ALL) -> list[FileEntry] | None:
    """The files of a category with dates in ``span``, in order; None if the index does not know them."""
    with contextlib.suppress(Unusable), index_of(part.folder, make=False) as database:
        found = _category(database, part)
        if found is None:
            return None
        entry = _Entries(part).entry
        return [entry(row) for row in _rows(database, found[0], span)]
    return None


class Listed(NamedTuple):
    """A file as a line shows it: its path, its bytes, and the date or number in its name as text for people."""

    path: str
    size: int
    date: str


def listed(part: Part, span: Span = ALL, limit: int | None = None) -> Iterator[list[Listed]] | None:
    """The files of :func:`files` a thousand at a time, for many of them; None if the index does not know them.

    Raises:
        InitializationError: While they come, if the index turns out to be damaged.
    """
    with contextlib.suppress(Unusable), index_of(part.folder, make=False) as database:
        if _category(database, part) is not None:
            return _listed(part, span, limit)
    return None


def _listed(part: Part, span: Span, limit: int | None) -> Iterator[list[Listed]]:
    dates: dict[int, str] = {}
    root = part.root
    try:
        with index_of(part.folder, make=False) as database:
            found = _category(database, part)
            asked = _rows(database, found[0], span, limit, "date, number, path, size") if found is not None else None
            while asked is not None and (some := asked.fetchmany(_AT_A_TIME)):
                for seconds in {row[0] for row in some} - dates.keys():
                    dates[seconds] = date_text(_from_seconds(seconds))
                yield [
                    Listed(
                        root + path.decode("utf-8", "surrogatepass"),
                        size,
                        str(_to_number(number)) if number else dates[seconds],
                    )
                    for seconds, number, path, size in some
                ]
    except Unusable as error:
        raise InitializationError("the index is damaged", where=part.name, hint="try again: it is made anew") from error


def known(part: Part) -> Known | None:
    """The numbers of a category; None if the index does not know it."""
    with contextlib.suppress(Unusable), index_of(part.folder, make=False) as database:
        found = _category(database, part)
        if found is None:
            return None
        count, size, first, last = database.execute(
            "SELECT count(*), coalesce(sum(size), 0), coalesce(min(nullif(date, 0)), 0), "
            "coalesce(max(nullif(date, 0)), 0) FROM file WHERE category = ?",
            (found[0],),
        ).fetchone()
        return Known(count, size, _from_seconds(first), _from_seconds(last), found[1])
    return None


def slack(part: Part) -> int | None:
    """By how many days files may stray from their folders, see :class:`Known`; None also if that is not known."""
    with contextlib.suppress(Unusable), index_of(part.folder, make=False) as database:
        found = _category(database, part)
        return found[1] if found is not None else None
    return None


def refresh(
    part: Part, entries: Sequence[FileEntry], *, began: float, span: Span = ALL, slack: int | None = None
) -> bool:
    """Make the index know what a look has found; nothing happens where there can be none.

    Args:
        part: The category.
        entries: All its files with a date in ``span``; others are not looked at.
        began: When the look began, in seconds since 1970. What a look that began later has found stays.
        span: The dates that were looked for. Files with others stay as they are.
        slack: For a look at all dates: see :class:`Known`.

    Returns:
        True if files have changed.
    """
    new = sorted(_row(part, entry) for entry in entries if _within(entry.date, span))
    with contextlib.suppress(Unusable), index_of(part.folder) as database, changing(database):
        found = _category(database, part)
        if found is None and not span.whole:
            return False  # the rest is not known
        if found is not None and began < found[2] <= time.time():  # one of the future is of a clock that was wrong
            return False
        if span.whole:
            found = (_enter(database, part, began, slack), slack, began)
        assert found is not None
        number = found[0]
        put, gone = _differences(_rows(database, number, span), new)
        database.executemany(
            "DELETE FROM file WHERE category = ? AND date = ? AND number = ? AND path = ? AND member = ?",
            ((number, *key) for key in gone),
        )
        database.executemany(
            "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", ((number, *row) for row in put)
        )
        return bool(put or gone)
    return False


def forget(folder: Path, name: str) -> None:
    """Take a category out of the index of a datastore."""
    with contextlib.suppress(Unusable), index_of(folder, make=False) as database, changing(database):
        for (number,) in database.execute("SELECT id FROM category WHERE name = ?", (name,)).fetchall():
            database.execute("DELETE FROM file WHERE category = ?", (number,))
            database.execute("DELETE FROM category WHERE id = ?", (number,))


# --- rows -----------------------------------------------------------------------------------


def _row(part: Part, entry: FileEntry) -> Row:
    number = b"" if entry.number is None else _from_number(entry.number)
    path = as_bytes(entry.path.removeprefix(part.root))
    member = b"" if entry.member is None else entry.member.dump().encode("ascii")
    return (_to_seconds(entry.date), number, path, member, entry.size, entry.modified, as_bytes(entry.version))


class _Entries:
    """Makes files of rows; dates repeat, so each is made once."""

    def __init__(self, part: Part) -> None:
        self._root, self._label = part.root, part.label
        self._dates: dict[int, datetime] = {}

    def entry(self, row: Row) -> FileEntry:
        seconds, number, path, member, size, modified, version = row
        date = self._dates.get(seconds)
        if date is None:
            date = self._dates[seconds] = _from_seconds(seconds)
        return FileEntry(
            self._root + as_text(path),
            size,
            modified,
            date,
            self._label,
            _to_number(number) if number else None,
            version=as_text(version),
            member=Member.of(json.loads(member)) if member else None,
        )


def _within(date: datetime, span: Span) -> bool:
    return (span.start is None or span.start <= date) and (span.end is None or date < span.end)


def _to_seconds(date: datetime) -> int:
    since = date - NO_DATE
    return since.days * 86400 + since.seconds


def _from_seconds(seconds: int) -> datetime:
    return NO_DATE + timedelta(seconds=seconds)


def _from_number(number: int) -> bytes:
    """A number as bytes that have the order of numbers."""
    digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return len(digits).to_bytes(2, "big") + digits


def _to_number(stored: bytes) -> int:
    return int.from_bytes(stored[2:], "big")


def _differences(old: Iterator[Row], new: Sequence[Row]) -> tuple[list[Row], list[tuple[object, ...]]]:
    """The rows to put, and the keys of those to delete, so that sorted ``old`` becomes sorted ``new``."""
    put: list[Row] = []
    gone: list[tuple[object, ...]] = []
    coming = iter(new)
    left, right = next(old, None), next(coming, None)
    while left is not None or right is not None:
        if left == right:
            left, right = next(old, None), next(coming, None)
        elif right is None or (left is not None and left[:_KEY] < right[:_KEY]):
            assert left is not None
            gone.append(left[:_KEY])
            left = next(old, None)
        else:
            put.append(right)
            if left is not None and left[:_KEY] == right[:_KEY]:
                left = next(old, None)
            right = next(coming, None)
    return put, gone


# --- tables ---------------------------------------------------------------------------------


def _category(database: sqlite3.Connection, part: Part) -> tuple[int, int | None, float] | None:
    """Its number, its slack, and when the last look at all its dates began."""
    found: tuple[int, int | None, float] | None = database.execute(
        "SELECT id, slack, looked FROM category WHERE name = ? AND rules = ?", (part.name, part.rules)
    ).fetchone()
    return found


def _enter(database: sqlite3.Connection, part: Part, began: float, slack: int | None) -> int:
    database.execute(
        "INSERT INTO category (name, rules, looked, slack) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (name) DO UPDATE SET rules = ?2, looked = ?3, slack = ?4",
        (part.name, part.rules, began, slack),
    )
    (number,) = database.execute("SELECT id FROM category WHERE name = ?", (part.name,)).fetchone()
    assert isinstance(number, int)
    return number


def _rows(
    database: sqlite3.Connection, number: int, span: Span, limit: int | None = None, columns: str = _COLUMNS
) -> sqlite3.Cursor:
    """The files of a category with dates in a span, in order."""
    return database.execute(
        f"SELECT {columns} FROM file WHERE category = ? AND date >= ? AND date < ? "  # noqa: S608 - names of ours
        "ORDER BY date, number, path, member LIMIT ?",
        (
            number,
            _FIRST if span.start is None else _to_seconds(span.start),
            _LAST if span.end is None else _to_seconds(span.end),
            -1 if limit is None else limit,
        ),
    )
