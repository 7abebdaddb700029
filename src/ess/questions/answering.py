"""The commands behind a stream: they take its output, and print the answer."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from typing import IO, Self

from ess.cluster.delivery import Sink
from ess.cluster.user_environment import surroundings
from ess.errors import InitializationError
from ess.questions.question import Question, pipeline

_CHUNK = 1 << 16


class Answering:
    """The commands behind a stream, running; a context, at whose end they are gone.

    Args:
        question: Its commands.
        stdout: Takes the answer.
        stderr: Takes their messages.

    Raises:
        InitializationError: If bash cannot be started.
    """

    def __init__(self, question: Question, stdout: Sink, stderr: Sink) -> None:
        user = surroundings()
        try:
            self._process = subprocess.Popen(
                ["bash", "-o", "pipefail", "-c", pipeline(question.then)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=user.folder,
                env=dict(user.environment),
                umask=user.umask,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise InitializationError(f"cannot start it ({error.strerror})", where="bash") from error
        pairs = ((self._process.stdout, stdout), (self._process.stderr, stderr))
        self._failures: list[Exception] = []
        self._is_satisfied = False
        self._readers = [
            threading.Thread(target=self._pass_on, args=pair, daemon=True) for pair in pairs if pair[0] is not None
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        """The running commands."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._close()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    def write(self, data: bytes, /) -> None:
        """Give them output of the stream.

        Raises:
            BrokenPipeError: If they need no more.
        """
        assert self._process.stdin is not None
        view = memoryview(data)
        try:
            while view:
                view = view[self._process.stdin.write(view) :]
        except BrokenPipeError:
            self._is_satisfied = True
            raise

    @property
    def needs_no_more(self) -> bool:
        """True if they have ended, or closed their input, before all was written."""
        return self._is_satisfied

    def flush(self) -> None:
        """Nothing: all that is written is passed on."""

    def finish(self) -> int:
        """The exit code of the commands, once they have printed all."""
        self._close()
        code = self._process.wait()
        for reader in self._readers:
            reader.join()
        if self._failures:
            raise self._failures[0]
        return 0 if code == 128 + signal.SIGPIPE else code

    def _close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def _pass_on(self, source: IO[bytes], target: Sink) -> None:
        with source:
            while data := source.read(_CHUNK):
                if not self._failures:
                    try:
                        target.write(data)
                    except (OSError, ValueError) as error:
                        self._failures.append(error)
