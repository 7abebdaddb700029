"""Splitting the plain lines of a block into fields, all at once.

Separators, quotes and line ends are found in one pass over the block's bytes. A line is plain if
taking it for a record gives just what `ess.formats.records.parse_record` would give; that function
handles every other line, and says how far its record reaches. It decides on the lines in order, so a plain
line inside a longer record (a quoted field with line ends) is not taken for a record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ess.formats.records import Layout, Record, parse_record

Positions = NDArray[np.int64]

_LF = 0x0A
_CR = 0x0D
_QUOTE = 0x22
_BACKSLASH = 0x5C


@dataclass(frozen=True)
class StructureReject:
    """A record without fields: the line it begins on, its 0-based column, and why."""

    line: int
    column: int
    reason: str


@dataclass(frozen=True)
class Fields:
    """Where the fields of a block's records stand.

    Args:
        content: The block's bytes, then those of fields that had to be rewritten.
        starts: For each column, where its field begins in ``content``, one entry a row.
        lengths: For each column, how long it is.
        lines: The line of the block that each row begins on.
        rejects: The records that have no fields, in order.
        consumed: Where the first unfinished record begins.
    """

    content: bytes
    starts: list[Positions]
    lengths: list[Positions]
    lines: Positions
    rejects: list[StructureReject]
    consumed: int


@dataclass(frozen=True)
class _Marks:
    """The separators and line ends of a block, and where its lines are.

    ``ends`` holds the positions of separators outside quotes and of LFs, ``line_marks`` which of them are the
    LFs. ``begins`` and ``stops`` bound the lines without their line ends. ``doubled`` holds the positions of
    the second quotes of pairs.
    """

    ends: Positions
    line_marks: Positions
    begins: Positions
    stops: Positions
    plain: NDArray[np.bool_]
    doubled: Positions


def split_block(data: bytes, start: int, end: int, *, final: bool, layout: Layout) -> Fields:
    """The fields of the records in ``data[start:end]``; arguments as in `parse_record`."""
    # Only the last line of an input can be without LF; with one it means the same.
    block = (data if end == len(data) else data[:end]) if data[end - 1] == _LF else data[:end] + b"\n"
    marks = _find_marks(block, start, layout)
    return _decide(data, start, end, final, layout, block, marks)


def _find_marks(block: bytes, start: int, layout: Layout) -> _Marks:
    view = np.frombuffer(block, dtype=np.uint8)[start:]
    separator = layout.attributes.separator[0]
    found = view == separator
    found |= view == _LF
    quotes = layout.attributes.quoted and block.find(b'"', start) >= 0
    if quotes:
        found |= view == _QUOTE
    ends = np.flatnonzero(found).astype(np.int64, copy=False)
    kinds = view[ends]
    doubled: Positions = np.empty(0, dtype=np.int64)
    spoiled: Positions = np.empty(0, dtype=np.int64)
    if quotes:
        ends, kinds, doubled, spoiled = _outside_quotes(view, ends, kinds)
    line_marks = np.flatnonzero(kinds == _LF).astype(np.int64, copy=False)
    stops = ends[line_marks]
    begins = np.empty_like(stops)
    begins[0] = 0
    begins[1:] = stops[:-1] + 1
    stops = stops - ((stops > begins) & (view[stops - 1] == _CR))
    plain = stops - begins <= layout.attributes.record_limit
    counts = np.diff(line_marks, prepend=-1)
    plain &= (counts == len(layout.columns)) if layout.attributes.no_extra else (counts >= len(layout.columns))
    plain[spoiled] = False
    if layout.any_escape:
        backslashes = np.flatnonzero(view == _BACKSLASH)
        plain[np.searchsorted(begins, backslashes, side="right") - 1] = False
    return _Marks(ends + start, line_marks, begins + start, stops + start, plain, doubled + start)


def _outside_quotes(
    view: NDArray[np.uint8], marks: Positions, kinds: NDArray[np.uint8]
) -> tuple[Positions, NDArray[np.uint8], Positions, Positions]:
    """Drop quotes, and separators inside quotes; also the doubled quotes and the lines whose quotes are odd.

    Counted from the line's begin, an even quote opens and an odd one closes. They are in order if every
    opening one begins a field or is the second of a doubled pair, every closing one ends a field or is the
    first of such a pair, and the last one of the line closes.
    """
    is_quote = kinds == _QUOTE
    is_line = kinds == _LF
    before = np.cumsum(is_quote, dtype=np.int64) - is_quote
    line_marks = np.flatnonzero(is_line)
    at_begin = np.empty(len(line_marks), dtype=np.int64)
    at_begin[0] = 0
    at_begin[1:] = before[line_marks[:-1]]
    lengths = np.diff(line_marks, prepend=-1)
    inside = ((before - np.repeat(at_begin, lengths)) & 1).astype(np.bool_)

    adjacent = marks[1:] == marks[:-1] + 1
    follows = np.empty(len(marks), dtype=np.bool_)  # the mark directly before is another mark
    follows[0] = marks[0] == 0
    follows[1:] = adjacent
    followed = np.empty(len(marks), dtype=np.bool_)  # the mark directly behind is one, but for a CR before a LF
    followed[-1] = True
    behind_cr = (marks[1:] == marks[:-1] + 2) & is_line[1:]
    followed[:-1] = adjacent | (behind_cr & (view[np.minimum(marks[:-1] + 1, len(view) - 1)] == _CR))
    bad = is_quote & np.where(inside, ~followed, ~follows)
    bad |= is_line & inside
    spoiled = np.searchsorted(line_marks, np.flatnonzero(bad))

    second = np.zeros(len(marks), dtype=np.bool_)
    second[1:] = adjacent & is_quote[1:] & is_quote[:-1]
    second &= ~inside
    doubled = marks[second]
    # A LF always ends a line here; whether it ends the record is decided line by line.
    keep = is_line | ~(is_quote | inside)
    return marks[keep], kinds[keep], doubled, spoiled


def _decide(data: bytes, start: int, end: int, final: bool, layout: Layout, block: bytes, marks: _Marks) -> Fields:
    good = marks.plain.copy()
    rejects: list[StructureReject] = []
    rewritten: list[tuple[int, Record]] = []
    consumed = end
    resume = 0
    lines = len(good)
    for line in np.flatnonzero(~marks.plain).tolist():
        if line < resume:
            continue
        begin = int(marks.begins[line])
        record = parse_record(data, begin, end, final=final, layout=layout)
        if record is None:
            good[line:] = False
            consumed = begin
            break
        resume = line + 1
        if resume < lines and record.end != marks.begins[resume]:
            resume = lines if record.end >= end else int(np.searchsorted(marks.begins, record.end))
            good[line + 1 : resume] = False
        if record.reason:
            rejects.append(StructureReject(line, record.column, record.reason))
        else:
            good[line] = True
            rewritten.append((line, record))
    rows = np.flatnonzero(good).astype(np.int64, copy=False)
    return _gather(layout, block, marks, rows, rewritten, rejects, consumed)


def _gather(
    layout: Layout,
    block: bytes,
    marks: _Marks,
    rows: Positions,
    rewritten: list[tuple[int, Record]],
    rejects: list[StructureReject],
    consumed: int,
) -> Fields:
    """The bounds of the wanted fields, from the marks of plain lines and from rewritten records."""
    content = [block]
    size = len(block)
    rewritten_rows = np.searchsorted(rows, np.array([line for line, _ in rewritten], dtype=np.int64))
    first_marks = np.empty(len(marks.line_marks), dtype=np.int64)
    first_marks[0] = 0
    first_marks[1:] = marks.line_marks[:-1] + 1
    first, begins, stops = first_marks[rows], marks.begins[rows], marks.stops[rows]
    view = np.frombuffer(block, dtype=np.uint8)
    last_mark = len(marks.ends) - 1
    starts: list[Positions] = []
    lengths: list[Positions] = []
    for index, column in enumerate(layout.columns):
        if not column.wanted:
            starts.append(np.empty(0, dtype=np.int64))
            lengths.append(np.empty(0, dtype=np.int64))
            continue
        begin = begins if index == 0 else marks.ends[np.minimum(first + (index - 1), last_mark)] + 1
        # The last mark of a line is its LF, which a CR may stand before.
        stop = np.minimum(marks.ends[np.minimum(first + index, last_mark)], stops)
        length = stop - begin
        pieces: list[bytes] = []
        if layout.attributes.quoted:
            quoted = (view[np.minimum(begin, len(view) - 1)] == _QUOTE) & (length > 0)
            if quoted.any():
                begin = begin + quoted
                length = length - 2 * quoted
            elif begin is begins:
                begin = begins.copy()
            if len(marks.doubled):
                # Rewritten rows have bounds of no meaning here, and get theirs below.
                lower = np.searchsorted(marks.doubled, begin)
                upper = np.searchsorted(marks.doubled, begin + length)
                for row in np.flatnonzero(upper > lower).tolist():
                    raw = block[begin[row] : begin[row] + length[row]].replace(b'""', b'"')
                    begin[row], length[row] = size, len(raw)
                    pieces.append(raw)
                    size += len(raw)
        elif begin is begins:
            begin = begins.copy()
        for row, (_, record) in zip(rewritten_rows.tolist(), rewritten, strict=True):
            raw = record.fields[index]
            begin[row], length[row] = size, len(raw)
            pieces.append(raw)
            size += len(raw)
        content.extend(pieces)
        starts.append(begin)
        lengths.append(length)
    return Fields(b"".join(content) if len(content) > 1 else block, starts, lengths, rows, rejects, consumed)
