"""Reading separated records without knowing their columns: each record as the bytes it is made of."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import polars as pl

from ess.errors import OptionError
from ess.formats.attributes import Format, InputAttributes
from ess.formats.blocks import ByteSource, RawBlock, blocks
from ess.formats.codecs import open_decompressed
from ess.formats.reader import InputBatch, Reject
from ess.formats.records import Layout, line_at, parse_record
from ess.formats.text_source import TextSource
from ess.schema.batch import Batch
from ess.schema.columns import Column
from ess.schema.types import ColumnType

#: The column of a batch that holds the records, each with its line end (the last one of a file gets one).
RECORD = "#record"

_BLOCK_BYTES = 8 << 20


def read_raw(file: str, attributes: InputAttributes, *, stdin: BinaryIO | None = None) -> Iterator[InputBatch]:
    """The records of a file as batches of one column, ``RECORD``.

    Args:
        file: A path, or ``-`` for the standard input.
        attributes: How records are told apart; the format must be ``SEPARATED``.
        stdin: What to read for ``-`` instead of the process's standard input.

    Raises:
        OptionError: If the format is another.
        EssError: As ``ess.formats.reader.read_input`` does.
    """
    if file == "-":
        source = stdin if stdin is not None else sys.stdin.buffer
        stream = open_decompressed(source, name="standard input")
        yield from read_raw_stream(stream, file, attributes)
    else:
        with open_decompressed(file) as stream:
            yield from read_raw_stream(stream, file, attributes)


def read_raw_stream(stream: ByteSource, name: str, attributes: InputAttributes) -> Iterator[InputBatch]:
    """The records of an open stream of decompressed bytes; otherwise as ``read_raw``."""
    if attributes.format is not Format.SEPARATED:
        raise OptionError(f"a '{attributes.format.value}' input needs columns", where="-f", hint="give them with -d")
    layout = Layout(attributes, (Column("", ColumnType.S, wanted=False),))
    yield from _batches(stream, name, layout)


def split_fields(records: Iterable[bytes], attributes: InputAttributes) -> Iterator[list[bytes]]:
    """The values of all fields of each record of ``read_raw``, quotes undone."""
    pattern = _field_pattern(attributes)
    separator = attributes.separator
    for record in records:
        content = record[: _content_length(record)]
        if pattern is None or (b'"' not in content and b"\\" not in content):
            yield content.split(separator)
        else:
            yield [_value(match[1], attributes) for match in pattern.finditer(content)]


def _value(field: bytes, attributes: InputAttributes) -> bytes:
    if attributes.quoted and field[:1] == b'"' and field[-1:] == b'"' and len(field) > 1:
        field = field[1:-1].replace(b'""', b'"')
    return re.sub(rb"\\(.)", rb"\1", field, flags=re.DOTALL) if attributes.escape else field


def choose_fields(batch: Batch, attributes: InputAttributes, numbers: Sequence[int]) -> list[bytes]:
    """Some fields of each record, as raw as they are, with separators and a line end; blank where it has none.

    Args:
        batch: A batch of ``read_raw``.
        attributes: How its fields are told apart.
        numbers: The fields, from 1, in the order wanted.
    """
    pattern = _field_pattern(attributes)
    separator = attributes.separator
    most = max(numbers)
    chosen: list[bytes] = []
    for record in batch.get_column(RECORD).to_list():
        content = record[: _content_length(record)]
        if pattern is None or (b'"' not in content and b"\\" not in content):
            fields = content.split(separator)
        else:
            fields = [match[1] for match in pattern.finditer(content)]
        fields += [b""] * (most - len(fields))
        chosen.append(separator.join([fields[number - 1] for number in numbers]) + b"\n")
    return chosen


def _content_length(record: bytes) -> int:
    """The number of bytes of a record before its line end."""
    return len(record) - (2 if record.endswith(b"\r\n") else 1)


def _field_pattern(attributes: InputAttributes) -> re.Pattern[bytes] | None:
    """A pattern whose matches, one after the other, are the fields of a good record; None where a split is enough."""
    if not (attributes.quoted or attributes.escape):
        return None
    separator = re.escape(attributes.separator)
    escaped = rb"\\.|" if attributes.escape else b""
    forms = []
    if attributes.quoted:
        forms.append(rb'"(?:' + escaped + rb'""|[^"])*"(?=' + separator + rb"|\Z)")
    forms.append(rb"(?:" + escaped + rb"(?!" + separator + rb").)*")
    return re.compile(rb"(?:\A|(?<=" + separator + rb"))(" + b"|".join(forms) + rb")(?=" + separator + rb"|\Z)", re.S)


def _batches(stream: ByteSource, file: str, layout: Layout) -> Iterator[InputBatch]:
    attributes = layout.attributes
    to_skip = attributes.skip
    stream = TextSource(stream, file, attributes.encoding)
    if attributes.skip_unit == "b":
        while to_skip and (dropped := stream.read(min(to_skip, _BLOCK_BYTES))):
            to_skip -= len(dropped)
        to_skip = 0
    before = 0
    for block in blocks(stream, _BLOCK_BYTES, attributes.record_limit):
        start = 0
        while to_skip and start < block.end:
            if attributes.skip_unit == "l":
                start = line_at(block.data, start, block.end)[0]
            else:
                record = parse_record(block.data, start, block.end, final=block.final, layout=layout)
                if record is None:
                    break
                start = record.end
            to_skip -= 1
        block.consumed = start
        if to_skip or start == block.end:
            continue
        records, rejects = _records(block, start, layout, before, file)
        yield InputBatch(
            pl.DataFrame({RECORD: pl.Series(records, dtype=pl.Binary)}), len(records) + len(rejects), rejects, file
        )
        before += len(records) + len(rejects)


def _records(
    block: RawBlock, start: int, layout: Layout, before: int, file: str
) -> tuple[list[bytes], tuple[Reject, ...]]:
    """The good records of a block, and the bad ones; sets what is consumed."""
    data, end = block.data, block.end
    limit = layout.attributes.record_limit
    if not (layout.attributes.quoted and data.find(b'"', start, end) >= 0):
        lines = data[start:end].splitlines(keepends=True) if b"\r" not in data else _lines(data[start:end])
        if max(map(len, lines)) <= limit:
            block.consumed = end
            if not lines[-1].endswith(b"\n"):
                lines[-1] += b"\n"
            return lines, ()
    records: list[bytes] = []
    rejects: list[Reject] = []
    position = start
    while position < end:
        record = parse_record(data, position, end, final=block.final, layout=layout)
        if record is None:
            break
        if record.reason:
            number = before + len(records) + len(rejects) + 1
            rejects.append(Reject(len(records), number, f"#{record.column + 1}", record.reason))
        else:
            raw = data[position : record.end]
            records.append(raw if raw.endswith(b"\n") else raw + b"\n")
        position = record.end
    block.consumed = position
    return records, tuple(rejects)


def _lines(data: bytes) -> list[bytes]:
    """Lines with their ends, where only LF ends one."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    if data.endswith(b"\n"):
        lines.pop()
    return lines
