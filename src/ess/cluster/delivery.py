"""Output in order: what commands wrote to files of their own is passed on file by file, as soon as it can be."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import BinaryIO, Protocol

from ess.cluster.unbroken import Unbroken
from ess.cluster.work import Outcome
from ess.errors import SystemFailure, printable
from ess.settings import open_private

#: The lines of messages that are shown of a successful task, and of all such tasks together.
LINES_OF_A_TASK = 3
LINES_OF_A_JOB = 12

#: So many different messages of failed tasks are known again.
MOST_KNOWN = 10_000

#: The most bytes of output that wait for their turn in memory.
HELD = 16 << 20

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
        unbroken: Holds Ctrl-C back.
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
        unbroken: Unbroken = contextlib.nullcontext,
    ) -> None:
        self._folder = folder
        self._stdout = stdout
        self._stderr = stderr
        self._name = name
        self._all_messages = all_messages
        self._delivered = delivered
        self._unbroken = unbroken
        self._held = 0
        self._sizes: dict[int, int] = {}  # the bytes of each outcome that are held
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
        self._keep(outcome)
        while True:
            if self._next in self._skipped:
                self._next += 1
                continue
            if self._next not in self._waiting:
                return
            with self._unbroken():
                self._pass_on(self._give(self._next))
            self._next += 1

    def _keep(self, outcome: Outcome) -> None:
        """Keep an outcome until it is its turn; output that is too much to be held is put into its files."""
        if outcome.text is not None and outcome.index != self._next:
            size = len(outcome.text[0]) + len(outcome.text[1])
            if self._held + size > HELD:
                _save(self._folder / outcome.stdout, outcome.text[0])
                _save(self._folder / outcome.stderr, outcome.text[1])
                outcome = replace(outcome, text=None)
            else:
                self._held += size
                self._sizes[outcome.index] = size
        self._waiting[outcome.index] = outcome

    def _give(self, index: int) -> Outcome:
        """The outcome whose turn it is."""
        self._held -= self._sizes.pop(index, 0)
        return self._waiting.pop(index)

    def notice(self, text: str) -> None:
        """Pass on a line about the job itself."""
        self._stderr.write(f"ess: {printable(text)}\n".encode("utf-8", "backslashreplace"))
        self._stderr.flush()

    def rest(self) -> None:
        """Pass on what waits, in order, although tasks before it are missing (they never ran)."""
        for index in sorted(self._waiting):
            with self._unbroken():
                self._pass_on(self._give(index))

    def _pass_on(self, outcome: Outcome) -> None:
        if not outcome.stdout:  # its node was lost, with all it wrote
            self._delivered(outcome)
            return
        out, err = outcome.text or (self._folder / outcome.stdout, self._folder / outcome.stderr)
        if not outcome.ended.stopped:
            if err:
                self._pass_on_messages(err, outcome)
            if out and not outcome.ended.problem:
                _copy(out, self._stdout)
        for written in (out, err):
            if isinstance(written, Path):
                written.unlink(missing_ok=True)
        self._delivered(outcome)

    def _pass_on_messages(self, messages: Path | bytes, outcome: Outcome) -> None:
        size = _size(messages)
        if not size:
            return
        name = self._name(outcome)
        failed = outcome.ended.exit_code != 0
        if failed and self._was_said(messages, size, name, outcome.index) and not self._all_messages:
            return
        prefix = f"{printable(name)}: ".encode() if name else b""
        limit: float = inf
        if not self._all_messages and outcome.ended.exit_code == 0:
            limit = min(LINES_OF_A_TASK, max(LINES_OF_A_JOB - self._shown, 0))
        with _opened(messages) as file:
            for number, line in enumerate(file):
                if number < limit:
                    self._stderr.write(prefix + line if line.endswith(b"\n") else prefix + line + b"\n")
                    self._shown += 1
                else:
                    self.left_out += 1
        self._stderr.flush()

    def _was_said(self, messages: Path | bytes, size: int, name: str, index: int) -> bool:
        """True if another failed task has had the same messages, but for its name in them."""
        if size > _CHUNK:
            return False
        own_name = rb"\b%b\b" % re.escape(os.fsencode(name.partition(".")[0]))
        with _opened(messages) as file:
            digest = hashlib.sha256(re.sub(own_name, b"\0", file.read())).digest()
        if digest not in self._first and len(self._first) < MOST_KNOWN:
            self._first[digest] = index
        self.alike[index] = self._first.get(digest, index)
        return self.alike[index] != index


def _size(text: Path | bytes) -> int:
    if isinstance(text, bytes):
        return len(text)
    try:
        return text.stat().st_size
    except OSError:
        return 0


def _opened(text: Path | bytes) -> BinaryIO:
    return io.BytesIO(text) if isinstance(text, bytes) else text.open("rb")


def _save(path: Path, text: bytes) -> None:
    try:
        with os.fdopen(open_private(path, os.O_WRONLY | os.O_TRUNC), "wb") as file:
            file.write(text)
    except OSError as error:
        raise SystemFailure(f"cannot write ({error.strerror})", where=str(path), hint="check the space") from error


def _copy(text: Path | bytes, target: Sink) -> None:
    if isinstance(text, bytes):
        target.write(text)
    else:
        try:
            with text.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    target.write(chunk)
        except FileNotFoundError:
            return
    target.flush()
