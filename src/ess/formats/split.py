"""Splitting the plain lines of a block into fields, all at once.

Separators, quotes and line ends are found in one pass over the block's bytes. A line is plain if
taking it for a record gives just what `ess.formats.records.parse_record` would give; that function
handles every other line, and says how far its record reaches. Those lines are decided in order, so a plain
line inside a longer record (a quoted field with line ends) is not taken for a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ess.formats.fields import (
    CR,
    LF,
    Fields,
    FieldsBuilder,
    Flags,
    Positions,
    begins_after,
    line_bounds,
    lines_with,
    nothing_wrong,
)
from ess.formats.records import Layout, Record, parse_record

#: Blocks with fewer quotes that begin a field than one in so many bytes have stray ones only.
_BYTES_FOR_A_STRAY_QUOTE = 2048

_QUOTE = 0x22
_BACKSLASH = 0x5C


@dataclass(frozen=True)
class _Marks:
    """The separators and line ends of a block, and where its lines are; positions in the block.

    Args:
        ends: The separators outside quotes, and the LFs.
        first: For each line, the index of its first mark in ``ends``.
        begins: Where each line begins.
        stops: Where its content ends, before its line end.
        counts: How many fields it has.
        plain: Whether it is plain.
        lost: Whether it is a record that is rejected, if a record begins with it.
        quotes: Whether the block has quotes with a meaning.
        doubled: The second quotes of pairs that mean one quote.
    """

    ends: Positions
    first: Positions
    begins: Positions
    stops: Positions
    counts: Positions
    plain: Flags
    lost: Flags
    quotes: bool
    doubled: Positions


@dataclass(frozen=True)
class _Decision:
    """The lines that are rows, and those of them that are made of rewritten fields."""

    rows: Positions
    rewritten: list[tuple[int, Record]]
    rejects: Positions
    consumed: int


def split_block(data: bytes, start: int, end: int, *, final: bool, layout: Layout) -> Fields:
    """The fields of the records in ``data[start:end]``; arguments as in `parse_record`."""
    block = data if start == 0 and end == len(data) else data[start:end]
    if block[-1] != LF:
        # Only the last line of an input can be without LF; with one it means the same.
        block += b"\n"
    attributes, separator = layout.attributes, layout.attributes.separator[0]
    view = np.frombuffer(block, dtype=np.uint8)
    found = view == LF
    lines = int(np.count_nonzero(found))
    found |= view == separator
    quote_at = view == _QUOTE if attributes.quoted and b'"' in block else None
    opening = np.empty(0, dtype=np.int64) if quote_at is None else _opening_quotes(view, quote_at, separator)
    # A few stray quotes are not worth a look at every mark: their lines go to the exact parser.
    quotes = quote_at is not None and len(opening) > len(block) // _BYTES_FOR_A_STRAY_QUOTE
    if quotes:
        found |= quote_at
    ends = np.flatnonzero(found).astype(np.int64, copy=False)
    if quote_at is None and not (layout.any_escape and b"\\" in block) and separator not in (CR, LF):
        regular = _split_regular(block, view, ends, lines, layout, end)
        if regular is not None:
            return regular
    marks = _find_marks(view, ends, opening, layout, quotes=quotes)
    decision = _decide(data, start, end, final, layout, marks)

    def why(line: int) -> tuple[int, str]:
        record = parse_record(data, start + int(marks.begins[line]), end, final=final, layout=layout)
        assert record is not None
        return record.column, record.reason

    return _gather(block, layout, marks, decision).build(decision.rejects, why, decision.consumed)


def _split_regular(
    block: bytes, view: NDArray[np.uint8], flat: Positions, lines: int, layout: Layout, consumed: int
) -> Fields | None:
    """The fields of a block without quotes and escapes, if its lines all have as many as there are columns."""
    width = len(layout.columns)
    if len(flat) != lines * width:
        return None
    ends = flat.reshape(-1, width)
    stops = ends[:, -1].copy()
    if not (view[stops] == LF).all():
        return None
    begins, contents = line_bounds(view, stops)
    if (contents - begins).max() > layout.attributes.record_limit:
        return None
    builder = FieldsBuilder(block, np.arange(len(stops)), [])
    begin = begins
    for index, column in enumerate(layout.columns):
        stop = contents if index == width - 1 else ends[:, index]
        if column.wanted:
            builder.add(begin, stop - begin)
        else:
            builder.add_unwanted()
        begin = stop + 1
    return builder.build(np.empty(0, dtype=np.int64), nothing_wrong, consumed)


def _find_marks(
    view: NDArray[np.uint8], ends: Positions, opening: Positions, layout: Layout, *, quotes: bool
) -> _Marks:
    """The marks of a block, from the places of its separators, LFs and, if ``quotes``, quotes."""
    attributes, width = layout.attributes, len(layout.columns)
    kinds = view[ends]
    doubled: Positions = np.empty(0, dtype=np.int64)
    spoiled: Positions = np.empty(0, dtype=np.int64)
    if quotes:
        ends, kinds, doubled, spoiled = _outside_quotes(view, ends, kinds)
    line_marks = np.flatnonzero(kinds == LF).astype(np.int64, copy=False)
    first = begins_after(line_marks)
    counts = line_marks - first + 1
    begins, stops = line_bounds(view, ends[line_marks])
    plain = stops - begins <= attributes.record_limit
    lost = np.zeros(len(plain), dtype=np.bool_)
    plain[spoiled] = False
    if not quotes and len(opening):
        if not layout.any_escape:
            lost[_lost_by_quotes(view, opening, begins, layout)] = True
            lost &= plain
        plain[np.searchsorted(begins, opening, side="right") - 1] = False
    if layout.any_escape:
        plain[lines_with(view == _BACKSLASH, begins)] = False
    lost |= plain & (counts < width)
    plain &= (counts == width) if attributes.no_extra else (counts >= width)
    return _Marks(ends, first, begins, stops, counts, plain, lost, quotes, doubled)


def _opening_quotes(view: NDArray[np.uint8], quote_at: Flags, separator: int) -> Positions:
    """The quotes that begin a field: any other one outside of such a field has no meaning."""
    places = np.flatnonzero(quote_at).astype(np.int64, copy=False)
    before = view[places - 1]
    opening: Positions = places[(places == 0) | (before == separator) | (before == LF)]
    return opening


def _lost_by_quotes(view: NDArray[np.uint8], opening: Positions, begins: Positions, layout: Layout) -> Positions:
    """The lines whose first opening quote is closed, not beyond the record limit, before what may not follow it.

    Args:
        view: The block.
        opening: The quotes that begin a field.
        begins: Where each line begins.
        layout: How to read them; no backslash has a meaning.
    """
    lines = np.searchsorted(begins, opening, side="right") - 1
    is_first = np.ones(len(lines), dtype=np.bool_)
    is_first[1:] = lines[1:] != lines[:-1]
    opening, lines = opening[is_first], lines[is_first]
    quotes = np.flatnonzero(view == _QUOTE)
    at, last = np.searchsorted(quotes, opening), len(quotes) - 1
    close = quotes[np.minimum(at + 1, last)]
    doubled = quotes[np.minimum(at + 2, last)] == close + 1
    after = view[close + 1]  # the block ends with a LF
    at_line_end = (after == LF) | ((after == CR) & (view[np.minimum(close + 2, len(view) - 1)] == LF))
    lost = (at < last) & ~doubled & (close < begins[lines] + layout.attributes.record_limit)
    lost &= ~at_line_end & (after != layout.attributes.separator[0])
    found: Positions = lines[lost]
    return found


def _outside_quotes(
    view: NDArray[np.uint8], marks: Positions, kinds: NDArray[np.uint8]
) -> tuple[Positions, NDArray[np.uint8], Positions, Positions]:
    """Drop quotes, and separators inside quotes; also the doubled quotes and the lines whose quotes are not in order.

    Counted from the line's begin, an even quote opens and an odd one closes. They are in order if every
    opening one begins a field or is the second of a doubled pair, every closing one ends a field or is the
    first of such a pair, and the last one of the line closes.
    """
    is_quote = kinds == _QUOTE
    is_line = kinds == LF
    line_marks = np.flatnonzero(is_line)
    # Only parities matter, and those survive the overflow of small counters.
    inside = np.cumsum(is_quote, dtype=np.uint8) - is_quote
    at_end = inside[line_marks] & 1
    if at_end.any():
        at_begin = np.empty_like(at_end)
        at_begin[0] = 0
        at_begin[1:] = at_end[:-1]
        inside += np.repeat(at_begin, np.diff(line_marks, prepend=-1))
    inside = (inside & 1).astype(np.bool_)

    adjacent = np.empty(len(marks) + 1, dtype=np.bool_)  # [i]: mark i follows mark i - 1 directly
    adjacent[0] = marks[0] == 0
    adjacent[1:-1] = marks[1:] == marks[:-1] + 1
    adjacent[-1] = True
    bad_open = is_quote & ~inside & ~adjacent[:-1]
    bad_close = np.flatnonzero(is_quote & inside & ~adjacent[1:])
    # A closing quote may also be followed by CR LF.
    line_end = is_line[bad_close + 1] & (marks[bad_close + 1] == marks[bad_close] + 2)
    bad_close = bad_close[~(line_end & (view[marks[bad_close] + 1] == CR))]
    bad = np.concatenate([np.flatnonzero(bad_open | (is_line & inside)), bad_close])
    spoiled = np.searchsorted(line_marks, bad)

    second = is_quote & ~inside & adjacent[:-1]
    second[1:] &= is_quote[:-1]
    second[0] = False
    # A LF always ends a line here; whether it ends the record is decided line by line.
    keep = is_line | ~(is_quote | inside)
    return marks[keep], kinds[keep], marks[second], spoiled


def _decide(data: bytes, start: int, end: int, final: bool, layout: Layout, marks: _Marks) -> _Decision:
    """Go over the lines that need the exact parser."""
    good, lost = marks.plain.copy(), marks.lost.copy()
    rewritten: list[tuple[int, Record]] = []
    resume, lines, consumed = 0, len(good), end
    for line in np.flatnonzero(~(good | lost)).tolist():
        if line < resume:
            continue
        begin = start + int(marks.begins[line])
        record = parse_record(data, begin, end, final=final, layout=layout)
        if record is None:
            good[line:] = lost[line:] = False
            consumed = begin
            break
        resume = line + 1
        if resume < lines and record.end - start != marks.begins[resume]:
            resume = lines if record.end >= end else int(np.searchsorted(marks.begins, record.end - start))
            good[line + 1 : resume] = lost[line + 1 : resume] = False
        if record.reason:
            lost[line] = True
        else:
            good[line] = True
            rewritten.append((line, record))
    rows, rejects = (np.flatnonzero(flags).astype(np.int64, copy=False) for flags in (good, lost))
    return _Decision(rows, rewritten, rejects, consumed)


def _gather(block: bytes, layout: Layout, marks: _Marks, decision: _Decision) -> FieldsBuilder:
    """The bounds of the wanted fields, from the marks of plain lines and from rewritten records."""
    rows = decision.rows
    all_rows = len(rows) == len(marks.begins)
    first = marks.first if all_rows else marks.first[rows]
    begins = marks.begins if all_rows else marks.begins[rows]
    stops = marks.stops if all_rows else marks.stops[rows]
    view = np.frombuffer(block, dtype=np.uint8)
    last_mark, last_byte = len(marks.ends) - 1, len(view) - 1
    pairs = _Pairs(block, marks, rows)

    @lru_cache(maxsize=2)  # the end of a field is where the next one begins
    def mark_of(index: int) -> Positions:
        # A rewritten row may have fewer marks than columns.
        return marks.ends[np.minimum(first + index, last_mark) if decision.rewritten else first + index]

    builder = FieldsBuilder(block, rows, decision.rewritten)
    for index, column in enumerate(layout.columns):
        if not column.wanted:
            builder.add_unwanted()
            continue
        begin = begins.copy() if index == 0 else mark_of(index - 1) + 1
        # The last mark of a line is its LF, which a CR may stand before.
        length = np.minimum(mark_of(index), stops) - begin
        if marks.quotes:
            quoted = (view[np.minimum(begin, last_byte)] == _QUOTE) & (length > 0)
            begin += quoted
            length -= 2 * quoted.astype(np.int64)
        builder.add(begin, length, pairs.undoubled(begin, length))
    return builder


class _Pairs:
    """The doubled quotes of a block, and the rows they stand in."""

    def __init__(self, block: bytes, marks: _Marks, rows: Positions) -> None:
        self._block = block
        in_row = np.searchsorted(rows, np.searchsorted(marks.begins, marks.doubled, side="right") - 1)
        # One in a line that is no row counts for the next row, and is outside its fields.
        inside = in_row < len(rows)
        self._places, self._rows = marks.doubled[inside], in_row[inside]

    def undoubled(self, begins: Positions, lengths: Positions) -> list[tuple[int, bytes]]:
        """The rows whose fields hold pairs, and these fields with one quote for each pair."""
        if not len(self._places):
            return []
        begin = begins[self._rows]
        held = (self._places >= begin) & (self._places < begin + lengths[self._rows])
        return [
            (row, self._block[begins[row] : begins[row] + lengths[row]].replace(b'""', b'"'))
            for row in np.unique(self._rows[held]).tolist()
        ]
