"""A machine as seen from here: programs run on it, and files are put and fetched. :class:`ThisMachine` is this one."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, cast

from ess import settings
from ess.cluster import state
from ess.errors import EssError, InitializationError, SystemFailure
from ess.surroundings import carried

#: How many hosts are worked on at a time.
AT_A_TIME = 16

_R = TypeVar("_R")


@dataclass(frozen=True)
class Ran:
    """The end of a program: its exit code and what it printed."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Host(Protocol):
    """A machine. Everything raises an EssError if it cannot be reached."""

    #: How messages call it.
    name: str
    #: True if paths and environment variables mean there what they mean here.
    shares_files: bool

    @property
    def python(self) -> str:
        """The Python there that has this program."""

    @property
    def folder(self) -> str:
        """The folder of the cluster's files there."""

    def run(self, words: Sequence[str], *, environment: Mapping[str, str] | None = None, stdin: bytes = b"") -> Ran:
        """Run a program to its end. What it starts and leaves behind runs on.

        Args:
            words: The program and its arguments; no shell reads them.
            environment: Its whole environment; None for that of the machine's user.
            stdin: Its input.
        """

    def exchange(
        self,
        words: Sequence[str],
        *,
        write: Callable[[BinaryIO], None] | None = None,
        read: Callable[[BinaryIO], None] | None = None,
    ) -> Ran:
        """Run a program whose input or output may be large.

        Args:
            words: The program and its arguments; no shell reads them.
            write: Writes its input.
            read: Reads its output; what it leaves is dropped.

        Returns:
            Its end, without output.
        """

    def environment(self, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """The environment there for a program that has ``wanted`` here."""

    def put(self, path: str, content: bytes) -> None:
        """Write a file in one step, for its owner only."""

    def get(self, path: str) -> bytes | None:
        """The content of a file; None if it does not exist."""

    def let_go(self) -> None:
        """Close what was left open for further calls, which open it again."""


def in_parallel(calls: Sequence[Callable[[], _R]]) -> list[_R | EssError]:
    """Call all, several at a time, as hosts take their time; the results, or the errors of ours, in their order."""

    def caught(call: Callable[[], _R]) -> _R | EssError:
        try:
            return call()
        except EssError as error:
            return error

    if len(calls) < 2:
        return [caught(call) for call in calls]
    with ThreadPoolExecutor(min(AT_A_TIME, len(calls))) as threads:
        return [each.result() for each in [threads.submit(carried(partial(caught, call))) for call in calls]]


def exchanged(
    words: Sequence[str], write: Callable[[BinaryIO], None] | None, read: Callable[[BinaryIO], None] | None
) -> Ran:
    """Run a program, writing its input in another thread while its output is read; see :meth:`Host.exchange`."""
    with (
        tempfile.TemporaryFile() as messages,
        subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL if write is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=messages,
            cwd="/",
            start_new_session=True,
        ) as process,
        ThreadPoolExecutor(1) as threads,
    ):
        writing = None if write is None else threads.submit(carried(partial(_written, process, write)))
        assert process.stdout is not None
        try:
            if read is not None:
                read(cast(BinaryIO, process.stdout))
            while process.stdout.read(1 << 20):
                pass
            if writing is not None:
                writing.result()
        except BaseException:
            process.kill()
            raise
        exit_code = process.wait()
        messages.seek(0)
        return Ran(exit_code, b"", messages.read())


def _written(process: subprocess.Popen[bytes], write: Callable[[BinaryIO], None]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # the exit code of the program says why
        write(cast(BinaryIO, process.stdin))
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


class ThisMachine:
    """The machine of this process; see :class:`Host`."""

    name = "this machine"
    python = sys.executable
    shares_files = True

    @property
    def folder(self) -> str:
        """The cluster's folder below the settings."""
        return str(state.cluster_folder())

    def run(self, words: Sequence[str], *, environment: Mapping[str, str] | None = None, stdin: bytes = b"") -> Ran:
        """Run a program in a session of its own."""
        try:
            done = subprocess.run(
                list(words),
                input=stdin,
                capture_output=True,
                cwd="/",
                env=None if environment is None else dict(environment),
                start_new_session=True,
                check=False,
            )
        except OSError as error:
            raise InitializationError(f"cannot start it ({error.strerror})", where=words[0]) from error
        return Ran(done.returncode, done.stdout, done.stderr)

    def exchange(
        self,
        words: Sequence[str],
        *,
        write: Callable[[BinaryIO], None] | None = None,
        read: Callable[[BinaryIO], None] | None = None,
    ) -> Ran:
        """Run a program in a session of its own."""
        try:
            return exchanged(words, write, read)
        except OSError as error:
            raise InitializationError(f"cannot start it ({error.strerror})", where=words[0]) from error

    def environment(self, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """The same."""
        return wanted

    def put(self, path: str, content: bytes) -> None:
        """Write a file of this disk."""
        settings.write_private(Path(path), content)

    def get(self, path: str) -> bytes | None:
        """Read a file of this disk."""
        try:
            return Path(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return None
        except OSError as error:
            raise SystemFailure(f"cannot read ({error.strerror})", where=path, hint="check its rights") from error

    def let_go(self) -> None:
        """Nothing is open."""
