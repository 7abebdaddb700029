"""The results of the functions of :mod:`ess.api` that the parts below have no type for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from ess.cluster.report import ExecResult, StreamResult
    from ess.lake.categories import Category
    from ess.lake.datastores import Datastore
    from ess.questions.question import Question


@dataclass(frozen=True)
class DatastoreSummary:
    """A datastore and its categories, in the order they were made."""

    datastore: Datastore
    categories: tuple[Category, ...]

    @property
    def count(self) -> int:
        """Files of all categories."""
        return sum(category.stats.count for category in self.categories)

    @property
    def size(self) -> int:
        """Bytes of all categories."""
        return sum(category.stats.size for category in self.categories)


@dataclass(frozen=True)
class StreamOutput:
    """The output of a stream, and its result.

    ``output`` and ``messages`` are the commands' standard output and error output, blank where
    they went to a file of the caller. ``result`` has the exit code, the files that failed, and
    the rows read, written, filtered and rejected.
    """

    output: bytes
    messages: bytes
    result: StreamResult

    @property
    def lines(self) -> list[str]:
        """The output as lines of text; bytes that are not UTF-8 become U+FFFD."""
        return self.output.decode("utf-8", "replace").splitlines()


@dataclass(frozen=True)
class ExecOutput:
    """The output of a command, and its result; as :class:`StreamOutput`."""

    output: bytes
    messages: bytes
    result: ExecResult

    @property
    def lines(self) -> list[str]:
        """The output as lines of text; bytes that are not UTF-8 become U+FFFD."""
        return self.output.decode("utf-8", "replace").splitlines()


@dataclass(frozen=True)
class AnswerOutput:
    """The answer to a question.

    ``output`` and ``messages`` are CSV with titles, and the messages of commands, blank where they went to a file of
    the caller. ``result`` is that of the stream; None if the answer was complete before all files were read.
    ``code`` is the exit code of the commands behind the stream.
    """

    question: Question
    output: bytes
    messages: bytes
    result: StreamResult | None
    code: int

    @property
    def exit_code(self) -> int:
        """0 if all went well."""
        return (self.result.exit_code if self.result else 0) or self.code

    @property
    def frame(self) -> pl.DataFrame:
        """The answer with a column of the right type for each of its own."""
        from ess.questions.answered import answer_frame

        return answer_frame(self.output, self.question.columns)
