"""The counts of a run: they add up, are printed by ``-stat``, and can be left in a file for the cluster."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ess.errors import OutputWriteError
from ess.settings import open_private

#: Names the file that gets one JSON line for each run of a tool; the task runner sets it.
COUNTS_VARIABLE = "ESS_COUNTS"

#: The options that import rows, the present one and the old one.
_IMPORTING = frozenset({"-imp", "-udb"})


@dataclass(frozen=True)
class Counts:
    """The records of a run, counted by what became of them.

    ``read = out + filtered + rejected`` always holds. ``out`` counts the records that reached the
    end of the chain or an output on the way; ``imported`` the rows that UDB committed, ``repeated`` those that it
    dropped because the same import, of an earlier run of the task, has counted (a record may be imported into several
    tables, so they are not a part of the sum).
    """

    read: int = 0
    out: int = 0
    filtered: int = 0
    rejected: int = 0
    imported: int = 0
    repeated: int = 0

    def add_up(self) -> bool:
        """True if every record read is accounted for."""
        return self.read == self.out + self.filtered + self.rejected


def statistics_line(tool: str, counts: Counts, *, with_out: bool = True) -> str:
    """The line that ``-stat`` prints.

    >>> statistics_line("aq_pp", Counts(read=10, out=7, filtered=2, rejected=1))
    'aq_pp: rec=10 err=1 out=7'
    """
    line = f"{tool}: rec={counts.read} err={counts.rejected}"
    return f"{line} out={counts.out}" if with_out else line


def leave_counts(tool: str, argv: Sequence[str], counts: Counts) -> None:
    """Append the counts to the file that ``ESS_COUNTS`` names, if any, as one line in one write.

    ``imports`` says whether the run was to import rows at all: none may have been good enough.
    """
    line = {
        "tool": tool,
        "argv": list(argv),
        "read": counts.read,
        "out": counts.out,
        "filtered": counts.filtered,
        "rejected": counts.rejected,
        "imported": counts.imported,
        "repeated": counts.repeated,
        "imports": any(word.split(",")[0] in _IMPORTING for word in argv),
    }
    _append(line)


def leave_failure(tool: str, exit_code: int) -> None:
    """Append the exit code of a run that failed: the shell forgets it in ``aq_pp ... | gzip``."""
    _append({"tool": tool, "exit": exit_code})


def _append(line: dict[str, object]) -> None:
    path = os.environ.get(COUNTS_VARIABLE)
    if not path:
        return
    # Several tools of one pipeline append to the same file: one write to a file opened for appending stays whole.
    text = (json.dumps(line) + "\n").encode("ascii")
    try:
        handle = open_private(Path(path), os.O_WRONLY | os.O_APPEND)
        try:
            written = os.write(handle, text)
        finally:
            os.close(handle)
    except OSError as error:
        raise _not_left(path, error.strerror or str(error)) from error
    if written < len(text):  # the last bytes that a full disk had
        raise _not_left(path, os.strerror(errno.ENOSPC))


def _not_left(path: str, reason: str) -> OutputWriteError:
    return OutputWriteError(
        f"cannot write how many rows there were: {reason}", where=path, hint="make room on that disk"
    )
