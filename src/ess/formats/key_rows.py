"""Rows from values that are found by their keys: what is known so far, and the rows made of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from ess.engines.batch import make_batch
from ess.formats.exact import Block, BlockReject
from ess.formats.values import BadValueError, Value, converter
from ess.schema.columns import Column


class KeyRows:
    """The rows of a block, and the raw values (``now``, one for each column) that the next one has so far.

    Args:
        columns: The columns of the input, unwanted ones included.
        to_skip: How many records to pass over first.
    """

    def __init__(self, columns: Sequence[Column], *, to_skip: int = 0) -> None:
        self._width = len(columns)
        self._wanted = [(index, column, converter(column)) for index, column in enumerate(columns) if column.wanted]
        self._values: list[list[Value]] = [[] for _ in self._wanted]
        self._rejects: list[BlockReject] = []
        self._height = 0
        self._spoiled: tuple[int, str] | None = None
        #: How many rows there were, those of earlier blocks, rejected and skipped ones included.
        self.rows = 0
        self.to_skip = to_skip
        self.now = [b""] * self._width

    def add(self) -> None:
        """Make a row of what is known now, or reject it."""
        self.rows += 1
        if self._spoiled is not None:
            column, reason = self._spoiled
            self._spoiled = None
            self.reject(column, reason)
            return
        row: list[Value] = []
        for index, _, convert in self._wanted:
            try:
                row.append(convert(self.now[index]))
            except BadValueError as error:
                self.reject(index, str(error))
                return
        if self.to_skip:
            self.to_skip -= 1
            return
        for values, value in zip(self._values, row, strict=True):
            values.append(value)
        self._height += 1

    def spoil(self, column: int, reason: str) -> None:
        """Have the row that is added next rejected."""
        self._spoiled = column, reason

    def reject(self, column: int, reason: str) -> None:
        """Count a bad record, failed at a column (0-based)."""
        if self.to_skip:
            self.to_skip -= 1
            return
        self._rejects.append(BlockReject(self._height, self._height + len(self._rejects), column, reason))

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
        height, rejects = self._height, tuple(self._rejects)
        values, self._values = self._values, [[] for _ in self._wanted]
        self._height, self._rejects = 0, []
        if not self._wanted:
            return Block(pl.DataFrame(height=height), rejects, consumed)
        typed = [(column.key, column.type, taken) for (_, column, _), taken in zip(self._wanted, values, strict=True)]
        return Block(make_batch(typed, height), rejects, consumed)
