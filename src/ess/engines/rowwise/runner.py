"""Running a compiled loop over batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ess.engines.base import BatchResult, Rejection
from ess.engines.rowwise.rules import Loop, compile_loop
from ess.errors import OptionError
from ess.language.function import RecordError
from ess.language.program import Program
from ess.language.row_module import ModuleFailure
from ess.language.tree import Slot
from ess.language.values import wrap
from ess.schema.batch import PHYSICAL, Batch
from ess.schema.types import ColumnType

Value = bytes | int | float

#: The name of generated code in tracebacks.
_SOURCE_NAME = "<row engine>"


def compile_rowwise(program: Program) -> RowRunner:
    """Compile a program to a Python function over the rows of a batch.

    Raises:
        OptionError: If the program nests deeper than Python can express.
    """
    return RowRunner(program, compile_loop(program))


class RowRunner:
    """Runs one program; it keeps the variables from batch to batch."""

    def __init__(self, program: Program, loop: Loop) -> None:
        self._program = program
        self._loop = loop
        self._state: tuple[Value, ...] = tuple(
            wrap(variable.initial) if isinstance(variable.initial, int) else variable.initial
            for variable in program.variables
        )
        namespace = dict(loop.namespace)
        try:
            exec(compile(loop.source, _SOURCE_NAME, "exec"), namespace)  # noqa: S102 - made from a checked tree only
        except (SyntaxError, RecursionError, MemoryError):
            raise OptionError(
                "an expression is nested too deeply", where="-eval", hint="split it over several options"
            ) from None
        self._function: Any = namespace["run"]

    @property
    def source(self) -> str:
        """The generated Python, for tests and for the curious."""
        return self._loop.source

    def run(self, batch: Batch, first_row_number: int) -> BatchResult:
        """Run the chain over a batch (see ``Runner``)."""
        columns = [to_values(batch.get_column(slot.key), slot.type) for slot in self._loop.loaded]
        rows, collected, written, rejected, processed, stopped, self._state = self._function(
            columns, batch.height, first_row_number, self._state
        )
        slots = (*self._program.inputs, *self._program.created)
        # As many rows as the batch has are all of its rows, unless one row can become several.
        expands = self._loop.expands
        final = _gather(batch, slots, rows, self._loop.collected, collected, expands=expands)
        sinks = {
            sink: _gather(batch, self._loop.sinks[sink], taken, self._loop.sink_slots[sink], values, expands=expands)
            for sink, (taken, values) in written.items()
        }
        return BatchResult(
            final,
            sinks,
            self._count(rows, [taken for taken, _ in written.values()], batch.height),
            processed,
            tuple(
                Rejection(
                    row, reason, self._option_of(error), error.error if isinstance(error, ModuleFailure) else None
                )
                for row, reason, error in rejected
            ),
            stopped,
        )

    def _option_of(self, error: RecordError) -> str:
        """The option whose rule raised this, by the line of the loop that it passed through last."""
        option, trace = "", error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == _SOURCE_NAME:
                option = self._loop.places.get(trace.tb_lineno, option)
            trace = trace.tb_next
        return option

    def variables(self) -> Mapping[Slot, Value]:
        """The variables' values now."""
        return {
            slot: value % 2**64 if slot.type is ColumnType.L and isinstance(value, int) else value
            for slot, value in zip(self._loop.variables, self._state, strict=True)
        }

    def _count(self, rows: list[int] | None, written: list[list[int]], height: int) -> int:
        """The number of rows that were kept: at the end of the chain or in any sink."""
        if rows is None or (len(rows) == height and not self._loop.expands):
            return height
        if not any(written) and not self._loop.expands:
            return len(rows)
        return len(set(rows).union(*written))


def to_values(series: pl.Series, kind: ColumnType) -> list[Any]:
    """A column's values; those of L as the signed numbers of the same bits."""
    return (series.reinterpret(signed=True) if kind is ColumnType.L else series).to_list()


def to_series(slot: Slot, values: Sequence[Any]) -> pl.Series:
    """Such values as a column."""
    if slot.type is ColumnType.L:
        return pl.Series(slot.key, values, dtype=pl.Int64).reinterpret(signed=False)
    return pl.Series(slot.key, values, dtype=PHYSICAL[slot.type])


def _gather(
    batch: Batch,
    slots: Sequence[Slot],
    rows: list[int] | None,
    changed: Sequence[Slot],
    values: Sequence[Sequence[Any]],
    *,
    expands: bool,
) -> Batch:
    """A batch of ``slots`` for some rows: changed slots from ``values``, the others from ``batch``."""
    if not slots:
        return pl.DataFrame(height=batch.height if rows is None else len(rows))
    fresh = {slot.key: to_series(slot, given) for slot, given in zip(changed, values, strict=True)}
    unchanged = [slot.key for slot in slots if slot.key not in fresh]
    if unchanged:
        taken = batch.select(unchanged)
        if rows is not None and (expands or len(rows) != batch.height):
            taken = taken[rows] if rows else taken.clear()
        fresh.update((series.name, series) for series in taken)
    return pl.DataFrame([fresh[slot.key] for slot in slots])
