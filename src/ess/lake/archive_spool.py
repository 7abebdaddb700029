"""A compressed archive without its compression, in a temporary file: for files that are wanted in another order.

The file has no name, so it goes with its process. It grows as far as is read, up to a limit: a few bytes may unpack to
many.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import threading
from typing import BinaryIO, cast

from ess.formats.tar_archive import TarStream

#: The most bytes of a temporary file; it also takes no more than a quarter of the free space.
LARGEST = 4 << 30
_PIECE = 1 << 20


class Spool:
    """The beginning of an archive in a temporary file.

    Args:
        stream: The archive from its beginning.
    """

    def __init__(self, stream: TarStream) -> None:
        self._stream = stream
        self._length = 0
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._limit = 0
        with contextlib.suppress(OSError):
            folder = tempfile.gettempdir()
            self._file = cast(BinaryIO, tempfile.TemporaryFile(dir=folder, buffering=0))  # noqa: SIM115 - see close
            self._limit = min(LARGEST, shutil.disk_usage(folder).free // 4)

    def part(self, at: int, end: int) -> TarStream | None:
        """The bytes from ``at`` up to ``end``, as far as there are any; None if they are beyond the limit.

        Raises:
            InputReadError: If the archive is damaged before ``end``.
        """
        with self._lock:
            while self._file is not None and self._length < end:
                if end > self._limit:
                    return None
                piece = self._stream.read(_PIECE)
                if not piece:
                    break
                try:
                    written = os.pwrite(self._file.fileno(), piece, self._length)
                except OSError:
                    written = 0
                if written < len(piece):  # the disk is full
                    self._limit = self._length
                    return None
                self._length += written
            if self._file is None:
                return None
            return TarStream(cast(BinaryIO, _Part(self._file, at, min(end, self._length))), at)

    def close(self) -> None:
        """Give the space back."""
        self._stream.close()
        if self._file is not None:
            self._file.close()


class _Part(io.RawIOBase):
    """A part of a file that others read as well."""

    def __init__(self, file: BinaryIO, at: int, end: int) -> None:
        self._file = file
        self._at = at
        self._end = end

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        left = max(self._end - self._at, 0)
        data = os.pread(self._file.fileno(), left if size < 0 else min(size, left), self._at)
        self._at += len(data)
        return data
