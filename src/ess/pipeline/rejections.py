"""The handling of records that cannot be processed: ``eok``, its limits, and ``qui``.

Without ``eok`` the first one ends the run. With it, each is counted and reported in one line on
stderr, unless ``qui``; ``eok=Num`` and ``eok=Num/Rows`` bound how many a file may have.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ess.errors import InputDataError, printable
from ess.formats.attributes import Format, InputAttributes


def note_of(file: str, note: str) -> str:
    """A sentence about a file as a message."""
    return printable(f"{'stdin' if file == '-' else file}: {note}")


class RejectionPolicy:
    """Counts the rejected records of a run, file by file.

    Args:
        attributes: What ``-f,...`` says.
        report: Gets the message of a record that is left out.
    """

    def __init__(self, attributes: InputAttributes, report: Callable[[str], None]) -> None:
        self._attributes = attributes
        self._report = report
        self._reported = 0
        self._in_file = 0
        self._window = 0
        self.rejected = 0

    @property
    def only_counts(self) -> bool:
        """True if only the number matters of the records still to be rejected in this file."""
        attributes = self._attributes
        silent = attributes.quiet and self._reported >= attributes.messages
        return silent and attributes.errors_ok and attributes.error_limit is None

    def leave_out(self, count: int) -> None:
        """Leave some records out, where ``only_counts``."""
        self.rejected += count
        self._in_file += count

    def next_file(self, attributes: InputAttributes | None = None) -> None:
        """Start the counts again: limits hold for each file. A file of another input brings its attributes."""
        self._attributes = attributes or self._attributes
        self._in_file = self._reported = self._window = 0

    def reject(self, file: str, record: int, column: str, reason: str, *, option: str = "") -> None:
        """Leave a record out.

        Args:
            file: Its file as the user named it.
            record: Its number there, from 1, counted after the skipped part.
            column: The column that is wrong, or blank.
            reason: What is wrong.
            option: The option whose rule cannot process it, or blank.

        Raises:
            InputDataError: If it ends the run.
        """
        self.rejected += 1
        self._in_file += 1
        part = f", column {column}" if column else f", {option}" if option else ""
        where = f"{'stdin' if file == '-' else file}: record {record}{part}"
        attributes = self._attributes
        if not attributes.errors_ok:
            raise InputDataError(reason, where=where, hint=self._hint(record, reason))
        if attributes.error_limit is not None:
            self._check_limit(where, record, reason, attributes.error_limit)
        if not attributes.quiet or self._reported < attributes.messages:
            self._reported += 1
            self._report(printable(f"{where}: {reason}"))

    def _hint(self, record: int, reason: str) -> str:
        """Return what to try when a bad record ends the run; the first may show titles or another separator."""
        attributes = self._attributes
        option = attributes.option
        leave_out = f"add eok to the attributes of {option} to leave such records out"
        if record > 1 or attributes.format is not Format.SEPARATED:
            return leave_out
        if reason.startswith("the record has 1 of "):
            return f"if the fields have another separator, give it, as in {option},csv,sep=';'; else {leave_out}"
        if re.match("'[A-Za-z_]", reason) and not attributes.skip:
            return f"if the first line holds titles, skip it with {option},+1; else {leave_out}"
        return leave_out

    def _check_limit(self, where: str, record: int, reason: str, limit: int) -> None:
        rows = self._attributes.error_window
        allowed = f"{limit} bad records are allowed in a file"
        if rows is not None:
            window = (record - 1) // rows
            if window != self._window:
                self._window, self._in_file = window, 1
            allowed = f"{limit} bad records are allowed in {rows} rows"
        if self._in_file > limit:
            raise InputDataError(reason, where=where, hint=allowed)
