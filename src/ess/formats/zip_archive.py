"""Zip archives: their directory, which stands at their end, and the content of one file.

Only what is needed is read: the end, the directory, the file. Python's ``zipfile`` is not used, because it refuses a
whole archive for one odd entry (a name that is no UTF-8, a number of version it does not know), and unpacks bzip2 and
lzma without a limit.
"""

from __future__ import annotations

import bz2
import lzma
import stat
import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, cast

from isal import igzip_lib, isal_zlib

from ess.errors import InputReadError
from ess.formats.decompressors import Decompressor, Zstd, outputs

#: The bytes at the end of an archive that are read at once: with most, they hold all of the directory.
TAIL = 66_000
_CHUNK = 1 << 20
_PIECE = 1 << 16
#: The extra field of a file's own header, beyond which it is read once more.
_USUAL_EXTRA = 1024

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
_FULL_32 = 0xFFFF_FFFF
_LONGEST_ENTRY = _ENTRY.size + 3 * 0xFFFF

_ENCRYPTED, _DIRECTORY_ENCRYPTED, _UTF_8 = 1, 1 << 13, 1 << 11
_LZMA_MARKS_ITS_END = 1 << 1
_AES = 99
_UNIX = (3, 19)
_FAT = 0
_DOS_FOLDER = 0x10

STORED, DEFLATE, _BZIP2, _LZMA, _ZSTD, _XZ = 0, 8, 12, 14, 93, 95
_READABLE = frozenset({STORED, DEFLATE, _BZIP2, _LZMA, _ZSTD, _XZ})
_OTHER_METHODS = {1: "shrink", 6: "implode", 9: "Deflate64", 94: "MP3", 96: "JPEG", 97: "WavPack", 98: "PPMd"}

DAMAGE = (
    cast(type[Exception], igzip_lib.IsalError),
    zlib.error,
    lzma.LZMAError,
    OSError,
    ValueError,
    EOFError,
)


class NoZip(Exception):
    """Raised if there is no directory at the end, as where an archive breaks off; its text says why."""


class DamagedDirectory(Exception):
    """Raised where the directory cannot be read on; its text says where."""


@dataclass(frozen=True)
class ZipFile:
    """A file in the directory of an archive.

    Attributes:
        name: Its name. Bytes that are no text stand in it as ``os.fsdecode`` leaves them.
        kind: ``file``, ``folder``, ``link`` or ``device``.
        size: Its bytes.
        stored: Those it takes in the archive.
        at: The place of its own header in the archive.
        header: The bytes of that header, at most.
        modified: When it was changed, without a zone.
        method: How it is compressed, by the number of the format.
        crc: The checksum of its content.
        flags: As they stand in the directory.
    """

    name: str
    kind: str
    size: int
    stored: int
    at: int
    header: int
    modified: datetime
    method: int
    crc: int
    flags: int


def directory(read: Callable[[int, int], bytes], size: int) -> Iterator[ZipFile]:
    """The entries of an archive, in the order of its directory.

    Args:
        read: Gives bytes of the archive: from which place on, and how many (fewer at its end).
        size: The bytes of the archive.

    Raises:
        NoZip: If it has no directory.
        DamagedDirectory: If it cannot be read on.
    """
    tail_at = max(size - TAIL, 0)
    tail = read(tail_at, size - tail_at)

    def part(at: int, length: int) -> bytes:
        if at >= tail_at:
            return tail[at - tail_at : at - tail_at + length]
        return read(at, length)

    begin, end, shift = _place(part, tail, tail_at)
    at, number, held, used = begin, 0, b"", 0
    while at < end:
        if len(held) - used < _LONGEST_ENTRY and at + len(held) - used < end:
            held, used = held[used:], 0
            held += part(at + len(held), min(_CHUNK, end - at - len(held)))
        entry, length = None, 0
        if len(held) - used >= _ENTRY.size:
            fields = _ENTRY.unpack_from(held, used)
            length = _ENTRY.size + sum(fields[10:13])
            if len(held) - used >= length:
                entry = entry_of(fields, held[used + _ENTRY.size : used + length], shift)
        if entry is None:
            raise DamagedDirectory(f"its directory is damaged at byte {at}, behind {number} files")
        yield entry
        number += 1
        used += length
        at += length


def _place(part: Callable[[int, int], bytes], tail: bytes, tail_at: int) -> tuple[int, int, int]:
    """The places of the directory's begin and end, and how much all places are off (something stands before)."""
    at = len(tail)
    while (at := tail.rfind(b"PK\5\6", 0, at)) >= 0:
        if len(tail) - at >= _END.size and at + _END.size + _END.unpack_from(tail, at)[7] <= len(tail):
            break
    if at < 0:
        raise NoZip("it breaks off: its directory, which belongs at the end, is not there")
    _, disk, first_disk, _, _, length, offset, _ = _END.unpack_from(tail, at)
    end = tail_at + at
    located = part(end - _LOCATOR_64.size, _LOCATOR_64.size) if end >= _LOCATOR_64.size else b""
    if located.startswith(b"PK\6\7"):
        _, _, given, _ = _LOCATOR_64.unpack(located)
        for place in (given, end - _LOCATOR_64.size - _END_64.size):
            record = part(place, _END_64.size) if 0 <= place < end else b""
            if len(record) == _END_64.size and record.startswith(b"PK\6\6"):
                _, _, _, _, disk, first_disk, _, _, length, offset = _END_64.unpack(record)
                end = place
                break
        else:
            raise NoZip("its end is damaged: the record with the sizes is not where it says")
    if disk or first_disk:
        raise NoZip("it is a part of an archive that was split; join the parts first (zip -s 0)")
    shift = end - length - offset
    if shift < 0:
        raise NoZip("its end is damaged: the directory is not where it says")
    return end - length, end, shift


def entry_of(fields: tuple[Any, ...], rest: bytes, shift: int) -> ZipFile | None:
    """An entry of the directory; None if it makes no sense.

    Args:
        fields: The numbers of its fixed part, in the order of the format.
        rest: Its name, its extra fields and its comment.
        shift: What has to be added to its place.
    """
    signature, made, _, flags, method, time, date, crc, stored, size, name_length, extra_length, _, _, _, mode, at = (
        fields
    )
    raw, extra = rest[:name_length], rest[name_length : name_length + extra_length]
    name, big = _text(raw, flags, made >> 8), b""
    for number, value in _extra_fields(extra):
        if number == 1:
            big = value
        elif number == 0x7075 and value[:1] == b"\1" and value[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            name = value[5:].decode("utf-8", "surrogateescape")
    numbers = [size, stored, at]
    for index, short in enumerate(numbers):
        if short == _FULL_32 and len(big) >= 8:
            numbers[index], big = int.from_bytes(big[:8], "little"), big[8:]
    size, stored, at = numbers
    if signature != b"PK\1\2" or not raw or at + shift < 0:
        return None
    if made >> 8 == _FAT and "/" not in name:
        name = name.replace("\\", "/")
    header = LOCAL.size + name_length + _USUAL_EXTRA
    kind = "folder" if mode & _DOS_FOLDER and not size else _kind(name, made >> 8, mode)
    return ZipFile(name, kind, size, stored, at + shift, header, _time(date, time), method, crc, flags)


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]


def _text(raw: bytes, flags: int, system: int) -> str:
    """A name: UTF-8 where it says so or is so, else what Unix has in it, or the letters of DOS."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if flags & _UTF_8 or system in _UNIX:
            return raw.decode("utf-8", "surrogateescape")
        return raw.decode("cp437")


def _kind(name: str, system: int, mode: int) -> str:
    if name.endswith("/"):
        return "folder"
    if system in _UNIX and (form := stat.S_IFMT(mode >> 16)):
        known = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
        return known.get(form, "device")
    return "file"


def _time(date: int, time: int) -> datetime:
    try:
        return datetime(1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2)
    except ValueError:  # archives made by programs often hold a month or day 0
        return datetime(1980, 1, 1)


# --- content --------------------------------------------------------------------------------


def refuse_unreadable(method: int, flags: int, label: str) -> None:
    """Refuse a file that cannot be read at all.

    Raises:
        InputReadError: If it is encrypted, or compressed in a way that is not known.
    """
    if flags & (_ENCRYPTED | _DIRECTORY_ENCRYPTED) or method == _AES:
        raise InputReadError(
            "it is encrypted, and its password cannot be given", where=label, hint="unpack it with: unzip or 7z"
        )
    if method not in _READABLE:
        name = _OTHER_METHODS.get(method, "unknown")
        raise InputReadError(
            f"its compression ({name}, method {method}) cannot be read",
            where=label,
            hint="unpack it with 7z, and pack it again with: zip",
        )


def content(file: ZipFile, open_part: Callable[[int, int], BinaryIO], label: str) -> Generator[bytes]:
    """The bytes of a file, in pieces; its checksum and size are compared at its end.

    Args:
        file: From the directory.
        open_part: Opens bytes of the archive: from which place on, and how many.
        label: What messages call the file.

    Raises:
        InputReadError: If it is damaged, behind what came before the damage; if it cannot be read at all, at once.
    """
    refuse_unreadable(file.method, file.flags, label)
    crc = got = 0
    for piece in _unpacked(file, open_part, label):
        crc = zlib.crc32(piece, crc)
        got += len(piece)
        if got > file.size:
            break
        yield piece
    if got != file.size:
        more = "more" if got > file.size else f"{got}"
        raise _damaged(label, f"it has {more} bytes, and {file.size} by the directory of its archive")
    if crc != file.crc:
        raise _damaged(label, f"its checksum is {crc:08x}, and {file.crc:08x} by the directory of its archive")


def _unpacked(file: ZipFile, open_part: Callable[[int, int], BinaryIO], label: str) -> Iterator[bytes]:
    offset, rest = 0, file.header + file.stored
    with open_part(file.at, rest) as opened:
        local = opened.read(LOCAL.size)
        if len(local) < LOCAL.size or not local.startswith(b"PK\3\4"):
            raise _damaged(label, f"its header at byte {file.at} of the archive is damaged")
        offset = LOCAL.size + sum(LOCAL.unpack(local)[9:11])
        if offset <= file.header:
            opened.read(offset - LOCAL.size)
            yield from _decompressed(file, opened, label)
            return
    with open_part(file.at + offset, file.stored) as opened:
        yield from _decompressed(file, opened, label)


def _decompressed(file: ZipFile, source: BinaryIO, label: str) -> Iterator[bytes]:
    pieces = _pieces(file, source, label)
    if file.method == STORED:
        yield from pieces
        return
    try:
        decompressor = _decompressor(file, pieces)
        for piece in pieces:
            yield from outputs(decompressor, piece)
            if decompressor.eof:
                return
    except DAMAGE as error:
        raise _damaged(label, f"its compressed data is damaged ({error})") from None
    except MemoryError:
        raise _damaged(label, "its compressed data asks for more memory than there is") from None


def _pieces(file: ZipFile, source: BinaryIO, label: str) -> Iterator[bytes]:
    left = file.stored
    while left:
        piece = source.read(min(_PIECE, left))
        if not piece:
            raise _damaged(label, f"the archive breaks off {left} bytes before its end")
        left -= len(piece)
        yield piece


def _decompressor(file: ZipFile, pieces: Iterator[bytes]) -> Decompressor:
    if file.method == DEFLATE:
        return cast(Decompressor, isal_zlib.decompressobj(-15))
    if file.method == _BZIP2:
        return cast(Decompressor, bz2.BZ2Decompressor())
    if file.method == _XZ:
        return cast(Decompressor, lzma.LZMADecompressor(lzma.FORMAT_XZ))
    if file.method == _ZSTD:
        return Zstd()
    return _Lzma(file)


class _Lzma:
    """LZMA as zip has it: the same as in files of ``lzma``, behind another header."""

    def __init__(self, file: ZipFile) -> None:
        self._size = -1 if file.flags & _LZMA_MARKS_ITS_END else file.size
        self._header = b""
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_ALONE)

    @property
    def eof(self) -> bool:
        """True at the end."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """The bytes behind the end."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """The next bytes."""
        if len(self._header) < 9:
            self._header += data
            if len(self._header) < 9:
                return b""
            # version (2 bytes), length of the properties (2), properties (5)
            if self._header[2:4] != b"\5\0":
                raise ValueError("no LZMA data")
            size = self._size.to_bytes(8, "little", signed=True)
            data = self._header[4:9] + size + self._header[9:]
        return self._inner.decompress(data, max_length)


def _damaged(label: str, what: str) -> InputReadError:
    return InputReadError(what, where=label, hint="get the archive again; try it with: unzip -t")
