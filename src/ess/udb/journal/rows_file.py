"""Files of rows: those of one large import, or of one table of a snapshot, as Arrow IPC."""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path

import polars as pl
import pyarrow as pa

from ess.errors import SystemFailure
from ess.schema.batch import Batch
from ess.udb.journal.log_file import damaged, disk_failure, sync_folder

#: The bytes of a file of rows that go to the disk at once.
_BEGIN_WRITING = 8 << 20


class RowsFile:
    """Rows, written as Arrow IPC while they come in."""

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


def rows_of(data: bytes) -> Batch:
    """The rows of a :class:`RowsFile`."""
    frame = pl.from_arrow(pa.ipc.open_stream(pa.py_buffer(data)).read_all())
    assert isinstance(frame, pl.DataFrame)
    return frame
