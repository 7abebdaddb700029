"""A file that only grows: records with checksums, made safe on disk in groups.

A file begins with its version and a random salt. A record is a head (magic, number, length and
checksum of the body, checksum of the head) and a body of any bytes. Records are numbered from 1
within a file, and the salt goes into the checksum of the head, so that rows that happen to
contain a part of some log are never taken for a record. An unfinished record, written when a
process or machine died, is found at the next start by its length and checksum and cut off. The
same damage with a whole record behind it cannot come from that, and is an error: the records
behind it count, so the damaged one counted too.
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
import threading
import weakref
import zlib
from dataclasses import dataclass
from pathlib import Path

from ess import errors
from ess.errors import SystemFailure, UdbRequestError

_FILE = struct.Struct("<8sII")  # version, salt, checksum of both
_VERSION = b"UDBLOG1\n"
_MAGIC = b"UDBR"
_HEAD = struct.Struct("<4sIQI")  # magic, number, length and checksum of the body
_CHECK = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _CHECK.size

#: A file system that is full says one of these.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_SEARCH_BYTES = 1 << 20


@dataclass(frozen=True)
class Record:
    """The position of a record's body in the file."""

    start: int
    length: int
    checksum: int


class LogFile:
    """A log that is open for writing. Its methods may be called from any thread.

    Args:
        path: Is made if it is not there, readable by its owner only. One that is there must be whole: see :func:`cut`.
        records: How many records it has.
    """

    def __init__(self, path: Path, records: int = 0) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise disk_failure(error, path) from None
        weakref.finalize(self, os.close, self._file)  # when the last one who may want to sync it has let it go
        try:
            self.size = os.fstat(self._file).st_size
            if self.size < _FILE.size:
                os.ftruncate(self._file, 0)
                start = struct.pack("<8sI", _VERSION, secrets.randbits(32))
                _write(self._file, start + _CHECK.pack(zlib.crc32(start)))
                self.size = _FILE.size
        except OSError as error:
            raise disk_failure(error, path) from None
        self._salt = _salt(self._file, path)
        self._records = records
        self._safe = 0
        self._failure: UdbRequestError | None = None
        self._is_given_up = False
        self._writing = threading.Lock()
        self._syncing = threading.Lock()

    def append(self, *parts: bytes) -> int:
        """Write a record; the position behind it, which :meth:`sync` takes.

        Raises:
            SystemFailure: If it cannot be written, e.g. because the disk is full. Then it is not there.
            UdbRequestError: If the file has failed before.
        """
        checksum = 0
        for part in parts:
            checksum = zlib.crc32(part, checksum)
        with self._writing:
            self._require_sound()
            self.require_in_place(exactly=True)
            head = _HEAD.pack(_MAGIC, self._records + 1, sum(map(len, parts)), checksum)
            try:
                _write(self._file, head + _CHECK.pack(zlib.crc32(head, self._salt)), *parts)
            except OSError as error:
                self._take_back(error)
                raise disk_failure(error, self.path) from None
            self._records += 1
            self.size += HEAD_BYTES + sum(map(len, parts))
            return self.size

    def sync(self, position: int | None = None) -> None:
        """Make everything up to a position (or all) safe on disk. Callers at the same time share one write.

        Raises:
            UdbRequestError: If the system cannot tell that it is safe. Then nothing more is taken.
        """
        wanted = self.size if position is None else position
        if self._safe >= wanted:
            return
        with self._syncing:
            if self._safe >= wanted:
                return  # somebody else's write has done it meanwhile
            self._require_sound()
            reached = self.size
            try:
                os.fdatasync(self._file)
            except OSError as error:
                # A second try does not help: the system may have dropped the unwritten data from memory.
                self._fail(error)
                self._require_sound()
            self._safe = reached

    def require_in_place(self, *, exactly: bool = False) -> None:
        """Check that the log is still the file of its name: a restart reads that file, so only what is in it is safe.

        Args:
            exactly: Nothing is being written now, so the file must not be longer either.

        Raises:
            UdbRequestError: If the file was removed, moved, replaced, cut off, or written to by somebody else.
        """
        if self._is_given_up:
            return
        size = self.size  # before the file is looked at: it may grow meanwhile
        try:
            named, held = self.path.stat(), os.fstat(self._file)
        except (FileNotFoundError, NotADirectoryError):
            raise self._displaced("was removed") from None
        except OSError as error:
            raise disk_failure(error, self.path) from None
        if (named.st_dev, named.st_ino) != (held.st_dev, held.st_ino):
            raise self._displaced("was replaced by another file")
        if held.st_size < size:
            raise self._displaced("was cut off")
        if exactly and held.st_size > size:
            raise self._displaced("was written to by another program")

    def give_up(self) -> None:
        """Stop using the log: the database is cleared, and its files may be removed from now on."""
        self._is_given_up = True

    def _take_back(self, cause: OSError) -> None:
        try:
            os.ftruncate(self._file, self.size)
        except OSError:
            self._fail(cause)

    def _displaced(self, what: str) -> UdbRequestError:
        return UdbRequestError(
            f"the server's log {what} while the server ran, so it takes nothing more",
            where=str(self.path),
            hint="its memory still has the rows: save them (aq_udb -save DbName Folder), run: ess udbd restart, "
            "then clear the database (aq_udb -clr DbName) and load them (aq_udb -load DbName Folder)",
        )

    def _fail(self, error: OSError) -> None:
        self._failure = UdbRequestError(
            f"the server's log cannot be written ({error.strerror})",
            where=str(self.path),
            hint="see to the disk, then restart the server: it comes back with all that was committed",
        )

    def _require_sound(self) -> None:
        if self._failure is not None:
            raise self._failure


def read_records(path: Path) -> tuple[list[Record], int]:
    """Find the records of a log.

    Returns:
        The records, and where the last whole one ends; what is behind it was never safe on disk.

    Raises:
        SystemFailure: If it cannot be read, or a record in its middle is damaged.
    """
    records: list[Record] = []
    try:
        size = path.stat().st_size
        if size < _FILE.size:
            return [], 0
        with path.open("rb") as file:
            salt = _salt(file.fileno(), path)
            position = _FILE.size
            while position < size:
                found = _record_at(file.fileno(), salt, position, size, len(records) + 1)
                if found is None:
                    _require_no_record_behind(file.fileno(), salt, position, size, len(records) + 1, path)
                    break
                records.append(found)
                position = found.start + found.length
    except OSError as error:
        raise SystemFailure(f"cannot read the server's log ({error.strerror})", where=str(path)) from error
    return records, position


def read_body(path: Path, record: Record) -> bytes:
    """The body of a record that :func:`read_records` has found.

    Raises:
        SystemFailure: If it cannot be read, or has changed.
    """
    try:
        with path.open("rb") as file:
            body = os.pread(file.fileno(), record.length, record.start)
            while len(body) < record.length and (more := os.pread(file.fileno(), 1 << 30, record.start + len(body))):
                body += more[: record.length - len(body)]
    except OSError as error:
        raise SystemFailure(f"cannot read the server's log ({error.strerror})", where=str(path)) from error
    if len(body) != record.length or zlib.crc32(body) != record.checksum:
        raise damaged(path, record.start)
    return body


def cut(path: Path, size: int) -> None:
    """Cut off what is behind the last whole record.

    Raises:
        SystemFailure: If the file cannot be changed.
    """
    try:
        with path.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_failure(error, path) from None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe on disk.

    Raises:
        SystemFailure: If it cannot be done.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise disk_failure(error, folder) from None


def disk_failure(error: OSError, path: Path) -> SystemFailure:
    """The error that tells a user what a failed write means."""
    full = error.errno in _FULL
    hint = "make room on it; what was committed is still there" if full else "see to the disk"
    return SystemFailure(f"the server cannot write to its disk ({error.strerror})", where=str(path), hint=hint)


def damaged(path: Path, offset: int | None = None) -> SystemFailure:
    """The error for a file of the server that is not what was written.

    Args:
        path: The file.
        offset: Where; None where that cannot be told, e.g. by a checksum of the whole file.
    """
    place = "" if offset is None else f" at byte {offset}"
    return SystemFailure(
        f"the file is damaged{place}",
        where=str(path),
        hint="restore it from a copy, or clear the database (aq_udb -clr) and load it again",
    )


def _salt(file: int, path: Path) -> int:
    raw = os.pread(file, _FILE.size, 0)
    version, salt, checksum = _FILE.unpack(raw)
    if zlib.crc32(raw[: -_CHECK.size]) != checksum:
        raise damaged(path, 0)
    if version != _VERSION:
        raise SystemFailure(
            "the log was written by another version of Essentia",
            where=str(path),
            hint=f"it has format {errors.printable(version.decode('latin-1').strip())}, this version "
            f"{_VERSION.decode().strip()}",
        )
    return int(salt)


def _record_at(file: int, salt: int, position: int, size: int, number: int) -> Record | None:
    head = _head_at(file, salt, position)
    if head is None or head[0] != number:
        return None
    _, length, checksum = head
    start = position + HEAD_BYTES
    if start + length > size or _checksum(file, start, length) != checksum:
        return None
    return Record(start, length, checksum)


def _head_at(file: int, salt: int, position: int) -> tuple[int, int, int] | None:
    raw = os.pread(file, HEAD_BYTES, position)
    if len(raw) < HEAD_BYTES or zlib.crc32(raw[: _HEAD.size], salt) != _CHECK.unpack(raw[_HEAD.size :])[0]:
        return None
    magic, number, length, checksum = _HEAD.unpack(raw[: _HEAD.size])
    return (number, length, checksum) if magic == _MAGIC else None


def _checksum(file: int, start: int, length: int) -> int:
    checksum = 0
    while length:
        part = os.pread(file, min(length, _SEARCH_BYTES), start)
        if not part:
            return -1
        checksum = zlib.crc32(part, checksum)
        start += len(part)
        length -= len(part)
    return checksum


def _require_no_record_behind(file: int, salt: int, position: int, size: int, number: int, path: Path) -> None:
    """Refuse a whole record after a damaged one: it shows that the damaged one was whole once."""
    start = position + 1
    while start < size:
        part = os.pread(file, _SEARCH_BYTES + len(_MAGIC) - 1, start)
        place = part.find(_MAGIC)
        while place >= 0:
            at = start + place
            head = _head_at(file, salt, at)
            if head is not None and head[0] > number and _record_at(file, salt, at, size, head[0]) is not None:
                raise damaged(path, position)
            place = part.find(_MAGIC, place + 1)
        start += _SEARCH_BYTES


def _write(file: int, *parts: bytes) -> None:
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(file, view) :]
