"""The positions of the fields of a block: splitters make them and `ess.formats.convert` takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ess.formats.records import Record

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]
Why = Callable[[int], tuple[int, str]]

#: The zeros before and after a block's bytes in `Fields.content`, so that 16 bytes can be read before any place
#: and 12 behind it.
FRONT = 16
BACK = 12

LF = 0x0A
CR = 0x0D


@dataclass(frozen=True)
class Fields:
    """The fields of a block's records.

    Args:
        content: ``FRONT`` zeros, the block's bytes, those of fields that had to be rewritten, ``BACK`` zeros.
        starts: For each column, where its field begins behind the front, one entry a row; none if it is unwanted.
        lengths: For each column, how long it is.
        lines: The line of the block that each row begins on.
        rejects: The lines that records without fields begin on.
        why: Gives, for such a line, the 0-based column where its record went wrong, and what is wrong.
        consumed: Where in the input the first unfinished record begins.
    """

    content: bytes
    starts: list[Positions]
    lengths: list[Positions]
    lines: Positions
    rejects: Positions
    why: Why
    consumed: int


class FieldsBuilder:
    """Puts `Fields` together, column by column.

    Args:
        block: The block's bytes.
        rows: The lines that are rows.
        rewritten: The lines among them whose fields are those of a record, not pieces of the block.
    """

    def __init__(self, block: bytes, rows: Positions, rewritten: list[tuple[int, Record]]) -> None:
        self._rows = rows
        lines = np.array([line for line, _ in rewritten], dtype=np.int64)
        self._rewritten = list(
            zip(np.searchsorted(rows, lines).tolist(), (record for _, record in rewritten), strict=True)
        )
        self._content = [bytes(FRONT), block]
        self._size = len(block)
        self._starts: list[Positions] = []
        self._lengths: list[Positions] = []

    def add_unwanted(self) -> None:
        """A column that nobody asked for."""
        self._starts.append(np.empty(0, dtype=np.int64))
        self._lengths.append(np.empty(0, dtype=np.int64))

    def add(self, begins: Positions, lengths: Positions, replaced: Iterable[tuple[int, bytes]] = ()) -> None:
        """The next column: its fields in the block, one a row; both arrays are changed.

        Their entries for rewritten rows have no meaning. ``replaced`` gives other bytes for some rows.
        """
        column = len(self._starts)
        for row, raw in replaced:
            self._replace(begins, lengths, row, raw)
        for row, record in self._rewritten:
            self._replace(begins, lengths, row, record.fields[column])
        self._starts.append(begins)
        self._lengths.append(lengths)

    def build(self, rejects: Positions, why: Why, consumed: int) -> Fields:
        """All of it."""
        content = b"".join([*self._content, bytes(BACK)])
        return Fields(content, self._starts, self._lengths, self._rows, rejects, why, consumed)

    def _replace(self, begins: Positions, lengths: Positions, row: int, raw: bytes) -> None:
        begins[row], lengths[row] = self._size, len(raw)
        self._content.append(raw)
        self._size += len(raw)


def nothing_wrong(_line: int) -> tuple[int, str]:
    """The ``why`` of a block without bad records."""
    raise AssertionError("no record of this block is without fields")


def begins_after(ends: Positions) -> Positions:
    """The beginnings of consecutive things, from their ends."""
    begins = np.empty_like(ends)
    begins[0] = 0
    begins[1:] = ends[:-1] + 1
    return begins


def lines_with(found: Flags, begins: Positions) -> Positions:
    """The lines that hold the flagged bytes."""
    return np.searchsorted(begins, np.flatnonzero(found), side="right") - 1


def line_bounds(view: NDArray[np.uint8], stops: Positions) -> tuple[Positions, Positions]:
    """The beginnings of lines and the ends of their content, from the positions of their LFs."""
    begins = begins_after(stops)
    return begins, stops - ((stops > begins) & (view[stops - 1] == CR))
