"""The records of an input for tools that have no chain of rules: batches of good ones, the others counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from ess.formats.attributes import InputAttributes
from ess.formats.reader import InputBatch
from ess.pipeline.beside import read_ahead
from ess.pipeline.counts import Counts
from ess.pipeline.rejections import RejectionPolicy, note_of
from ess.pipeline.source import InputPlan, read_file
from ess.schema.batch import Batch

#: ``-verb`` prints a line whenever this many more records have been processed.
PROGRESS_STEP = 10_000_000

#: A batch of this many records takes longer than handing it to another thread.
_LARGE = 1000

#: Reads a file of an input; the last argument is what ``-`` means.
FileReader = Callable[[InputPlan, str, BinaryIO | None], Iterator[InputBatch]]


class Intake:
    """One pass over an input.

    Args:
        source: Where the records come from.
        more: Further inputs of the same columns.
        report: Gets the message of each record that is left out.
        progress: Gets the number of records processed, every ``PROGRESS_STEP``.
        stdin: What ``-`` means; None for the process's standard input.
        read: What reads one file.
    """

    def __init__(
        self,
        source: InputPlan,
        report: Callable[[str], None],
        *,
        progress: Callable[[int], None] | None = None,
        stdin: BinaryIO | None = None,
        read: FileReader = read_file,
        more: Sequence[InputPlan] = (),
    ) -> None:
        self._read = read
        self._source = source
        self._more = more
        self._report = report
        self._policies: list[RejectionPolicy] = []
        self._progress = progress
        self._stdin = stdin
        self.rows = 0  #: good records so far

    @property
    def rejected(self) -> int:
        """The number of records rejected so far."""
        return sum(policy.rejected for policy in self._policies)

    def counts(self) -> Counts:
        """The counts of a tool that uses every good record."""
        return Counts(self.rows + self.rejected, self.rows, 0, self.rejected)

    def batches(self) -> Iterator[Batch]:
        """The good records of all files, in order, in batches that are not empty.

        Raises:
            InputDataError: At a rejected record that ends the run; the rows before it have been delivered.
            EssError: As ``read_input`` does.
        """
        for source in (self._source, *self._more):
            for file in source.files:
                yield from self._file_batches(source, file, ahead=True)

    @property
    def files(self) -> tuple[str, ...]:
        """The input's files as given."""
        return self._source.files

    def file_batches(self, file: str) -> Iterator[Batch]:
        """The good records of one file of the input; errors as for ``batches``. Files may be read side by side."""
        return self._file_batches(self._source, file, ahead=False)

    def _file_batches(self, source: InputPlan, file: str, *, ahead: bool) -> Iterator[Batch]:
        # With ``ahead`` the next batches of a large file are read while its user works on one.
        policy = RejectionPolicy(source.attributes, self._report)
        self._policies.append(policy)
        read = (batch for batch in self._read(source, file, self._stdin))
        for batch in read_ahead(read, _is_large) if ahead else read:
            before = self.rows + self.rejected
            for note in batch.notes:
                self._report(note_of(batch.file, note))
            for rows in _good(batch, source.attributes, policy):
                self.rows += rows.height
                yield rows
            self._announce(before, self.rows + self.rejected)

    def _announce(self, before: int, after: int) -> None:
        if self._progress is not None and after // PROGRESS_STEP > before // PROGRESS_STEP:
            self._progress(after // PROGRESS_STEP * PROGRESS_STEP)


def _good(batch: InputBatch, attributes: InputAttributes, policy: RejectionPolicy) -> Iterator[Batch]:
    start = 0
    if policy.only_counts:
        policy.leave_out(len(batch.rejects))
        if batch.frame.height:
            yield batch.frame
        return
    for reject in batch.rejects:
        # A rejection that may end the run comes after the rows before it, so that the end
        # does not depend on the size of the batches.
        if reject.before_row > start and (not attributes.errors_ok or attributes.error_limit is not None):
            yield batch.frame.slice(start, reject.before_row - start)
            start = reject.before_row
        policy.reject(batch.file, reject.record, reject.column, reject.reason)
    if start < batch.frame.height:
        yield batch.frame.slice(start)


def _is_large(batch: InputBatch) -> bool:
    return batch.read >= _LARGE
