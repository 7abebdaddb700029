"""The files of a zip archive that has lost its directory, as one that breaks off: each has a header of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from isal import isal_zlib

from ess.formats.decompressors import UNPACKED
from ess.formats.tar_archive import TarStream
from ess.formats.zip_archive import DAMAGE, DEFLATE, LOCAL, STORED, ZipFile, entry_of

_HAS_DESCRIPTOR = 1 << 3
_PIECE = 1 << 16


class Lost(Exception):
    """Raised where nobody can tell where the next file begins; its text is the name of the one before."""


def recovered(stream: TarStream) -> Iterator[ZipFile]:
    """The files from the beginning on; the last one may be cut. Their headers do not tell links from files.

    Args:
        stream: The archive from its beginning.

    Raises:
        Lost: If it breaks off in a file whose size stands behind its content.
    """
    while True:
        at = stream.tell()
        header = stream.read(LOCAL.size)
        if len(header) < LOCAL.size or not header.startswith(b"PK\3\4"):
            return
        rest = stream.read(sum(LOCAL.unpack(header)[9:11]))
        found = _entry(at, header, rest)
        if found is None:
            return
        begin = stream.tell()
        described = bool(found.flags & _HAS_DESCRIPTOR) and found.kind == "file"
        if described and not found.stored:
            crc, stored, size = _behind(stream, found.method, found.name)
            found = replace(found, crc=crc, stored=stored, size=size)
        yield found
        if stream.tell() == begin:
            stream.seek(begin + found.stored)
            if described:
                stream.read(max(stream.peek(28).find(b"PK\3\4"), 0))


def _entry(at: int, header: bytes, rest: bytes) -> ZipFile | None:
    """The file of a header, as the directory would have it; None if it makes no sense."""
    _, version, flags, method, time, date, crc, stored, size, name_length, extra_length = LOCAL.unpack(header)
    if len(rest) < name_length + extra_length:
        return None
    numbers = (version, 0, flags, method, time, date, crc, stored, size, name_length, extra_length, 0, 0, 0, 0, at)
    return entry_of((b"PK\1\2", *numbers), rest, 0)


def _behind(stream: TarStream, method: int, name: str) -> tuple[int, int, int]:
    """The checksum, the stored size and the size that stand behind a content, which has to be read to find its end."""
    if method not in (DEFLATE, STORED):
        raise Lost(name)
    decompressor = isal_zlib.decompressobj(-15)
    stored = size = 0
    while method == DEFLATE and not decompressor.eof:
        piece = stream.read(_PIECE)
        if not piece:
            raise Lost(name)
        stored += len(piece)
        while piece and not decompressor.eof:
            try:
                size += len(decompressor.decompress(piece, UNPACKED))
            except DAMAGE:
                raise Lost(name) from None
            piece = decompressor.unconsumed_tail
    unused = decompressor.unused_data
    stored -= len(unused)
    stream.push_back(unused)
    described = stream.peek(28)
    after_mark = described[4:] if described.startswith(b"PK\7\x08") else described
    for width in (4, 8):  # zip64 has longer numbers
        packed, unpacked = (int.from_bytes(after_mark[4 + width * n : 4 + width * (n + 1)], "little") for n in (0, 1))
        length = len(described) - len(after_mark) + 4 + 2 * width
        if (packed, unpacked) == (stored, size) and described[length : length + 2] in (b"PK", b""):
            stream.read(length)
            return int.from_bytes(after_mark[:4], "little"), stored, size
    raise Lost(name)
