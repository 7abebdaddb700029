"""An input whose beginning, in most cases all of it, is in memory before its command begins.

A command that reads it from there waits for nothing, and what is wrong with the file is known before. Larger inputs
go on from their source.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterable
from typing import BinaryIO

from ess.errors import EssError, SystemFailure
from ess.lake.content import THIS_DISK, compression_of
from ess.lake.entry import FileEntry
from ess.stores.kinds import Access

#: The most bytes of an input that are held, decompressed.
HELD = 16 << 20

_PIECE = 1 << 20

#: The most bytes of a compressed file that are read at one go.
_SMALL = 8 << 20

#: So many bytes of a file tell what it is compressed by.
_HEAD = 512

#: What ends like this is probably compressed.
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".Z")


class HeldInput(io.RawIOBase):
    """The bytes of a source, of which the first ones are read at once. Closing it closes the source.

    Args:
        source: Where they come from.
        stop: Asked from time to time; true ends the reading ahead.

    Attributes:
        error: The reason that the source cannot be read further; what was read before stands.
        is_whole: True if all of the input is held.
    """

    def __init__(self, source: BinaryIO, stop: Callable[[], bool] = lambda: False) -> None:
        self._source = source
        self._given = 0
        self.error: EssError | None = None
        self.is_whole = False
        self._file = os.memfd_create("input", os.MFD_CLOEXEC) if hasattr(os, "memfd_create") else -1
        self.size = 0
        if self._file >= 0:
            self._read_ahead(stop)

    def _read_ahead(self, stop: Callable[[], bool]) -> None:
        try:
            while self.size < HELD and not stop():
                piece = self._source.read(_PIECE)
                if not piece:
                    self.is_whole = True
                    return
                self.size += _write(self._file, piece)
        except EssError as error:
            self.error = error
        except OSError as error:
            self.error = SystemFailure(f"cannot read ({error.strerror})", where="input of the command")

    def file(self) -> int:
        """The descriptor of a file with the whole input, at its beginning."""
        os.lseek(self._file, 0, os.SEEK_SET)
        return self._file

    def rewind(self) -> None:
        """Begin again; no more may have been read than what is held."""
        self._given = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes, from memory first."""
        wanted = _PIECE if size is None or size < 0 else size
        if self._given < self.size:
            piece = os.pread(self._file, wanted, self._given)
            self._given += len(piece)
            return piece
        if self.error is not None:
            raise self.error
        return b"" if self.is_whole else self._source.read(wanted)

    def close(self) -> None:
        """Give the memory back."""
        if not self.closed:
            if self._file >= 0:
                os.close(self._file)
            self._source.close()
        super().close()


class WholeInput(HeldInput):
    """An input that is held as a whole: a file of this disk as it is, or content in memory.

    Args:
        file: Its descriptor, which is closed with it.
        size: Its bytes.
    """

    def __init__(self, file: int, size: int = 0) -> None:
        self._given = 0
        self._file = file
        self.error = None
        self.is_whole = True
        self.size = size

    def add(self, piece: bytes) -> None:
        """Write more to its file."""
        self.size += _write(self._file, piece)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            os.close(self._file)
        io.RawIOBase.close(self)


def held_file(entry: FileEntry, compression: str, source: Access) -> HeldInput | None:
    """A small file of this disk, or any that is not compressed, held as a whole; None for any other.

    The arguments are those of :func:`ess.lake.content.open_data`, which tells what is wrong with a file.
    """
    if entry.member is not None or source != THIS_DISK:
        return None
    if compression in ("", "none") and not (not compression and entry.path.endswith(_PACKED)):
        return _file_itself(entry.path, is_plain=compression == "none")
    if compression in ("", "gzip") and entry.path.endswith(".gz") and entry.size <= _SMALL:
        return _unpacked(entry.path)
    return None


def _file_itself(path: str, *, is_plain: bool) -> WholeInput | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(file)
        if stat.S_ISREG(status.st_mode) and (is_plain or compression_of(os.pread(file, _HEAD, 0)) == "none"):
            return WholeInput(file, status.st_size)
    except OSError:
        pass
    os.close(file)
    return None


def _unpacked(path: str) -> WholeInput | None:
    from ess.formats.gzip_files import Unusual, unpacked  # loads the decompressors

    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - for each file
            data = file.read(_SMALL + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
        return _in_memory(unpacked(data)) if data and len(data) <= _SMALL else None
    except (Unusual, OverflowError, OSError, AttributeError):  # not Linux
        return None


def _in_memory(pieces: Iterable[bytes]) -> WholeInput:
    """Content in memory.

    Raises:
        OverflowError: If it is more than :data:`HELD`.
    """
    held = WholeInput(os.memfd_create("input", os.MFD_CLOEXEC))
    try:
        for piece in pieces:
            if held.size + len(piece) > HELD:
                raise OverflowError
            held.add(piece)
    except BaseException:
        held.close()
        raise
    return held


def _write(file: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    return len(data)
