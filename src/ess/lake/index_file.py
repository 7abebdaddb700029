"""The file of an index: SQLite, owner-only, made when it is first needed, thrown away when it is damaged."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ess import settings
from ess.errors import EssError, EssWarning

if TYPE_CHECKING:  # a command that needs no index does not load it
    import sqlite3

#: Counts the changes of the tables below; an index of another version is made anew.
SCHEMA = 2
_TABLES = """
CREATE TABLE category (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, rules TEXT NOT NULL,
    looked REAL NOT NULL, slack INTEGER);
CREATE TABLE file (
    category INTEGER NOT NULL, date INTEGER NOT NULL, number BLOB NOT NULL, path BLOB NOT NULL, member BLOB NOT NULL,
    size INTEGER NOT NULL, modified REAL NOT NULL, version BLOB NOT NULL,
    PRIMARY KEY (category, date, number, path, member)) WITHOUT ROWID;
CREATE TABLE archive (
    key BLOB PRIMARY KEY, version BLOB NOT NULL, contents BLOB NOT NULL);
"""
_FILE = "index.sqlite"
#: SQLite writes beside its file.
_PARTS = ("", "-wal", "-shm", "-journal")
#: Seconds to wait for a process that writes.
_PATIENCE = 30.0


class Unusable(Exception):
    """Raised if there can be no index here, or there is none."""


@contextlib.contextmanager
def changing(database: sqlite3.Connection) -> Iterator[None]:
    """One transaction; other processes that want to write wait, those that read do not."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


@contextlib.contextmanager
def index_of(folder: Path, *, make: bool = True) -> Iterator[sqlite3.Connection]:
    """The open index of a datastore.

    Args:
        folder: That of the datastore in the settings.
        make: Whether to make it if there is none.

    Raises:
        Unusable: If there is none, it cannot be read or written, or it is damaged. Then it is gone.
    """
    import sqlite3

    path = folder / "index" / _FILE
    if not make and not path.exists():
        raise Unusable
    inode = 0
    try:
        inode = _private_file(path)
        with contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as database:
            _prepare(database, path)
            yield database
    except sqlite3.Error as error:
        if _is_damage(error):
            _throw_away(path, inode)
        raise Unusable from error
    except (ValueError, OverflowError, TypeError) as error:  # a row that nobody has written
        _throw_away(path, inode)
        raise Unusable from error
    except (EssError, OSError) as error:
        raise Unusable from error


def _private_file(path: Path) -> int:
    """Make the file for its owner only, if need be; its number in the file system."""
    settings.make_private_folder(path.parent)
    handle = settings.open_private(path, os.O_RDWR)
    try:
        return os.fstat(handle).st_ino
    finally:
        os.close(handle)


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables, if need be."""
    if _version(database) == SCHEMA:
        database.execute("PRAGMA synchronous = NORMAL")
        return
    with settings.lock(path.parent):
        version = _version(database)
        if version == SCHEMA:
            return
        for old in path.parent.glob("*.json"):  # lists of files of earlier versions
            old.unlink()
        database.execute("PRAGMA journal_mode = WAL").fetchone()
        database.execute("PRAGMA synchronous = NORMAL")
        with changing(database):
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                database.execute(f'DROP TABLE "{table}"')
            for statement in _TABLES.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {SCHEMA}")


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    assert isinstance(version, int)
    return version


def _is_damage(error: sqlite3.Error) -> bool:
    """True unless the error comes from the surroundings: a file that is locked or cannot be written, a full disk."""
    import sqlite3

    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF not in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_PROTOCOL,
    )


def _throw_away(path: Path, inode: int) -> None:
    """Remove a damaged index, unless another process has done so; who has it open sees no difference."""
    with contextlib.suppress(OSError, EssError), settings.lock(path.parent):
        if path.stat().st_ino != inode:
            return
        for part in _PARTS:
            path.with_name(path.name + part).unlink(missing_ok=True)
        label = path.parent.parent.name
        warnings.warn(f"datastore {label}: its index was damaged; it is made again", EssWarning, stacklevel=2)
