"""Separated records below titles: the titles say which column is which, and may change in the middle of a file.

Titles stand in the first record, in a ``#Fields:`` line of W3C logs, which other lines with ``#`` may stand beside, or
in a first line that has nothing but names that the format knows. Columns that a file lacks are blank.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from ess.errors import InputReadError
from ess.formats.attributes import InputAttributes
from ess.formats.blocks import RawBlock
from ess.formats.known.definition import KnownFormat, Titles
from ess.formats.known.titles import find_title
from ess.formats.parse_exact import Block, BlockReject
from ess.formats.raw import split_fields
from ess.formats.records import Layout, line_at, parse_record
from ess.formats.titles import CATEGORY, lacking, listed
from ess.schema.batch import Batch, complete, join_batches
from ess.schema.columns import Column
from ess.schema.types import ColumnType

_FIELDS = re.compile(rb"#\s*fields\s*:\s*", re.IGNORECASE)
_UNWANTED = Column("", ColumnType.S, wanted=False, used=False)
_NO_TITLES = "no #Fields line stands before it"

#: Parses the records of a block from a place, all of one layout.
BlockParser = Callable[[RawBlock, int, Layout], Block]


class TitledParser:
    """Parses the blocks of one file.

    Args:
        attributes: How fields are told apart, unless the format says it.
        targets: The columns to find, each with its title as ``path``; all are in its batches, if they are used.
        known: The format.
        parse_block: What parses records of one layout.
        file: The file's name, for messages.
    """

    def __init__(
        self,
        attributes: InputAttributes,
        targets: Sequence[Column],
        known: KnownFormat,
        parse_block: BlockParser,
        file: str,
    ) -> None:
        self._attributes = attributes
        self._targets = targets
        self._known = known
        self._parse_block = parse_block
        self._file = file
        self._layout: Layout | None = None
        self._names: list[str] = []
        self._offset = 0
        self._separator = self._header = b""
        #: The titles as they stand last in what was read; None before any.
        self.titles: tuple[str, ...] | None = None
        #: All titles so far, each once.
        self.seen: list[str] = []
        #: The paths of the targets that some titles had.
        self.found: set[str] = set()
        if known.titles is Titles.DIRECTIVE and known.order:
            self._take_titles(known.order)

    def name(self, index: int) -> str:
        """The name of the column that a rejected record of this parser has gone wrong in."""
        return self._names[index] if index >= 0 else ""

    def parse(self, raw: RawBlock, start: int) -> Block:
        """The records of a block from ``start``."""
        blocks: list[Block] = []
        position = start
        if self.titles is None and self._known.titles is not Titles.DIRECTIVE:
            begin = self._first_titles(raw, position)
            if begin is None:
                return self._joined(blocks, position)
            position = begin
        while position < raw.end:
            if self._known.titles is Titles.DIRECTIVE and raw.data[position] == ord("#"):
                position = self._directive(raw, position)
                continue
            stop = self._records_end(raw.data, position, raw.end)
            final = raw.final if stop == raw.end else True
            layout = self._layout_of(raw, position)
            if layout is None:
                lines = raw.data.count(b"\n", position, stop) + (raw.data[stop - 1] != ord("\n"))
                rejects = tuple(BlockReject(0, number, -1, _NO_TITLES) for number in range(lines))
                blocks.append(Block(pl.DataFrame(), rejects, stop))
                position = stop
                continue
            block = self._parse_block(RawBlock(raw.data, stop, final), position, layout)
            blocks.append(self._renamed(block, layout))
            position = block.consumed
            if position < stop:
                break
            if self._known.titles is Titles.LINE and stop < raw.end:
                position = line_at(raw.data, stop, raw.end)[0]
        return self._joined(blocks, position)

    def notes(self) -> tuple[str, ...]:
        """Sentences about columns that no titles of the file had."""
        if not self.seen or self._attributes.quiet:
            return ()
        notes: list[str] = []
        titles = [target.path or target.name for target in self._targets]
        wanted = [target.path or target.name for target in self._targets if target.used]
        missing = [title for title in wanted if title not in self.found]
        if missing:
            notes.append(lacking(missing, self.seen, "titles"))
        extra = [title for title in self.seen if find_title(title, titles) is None]
        if extra and self._attributes.every_title:
            notes.append(f"it also has {listed(extra)}, left out as the first file has no such column; see -d,title")
        return tuple(notes)

    def nothing(self) -> Batch:
        """The rows of no records."""
        return complete(pl.DataFrame(), [(column.key, column.type) for column in self._targets if column.used])

    def _first_titles(self, raw: RawBlock, start: int) -> int | None:
        """Take the titles at the beginning of a file; where the records begin, None if that is in a later block."""
        whole = Layout(self._attributes, (_UNWANTED,))
        record = parse_record(raw.data, start, raw.end, final=raw.final, layout=whole)
        if record is None:
            return None
        if record.reason:
            raise InputReadError(f"the titles cannot be read: {record.reason}", where=self._file)
        line = raw.data[start : record.end].rstrip(b"\r\n") + b"\n"
        (fields,) = split_fields([line], self._attributes)
        titles = tuple(field.strip().decode("utf-8", "surrogateescape") for field in fields)
        if self._known.titles is Titles.LINE and any(self._known.field_of(title) is None for title in titles):
            self._take_titles(self._known.order)
            return start
        self._header = line
        self._take_titles(titles)
        return record.end

    def _directive(self, raw: RawBlock, position: int) -> int:
        """Take a line that begins with ``#``; where the next one begins."""
        after, end = line_at(raw.data, position, raw.end)
        match = _FIELDS.match(raw.data, position, end)
        if match is not None:
            text = raw.data[match.end() : end].decode("utf-8", "surrogateescape").strip()
            separator = "," if "," in text and " " not in text else None
            self._take_titles(tuple(text.split(separator)))
            self._separator = b"," if separator else b""
        return after

    def _records_end(self, data: bytes, start: int, end: int) -> int:
        """The beginning of the next line that is no record."""
        if self._known.titles is Titles.DIRECTIVE:
            at = data.find(b"\n#", start, end)
        elif self._known.titles is Titles.LINE and self._header:
            if data.startswith(self._header, start):
                return start
            at = data.find(b"\n" + self._header, start, end)
        else:
            return end
        return end if at < 0 else at + 1

    def _take_titles(self, titles: tuple[str, ...]) -> None:
        if titles == self.titles:
            return
        self.titles, self._layout = titles, None
        self.seen += [title for title in titles if title not in self.seen]
        self._offset = len(self._names)
        self._names += CATEGORY.names(titles)

    def _layout_of(self, raw: RawBlock, position: int) -> Layout | None:
        """The layout of the records at a place; None if there are no titles."""
        if self._layout is not None or self.titles is None:
            return self._layout
        attributes = self._attributes
        if self._known.titles is Titles.DIRECTIVE:
            separator = self._separator
            if not separator:
                tabs = b"\t" in raw.data[position : line_at(raw.data, position, raw.end)[1]]
                separator = b"\t" if tabs else b" "
            quoted = self._known.quoted and separator != b"\t"
            attributes = replace(attributes, separator=separator, quoted=quoted)
        columns = [_UNWANTED] * len(self.titles)
        for target in self._targets:
            index = find_title(target.path or target.name, self.titles)
            if index is not None:
                columns[index] = target
                self.found.add(target.path or target.name)
                self._names[self._offset + index] = target.name.removeprefix("#")
        self._names += [f"#{len(columns) + 1}"]
        self._layout = Layout(attributes, tuple(columns))
        return self._layout

    def _renamed(self, block: Block, layout: Layout) -> Block:
        """The block with all targets, and the columns of rejected records as this parser numbers them."""
        used = [(column.key, column.type) for column in self._targets if column.used]
        if block.frame.columns != [key for key, _ in used]:
            block = replace(block, frame=complete(block.frame, used))
        if not block.rejects:
            return block
        width = len(layout.columns)
        rejects = tuple(
            reject._replace(column=self._offset + min(reject.column, width) if reject.column >= 0 else -1)
            for reject in block.rejects
        )
        return replace(block, rejects=rejects)

    def _joined(self, blocks: Sequence[Block], consumed: int) -> Block:
        """One block of several."""
        used = [(column.key, column.type) for column in self._targets if column.used]
        if len(blocks) == 1 and not (used and not blocks[0].frame.width):
            return replace(blocks[0], consumed=consumed)
        rejects: list[BlockReject] = []
        rows = 0
        for block in blocks:
            before = rows + len(rejects)
            found = [
                each._replace(before_row=each.before_row + rows, record=each.record + before) for each in block.rejects
            ]
            rejects += found
            rows += block.frame.height
        frames = [block.frame for block in blocks if block.frame.height]
        frame = join_batches(frames) if frames else self.nothing()
        return Block(frame, tuple(rejects), consumed)
