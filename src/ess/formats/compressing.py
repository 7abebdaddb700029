"""Compression of what is written, as the end of its name says."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import zstandard
from isal import isal_zlib

from ess.errors import OutputWriteError
from ess.formats.codecs import compression_of

_CHUNK = 1 << 20

#: Bytes that show what a file is.
_HEAD = 512


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def _gzip() -> _Compressor:
    made: _Compressor = isal_zlib.compressobj(isal_zlib.ISAL_BEST_COMPRESSION, isal_zlib.DEFLATED, 31)
    return made


#: The end of a name: the compression it promises, and what makes it.
_ENDINGS: dict[str, tuple[str, Callable[[], _Compressor]]] = {
    ".gz": ("gzip", _gzip),
    ".bz2": ("bzip2", bz2.BZ2Compressor),
    ".xz": ("xz", lzma.LZMACompressor),
    ".zst": ("zstd", lambda: zstandard.ZstdCompressor().compressobj()),
}
_ARCHIVES = {".tgz": "gzip", ".tbz2": "bzip2", ".txz": "xz", ".tzst": "zstd", ".zip": "zip", ".tar": "tar"}


def compressed(source: BinaryIO, name: str, *, where: str) -> Iterator[bytes]:
    """The content of a file, compressed as its new name says, in pieces; what is so already stays as it is.

    Args:
        source: The file.
        name: Its new name.
        where: Its new place, for messages.

    Raises:
        OutputWriteError: If the name promises an archive, and the content is none.

    >>> import gzip, io
    >>> packed = b"".join(compressed(io.BytesIO(b"some text"), "a.gz", where="a.gz"))
    >>> gzip.decompress(packed)
    b'some text'
    >>> b"".join(compressed(io.BytesIO(packed), "a.gz", where="a.gz")) == packed
    True
    """
    head = source.read(_HEAD)
    found = compression_of(head)
    compressor = _compressor(name.lower(), found, where)
    piece = head
    while piece:
        if made := compressor.compress(piece):
            yield made
        piece = source.read(_CHUNK)
    if made := compressor.flush():
        yield made


class QuickGzip:
    """A gzip file that is written fast, rather than small.

    Args:
        file: Takes it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._compressor: _Compressor = isal_zlib.compressobj(1, isal_zlib.DEFLATED, 31)

    def write(self, data: bytes, /) -> int:
        """Write more of the content."""
        self._file.write(self._compressor.compress(data))
        return len(data)

    def finish(self) -> None:
        """Write what is left."""
        self._file.write(self._compressor.flush())


def _compressor(name: str, found: str, where: str) -> _Compressor:
    archive = next((kind for ending, kind in _ARCHIVES.items() if name.endswith(ending)), None)
    if archive is not None and found != archive:
        raise OutputWriteError(
            f"its name promises an archive, and what the command printed is none ({found})",
            where=where,
            hint="let the command make it, or give a name that ends in .gz, .bz2, .xz or .zst",
        )
    for ending, (kind, make) in _ENDINGS.items():
        if not name.endswith(ending):
            continue
        if found == kind:
            break
        if name.removesuffix(ending).endswith(".tar") and found != "tar":
            return _compressor(".tar", found, where)
        return make()
    return _Plain()
