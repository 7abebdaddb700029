"""Inputs that bring their own columns: their beginning is read when the command line is checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from ess.formats.attributes import Format, InputAttributes
from ess.formats.codecs import open_decompressed
from ess.formats.endpoints import open_source
from ess.schema.columns import Column

if TYPE_CHECKING:
    from ess.formats.binary import Replayed
    from ess.formats.blocks import ByteSource
    from ess.formats.reader import InputBatch


class StartedFile:
    """The first file of an input that brings its own columns, open, with its beginning read.

    It stays open until it is read, because a pipe cannot be read twice.

    Args:
        file: Its name, ``-`` for the standard input.
        attributes: How to read it: ``aq``, or with titles.

    Raises:
        InputOpenError: If it cannot be opened.
        InputReadError: If it does not begin with column specs or titles.
    """

    def __init__(self, file: str, attributes: InputAttributes) -> None:
        where = "standard input" if file == "-" else file
        self.file = file
        self._stream: BinaryIO | Replayed | None
        if attributes.format is Format.PARQUET:
            from ess.formats.parquet import ParquetInput, columns_of, seekable
            from ess.formats.reader import is_parquet

            plain = is_parquet(file, attributes)
            source = open_source(file) if plain else open_decompressed(sys.stdin.buffer if file == "-" else file)
            self._stream = seekable(source)
            self.columns = columns_of([ParquetInput(self._stream, where).types])
            self._stream.seek(0)
            return
        from ess.formats.binary import Replayed

        stream = open_decompressed(sys.stdin.buffer, name=where) if file == "-" else open_decompressed(file)
        self.columns, data = _beginning(stream, attributes, where)
        self._stream = Replayed(data, stream)

    def take(self, file: str) -> BinaryIO | Replayed | None:
        """The stream from its first byte, if ``file`` is this one and nobody has taken it yet."""
        if file != self.file:
            return None
        stream, self._stream = self._stream, None
        return stream


def _beginning(stream: ByteSource, attributes: InputAttributes, where: str) -> tuple[tuple[Column, ...], bytes]:
    """The columns that an open input brings, and the bytes that were read for them."""
    if attributes.known is None:
        from ess.formats.binary import read_head

        head = read_head(stream, where)
        return head.columns, head.data
    from ess.formats.known.head import read_titles  # loads what reads it, which `aq` does not need

    titled = read_titles(stream, attributes, where)
    return titled.columns, titled.data


def read_started(
    stream: BinaryIO | Replayed, file: str, attributes: InputAttributes, columns: tuple[Column, ...]
) -> Iterator[InputBatch]:
    """The batches of a stream that was taken; it is closed after them."""
    from ess.formats.reader import read_opened

    try:
        yield from read_opened(stream, file, attributes, columns)
    finally:
        stream.close()
