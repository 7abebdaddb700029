"""The titles of an input, read before its records."""

from __future__ import annotations

import io
from dataclasses import dataclass

from ess.errors import InputReadError
from ess.formats.attributes import InputAttributes
from ess.formats.blocks import ByteSource, RawBlock
from ess.formats.known.columns import columns_below
from ess.formats.known.definition import Titles
from ess.formats.known.logfmt import keys_of
from ess.formats.known.titled_records import TitledParser
from ess.formats.parse_exact import Block, parse_block_exactly
from ess.formats.records import Layout, line_at
from ess.formats.text_source import TextSource
from ess.schema.columns import Column

#: So much is read at a time, and at most.
_PIECE, _MOST = 1 << 16, 1 << 22


@dataclass(frozen=True)
class TitledHead:
    """The columns that the titles name, and the bytes that were read for them."""

    columns: tuple[Column, ...]
    data: bytes


def read_titles(stream: ByteSource, attributes: InputAttributes, where: str) -> TitledHead:
    """Read as much of an open input as its titles take.

    Raises:
        InputReadError: If it has none, though it has data.
    """
    assert attributes.known is not None
    data = b""
    while True:
        piece = stream.read(_PIECE)
        data += piece
        titles = _titles_in(data, attributes, where, final=not piece)
        if titles is not None:
            return TitledHead(columns_below(titles, attributes.known), data)
        if not piece or len(data) > _MOST:
            raise InputReadError(
                "it has no titles", where=where, hint="name its columns with -d, e.g. -d s:Name i:Count"
            )


def titles_of(sample: bytes, attributes: InputAttributes) -> tuple[str, ...]:
    r"""The titles at the beginning of a file with these attributes, none if it has none there.

    >>> from ess.formats.attributes import parse_input_attributes
    >>> titles_of(b"#Version: 1.0\n#Fields: date c-ip\n", parse_input_attributes(["w3c"], where="-f"))
    ('date', 'c-ip')
    """
    return _titles_in(sample, attributes, "sample", final=True) or ()


def _titles_in(data: bytes, attributes: InputAttributes, where: str, *, final: bool) -> tuple[str, ...] | None:
    """The titles at the beginning of an input, None if they are not there."""
    source, pieces = TextSource(io.BytesIO(data), where, attributes.encoding), []
    try:
        while piece := source.read(_MOST):
            pieces.append(piece)
    except InputReadError:  # it is cut in the middle of a character
        if final:
            raise
    text = b"".join(pieces)
    start = 0
    for _ in range(attributes.skip):
        start = line_at(text, start, len(text))[0]
    end = len(text) if final else text.rfind(b"\n") + 1
    if start >= end:
        return None
    assert attributes.known is not None
    if attributes.known.titles is Titles.KEYS:
        return tuple(keys_of(text[start:end])) or None
    parser = TitledParser(attributes, (), attributes.known, _first_record, where)
    parser.parse(RawBlock(text, end, final), start)
    return parser.titles


def _first_record(raw: RawBlock, start: int, layout: Layout) -> Block:
    """No more than the first line of some records: titles further down are not those of the beginning."""
    end = line_at(raw.data, start, raw.end)[0]
    block = parse_block_exactly(raw.data, start, end, final=True, layout=layout)
    return Block(block.frame, (), start)
