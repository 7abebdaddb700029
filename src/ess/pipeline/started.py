"""Inputs that bring their own columns: their beginning is read when the command line is checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ess.formats.codecs import open_decompressed
from ess.schema.columns import Column

if TYPE_CHECKING:
    from ess.formats.attributes import InputAttributes
    from ess.formats.binary import Replayed
    from ess.formats.reader import InputBatch


class StartedFile:
    """The first file of an ``aq`` input, open, with its beginning read.

    It stays open until it is read, because a pipe cannot be read twice.

    Args:
        file: Its name, ``-`` for the standard input.

    Raises:
        InputOpenError: If it cannot be opened.
        InputReadError: If it does not begin with column specs.
    """

    def __init__(self, file: str) -> None:
        from ess.formats.binary import Replayed, read_head

        stream = open_decompressed(sys.stdin.buffer, name="standard input") if file == "-" else open_decompressed(file)
        head = read_head(stream, "standard input" if file == "-" else file)
        self.file = file
        self.columns: tuple[Column, ...] = head.columns
        self._stream: Replayed | None = Replayed(head.data, stream)

    def take(self, file: str) -> Replayed | None:
        """The stream from its first byte, if ``file`` is this one and nobody has taken it yet."""
        if file != self.file:
            return None
        stream, self._stream = self._stream, None
        return stream


class TitledFile:
    """The first file of an input whose titles name the columns, open, with its titles read.

    Args:
        file: Its name, ``-`` for the standard input.
        attributes: How to read it.

    Raises:
        InputOpenError: If it cannot be opened.
        InputReadError: If it has no titles.
    """

    def __init__(self, file: str, attributes: InputAttributes) -> None:
        from ess.formats.binary import Replayed
        from ess.formats.known.head import read_titles

        where = "standard input" if file == "-" else file
        stream = open_decompressed(sys.stdin.buffer, name=where) if file == "-" else open_decompressed(file)
        head = read_titles(stream, attributes, where)
        self.file = file
        self.columns: tuple[Column, ...] = head.columns
        self._stream: Replayed | None = Replayed(head.data, stream)

    def take(self, file: str) -> Replayed | None:
        """The stream from its first byte, if ``file`` is this one and nobody has taken it yet."""
        if file != self.file:
            return None
        stream, self._stream = self._stream, None
        return stream


def read_started(
    stream: Replayed, file: str, attributes: InputAttributes, columns: tuple[Column, ...]
) -> Iterator[InputBatch]:
    """The batches of a stream that was taken; it is closed after them."""
    from ess.formats.reader import read_opened

    try:
        yield from read_opened(stream, file, attributes, columns)
    finally:
        stream.close()
