"""The durable copy of one server's database: a log of what was prepared and committed, and snapshots.

A folder, readable by its owner only, holds ``log-N`` files, at most one complete ``snapshot-N``
(the state at the beginning of ``log-N``) and ``rows-Attempt`` files for imports that are too
large for the log. A record is one line of JSON and then bytes. The kinds:

- ``defined``: the definition and the birth of the database; of a later one, only the definition
- ``prepared``: an import with its rows, or the changes of a session; it counts when ``committed``
- ``committed``, ``dropped``: what has become of it
- ``changed``: changes that count at once
- ``settled``: imports were merged in here, which decides the order of rows

Nothing here knows locks: :class:`ess.udb.server.database.Database` calls it in the right order.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from ess.errors import SystemFailure
from ess.schema.batch import Batch
from ess.udb.journal.log_file import LogFile, damaged, disk_failure, sync_folder
from ess.udb.shard.changes import Change, encode_changes
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec import Definition
from ess.udb.spec.spec_file import definition_text
from ess.udb.wire.protocol import SessionRequest, StageRequest, request_fields

#: Imports larger than this have a file of their own, which is written while the rows come in.
LARGE_IMPORT = 4 << 20

#: A log grows to this size, or that of the last snapshot if it is larger, before a new snapshot is made.
LARGE_LOG = 256 << 20

SNAPSHOT_FORMAT = 2
_ROWS_AT_ONCE = 1 << 18

#: The bytes of a file of rows that go to the disk at once.
_BEGIN_WRITING = 8 << 20
SNAPSHOT_META = "snapshot.json"

_NUMBERED = re.compile(r"(?P<kind>log|snapshot)-(?P<number>[0-9]+)\Z")


@dataclass(frozen=True)
class Position:
    """A position in a log up to which it must be safe on disk."""

    log: LogFile
    size: int

    def sync(self) -> None:
        """Return when the log is safe on disk up to here."""
        self.log.sync(self.size)

    def secure(self) -> None:
        """Return when it is safe in the file that a restart reads: what is acknowledged is there again then.

        Raises:
            UdbRequestError: If that is not so.
        """
        self.sync()
        self.log.require_in_place()


class RowsFile:
    """The rows of one large import, written as Arrow IPC while they come in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.length = 0
        self.checksum = 0
        self._begun = 0
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise disk_failure(error, path) from None
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._closed = False

    def write(self, rows: Batch) -> None:
        """Add rows.

        Raises:
            SystemFailure: If they cannot be written.
        """
        table = rows.to_arrow()
        try:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(_Sink(self), table.schema)
            self._writer.write_table(table)
        except OSError as error:
            raise disk_failure(error, self.path) from None

    def finish(self) -> None:
        """Make the file safe on disk.

        Raises:
            SystemFailure: If it cannot be done.
        """
        try:
            if self._writer is not None:
                self._writer.close()
            os.fdatasync(self._file)
        except OSError as error:
            raise disk_failure(error, self.path) from None
        self._close()
        sync_folder(self.path.parent)

    def remove(self) -> None:
        """Remove it. Never raises."""
        self._close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def take(self, data: bytes) -> int:
        """Take bytes from the IPC writer."""
        view = memoryview(data)
        while view:
            written = os.write(self._file, view)
            self.checksum = zlib.crc32(view[:written], self.checksum)
            self.length += written
            view = view[written:]
        if self.length - self._begun >= _BEGIN_WRITING:
            # Otherwise all of it would be written while the client waits for the commit. It is not read soon.
            os.posix_fadvise(self._file, self._begun, self.length - self._begun, os.POSIX_FADV_DONTNEED)
            self._begun = self.length
        return len(data)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._file)


class _Sink:
    """As much of a file as the IPC writer needs."""

    closed = False

    def __init__(self, rows: RowsFile) -> None:
        self._rows = rows

    def write(self, data: bytes) -> int:
        return self._rows.take(data)

    def tell(self) -> int:
        return self._rows.length

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Prepared:
    """The content of a ``prepared`` record, without its rows or changes."""

    request: StageRequest | SessionRequest
    rows: int = 0
    file: str = ""
    length: int = 0
    checksum: int = 0


class Journal:
    """The log of one database, open for writing.

    Args:
        folder: The folder of the database.
        number: That of the log to write to.
        records: How many records that log has.
        since_snapshot: Bytes that a restart would have to read besides the snapshot.
        files: Files of rows that the logs since the snapshot name.
    """

    def __init__(
        self, folder: Path, number: int, records: int, since_snapshot: int = 0, files: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self._number = number
        self._log = LogFile(log_path(folder, number), records)
        self._since_snapshot = since_snapshot
        self._files = set(files)
        self._snapshot_size = _folder_size(snapshot_path(folder, number))

    @classmethod
    def create(cls, folder: Path, definition: Definition, birth: str) -> Journal:
        """Make the folder of a new database; it is there completely or not at all.

        Raises:
            SystemFailure: If it cannot be written.
        """
        new = folder.parent / f".{folder.name}.new-{secrets.token_hex(4)}"
        try:
            new.mkdir(mode=0o700)
            first = LogFile(log_path(new, 0))
            first.append(_line({"is": "defined", "definition": definition_text(definition), "birth": birth}))
            first.sync()
            sync_folder(new)
            if folder.exists():  # of a database that was forgotten, when there was no time to remove it
                remove_folder(folder)
            new.rename(folder)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            raise disk_failure(error, folder) from None
        except SystemFailure:
            shutil.rmtree(new, ignore_errors=True)
            raise
        sync_folder(folder.parent)
        return cls(folder, 0, 1)

    # Records ------------------------------------------------------------------------------------------------------

    def rows_file(self, attempt: str) -> RowsFile:
        """Make a file for the rows of a large import."""
        return RowsFile(rows_path(self.folder, attempt))

    def prepared(self, prepared: Prepared, body: bytes) -> Position:
        """Log an import or a session that may be committed."""
        fields: dict[str, Any] = {"is": "prepared", "rows": prepared.rows, "file": prepared.file}
        fields |= {"length": prepared.length, "checksum": prepared.checksum}
        kind = "import" if isinstance(prepared.request, StageRequest) else "session"
        fields[kind] = request_fields(prepared.request)
        self._since_snapshot += prepared.length
        if prepared.file:
            self._files.add(prepared.file)
        return self._append(fields, body)

    def committed(self, attempt: str) -> Position:
        """Log that it counts, after all that was committed before."""
        return self._append({"is": "committed", "attempt": attempt})

    def dropped(self, attempt: str) -> Position:
        """Log that it will never count."""
        return self._append({"is": "dropped", "attempt": attempt})

    def changed(self, changes: Sequence[Change]) -> Position:
        """Log changes that count."""
        return self._append({"is": "changed"}, encode_changes(changes))

    def settled(self) -> Position:
        """Log that imports are merged in here."""
        return self._append({"is": "settled"})

    def defined(self, definition: Definition) -> Position:
        """Log that the definition has more tables."""
        return self._append({"is": "defined", "definition": definition_text(definition), "birth": ""})

    def here(self) -> Position:
        """The end of the log."""
        return Position(self._log, self._log.size)

    def give_up(self) -> None:
        """Stop using the log: the database is cleared, and its files may be removed from now on."""
        self._log.give_up()

    def _append(self, fields: dict[str, Any], body: bytes = b"") -> Position:
        line = _line(fields)
        self._since_snapshot += len(line) + len(body)
        return Position(self._log, self._log.append(line, body))

    # Snapshots ----------------------------------------------------------------------------------------------------

    @property
    def is_large(self) -> bool:
        """True if it is time for a snapshot."""
        return self._since_snapshot > max(LARGE_LOG, self._snapshot_size)

    @property
    def since_snapshot(self) -> int:
        """Bytes that a restart would have to read besides the snapshot."""
        return self._since_snapshot

    def rotate(self, open_records: Sequence[tuple[Prepared, bytes]]) -> tuple[int, list[str]]:
        """Go on in a new log, which begins with what is prepared and not decided.

        Returns:
            Its number, and the files of rows that are superfluous when there is a snapshot of that number.

        Raises:
            SystemFailure: If it cannot be made; then everything is as before.
        """
        self._log.sync()
        path = log_path(self.folder, self._number + 1)
        with contextlib.suppress(OSError):
            path.unlink()
        old, before, files = self._log, self._since_snapshot, self._files
        try:
            self._log, self._since_snapshot, self._files = LogFile(path), 0, set()
            for prepared, body in open_records:
                self.prepared(prepared, body)
            self._log.sync()
            sync_folder(self.folder)
        except (SystemFailure, OSError):
            self._log, self._since_snapshot, self._files = old, before, files
            # Left there, it would make a record that is torn at the end of the old log damage in the middle.
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self._number += 1
        return self._number, sorted(files - self._files)

    def write_snapshot(self, number: int, shard: Shard, facts: Mapping[str, Any], superfluous: Sequence[str]) -> None:
        """Write the state at the beginning of log ``number``, and remove what it makes superfluous.

        Args:
            number: What ``rotate`` gave.
            shard: The state at that moment.
            facts: More that a restart must know, as JSON.
            superfluous: What ``rotate`` gave.

        Raises:
            SystemFailure: If it cannot be written; then everything is as before.
        """
        final = snapshot_path(self.folder, number)
        new = self.folder / f".{final.name}.new"
        shutil.rmtree(new, ignore_errors=True)
        keys, tables = shard.contents()
        try:
            new.mkdir(mode=0o700)
            files = {"": _write_frame(new / "keys.arrow", keys)}
            for place, (name, rows) in enumerate(tables.items()):
                files[name] = _write_frame(new / f"table-{place}.arrow", rows)
            meta = {"format": SNAPSHOT_FORMAT, "definition": definition_text(shard.definition), **facts, "files": files}
            text = json.dumps(meta).encode()
            _write_file(new / SNAPSHOT_META, b"%s\n%d\n" % (text, zlib.crc32(text)))
            sync_folder(new)
            new.rename(final)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            raise disk_failure(error, final) from None
        sync_folder(self.folder)
        self._snapshot_size = _folder_size(final)
        remove_old(self.folder, number, superfluous)


# Names and files ------------------------------------------------------------------------------------------------------


def log_path(folder: Path, number: int) -> Path:
    """The path of a log."""
    return folder / f"log-{number}"


def snapshot_path(folder: Path, number: int) -> Path:
    """The path of a snapshot."""
    return folder / f"snapshot-{number}"


def rows_path(folder: Path, attempt: str) -> Path:
    """The path of a large import's rows; attempts are words of letters and digits."""
    return folder / f"rows-{attempt}"


def numbers(folder: Path, kind: str) -> list[int]:
    """The numbers of the ``log`` or ``snapshot`` files that are there."""
    matches = (_NUMBERED.match(path.name) for path in folder.iterdir())
    return sorted(int(match["number"]) for match in matches if match is not None and match["kind"] == kind)


def remove_old(folder: Path, number: int, files: Sequence[str]) -> None:
    """Remove what is older than a snapshot. Never raises: what is left over is removed another time."""
    for path in list(folder.iterdir()):
        match = _NUMBERED.match(path.name)
        with contextlib.suppress(OSError):
            if (match is not None and int(match["number"]) < number) or path.name.startswith("."):
                _remove(path)
            elif path.name in files:
                path.unlink()


def remove_left_over(folder: Path, number: int, files: Sequence[str]) -> None:
    """Remove what is of no use at a start: what is older than the snapshot, and rows that no log names."""
    unnamed = [path.name for path in folder.iterdir() if path.name.startswith("rows-") and path.name not in files]
    remove_old(folder, number, unnamed)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def remove_folder(folder: Path) -> None:
    """Remove the folder of a database, in one step.

    Raises:
        SystemFailure: If it cannot be removed.
    """
    gone = folder.parent / f".{folder.name}.gone-{secrets.token_hex(4)}"
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk_failure(error, folder) from None
    sync_folder(folder.parent)
    shutil.rmtree(gone, ignore_errors=True)


def read_checked(path: Path, length: int, checksum: int) -> bytes:
    """A file of the server, which must be what was written.

    Raises:
        SystemFailure: If it is not.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SystemFailure(f"cannot read a file of the database ({error.strerror})", where=str(path)) from error
    if len(data) != length:
        raise damaged(path, min(len(data), length))
    if zlib.crc32(data) != checksum:
        raise damaged(path)
    return data


def read_snapshot_meta(folder: Path) -> dict[str, Any]:
    """The facts that a snapshot states about itself.

    Raises:
        SystemFailure: If it is damaged, or of another version.
    """
    path = folder / SNAPSHOT_META
    try:
        text, _, checksum = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise SystemFailure(f"cannot read a file of the database ({error.strerror})", where=str(path)) from error
    if checksum and checksum != b"%d\n" % zlib.crc32(text):
        raise damaged(path)
    try:  # the first format had no checksum
        meta = json.loads(text)
        if not checksum and meta["format"] == SNAPSHOT_FORMAT:
            raise damaged(path, len(text))
        if meta["format"] != SNAPSHOT_FORMAT:
            raise SystemFailure(
                f"the snapshot has format {meta['format']}, this version of Essentia reads {SNAPSHOT_FORMAT}",
                where=str(folder),
                hint="start the version that wrote it, save the database there and load it here",
            )
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path) from error
    return dict(meta)


def _write_frame(path: Path, rows: Batch) -> dict[str, Any]:
    file = RowsFile(path)
    for start in range(0, max(1, rows.height), _ROWS_AT_ONCE):
        file.write(rows[start : start + _ROWS_AT_ONCE])
    file.finish()
    return {"file": path.name, "length": file.length, "checksum": file.checksum}


def _write_file(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)


def _folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def rows_of(data: bytes) -> Batch:
    """The rows of a :class:`RowsFile`."""
    frame = pl.from_arrow(pa.ipc.open_stream(pa.py_buffer(data)).read_all())
    assert isinstance(frame, pl.DataFrame)
    return frame
