"""Running a compiled chain over batches, and leaving exceptional batches to the row engine."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from ess.engines.base import BatchResult, Runner
from ess.engines.columnar.distinct import Scalar
from ess.engines.columnar.plan import HIDDEN, ExceptionalRowError, with_value
from ess.engines.columnar.rules import ROW_NUMBER, WRITTEN, Chain, State, compile_chain
from ess.engines.columnar.storage import blank_literal
from ess.engines.rowwise import compile_rowwise
from ess.language.program import Program
from ess.language.tree import Slot
from ess.schema.batch import Batch


class ColumnarRunner:
    """Runs a program batch by batch; see ``compile_columnar``."""

    def __init__(self, program: Program, chain: Chain) -> None:
        self._program = program
        self._chain = chain
        self._outputs = [slot.key for slot in (*program.inputs, *program.created)]
        self._variables: dict[str, Scalar] = {v.slot.key: v.initial for v in program.variables}
        self._row_engine: Runner | None = None
        self.batches_by_row = 0  #: how many batches the row engine ran

    def run(self, batch: Batch, first_row_number: int) -> BatchResult:
        """Run the chain over ``batch``, or the row engine if a row of it is to be rejected."""
        try:
            return self._run_columns(batch, first_row_number)
        except ExceptionalRowError:
            self.batches_by_row += 1
            return self._run_rows(batch, first_row_number)

    def _run_columns(self, batch: Batch, first_row_number: int) -> BatchResult:
        height = batch.height
        state = State(batch, dict(self._variables))
        if self._chain.needs_row_number or not batch.width:
            # A frame without columns would lose its height when its first column is a constant.
            numbers = pl.int_range(first_row_number, first_row_number + height, dtype=pl.Int64, eager=True)
            state.frame = batch.with_columns(numbers.alias(ROW_NUMBER))
        if self._chain.needs_written:
            state.frame = with_value(state.frame, WRITTEN, pl.lit(False))
        for step in self._chain.steps:
            step(state)
        final = state.frame
        for slot in self._chain.unset:
            final = with_value(final, slot.key, blank_literal(slot.type))
        final = final[self._outputs] if self._outputs else final.select()
        self._variables = state.variables
        return BatchResult(final, state.written, final.height + state.written_only, height)

    def _run_rows(self, batch: Batch, first_row_number: int) -> BatchResult:
        if not self._chain.running:
            if self._row_engine is None:
                self._row_engine = compile_rowwise(self._program)
            return self._row_engine.run(batch, first_row_number)
        # The row engine starts from where the variables are, and leaves them where it ends.
        now = tuple(replace(v, initial=self._variables[v.slot.key]) for v in self._program.variables)
        runner = compile_rowwise(replace(self._program, variables=now))
        result = runner.run(batch, first_row_number)
        self._variables = {slot.key: value for slot, value in runner.variables().items()}
        return result

    def variables(self) -> Mapping[Slot, bytes | int | float]:
        """The variables' values now."""
        return {variable.slot: self._variables[variable.slot.key] for variable in self._program.variables}


def compile_columnar(program: Program) -> Runner:
    """Compile ``program`` to Polars expressions.

    Raises:
        Unsupported: If the program holds something that is left to the row engine; the page of
            declared gaps is made from ``support.support``.
    """
    names = (f"{HIDDEN}{number}" for number in itertools.count())
    return ColumnarRunner(program, compile_chain(program, names))
