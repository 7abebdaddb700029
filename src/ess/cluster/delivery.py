"""Output in order: what commands wrote to files of their own is passed on file by file, as soon as it can be."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Protocol

from ess.cluster.unbroken import unbroken
from ess.cluster.work import Outcome
from ess.errors import printable

#: The lines of messages that are shown of a successful task, and of all such tasks together.
LINES_OF_A_TASK = 3
LINES_OF_A_JOB = 12

#: So many different messages of failed tasks are known again.
MOST_KNOWN = 10_000

_CHUNK = 1 << 20


class Sink(Protocol):
    """The target of output: a binary stream, or an object in front of one."""

    def write(self, data: bytes, /) -> object:
        """Write all of ``data``."""
        ...

    def flush(self) -> object:
        """Pass on what is buffered."""
        ...


class Delivery:
    """Passes on the output of tasks in the order of their indices.

    Ctrl-C does not come between the output of a task and the note that it is passed on, so ``--resume`` repeats none.

    Args:
        folder: Holds the output, in files that the outcomes name.
        stdout: Takes what the commands wrote, unchanged.
        stderr: Takes their messages; before each line stands what ``name`` gives.
        name: What a task is called, e.g. after its file; blank for nothing.
        all_messages: Pass on every line. Without it, only the first lines of tasks that went well, since a
            thousand rejected records would hide what matters; those of failed tasks are passed on in full, unless an
            earlier one has said the same.
        delivered: Told of each task once its output is passed on.
    """

    def __init__(
        self,
        folder: Path,
        stdout: Sink,
        stderr: Sink,
        *,
        name: Callable[[Outcome], str],
        all_messages: bool,
        delivered: Callable[[Outcome], None],
    ) -> None:
        self._folder = folder
        self._stdout = stdout
        self._stderr = stderr
        self._name = name
        self._all_messages = all_messages
        self._delivered = delivered
        self._shown = 0
        self.left_out = 0
        self._first: dict[bytes, int] = {}
        self.alike: dict[int, int] = {}  # failed tasks with messages: the first one that has said the same
        self._waiting: dict[int, Outcome] = {}
        self._skipped: set[int] = set()
        self._next = 0

    def skip(self, index: int) -> None:
        """Do not wait for a task that an earlier run of the job has done."""
        self._skipped.add(index)

    def take(self, outcome: Outcome) -> None:
        """Take a task's outcome, and pass on what is its turn.

        Raises:
            BrokenPipeError: If nobody reads the output any more.
        """
        self._waiting[outcome.index] = outcome
        while True:
            if self._next in self._skipped:
                self._next += 1
                continue
            following = self._waiting.pop(self._next, None)
            if following is None:
                return
            with unbroken():
                self._pass_on(following)
            self._next += 1

    def notice(self, text: str) -> None:
        """Pass on a line about the job itself."""
        self._stderr.write(f"ess: {printable(text)}\n".encode("utf-8", "backslashreplace"))
        self._stderr.flush()

    def rest(self) -> None:
        """Pass on what waits, in order, although tasks before it are missing (they never ran)."""
        for index in sorted(self._waiting):
            with unbroken():
                self._pass_on(self._waiting.pop(index))

    def _pass_on(self, outcome: Outcome) -> None:
        if not outcome.stdout:  # its node was lost, with all it wrote
            self._delivered(outcome)
            return
        stdout, stderr = self._folder / outcome.stdout, self._folder / outcome.stderr
        if not outcome.ended.stopped:
            self._pass_on_messages(stderr, outcome)
            if not outcome.ended.problem:
                _copy(stdout, self._stdout)
        for path in (stdout, stderr):
            path.unlink(missing_ok=True)
        self._delivered(outcome)

    def _pass_on_messages(self, path: Path, outcome: Outcome) -> None:
        try:
            if not path.stat().st_size:
                return
        except OSError:
            return
        name = self._name(outcome)
        if outcome.ended.exit_code != 0 and self._was_said(path, name, outcome.index) and not self._all_messages:
            return
        prefix = f"{printable(name)}: ".encode() if name else b""
        limit: float = inf
        if not self._all_messages and outcome.ended.exit_code == 0:
            limit = min(LINES_OF_A_TASK, max(LINES_OF_A_JOB - self._shown, 0))
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if number < limit:
                    self._stderr.write(prefix + line if line.endswith(b"\n") else prefix + line + b"\n")
                    self._shown += 1
                else:
                    self.left_out += 1
        self._stderr.flush()

    def _was_said(self, path: Path, name: str, index: int) -> bool:
        """True if another failed task has had the same messages, but for its name in them."""
        if path.stat().st_size > _CHUNK:
            return False
        own_name = rb"\b%b\b" % re.escape(os.fsencode(name.partition(".")[0]))
        digest = hashlib.sha256(re.sub(own_name, b"\0", path.read_bytes())).digest()
        if digest not in self._first and len(self._first) < MOST_KNOWN:
            self._first[digest] = index
        self.alike[index] = self._first.get(digest, index)
        return self.alike[index] != index


def _copy(path: Path, target: Sink) -> None:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                target.write(chunk)
    except FileNotFoundError:
        return
    target.flush()
