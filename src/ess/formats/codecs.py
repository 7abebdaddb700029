"""Undoing compression: gzip, bzip2, xz, zstd, and the members of zip and tar archives.

The first bytes of a stream decide what it is; names do not matter. Compressed members may follow each
other. An archive is read as its files one after the other, in the archive's order; a
file in it may be compressed, and an archive may (``.tar.gz``), but an archive in an archive is data. What the archive
program of a Mac or Windows adds for itself is left out (:mod:`ess.formats.archive_names`).

However much a few bytes unpack to, only a piece of it is held in memory.

Damage is reported late: everything readable before it is delivered, and only then is
`InputReadError` raised, with the offset near which the compressed stream breaks.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import select
import shutil
import stat
import sys
import tempfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import zstandard
from isal import igzip_lib, isal_zlib

from ess.errors import InputReadError
from ess.formats import tar_archive, zip_archive
from ess.formats.archive_names import inner_path, is_clutter
from ess.formats.decompressors import Decompressor, Zstd, outputs
from ess.formats.endpoints import open_source

#: Where the magic of a tar archive ends, and so how many bytes tell what a stream is.
_SNIFFED = 262
_SOURCE_READ = 1 << 18
#: A decompressor that fails returns nothing for the piece it failed on, so pieces are small ...
_PIECE = 1024
#: ... and the last bytes, where the check sums stand, are given to it one by one.
_HELD_BACK = 32
#: So many bytes of what follows compressed data are shown.
_SHOWN = 16
_SPOOL_IN_MEMORY = 8 << 20
#: How long a pipe may be silent, in seconds, before what it brought so far is handed on.
_PAUSE = 0.1
#: How long a Ctrl-C may go unseen, in seconds.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class _Codec:
    name: str
    magic: bytes
    make: Callable[[], Decompressor]
    damage: tuple[type[Exception], ...]
    #: The beginnings of parts that have no content.
    skipped: tuple[bytes, ...] = ()

    @property
    def magics(self) -> tuple[bytes, ...]:
        """The beginnings of its data."""
        return (self.magic, *self.skipped)


_SKIPPABLE = tuple(bytes([0x50 + number, 0x2A, 0x4D, 0x18]) for number in range(16))
_CODECS = (
    _Codec(
        "gzip",
        b"\x1f\x8b\x08",
        lambda: cast(Decompressor, isal_zlib.decompressobj(31)),
        (cast(type[Exception], igzip_lib.IsalError), zlib.error, ValueError),
    ),
    _Codec("bzip2", b"BZh", lambda: cast(Decompressor, bz2.BZ2Decompressor()), (OSError, ValueError, EOFError)),
    _Codec("xz", b"\xfd7zXZ\x00", lambda: cast(Decompressor, lzma.LZMADecompressor()), (lzma.LZMAError, EOFError)),
    _Codec("zstd", b"\x28\xb5\x2f\xfd", Zstd, (zstandard.ZstdError,), _SKIPPABLE),
)
_BZIP2_BLOCK = (b"1AY&SY", b"\x17rE8P\x90")
#: How ``bin`` and ``aq`` data begin, which have no lines.
_ARROW = b"\xff\xff\xff\xff"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_TAR = b"ustar"
_TAR_AT = 257


def compression_of(head: bytes) -> str:
    r"""The compression that the first 262 bytes (or more) of a file show: gzip, bzip2, xz, zstd, zip, tar or none.

    >>> compression_of(b"PK\x03\x04")
    'zip'
    """
    codec = _codec_of(head)
    if codec is not None:
        return codec.name
    return "tar" if _is_tar(head) else "zip" if head.startswith(_ZIP) else "none"


def _codec_of(head: bytes) -> _Codec | None:
    for codec in _CODECS:
        if head.startswith(codec.magics) and (codec.name != "bzip2" or head[4:10] in _BZIP2_BLOCK):
            return codec
    return None


def _is_tar(head: bytes) -> bool:
    return head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR


class DecodedStream(io.RawIOBase):
    """A readable stream made of byte pieces.

    ``read(n)`` returns n bytes unless the stream ends first, breaks or pauses. Where it breaks, the bytes
    before the break are returned first and the error is raised by the next call. It pauses when a pipe
    brings nothing for a moment; an empty piece says so.
    """

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces = pieces
        self._close = close
        self._rest: memoryview = memoryview(b"")
        self._error: Exception | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """At most ``size`` bytes (all without); no bytes at the end."""
        wanted = -1 if size is None else size
        parts: list[memoryview | bytes] = []
        got = 0
        while wanted < 0 or got < wanted:
            if not self._rest:
                piece = self._next_piece(got)
                if piece is None or (got and not piece):
                    break
                self._rest = memoryview(piece)
                continue
            part = self._rest if wanted < 0 else self._rest[: wanted - got]
            self._rest = self._rest[len(part) :]
            parts.append(part)
            got += len(part)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def readall(self) -> bytes:
        """Everything that is left."""
        return self.read(-1)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill ``buffer``; 0 at the end."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close what the bytes come from."""
        if not self.closed:
            self._close()
        super().close()

    def _next_piece(self, got: int) -> bytes | None:
        if self._error is None:
            try:
                return next(self._pieces, None)
            except InputReadError as error:
                self._error = error
                if got:
                    return None
        raise self._error


def open_decompressed(source: str | Path | BinaryIO, *, name: str = "", archives: bool = True) -> BinaryIO:
    """The bytes of a file or stream without their compression.

    Args:
        source: A path or another place (see `ess.formats.endpoints`), or an open binary stream, which is not closed.
        name: How messages call it; the path if it is not given.
        archives: Whether an archive is read as its files; else it is data.

    Raises:
        InputOpenError: If the path cannot be opened.
        InputReadError: From ``read``, where the input breaks off or is damaged.
    """
    if isinstance(source, str | Path):
        label = name or str(source)
        opened = open_source(str(source))
        stream = DecodedStream(_decoded(_read_pieces(opened, label), label, archives=archives), opened.close)
    else:
        label = name or "standard input"
        stream = DecodedStream(_decoded(_read_pieces(source, label), label, archives=archives), lambda: None)
    return cast(BinaryIO, stream)


def _read_pieces(source: BinaryIO, label: str) -> Iterator[bytes]:
    # read1 hands over what a pipe has instead of waiting for a full piece.
    read = getattr(source, "read1", source.read)
    slow = _pipe_of(source)
    try:
        while True:
            if slow is not None and not select.select([slow], [], [], _PAUSE)[0]:
                yield b""
                if source is sys.stdin.buffer:
                    _wait_for(slow)
            piece = read(_SOURCE_READ)
            if not piece:
                return
            yield piece
    except OSError as error:
        raise InputReadError(f"cannot read it: {error.strerror}", where=label) from None


def _wait_for(descriptor: int) -> None:
    """Wait for bytes. A Ctrl-C that comes just before a read would wait for them too; so this looks up often."""
    while not select.select([descriptor], [], [], _LOOK_SECONDS)[0]:
        pass


def _pipe_of(source: BinaryIO) -> int | None:
    """The descriptor of a stream that may keep its reader waiting."""
    try:
        descriptor = source.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError, AttributeError):
        return None
    return descriptor if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) else None


def _decoded(pieces: Iterator[bytes], label: str, *, archives: bool) -> Iterator[bytes]:
    head, pieces = _sniff(pieces)
    codec = _codec_of(head)
    if codec is not None:
        inner = _decompressed(pieces, codec, label)
        yield from _unpacked(inner, label) if archives else inner
    elif archives:
        yield from _unpacked(pieces, label)
    else:
        yield from pieces


def _unpacked(pieces: Iterator[bytes], label: str) -> Iterator[bytes]:
    """The files of an archive, or the bytes themselves."""
    head, pieces = _sniff(pieces)
    if _is_tar(head):
        yield from _tar_files(pieces, label)
    elif head.startswith(_ZIP):
        yield from _zip_files(pieces, label)
    else:
        yield from pieces


def _sniff(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and an iterator that still has them."""
    taken: list[bytes] = []
    size = 0
    broken: InputReadError | None = None
    while size < _SNIFFED:
        try:
            piece = next(pieces, None)
        except InputReadError as error:
            broken = error
            break
        # A line of text that a slow pipe has brought is enough to go on.
        if piece is None:
            break
        taken.append(piece)
        size += len(piece)
        if not piece and b"\n" in b"".join(taken):
            break

    def again() -> Iterator[bytes]:
        yield from taken
        if broken is not None:
            raise broken
        yield from pieces

    return b"".join(taken)[:_SNIFFED], again()


def _decompressed(pieces: Iterator[bytes], codec: _Codec, label: str) -> Iterator[bytes]:
    decompressor = codec.make()
    offset = 0
    waiting = b""
    small = _small_pieces(pieces)
    for piece in small:
        begin, rest = offset, piece
        offset += len(piece)
        while rest:
            if decompressor.eof:
                # Between members: another one, or the zeros that pad a tape block.
                rest, waiting = waiting + rest if waiting else rest.lstrip(b"\0"), b""
                if not rest.startswith(codec.magics):
                    if not any(magic.startswith(rest[: len(magic)]) for magic in codec.magics):
                        raise _trailing(rest, small, offset - len(rest), codec, label)
                    waiting = rest
                    break
                decompressor = codec.make()
            try:
                yield from outputs(decompressor, rest)
            except codec.damage as error:
                if "memory" in str(error) or "allocat" in str(error).lower():
                    raise InputReadError(
                        f"its {codec.name} data needs more memory than there is ({error})",
                        where=label,
                        hint="give it more memory, or compress it again without --long",
                    ) from None
                raise InputReadError(
                    f"the {codec.name} data is damaged near byte {begin} ({error})",
                    where=label,
                    hint="what came before it was read; get the file again",
                ) from None
            rest = decompressor.unused_data if decompressor.eof else b""
    if waiting:
        raise _trailing(waiting, small, offset - len(waiting), codec, label)
    if not decompressor.eof:
        raise InputReadError(
            f"the {codec.name} data breaks off at byte {offset}",
            where=label,
            hint="what came before it was read; get the file again",
        )


def _trailing(first: bytes, pieces: Iterator[bytes], offset: int, codec: _Codec, label: str) -> InputReadError:
    """The error that other bytes follow compressed data from ``offset`` on: the first ones, and the pieces after."""
    while len(first) < _SHOWN and (piece := next(pieces, b"")):
        first += piece
    return InputReadError(
        f"after its {codec.name} data, from byte {offset}, come other bytes: {ascii(first[:_SHOWN])[1:]}",
        where=label,
        hint="what came before them was read; cut them off, or get the file again",
    )


def _small_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces whose borders do not depend on how the source was read."""
    held = b""
    for piece in pieces:
        held += piece
        at = 0
        while len(held) - at >= _PIECE + _HELD_BACK:
            yield held[at : at + _PIECE]
            at += _PIECE
        held = held[at:]
    cut = max(0, len(held) - _HELD_BACK)
    if cut:
        yield held[:cut]
    for at in range(cut, len(held)):
        yield held[at : at + 1]


def _tar_files(pieces: Iterator[bytes], label: str) -> Iterator[bytes]:
    source = DecodedStream(pieces, lambda: None)
    contents = tar_archive.contents(tar_archive.TarStream(cast(BinaryIO, source)), label)
    yield from _one_after_the_other(
        _decoded(_read_pieces(content, inner), inner, archives=False)
        for name, content in contents
        if not is_clutter(name)
        for inner in (f"{label}/{inner_path(name)}",)
    )


def _zip_files(pieces: Iterator[bytes], label: str) -> Iterator[bytes]:
    # The directory of a zip archive is at its end, so a stream is stored first.
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_IN_MEMORY) as spool:
        shutil.copyfileobj(DecodedStream(pieces, lambda: None), spool, _SOURCE_READ)
        size = spool.tell()

        def read(at: int, length: int) -> bytes:
            spool.seek(at)
            return spool.read(length)

        def contents() -> Iterator[Iterator[bytes]]:
            for file in zip_archive.directory(read, size):
                if file.kind == "file" and not is_clutter(file.name):
                    inner = f"{label}/{inner_path(file.name)}"
                    stored = zip_archive.content(
                        file, lambda at, length: cast(BinaryIO, _Part(read, at, length)), inner
                    )
                    yield _decoded(stored, inner, archives=False)

        try:
            yield from _one_after_the_other(contents())
        except (zip_archive.NoZip, zip_archive.DamagedDirectory) as error:
            raise InputReadError(str(error), where=label, hint="try it with: unzip -t") from None


class _Part(io.RawIOBase):
    """A part of something that is read by places."""

    def __init__(self, read: Callable[[int, int], bytes], at: int, length: int) -> None:
        self._read = read
        self._at = at
        self._end = at + length

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        left = self._end - self._at
        data = self._read(self._at, left if size < 0 else min(size, left))
        self._at += len(data)
        return data


def _one_after_the_other(files: Iterable[Iterator[bytes]]) -> Iterator[bytes]:
    """The content of each file, where a last line without end gets one: no record goes on in the next file."""
    last = b"\n"
    for number, pieces in enumerate(files):
        first = True
        for piece in _without_mark(pieces) if number else pieces:
            if first and piece:
                if last != b"\n" and not piece.startswith(_ARROW):
                    yield b"\n"
                first = False
            last = piece[-1:] or last
            yield piece


def _without_mark(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same without the byte order mark of UTF-8; that of the first file is left to `ess.formats.text_source`."""
    head, pieces = _sniff(pieces)
    to_drop = len(BOM_UTF8) if head.startswith(BOM_UTF8) else 0
    for piece in pieces:
        yield piece[to_drop:]
        to_drop = max(0, to_drop - len(piece))
