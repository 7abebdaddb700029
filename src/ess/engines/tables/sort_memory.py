"""The memory that rows take while they are held and sorted."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ess.language.tree import Slot
from ess.schema.batch import Batch, join_batches

#: A string's place in a column: its length, and its first bytes or where it is.
_VIEW = 16
#: The bytes that sorting takes for a row (``ess.engines.sort_keys``): seven arrays of numbers of 64 bits ...
_ROW = 56
#: ... and for each key its numbers, which a column of numbers and the beginnings and lengths of strings become.
_KEY = 24
#: The most 64-bit numbers that a string becomes.
_MOST_WORDS = 9
_SMALL = (pl.UInt32, pl.Int32)
#: The contents of string keys are copied so often.
_COPIES = 3


class HeldRows:
    """Rows that wait to be sorted, and the memory that sorting them will take.

    Args:
        keys: The columns to sort by.
    """

    def __init__(self, keys: Sequence[Slot]) -> None:
        self._keys = {slot.key for slot in keys}
        self._forget()

    def _forget(self) -> None:
        self.rows = 0
        self._batches: list[Batch] = []
        self._bytes = 0
        self._key_bytes = 0
        self._longest: dict[str, int] = {}

    def add(self, batch: Batch) -> None:
        """Hold some more rows of the same columns."""
        self._batches.append(batch)
        self.rows += batch.height
        for column in batch.iter_columns():
            if column.dtype != pl.Binary:
                self._bytes += batch.height * (4 if column.dtype in _SMALL else 8)
                continue
            sizes = column.bin.size()
            content = int(sizes.sum())
            self._bytes += _VIEW * batch.height + content
            if column.name in self._keys:
                longest = sizes.max() or 0
                assert isinstance(longest, int)
                self._key_bytes += content
                self._longest[column.name] = max(longest, self._longest.get(column.name, 0))

    @property
    def memory(self) -> int:
        """The bytes that they take, with what it takes to sort them, at the highest."""
        words = sum(min(-(-longest // 8) + 1, _MOST_WORDS) for longest in self._longest.values())
        sorting = self.rows * (_ROW + _KEY * len(self._keys) + 8 * words) + _COPIES * self._key_bytes
        # All rows are copied once, into one piece, but not while their order is found.
        return self._bytes + max(self._bytes, sorting)

    @property
    def row_bytes(self) -> int:
        """The bytes that one of them takes by itself, on average."""
        return max(1, self._bytes // max(1, self.rows))

    def take(self) -> Batch:
        """The rows, at least one batch, as a single one; nothing is held any more."""
        batch = join_batches(self._batches)
        self._forget()
        return batch
