"""Reading inputs into batches."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ess.formats.attributes import PARQUET_MAGIC, Format, InputAttributes
from ess.formats.block_pairs import parsed
from ess.formats.blocks import ByteSource, RawBlock, blocks
from ess.formats.codecs import open_decompressed
from ess.formats.endpoints import open_source
from ess.formats.lazy_sequence import Later
from ess.formats.parse_exact import Block, parse_block_exactly
from ess.formats.records import Layout, line_at, make_layout, parse_record
from ess.formats.text_source import TextSource
from ess.schema.batch import Batch
from ess.schema.columns import Column

if TYPE_CHECKING:
    from ess.formats.known.definition import KnownFormat
    from ess.formats.known.reading import KnownColumns
    from ess.formats.nested.json_records import JsonParser

#: A block of fewer bytes is parsed record by record: that takes less time than loading the fast path ...
_SMALL = 1 << 19
#: ... or, once that is loaded, than setting it up.
_TINY = 1 << 11
_FAST = "ess.formats.parse_fast"


@dataclass(frozen=True)
class Reject:
    """A record that could not be read.

    Args:
        before_row: How many good rows of the batch precede it.
        record: Its 1-based number among the records of its file, good and bad, after the skipped ones.
        column: The column it failed on; ``#3`` for a third field without a name.
        reason: Why, with the offending bytes made printable.
    """

    before_row: int
    record: int
    column: str
    reason: str


@dataclass(frozen=True)
class InputBatch:
    """Some consecutive records of one file.

    Args:
        frame: The good records: the wanted columns in order, named by their keys.
        read: How many records it stands for: ``frame.height + len(rejects)``.
        rejects: The bad records, in order.
        file: The file's name; ``-`` for the standard input.
        notes: Sentences about the file.
    """

    frame: Batch
    read: int
    rejects: Sequence[Reject]
    file: str
    notes: tuple[str, ...] = ()


def read_input(
    files: Sequence[str],
    attributes: InputAttributes,
    columns: Sequence[Column],
    *,
    separators: Sequence[bytes] = (),
    batch_bytes: int = 2 << 20,
    stdin: BinaryIO | None = None,
    where: str = "-f",
) -> Iterator[InputBatch]:
    """The records of ``files``, one after the other.

    A rejected record does not end the iteration; the caller decides (``eok``). Records, skip counts
    and record numbers begin anew in each file; the files of an archive count as one.

    Args:
        files: Paths; ``-`` is the standard input; none at all is the standard input too.
        attributes: How to read them.
        columns: The columns of a record in order, unwanted ones included.
        separators: For ``div``: one before each column and one after the last, blank for none.
        batch_bytes: How many decompressed bytes make a batch, about.
        stdin: What to read for ``-`` instead of the process's standard input.
        where: The option, for errors.

    Raises:
        OptionError: If attributes and columns do not fit together (at the first batch).
        InputOpenError: If a file cannot be opened.
        InputReadError: If a file breaks off or is damaged, after what came before the damage.
    """
    read = _file_reader(attributes, columns, separators, batch_bytes, where)
    for file in files or ("-",):
        if file == "-":
            source = stdin if stdin is not None else sys.stdin.buffer
            yield from read(open_decompressed(source, name="standard input"), file, in_pairs=_is_whole(source))
        else:
            with open_source(file) if is_parquet(file, attributes) else open_decompressed(file) as stream:
                yield from read(stream, file, in_pairs=_is_whole(file))


def read_opened(
    stream: ByteSource,
    file: str,
    attributes: InputAttributes,
    columns: Sequence[Column],
    separators: Sequence[bytes] = (),
) -> Iterator[InputBatch]:
    """The records of a file that is open and decompressed already; otherwise as `read_input`."""
    return _file_reader(attributes, columns, separators, 2 << 20, "-f")(stream, file, in_pairs=False)


class _FileReader(Protocol):
    """Reads a file that is open and decompressed."""

    def __call__(self, stream: ByteSource, file: str, *, in_pairs: bool) -> Iterator[InputBatch]:
        """Its records; with ``in_pairs`` two blocks of it may be worked on at a time."""
        ...


def _is_whole(source: BinaryIO | str) -> bool:
    """True if nothing has to be waited for: a file on a disk or in memory, and a processor for each of two threads."""
    try:
        state = Path(source).stat() if isinstance(source, str) else os.fstat(source.fileno())
        return stat.S_ISREG(state.st_mode) and len(os.sched_getaffinity(0)) > 1
    except (OSError, ValueError, AttributeError):  # no such file, no file of the system, no Linux
        return False


def _file_reader(
    attributes: InputAttributes, columns: Sequence[Column], separators: Sequence[bytes], batch_bytes: int, where: str
) -> _FileReader:
    if attributes.format is Format.PARQUET:
        return partial(_read_parquet, columns)
    if attributes.known is not None:
        return partial(_read_named, attributes, attributes.known, columns, batch_bytes=batch_bytes, where=where)
    layout = make_layout(attributes, tuple(columns), tuple(separators), where=where)
    return lambda stream, file, *, in_pairs: _read_stream(stream, file, layout, batch_bytes, in_pairs=in_pairs)


def is_parquet(file: str, attributes: InputAttributes) -> bool:
    """True if a file is to be read as Parquet and is plain, so that it can be read where its columns are."""
    if attributes.format is not Format.PARQUET:
        return False
    try:
        with Path(file).open("rb") as opened:
            return opened.seekable() and opened.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    except (OSError, ValueError):
        return False  # what opens it tells why


def _read_parquet(columns: Sequence[Column], stream: ByteSource, file: str, *, in_pairs: bool) -> Iterator[InputBatch]:
    """The rows of a Parquet file, whose parts need no pairs."""
    from ess.formats.parquet import ParquetInput, seekable

    with seekable(stream) as opened:
        found = ParquetInput(opened, "standard input" if file == "-" else file)
        before = 0
        for rows in found.rows(columns):
            rejects = tuple(
                Reject(row - number, before + row + 1, column.name, reason)
                for number, (row, column, reason) in enumerate(rows.bad)
            )
            before += rows.read
            yield InputBatch(rows.frame, rows.read, rejects, file)
        if notes := found.missing(columns):
            yield InputBatch(found.nothing(columns), 0, (), file, notes)


def _read_named(
    attributes: InputAttributes,
    known: KnownFormat,
    columns: Sequence[Column],
    stream: ByteSource,
    file: str,
    *,
    batch_bytes: int,
    where: str,
    in_pairs: bool,
) -> Iterator[InputBatch]:
    """The rows of a file whose format has a name."""
    from ess.formats.known.definition import Titles
    from ess.formats.known.reading import KnownColumns

    named = KnownColumns(known, columns, where=where)
    if known.titles is not Titles.NONE:
        yield from _read_titled(attributes, known, named, stream, file, batch_bytes)
        return
    layout = make_layout(attributes, named.read, known.separators, where=where)
    yield from _read_stream(stream, file, layout, batch_bytes, named.name, made=named.rows, in_pairs=in_pairs)


def _read_titled(
    attributes: InputAttributes,
    known: KnownFormat,
    named: KnownColumns,
    stream: ByteSource,
    file: str,
    batch_bytes: int,
) -> Iterator[InputBatch]:
    """The rows of a file whose titles say which column is which, and what its titles lack."""
    from ess.formats.known.definition import Titles
    from ess.formats.known.titled_records import TitledParser

    if known.titles is Titles.KEYS:
        yield from _read_pairs(attributes, named, stream, file, batch_bytes)
        return
    parser = TitledParser(attributes, named.read, known, _parse_laid_out, file)
    layout = Layout(attributes, named.read)
    for batch in _read_stream(stream, file, layout, batch_bytes, parser.name, parser.parse):
        yield InputBatch(named.rows(batch.frame), batch.read, batch.rejects, file)
    if notes := parser.notes():
        yield InputBatch(named.rows(parser.nothing()), 0, (), file, notes)


def _read_pairs(
    attributes: InputAttributes, named: KnownColumns, stream: ByteSource, file: str, batch_bytes: int
) -> Iterator[InputBatch]:
    """The rows of a file of ``key=value``."""
    from ess.formats.known.logfmt import LogfmtParser

    parser = LogfmtParser(attributes, named.read)
    layout = Layout(attributes, named.read)
    for batch in _read_stream(stream, file, layout, batch_bytes, parser.name, parser.parse):
        yield InputBatch(named.rows(batch.frame), batch.read, batch.rejects, file)


def _parse_laid_out(raw: RawBlock, start: int, layout: Layout) -> Block:
    return _parse_block(raw, start, layout=layout)


def _read_stream(
    stream: ByteSource,
    file: str,
    layout: Layout,
    batch_bytes: int,
    name_of: Callable[[int], str] | None = None,
    parse_titled: Callable[[RawBlock, int], Block] | None = None,
    *,
    made: Callable[[Batch], Batch] | None = None,
    in_pairs: bool = False,
) -> Iterator[InputBatch]:
    attributes = layout.attributes
    to_skip = attributes.skip
    by_lines = attributes.format not in (Format.JSON, Format.XML, Format.TABLE)
    if not attributes.format.is_arrow:
        stream = TextSource(stream, file, attributes.encoding, lines=by_lines)
    if attributes.skip_unit == "b":
        while to_skip and (dropped := stream.read(min(to_skip, batch_bytes))):
            to_skip -= len(dropped)
        to_skip = 0
    if attributes.format.is_arrow:
        yield from _read_binary(stream, file, layout, to_skip)
        return
    plain = partial(_parse_block, layout=layout)
    parse: Callable[[RawBlock, int], Block] = plain
    told: JsonParser | None = None
    if parse_titled is not None:
        parse = parse_titled
    elif attributes.format is Format.JSON:
        from ess.formats.nested.json_records import JsonParser

        found = JsonParser(layout)
        parse = found.parse
        if attributes.known is None and not attributes.quiet:  # a format with a name has keys that few records have
            told = found
    elif attributes.format is Format.XML:
        from ess.formats.nested.xml_records import XmlParser

        parse = XmlParser(layout).parse
    elif attributes.format is Format.TABLE:
        from ess.formats.table_rows import TableParser

        parse = TableParser(layout).parse
    elif attributes.format is Format.PATTERN and attributes.known is not None:
        from ess.formats.known.pattern_lines import PatternParser

        parse = PatternParser(layout, attributes.known.expression, attributes.known.groups).parse
    if not by_lines:
        to_skip = to_skip if attributes.skip_unit == "l" else 0
    raws = _behind_skipped(blocks(stream, batch_bytes, attributes.record_limit, lines=by_lines), to_skip, layout)
    # The others keep something from one block to the next.
    in_pairs = in_pairs and parse is plain
    records = 0
    for block in parsed(raws, parse if made is None else partial(_parse_and_make, parse, made), in_pairs=in_pairs):
        if block.records:
            yield _batch(block, records, file, name_of or partial(_column_name, layout=layout))
            records += block.records
    if told is not None and (notes := told.notes()):
        yield InputBatch(told.nothing(), 0, (), file, notes)


def _behind_skipped(raws: Iterator[RawBlock], to_skip: int, layout: Layout) -> Iterator[tuple[RawBlock, int]]:
    """The blocks behind the lines or records that are skipped, each with the place where it goes on."""
    for raw in raws:
        start = 0
        while to_skip and start < raw.end:
            after = _after_skipped(raw, start, layout)
            if after is None:
                break
            start, to_skip = after, to_skip - 1
        if to_skip or start == raw.end:
            raw.consumed = start
        else:
            yield raw, start


def _parse_and_make(
    parse: Callable[[RawBlock, int], Block], made: Callable[[Batch], Batch], raw: RawBlock, start: int
) -> Block:
    block = parse(raw, start)
    return replace(block, frame=made(block.frame))


def _read_binary(stream: ByteSource, file: str, layout: Layout, to_skip: int) -> Iterator[InputBatch]:
    from ess.formats.binary import read_streams

    named = layout.attributes.format is Format.AQ
    where = "-f" if named else "-d"
    for frame in read_streams(stream, layout.columns, file, where=where, named=named):
        # A row is a line and a record here.
        skipped = min(to_skip, frame.height)
        to_skip -= skipped
        if frame.height > skipped:
            yield InputBatch(frame.slice(skipped), frame.height - skipped, (), file)


def _parse_block(raw: RawBlock, start: int, *, layout: Layout) -> Block:
    exactly = layout.attributes.quoted and layout.any_length and raw.data.find(b'"', start, raw.end) >= 0
    few = _TINY if _FAST in sys.modules else _SMALL
    if exactly or raw.end - start < few:
        return parse_block_exactly(raw.data, start, raw.end, final=raw.final, layout=layout)
    from ess.formats.parse_fast import parse_block_fast

    return parse_block_fast(raw.data, start, raw.end, final=raw.final, layout=layout)


def _after_skipped(raw: RawBlock, start: int, layout: Layout) -> int | None:
    """The beginning of the line or record after the one at ``start``; None if that is in a later block."""
    if layout.attributes.skip_unit == "l":
        after = line_at(raw.data, start, raw.end)[0]
        return after if raw.final or raw.data[after - 1] == ord("\n") else None
    record = parse_record(raw.data, start, raw.end, final=raw.final, layout=layout)
    return None if record is None else record.end


def _batch(block: Block, records_before: int, file: str, name_of: Callable[[int], str]) -> InputBatch:
    def rejects() -> tuple[Reject, ...]:
        return tuple(
            Reject(
                reject.before_row,
                records_before + reject.record + 1,
                name_of(reject.column),
                reject.reason,
            )
            for reject in block.rejects
        )

    return InputBatch(block.frame, block.records, Later(len(block.rejects), rejects), file)


def _column_name(index: int, *, layout: Layout) -> str:
    name = layout.columns[index].name if index < len(layout.columns) else ""
    return name or f"#{index + 1}"
