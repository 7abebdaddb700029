"""Splitting the plain lines of ``div`` and ``fix`` blocks into fields, all at once.

Here every line is a record. A line is plain if its fields are found without looking at escapes and
nothing is wrong with it; `ess.formats.records.parse_record` handles every other line, so it also words what is wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ess.formats.attributes import Format
from ess.formats.fields import LF, Fields, FieldsBuilder, Flags, Positions, StructureReject, line_bounds, lines_with
from ess.formats.records import Layout, Record, parse_record

_Bounds = tuple[Positions, Positions]


def split_lines(data: bytes, start: int, end: int, *, final: bool, layout: Layout) -> Fields:
    """The fields of the records in ``data[start:end]``; arguments as in `parse_record`."""
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
    divide = _fixed_bounds if layout.attributes.format is Format.FIXED else _divided_bounds
    bounds, whole = divide(block, view, begins, stops, layout)
    good = plain & whole
    rejects: list[StructureReject] = []
    rewritten: list[tuple[int, Record]] = []
    for line in np.flatnonzero(~good).tolist():
        record = parse_record(data, start + int(begins[line]), end, final=final, layout=layout)
        assert record is not None
        if record.reason:
            rejects.append(StructureReject(line, record.column, record.reason))
        else:
            good[line] = True
            rewritten.append((line, record))
    rows = np.flatnonzero(good).astype(np.int64, copy=False)
    builder = FieldsBuilder(block, rows, rewritten)
    for column, (at, length) in zip(layout.columns, bounds, strict=True):
        if column.wanted:
            builder.add(at[rows], length[rows])
        else:
            builder.add_unwanted()
    return builder.build(rejects, end)


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
    found: dict[bytes, Positions] = {}
    for separator in layout.separators:
        if separator and separator not in found:
            found[separator] = _places(block, view, separator)
    first = layout.separators[0]
    whole = np.ones(len(begins), dtype=np.bool_)
    if first:
        whole &= _stands_at(found[first], begins) & (begins + len(first) <= stops)
    at = begins + len(first)
    bounds: list[_Bounds] = []
    for column, separator in zip(layout.columns, layout.separators[1:], strict=True):
        length = column.attributes.extract_length
        if length is not None:
            stop = at + length
            if separator:
                whole &= _stands_at(found[separator], stop)
        elif separator:
            places = found[separator]
            index = np.searchsorted(places, at)
            beyond = index == len(places)
            # A line without this separator gets one of another line, which is behind its end, or its own end.
            stop = np.where(beyond, stops + 1, places[np.minimum(index, len(places) - 1)]) if len(places) else stops + 1
        else:
            stop = stops
        whole &= stop + len(separator) <= stops
        # What is not whole only has to stay inside the block.
        stop = np.minimum(np.maximum(stop, at), stops)
        bounds.append((at, stop - at))
        at = np.minimum(stop + len(separator), stops)
    return bounds, whole & (at == stops)


def _places(block: bytes, view: NDArray[np.uint8], text: bytes) -> Positions:
    """Where ``text`` stands, overlapping places too."""
    # The search begins with the byte of it that is rarest in the block.
    counts = [block.count(text[index : index + 1]) for index in range(len(text))]
    rarest = counts.index(min(counts))
    places = np.flatnonzero(view == text[rarest]).astype(np.int64, copy=False) - rarest
    places = places[(places >= 0) & (places <= len(view) - len(text))]
    for index, byte in enumerate(text):
        if index != rarest:
            places = places[view[places + index] == byte]
    return places


def _stands_at(places: Positions, at: Positions) -> Flags:
    index = np.searchsorted(places, at)
    if not len(places):
        return np.zeros(len(at), dtype=np.bool_)
    there: Flags = (index < len(places)) & (places[np.minimum(index, len(places) - 1)] == at)
    return there
