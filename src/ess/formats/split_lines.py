"""Splitting the plain lines of ``div`` and ``fix`` blocks, and separated ones with ``n=Len``, into fields, all at once.

Here every line is a record. A line is plain if its fields are found without looking at escapes and
nothing is wrong with it; `ess.formats.records.parse_record` handles every other line, so it also words what is wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ess.formats.attributes import Format
from ess.formats.fields import LF, Fields, FieldsBuilder, Flags, Positions, line_bounds, lines_with
from ess.formats.records import Layout, Record, parse_record

_Bounds = tuple[Positions, Positions]

#: So many bytes of a block tell which bytes are rare.
_SAMPLE = 1 << 14


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
    """The fields between the separators, each ending at the first place where its separator stands."""
    found = _Places(block, view, len(begins))
    first = layout.separators[0]
    whole = np.ones(len(begins), dtype=np.bool_)
    if first:
        whole &= _stands_at(found.of(first), begins) & (begins + len(first) <= stops)
    at = begins + len(first)
    bounds: list[_Bounds] = []
    for column, separator in zip(layout.columns, layout.separators[1:], strict=True):
        length = column.attributes.extract_length
        if length is not None:
            stop = at + length
            if separator:
                whole &= _stands_at(found.of(separator), stop)
        elif separator:
            places = found.of(separator)
            # Behind the last one stands a place beyond the block: no line without its separator is whole.
            stop = places.take(np.searchsorted(places[:-1], at))
        else:
            stop = stops
        whole &= stop + len(separator) <= stops
        # What is not whole only has to stay inside the block.
        stop = np.minimum(np.maximum(stop, at), stops)
        bounds.append((at, stop - at))
        at = np.minimum(stop + len(separator), stops)
    return bounds, whole & (at == stops)


def _separated_bounds(
    block: bytes, view: NDArray[np.uint8], begins: Positions, stops: Positions, layout: Layout
) -> tuple[list[_Bounds], Flags]:
    """The fields up to the next separator, or as long as their column says."""
    separator = layout.attributes.separator
    places = _Places(block, view, len(begins)).of(separator)
    whole = np.ones(len(begins), dtype=np.bool_)
    at = stop = begins
    bounds: list[_Bounds] = []
    for number, column in enumerate(layout.columns, 1):
        length = column.attributes.extract_length
        if length is None:
            stop = np.minimum(places.take(np.searchsorted(places[:-1], at)), stops)
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


class _Places:
    """Where texts stand in a block, overlapping places too; behind the last place stands one beyond the block."""

    def __init__(self, block: bytes, view: NDArray[np.uint8], lines: int) -> None:
        self._view = view
        # Which byte of a text is the rarest is only a question of speed.
        self._sample = block[: max(_SAMPLE, len(block) // max(1, lines))]
        self._of_bytes: dict[int, Positions] = {}
        self._of_texts: dict[bytes, Positions] = {}

    def of(self, text: bytes) -> Positions:
        """The places of a text that is not blank."""
        if text not in self._of_texts:
            self._of_texts[text] = self._found(text)
        return self._of_texts[text]

    def _found(self, text: bytes) -> Positions:
        counts = [self._sample.count(text[index : index + 1]) for index in range(len(text))]
        rarest = counts.index(min(counts))
        places = self._of_byte(text[rarest])
        # Of the places of the rarest byte, those where the whole text has room.
        room = np.searchsorted(places, [rarest, len(self._view) - len(text) + rarest + 1])
        places = places[room[0] : room[1]] - rarest
        for index, byte in enumerate(text):
            if index != rarest:
                places = places.compress(self._view.take(places + index) == byte)
        return np.append(places, np.int64(2 * len(self._view)))

    def _of_byte(self, byte: int) -> Positions:
        if byte not in self._of_bytes:
            self._of_bytes[byte] = np.flatnonzero(self._view == byte).astype(np.int64, copy=False)
        return self._of_bytes[byte]


def _stands_at(places: Positions, at: Positions) -> Flags:
    there: Flags = places[np.searchsorted(places[:-1], at)] == at
    return there
