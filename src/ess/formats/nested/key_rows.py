"""Rows from values that are found by their keys: what is known so far, and the rows made of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from ess.formats.parse_exact import Block, BlockReject
from ess.formats.values import BadValueError, Value, converter
from ess.schema.batch import make_batch
from ess.schema.columns import Column


class KeyRows:
    """The rows of a block, and the raw values (``now``, one for each column) that the next one has so far.

    Args:
        columns: The columns of the input, unwanted ones included.
        to_skip: How many records to pass over first.
    """

    def __init__(self, columns: Sequence[Column], *, to_skip: int = 0) -> None:
        self._width = len(columns)
        self._wanted = [column for column in columns if column.wanted]
        self._converters = [(index, converter(column)) for index, column in enumerate(columns) if column.wanted]
        self._made: list[list[Value]] = []
        self._rejects: list[BlockReject] = []
        self._spoiled: tuple[int, str] | None = None
        #: How many rows there were, those of earlier blocks, rejected and skipped ones included.
        self.rows = 0
        self.to_skip = to_skip
        self.now = [b""] * self._width
        #: For each column, 1 once its key was found.
        self.met = bytearray(self._width)

    def add(self) -> None:
        """Make a row of what is known now, or reject it."""
        self.rows += 1
        if self._spoiled is not None:
            column, reason = self._spoiled
            self._spoiled = None
            self.reject(column, reason)
            return
        now, row, index = self.now, [], 0
        try:
            for index, convert in self._converters:
                row.append(convert(now[index]))
        except BadValueError as error:
            self.reject(index, str(error))
            return
        if self.to_skip:
            self.to_skip -= 1
            return
        self._made.append(row)

    def spoil(self, column: int, reason: str) -> None:
        """Have the row that is added next rejected."""
        self._spoiled = column, reason

    def reject(self, column: int, reason: str) -> None:
        """Count a bad record, failed at a column (0-based)."""
        if self.to_skip:
            self.to_skip -= 1
            return
        height = len(self._made)
        self._rejects.append(BlockReject(height, height + len(self._rejects), column, reason))

    def clear(self, columns: Iterable[int]) -> None:
        """Forget the values of some columns."""
        for column in columns:
            self.now[column] = b""

    def clear_all(self) -> None:
        """Forget all values."""
        self.now = [b""] * self._width
        self._spoiled = None

    def take(self, consumed: int) -> Block:
        """The rows and rejects so far, which are forgotten; values of the next row stay."""
        made, rejects = self._made, tuple(self._rejects)
        self._made, self._rejects = [], []
        if not self._wanted:
            return Block(pl.DataFrame(height=len(made)), rejects, consumed)
        columns = list(zip(*made, strict=True)) if made else [()] * len(self._wanted)
        typed = [(column.key, column.type, values) for column, values in zip(self._wanted, columns, strict=True)]
        return Block(make_batch(typed, len(made)), rejects, consumed)
