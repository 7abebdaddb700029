"""Sessions: the events of one key that follow each other without a longer pause, over batches in order of time."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ess.language.tree import Slot
from ess.schema.batch import Batch

#: The columns of a result behind those of the key (``key 0``, ``key 1``, ...).
BEGIN, END, LENGTH, EVENTS = "begin", "end", "length", "events"

_ROW = "row"
_PAUSE = "pause"


class OutOfOrderError(Exception):
    """An event's time lies too far before that of an earlier one: its 0-based row in the batch, and by how much."""

    def __init__(self, row: int, difference: int) -> None:
        super().__init__(row, difference)
        self.row = row
        self.difference = difference


class SessionFinder:
    """Finds sessions. Only those that may go on are kept in memory.

    Args:
        keys: The columns that tell who an event is of.
        time: The column of the event's time, an integer.
        timeout: A session ends when there is no event for longer than this.
        tolerance: How far an event's time may lie before the latest one; it then counts as the latest.
        trim: Whether sessions that may have begun before the first event or may go on after the last are left out.

    Sessions come out in the order in which they end; the batches make no difference.
    """

    def __init__(self, keys: Sequence[Slot], time: Slot, *, timeout: int, tolerance: int, trim: bool) -> None:
        self._keys = [slot.key for slot in keys]
        self._names = [f"key {n}" for n in range(len(keys))]
        self._time = time.key
        self._timeout = timeout
        self._tolerance = tolerance
        self._trim = trim
        self._first: int | None = None
        self._last = 0
        self._rows = 0
        self._open: Batch | None = None

    def add(self, batch: Batch) -> Batch:
        """Add the events of a batch that is not empty; the sessions that have ended.

        Raises:
            OutOfOrderError: If an event is too late. Nothing of the batch has been added.
        """
        given = batch.get_column(self._time).cast(pl.Int128)
        if self._first is None:
            self._first = self._last = int(given[0])
        times = given.clip(lower_bound=self._last).cum_max()
        late = times - given
        if int(late.max()) > self._tolerance:  # type: ignore[arg-type]
            row = (late > self._tolerance).arg_true()[0]
            raise OutOfOrderError(row, int(late[row]))
        self._last = int(times[-1])
        columns = [batch.get_column(key).alias(name) for key, name in zip(self._keys, self._names, strict=True)]
        columns += [times.alias(BEGIN), times.alias(END)]
        events = pl.DataFrame(columns).with_columns(
            pl.lit(1, pl.UInt64).alias(EVENTS), (pl.int_range(pl.len(), dtype=pl.UInt64) + self._rows).alias(_ROW)
        )
        self._rows += batch.height
        sessions = self._joined(events if self._open is None else pl.concat([self._open, events]))
        ended = pl.lit(self._last, pl.Int128) - pl.col(END) > self._timeout
        self._open = sessions.filter(~ended)
        return self._result(sessions.filter(ended))

    def finish(self) -> Batch:
        """The sessions that were still going on at the end of the events."""
        if self._open is None or self._trim:
            return pl.DataFrame()
        return self._result(self._open)

    def _joined(self, parts: Batch) -> Batch:
        """Parts of sessions, in order of time for each key, put together."""
        pause = (pl.col(BEGIN) - pl.col(END).shift(1)).over(self._names) > self._timeout
        number = pause.fill_null(value=False).cast(pl.UInt32).alias(_PAUSE)
        numbered = parts.with_columns(number).with_columns(pl.col(_PAUSE).cum_sum().over(self._names))
        return (
            numbered.group_by(*self._names, _PAUSE, maintain_order=True)
            .agg(pl.col(BEGIN).first(), pl.col(END).last(), pl.col(EVENTS).sum(), pl.col(_ROW).last())
            .drop(_PAUSE)
        )

    def _result(self, sessions: Batch) -> Batch:
        if self._trim and self._first is not None:
            sessions = sessions.filter(pl.col(BEGIN) - pl.lit(self._first, pl.Int128) > self._timeout)
        length = (pl.col(END) - pl.col(BEGIN)).alias(LENGTH)
        ordered = sessions.sort(END, _ROW).with_columns(length)
        return ordered.select(*self._names, pl.col(BEGIN, END).cast(pl.Int64), pl.col(LENGTH).cast(pl.UInt64), EVENTS)
