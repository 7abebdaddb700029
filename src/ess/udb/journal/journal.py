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
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ess.errors import SystemFailure
from ess.udb.journal.folder import folder_size, log_path, remove_folder, remove_old, rows_path, snapshot_path
from ess.udb.journal.log_file import LogFile, disk_failure, sync_folder
from ess.udb.journal.rows_file import RowsFile
from ess.udb.journal.snapshot import write_snapshot
from ess.udb.shard.changes import Change, encode_changes
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec import Definition
from ess.udb.spec.spec_file import definition_text
from ess.udb.wire.protocol import SessionRequest, StageRequest, request_fields

#: Imports larger than this have a file of their own, which is written while the rows come in.
LARGE_IMPORT = 4 << 20

#: A log grows to this size, or that of the last snapshot if it is larger, before a new snapshot is made.
LARGE_LOG = 256 << 20


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
        self._snapshot_size = folder_size(snapshot_path(folder, number))

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
        written = write_snapshot(self.folder, number, shard, facts)
        self._snapshot_size = folder_size(written)
        remove_old(self.folder, number, superfluous)


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"
