"""The run of a plan: batches from the reader through the engine to the sinks, and the counts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import BinaryIO

from ess.engines.base import BatchResult, Runner
from ess.engines.select import compile_program
from ess.errors import EssError
from ess.formats.reader import InputBatch, Reject
from ess.language.program import Conditional, Quit, Rule
from ess.pipeline.beside import Behind, read_ahead
from ess.pipeline.counts import Counts
from ess.pipeline.outputs import Outputs
from ess.pipeline.plan import Plan
from ess.pipeline.rejections import RejectionPolicy, note_of
from ess.pipeline.sinks import ImportSink
from ess.pipeline.source import STDIN, InputPlan, read_file
from ess.schema.batch import Batch, complete

#: A batch of fewer records is not worth a thread.
_LARGE = 1000

#: ``-verb`` prints a line whenever this many more records have been processed.
PROGRESS_STEP = 10_000_000


@dataclass(frozen=True)
class Streams:
    """The streams and callbacks of a run beside its files.

    ``stdin`` and ``stdout`` None are those of the process. ``report`` gets each message about a record that
    was left out, ``progress`` the number of records processed, every ``PROGRESS_STEP``. ``before_commit`` is called
    when all input has been read and imports are about to count; it raises an EssError where they must not.
    """

    stdin: BinaryIO | None
    stdout: BinaryIO | None
    report: Callable[[str], None]
    progress: Callable[[int], None] | None = None
    before_commit: Callable[[], None] | None = None


class RunError(Exception):
    """A run that ended with an error: what it is, and what had been counted by then."""

    def __init__(self, error: EssError, counts: Counts) -> None:
        super().__init__(str(error))
        self.error = error
        self.counts = counts


def run(plan: Plan, streams: Streams, *, engine: str = "auto") -> Counts:
    """Run a plan to its end.

    Rows are printed as batches are done. Imports become visible only when everything else has succeeded.

    Args:
        plan: What to run.
        streams: What it reads and prints beside its files.
        engine: See ``compile_program``.

    Raises:
        RunError: For any EssError on the way; the rows before it have been printed, imports are dropped.
    """
    return _Run(plan, streams, engine).run()


@dataclass(frozen=True)
class _Read:
    """A batch, how many records of its file stand before it, and whether it is the first of the file."""

    batch: InputBatch
    records_before: int
    source: InputPlan
    is_first: bool

    @property
    def is_large(self) -> bool:
        """True if it pays to read the next ones in a thread of their own."""
        return self.batch.read >= _LARGE and self.source.rows is None


class _Importing:
    """An import, and the rows on their way to it: hashed and sent in a thread of its own, if there are many."""

    def __init__(self, into: ImportSink) -> None:
        self.into = into
        self.writing = Behind(into.write, lambda batch: batch.height >= _LARGE)


class _Run:
    def __init__(self, plan: Plan, streams: Streams, engine: str) -> None:
        self._plan = plan
        self._streams = streams
        self._runner: Runner = compile_program(plan.program, engine=engine)
        self._imports = {opened.sink: _Importing(opened.into) for opened in plan.imports}
        self._policy = RejectionPolicy(plan.input.attributes, streams.report)
        self._rows = 0  # rows the engine has processed, so also $RowNum
        self._kept = 0
        self._rejected_by_rules = 0
        self._imported = 0
        self._repeated = 0
        self._stopped = False

    def run(self) -> Counts:
        outputs: Outputs | None = None
        try:
            for importing in self._imports.values():
                importing.into.connect()
            batches = read_ahead(self._batches(), lambda read: read.is_large)
            # An input that cannot be read must not cost an output; stdin may keep us waiting, so it comes after.
            waits = self._plan.input.files[0] == STDIN
            first = [] if waits else list(islice(batches, 1))
            outputs = Outputs(self._plan.outputs, self._plan.row_slot, self._streams.stdout)
            self._process(chain(first, batches), outputs)
            for importing in self._imports.values():
                importing.writing.finish()
            for module in self._plan.modules:
                module.finish()
            outputs.close()
            if self._plan.variable_outputs:
                values = self._runner.variables()
                for output in self._plan.variable_outputs:
                    outputs.write_variables(output, values)
            if self._imports and self._streams.before_commit:
                self._streams.before_commit()
            for importing in self._imports.values():
                rows = importing.into.commit()
                if importing.into.counted:
                    self._imported += rows
                else:
                    self._repeated += rows
        except EssError as error:
            self._give_up(outputs)
            raise RunError(error, self._counts()) from error
        except KeyboardInterrupt:
            self._give_up(outputs, at_once=True)
            raise
        except BaseException:
            self._give_up(outputs)
            raise
        return self._counts()

    def _give_up(self, outputs: Outputs | None, *, at_once: bool = False) -> None:
        for importing in self._imports.values():
            importing.writing.drop()
            importing.into.abort()
        if outputs is not None:
            # The rows before a bad record were processed, so what is buffered still goes out.
            outputs.abandon(at_once=at_once)

    def _counts(self) -> Counts:
        rejected = self._policy.rejected
        entered = self._rows - self._rejected_by_rules
        return Counts(entered + rejected, self._kept, entered - self._kept, rejected, self._imported, self._repeated)

    def _batches(self) -> Generator[_Read, None, None]:
        """The batches of all inputs; may run in a thread of its own."""
        for source in (self._plan.input, *self._plan.more_inputs):
            for file in source.files:
                records, is_first = 0, True
                for batch in read_file(source, file, self._streams.stdin):
                    yield _Read(self._completed(batch), records, source, is_first)
                    records, is_first = records + batch.read, False

    def _process(self, batches: Iterable[_Read], outputs: Outputs) -> None:
        # A run that can end in the middle meets rejects and rows in turn, so that it ends at the same record
        # whatever the batches are; any other takes each batch at once, which is faster.
        can_end = self._plan.program.stop_at_rejection or can_quit(self._plan.program.rules)
        process = self._process_in_turn if can_end else self._process_at_once
        for read in batches:
            if read.is_first:
                self._policy.next_file(read.source.attributes)
            before = self._rows + self._policy.rejected
            for note in read.batch.notes:
                self._streams.report(note_of(read.batch.file, note))
            process(read.batch, read.records_before, outputs)
            self._announce(before, self._rows + self._policy.rejected)
            if self._stopped:
                return

    def _completed(self, batch: InputBatch) -> InputBatch:
        """The batch with the columns that the chain begins with, and no others."""
        columns = [(slot.key, slot.type) for slot in self._plan.program.inputs]
        if batch.frame.columns == [key for key, _ in columns]:
            return batch
        return replace(batch, frame=complete(batch.frame, columns))

    def _process_at_once(self, batch: InputBatch, records_before: int, outputs: Outputs) -> None:
        """Take a whole batch through the chain."""
        if self._policy.only_counts:
            rejected = len(self._advance(batch.frame, outputs).rejections) if batch.frame.height else 0
            self._policy.leave_out(rejected + len(batch.rejects))
            return
        events = [(reject.record, reject.column, "", reject.reason) for reject in batch.rejects]
        if batch.frame.height:
            for rejection in self._advance(batch.frame, outputs).rejections:
                record = _record_of(rejection.row, batch.rejects, records_before)
                events.append((record, "", rejection.where, rejection.reason))
        for record, column, option, reason in sorted(events):
            self._policy.reject(batch.file, record, column, reason, option=option)

    def _process_in_turn(self, batch: InputBatch, records_before: int, outputs: Outputs) -> None:
        """Take a batch through the chain, meeting each rejection before any later row is touched."""
        row = 0
        for reject in (*batch.rejects, None):
            end = batch.frame.height if reject is None else reject.before_row
            while row < end:
                result = self._advance(batch.frame.slice(row, end - row), outputs)
                for rejection in result.rejections:
                    if rejection.failure is not None:
                        raise rejection.failure
                    record = _record_of(row + rejection.row, batch.rejects, records_before)
                    self._policy.reject(batch.file, record, "", rejection.reason, option=rejection.where)
                if result.stopped:
                    return
                row += result.processed
            if reject is not None:
                self._policy.reject(batch.file, reject.record, reject.column, reject.reason)

    def _advance(self, rows: Batch, outputs: Outputs) -> BatchResult:
        """Take rows through the chain and hand the sinks what came out."""
        result = self._runner.run(rows, self._rows + 1)
        self._rows += result.processed
        self._kept += result.kept
        self._rejected_by_rules += len(result.rejections)
        self._stopped = result.stopped
        outputs.write(result.written)
        for sink, importing in self._imports.items():
            written = result.written.get(sink)
            if written is not None and written.height:
                importing.writing.give(written)
        return result

    def _announce(self, before: int, after: int) -> None:
        if self._streams.progress is not None and after // PROGRESS_STEP > before // PROGRESS_STEP:
            self._streams.progress(after // PROGRESS_STEP * PROGRESS_STEP)


def can_quit(rules: Sequence[Rule]) -> bool:
    """True if one of these rules, at any depth, ends the run."""
    return any(
        isinstance(rule, Quit)
        or (isinstance(rule, Conditional) and any(can_quit(branch.body) for branch in rule.branches))
        for rule in rules
    )


def _record_of(row: int, rejects: Sequence[Reject], records_before: int) -> int:
    """The number in its file of the record that became row ``row`` of a batch."""
    return records_before + row + 1 + sum(1 for reject in rejects if reject.before_row <= row)
