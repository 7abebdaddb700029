"""An object as a file in which one can go to any place, as the end of a zip archive needs it."""

from __future__ import annotations

import io
from typing import BinaryIO

from ess.stores.store import Entry, Store


class SeekableObject(io.RawIOBase):
    """Reads one version of an object; going elsewhere in it opens it anew from there.

    Args:
        store: Where it is.
        entry: The object, with its size and version.

    Raises:
        EssError: If it is not there, or another version by now.
    """

    def __init__(self, store: Store, entry: Entry) -> None:
        self._store = store
        self._entry = entry
        self._at = 0
        self._stream: BinaryIO | None = None  # what is closed, also where the next line fails
        self._stream = store.open(entry.key, version=entry.version)
        self._stream_at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place; nothing is asked of the store yet."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.size}[whence]
        if base + offset < 0:
            raise ValueError(f"there is no place {base + offset} in a file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` with what is next.

        Raises:
            EssError: If the store does not give it.
        """
        if self._at >= self._entry.size:
            if self._stream is not None and self._stream_at == self._at:
                self._stream.read(1)  # it compares its checksum when it has no more
                self._leave()
            return 0
        if self._stream is None or self._stream_at != self._at:
            self._leave()
            self._stream = self._store.open(self._entry.key, offset=self._at, version=self._entry.version)
        count = self._stream.readinto(buffer)  # type: ignore[attr-defined]  # a buffered reader has it
        self._at += count
        self._stream_at = self._at
        return int(count)

    def _leave(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def close(self) -> None:
        """Close what is open."""
        if not self.closed:
            self._leave()
        super().close()
