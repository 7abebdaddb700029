"""Decompressors of the libraries under one interface, and all that some bytes give in pieces of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import zstandard

#: The most bytes that are unpacked at a time.
UNPACKED = 1 << 20


class Decompressor(Protocol):
    """The common interface of the gzip, bzip2, xz and zstd decompressors."""

    @property
    def eof(self) -> bool:
        """True if the compressed data has come to its end."""
        ...

    @property
    def unused_data(self) -> bytes:
        """The bytes behind that end."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """The next bytes of the content, at most so many."""
        ...


class Zstd:
    """A decompressor whose output for a kilobyte is 32 MB at most, so that it needs no limit."""

    def __init__(self) -> None:
        # The longest window there is (`zstd --long=31`); of its memory only what the data fills is used.
        self._inner = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()

    @property
    def eof(self) -> bool:
        """True if the compressed data has come to its end."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """The bytes behind that end."""
        return self._inner.unused_data

    def decompress(self, data: bytes, _max_length: int, /) -> bytes:
        """The next bytes of the content."""
        return self._inner.decompress(data)


def outputs(decompressor: Decompressor, data: bytes) -> Iterator[bytes]:
    """All that some compressed bytes give, in pieces of :data:`UNPACKED` bytes at most."""
    while not decompressor.eof:
        out = decompressor.decompress(data, UNPACKED)
        if out:
            yield out
        data = getattr(decompressor, "unconsumed_tail", b"")  # the others keep it themselves
        if not data and len(out) < UNPACKED:
            return
