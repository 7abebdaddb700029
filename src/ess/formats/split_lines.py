"""Splitting the plain lines of ``div`` and ``fix`` blocks, and separated ones with ``n=Len``, into fields, all at once.

Here every line is a record. A line is plain if its fields are found without looking at escapes and
nothing is wrong with it; `ess.formats.records.parse_record` handles every other line, so it also words what is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ess.formats.attributes import Format
from ess.formats.fields import LF, Fields, FieldsBuilder, Flags, Positions, line_bounds, lines_with
from ess.formats.records import Layout, Record, parse_record

_Bounds = tuple[Positions, Positions]

#: The bytes of a block that show which bytes are rare.
_SAMPLE = 1 << 14
#: All places of a byte are looked up if a line has at most this many of them on average; others are searched from where
#: a field begins, a word at a time.
_RARE = 8
#: After this many steps, texts that are not found yet are searched one by one.
_STEPS = 8
#: So many lines tell how near a text is.
_LINES = 32
_WORD = 8
_ONES, _HIGH_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


def split_lines(data: bytes, start: int, end: int, *, final: bool, layout: Layout) -> Fields:
    """The fields of the records in ``data[start:end]``; arguments as in `parse_record`.

    A block in which quotes have a meaning is not for this.
    """
    block = data if start == 0 and end == len(data) else data[start:end]
    if block[-1] != LF:
        # Only the last line of an input can be without LF; with one it means the same.
        block += b"\n"
    view = np.frombuffer(block, dtype=np.uint8)
    stops = np.flatnonzero(view == LF).astype(np.int64, copy=False)
    begins, stops = line_bounds(view, stops)
    plain = stops - begins <= layout.attributes.record_limit
    if layout.any_escape and b"\\" in block:
        plain[lines_with(view == ord("\\"), begins)] = False
    bounds, whole = _DIVIDERS[layout.attributes.format](block, view, begins, stops, layout)
    good = plain & whole
    rejects: dict[int, tuple[int, str]] = {}
    rewritten: list[tuple[int, Record]] = []
    for line in np.flatnonzero(~good).tolist():
        record = parse_record(data, start + int(begins[line]), end, final=final, layout=layout)
        assert record is not None
        if record.reason:
            rejects[line] = record.column, record.reason
        else:
            good[line] = True
            rewritten.append((line, record))
    rows = np.flatnonzero(good).astype(np.int64, copy=False)
    builder = FieldsBuilder(block, rows, rewritten)
    as_they_are = len(rows) == len(begins) and not rewritten
    for column, (at, length) in zip(layout.columns, bounds, strict=True):
        if column.wanted and as_they_are:
            builder.add(at, length)
        elif column.wanted:
            builder.add(at.take(rows), length.take(rows))
        else:
            builder.add_unwanted()
    return builder.build(np.array(list(rejects), dtype=np.int64), rejects.__getitem__, end)


def _fixed_bounds(
    block: bytes, view: NDArray[np.uint8], begins: Positions, stops: Positions, layout: Layout
) -> tuple[list[_Bounds], Flags]:
    bounds: list[_Bounds] = []
    at = begins
    for column in layout.columns:
        length = column.attributes.extract_length or 0
        bounds.append((at, np.full(len(begins), length, dtype=np.int64)))
        at = at + length
    return bounds, at == stops


def _divided_bounds(
    block: bytes, view: NDArray[np.uint8], begins: Positions, stops: Positions, layout: Layout
) -> tuple[list[_Bounds], Flags]:
    """The fields between the separators, each ending at the first occurrence of its separator."""
    finder = _Finder(block, view, begins, stops, layout.separators)
    first = layout.separators[0]
    whole = finder.stands_at(first, begins) & (begins + len(first) <= stops)
    at = np.minimum(begins + len(first), stops)
    bounds: list[_Bounds] = []
    for column, separator in zip(layout.columns, layout.separators[1:], strict=True):
        length = column.attributes.extract_length
        if length is not None:
            stop = at + length
            whole &= finder.stands_at(separator, stop)
        elif separator:
            stop = finder.next(separator, at)
        else:
            stop = stops
        whole &= stop + len(separator) <= stops
        # The bounds of other lines only have to stay inside the block.
        stop = np.minimum(stop, stops)
        bounds.append((at, stop - at))
        at = np.minimum(stop + len(separator), stops)
    return bounds, whole & (at == stops)


def _separated_bounds(
    block: bytes, view: NDArray[np.uint8], begins: Positions, stops: Positions, layout: Layout
) -> tuple[list[_Bounds], Flags]:
    """The fields up to the next separator, or as long as their column says."""
    separator = layout.attributes.separator
    finder = _Finder(block, view, begins, stops, [separator])
    whole = np.ones(len(begins), dtype=np.bool_)
    at = stop = begins
    bounds: list[_Bounds] = []
    for number, column in enumerate(layout.columns, 1):
        length = column.attributes.extract_length
        if length is None:
            stop = np.minimum(finder.next(separator, at), stops)
        else:
            stop = np.minimum(at + length, stops)
            whole &= (at + length <= stops) & ((stop == stops) | (view.take(stop, mode="clip") == separator[0]))
        if number < len(layout.columns):
            whole &= stop < stops
        bounds.append((at, stop - at))
        at = np.minimum(stop + 1, stops)
    return bounds, whole & (stop == stops) if layout.attributes.no_extra else whole


_DIVIDERS = {
    Format.FIXED: _fixed_bounds,
    Format.DIVIDED: _divided_bounds,
    Format.SEPARATED: _separated_bounds,
}


class _Finder:
    """Finds texts in the lines of a block.

    Args:
        block: Its bytes.
        view: The same.
        begins: Where its lines begin.
        stops: Where they end.
        texts: Those to find.
    """

    def __init__(
        self, block: bytes, view: NDArray[np.uint8], begins: Positions, stops: Positions, texts: Sequence[bytes]
    ) -> None:
        self._block, self._view, self._begins, self._stops = block, view, begins, stops
        self._nowhere = 2 * len(block)
        # Which way is the faster one is only a question of speed, so some lines tell.
        self._sample = block[: max(_SAMPLE, len(block) // len(begins))]
        self._most = _RARE * max(1, self._sample.count(b"\n"))
        self._uses = Counter(byte for text in texts for byte in set(text))
        self._places: dict[int, Positions] = {}
        self._cursors: dict[int, Positions] = {}

    def stands_at(self, text: bytes, at: Positions) -> Flags:
        """True where a text is at some place of each line; a text that reaches beyond the block may count, too."""
        there = np.ones(len(at), dtype=np.bool_)
        for index, byte in enumerate(text):
            there &= self._view.take(at + index, mode="clip") == byte
        return there

    def next(self, text: bytes, at: Positions) -> Positions:
        """The next position of a text that is not blank, from some place of each line; beyond the line if nowhere."""
        counts = [self._sample.count(text[index : index + 1]) for index in range(len(text))]
        rarest = counts.index(min(counts))
        if counts[rarest] > self._most:
            return self._by_words(text, rarest, at)
        # The places of a byte that is in several texts are looked up once for all of them.
        rare = (index for index, count in enumerate(counts) if count <= self._most)
        shared = max(rare, key=lambda index: (self._uses[text[index]], -counts[index]))
        if self._uses[text[shared]] == 1 and self._is_near(text, at):
            return self._by_words(text, rarest, at)
        return self._by_places(text, shared, at)

    def _is_near(self, text: bytes, at: Positions) -> bool:
        """True if a text mostly stands within the next eight bytes."""
        some = slice(0, len(at), -(-len(at) // _LINES))
        starts = at[some].tolist()
        ends = (at[some] + _WORD + len(text)).tolist()
        found = [self._block.find(text, start, end) >= 0 for start, end in zip(starts, ends, strict=True)]
        return 2 * sum(found) > len(found)

    def _by_places(self, text: bytes, rarest: int, at: Positions) -> Positions:
        """By all places of its rarest byte: those of a line are gone through from field to field."""
        byte = text[rarest]
        if byte not in self._places:
            places = np.append(np.flatnonzero(self._view == byte), self._nowhere).astype(np.int64, copy=False)
            self._places[byte], self._cursors[byte] = places, np.searchsorted(places, self._begins)
        places, cursor = self._places[byte], self._cursors[byte]
        found = places.take(cursor)
        for _ in range(_STEPS):
            found -= rarest
            on = found < at
            for index, other in enumerate(text):
                if index != rarest:
                    on |= self._view.take(found + index, mode="clip") != other
            on &= found < self._stops
            if not on.any():
                return found
            cursor += on
            found = places.take(cursor)
        found -= rarest
        self._one_by_one(text, at, found, np.flatnonzero(on))
        return found

    def _by_words(self, text: bytes, rarest: int, at: Positions) -> Positions:
        """By a look at the next eight bytes, again and again."""
        found = np.full(len(at), self._nowhere, dtype=np.int64)
        rows: Positions | None = None
        place, stops = at + rarest, self._stops
        wanted = np.uint64(text[rarest]) * _ONES
        for _ in range(_STEPS):
            different = self._words(place) ^ wanted
            # The lowest bit that stays is that of the first byte that is not different, if there is one.
            marks = (different - _ONES) & ~different & _HIGH_BITS
            before = np.bitwise_count((marks & (~marks + np.uint64(1))) - np.uint64(1)) >> 3
            place = place + before
            hit = before < _WORD
            for index, other in enumerate(text):
                if index != rarest:
                    hit &= self._view.take(place + (index - rarest), mode="clip") == other
            if rows is None:
                np.copyto(found, place - rarest, where=hit)
            else:
                found[rows[hit]] = place[hit] - rarest
            left = np.flatnonzero(~hit & (place < stops))
            if not len(left):
                return found
            rows = left if rows is None else rows[left]
            # Behind a byte that is not the text's, or behind the eight.
            place, stops = place[left] + (before[left] < _WORD), stops[left]
        assert rows is not None
        self._one_by_one(text, at, found, rows)
        return found

    def _words(self, places: Positions) -> NDArray[np.uint64]:
        """The eight bytes from some places on, the first one is the lowest."""
        which = places >> 3
        shift = ((places & 7) << 3).view(np.uint64)
        low = self._aligned.take(which, mode="clip") >> shift
        high = self._aligned.take(which + 1, mode="clip") << np.uint64(1)
        words: NDArray[np.uint64] = low | (high << (np.uint64(63) - shift))
        return words

    @cached_property
    def _aligned(self) -> NDArray[np.uint64]:
        # Numpy takes words that are not aligned one by one.
        padded = self._block + bytes(_WORD + -len(self._block) % _WORD)
        return np.frombuffer(padded, dtype="<u8").astype(np.uint64, copy=False)

    def _one_by_one(self, text: bytes, at: Positions, found: Positions, rows: Positions) -> None:
        for row in rows.tolist():
            place = self._block.find(text, at[row], self._stops[row])
            found[row] = place if place >= 0 else self._nowhere
