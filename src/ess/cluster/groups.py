"""Running commands in sessions of their own that end with the process that started them."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ess.cluster import reaper
from ess.cluster.plain_pipelines import Program
from ess.cluster.processes import status_of
from ess.cluster.spawning import inherited, spawn
from ess.errors import InitializationError
from ess.surroundings import is_process_folder, process_umask


class Running(Protocol):
    """A command that runs: the number of its process, and its end."""

    @property
    def pid(self) -> int:
        """Its process, and its session."""
        ...

    def wait(self) -> int:
        """Reap it; its exit code, or the number of the signal that ended it, below zero."""
        ...


@dataclass(frozen=True)
class _Spawned:
    """A process of ours, whose end nobody has asked for."""

    pid: int

    def wait(self) -> int:
        """Reap it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def has_ended(process: Running) -> bool:
    """True if a process has ended; it stays to be reaped by :meth:`Groups.finish`."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


class Groups:
    """The commands a process runs, each in a session of its own, and the reaper that watches over them.

    Use one per process; it may be used from several threads. Close it, or the reaper ends with
    the process.
    """

    def __init__(self) -> None:
        shell = shutil.which("bash")
        if shell is None:
            raise InitializationError("bash is not installed", where="PATH", hint="install it; commands run in bash")
        self._shell = shell
        self._lock = threading.Lock()
        self._live: dict[int, str] = {}
        self._alone: set[int] = set()
        self._replaced = 0
        self._held: dict[bytes, int] = {}
        self._folders: list[bytes] = []
        self._marks: list[bytes] = []
        self._umask = process_umask()
        self._inherited = inherited()
        self._elsewhere: dict[int, str] = {}
        self._tokens = 0
        self._ours, self._reaper = _start_reaper()

    @property
    def reaper_pid(self) -> int:
        """The reaper's process."""
        return self._reaper.pid

    def start(
        self,
        command: str,
        *,
        environment: Mapping[str, str],
        folder: str,
        umask: int,
        stdin: int | None,
        stdout: int,
        stderr: int,
        label: str = "",
        marked: bool = False,
    ) -> Running:
        """Start ``bash -c command`` in a new session; ``stdin`` None is an empty input.

        ``label`` is what it works on, for a person. ``marked``: the environment has the entry of :meth:`mark`, if it
        was called.

        Raises:
            InitializationError: If the folder is gone or the shell cannot be started.
        """
        if marked and self._marks:
            shell = Program(self._shell, (self._shell, "-c", command, "bash"))
            values = {**environment, "_": self._shell}
            try:
                with open(os.devnull, "rb") as nothing:  # noqa: PTH123
                    return self._start(
                        shell,
                        [os.fsencode(f"{name}={value}") for name, value in values.items()],
                        folder,
                        umask,
                        (nothing.fileno() if stdin is None else stdin, stdout, stderr),
                        label,
                        alone=False,
                    )
            except OSError as error:
                raise InitializationError(f"cannot start the command ({error.strerror})", where=folder) from error
        self._ensure_reaper()
        wire = self._ours.fileno()
        # The shell reports its session before it becomes the command, so the reaper always knows it.
        bootstrap = f'builtin printf "+$$" >&{wire} || exit 126; exec {wire}>&-; exec "$0" -c "$1" bash'
        try:
            process = subprocess.Popen(
                [self._shell, "-c", bootstrap, self._shell, command],
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=stdout,
                stderr=stderr,
                env=dict(environment),
                cwd=folder,
                umask=umask,
                start_new_session=True,
                pass_fds=(wire,),
            )
        except OSError as error:
            raise InitializationError(f"cannot start the command ({error.strerror})", where=folder) from error
        with self._lock:
            self._live[process.pid] = label
        return process

    def mark(self, entry: str) -> None:
        """Say how the environment entry of all commands begins that this process starts itself.

        By it the reaper knows those of which it was not told before this process was killed.
        """
        with self._lock:
            self._marks.append(os.fsencode(entry))
            with contextlib.suppress(OSError):
                self._ours.send(b"e" + self._marks[-1])

    @property
    def starts_programs(self) -> bool:
        """True if :meth:`start_program` can be used."""
        return bool(self._marks)

    def start_program(
        self,
        program: Program,
        *,
        environment: Sequence[bytes],
        folder: str,
        umask: int,
        stdin: int,
        stdout: int,
        stderr: int,
        label: str = "",
        alone: bool = False,
    ) -> Running | None:
        """Start a program in a new session, without a shell; None if it cannot be started.

        The environment, as entries ``NAME=value``, has to have the one of :meth:`mark`. Until the program runs, it has
        a copy of our end of the reaper's socket: so when the reaper sees us gone, it can see that entry. If the program
        runs ``alone``, without others in its session, that is all the reaper has to know.
        """
        try:
            return self._start(program, environment, folder, umask, (stdin, stdout, stderr), label, alone=alone)
        except OSError:
            return None

    def _start(
        self,
        program: Program,
        environment: Sequence[bytes],
        folder: str,
        umask: int,
        descriptors: tuple[int, int, int],
        label: str,
        *,
        alone: bool,
    ) -> Running:
        self._ensure_reaper()
        process: Running
        if umask == self._umask and is_process_folder(folder):
            number = spawn(program.path, program.words, environment, descriptors, closed=self._inherited)
            process = _Spawned(number)
        else:
            process = subprocess.Popen(
                program.words,
                executable=program.path,
                stdin=descriptors[0],
                stdout=descriptors[1],
                stderr=descriptors[2],
                env=dict(os.fsdecode(entry).split("=", 1) for entry in environment),
                cwd=folder,
                umask=umask,
                start_new_session=True,
            )
        with self._lock:
            self._live[process.pid] = label
            if alone:
                self._alone.add(process.pid)
            else:
                with contextlib.suppress(OSError):
                    self._ours.send(b"+%d" % process.pid)
        return process

    def hold(self, descriptor: int) -> bytes:
        """Have the reaper keep the writing end of a command's input open; returns a token for :meth:`release`."""
        self._ensure_reaper()
        with self._lock:
            self._tokens += 1
            token = str(self._tokens).encode()
            self._held[token] = descriptor
            reaper = self._reaper
        try:
            # Not under the lock: it waits for as long as the reaper is stopped and its queue is full.
            socket.send_fds(self._ours, [b"h" + token], [descriptor])
        except OSError:
            with self._lock:
                if self._reaper is reaper:  # else the new one has been told
                    self._start_another()
        return token

    def release(self, token: bytes) -> None:
        """Let the input end, now that all of it was written."""
        with self._lock:
            self._held.pop(token, None)
            with contextlib.suppress(OSError):
                self._ours.send(b"r" + token)

    def finish(self, process: Running) -> int:
        """Reap a command that has ended; its exit code as a shell tells it (128 + signal number).

        The reaper is told first: as long as the command is not reaped, its number is not given
        to another process.
        """
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        if process.pid not in self._alone:
            with contextlib.suppress(OSError):
                self._ours.send(b"-%d" % process.pid)
        code = process.wait()
        with self._lock:
            self._live.pop(process.pid, None)
            self._alone.discard(process.pid)
        return 128 - code if code < 0 else code

    def kill(self, process: Running) -> None:
        """Kill a command and all it started in its session."""
        reaper.kill_sessions(process.pid)

    def kill_all(self) -> None:
        """Kill all running commands."""
        with self._lock:
            live = list(self._live)
        reaper.kill_sessions(*live)

    @property
    def replaced(self) -> int:
        """The number of reapers lost so far; a command that was just starting may have failed because of it."""
        return self._replaced

    @contextlib.contextmanager
    def watched(self, processes: Sequence[int], label: str) -> Iterator[None]:
        """Note processes that work for us and belong to somebody else, with what they work on."""
        with self._lock:
            self._elsewhere.update(dict.fromkeys(processes, label))
        try:
            yield
        finally:
            with self._lock:
                for process in processes:
                    self._elsewhere.pop(process, None)

    def elsewhere(self) -> dict[int, str]:
        """The processes of :meth:`watched`."""
        with self._lock:
            return dict(self._elsewhere)

    def labels(self) -> dict[int, str]:
        """The sessions of the running commands, with what each works on."""
        with self._lock:
            return dict(self._live)

    def replace_reaper(self) -> None:
        """End a reaper that does not answer; the next command starts another one."""
        self._reaper.kill()

    def delete_at_end(self, folder: Path) -> None:
        """Have the reaper delete a folder of files when this process is gone."""
        with self._lock:
            self._folders.append(os.fsencode(folder))
            with contextlib.suppress(OSError):
                self._ours.send(b"d" + self._folders[-1])

    def _ensure_reaper(self) -> None:
        """Start another reaper if somebody has killed it, and tell it all that it has to know."""
        with self._lock:
            if self._reaper.poll() is not None:
                self._start_another()

    def _start_another(self) -> None:
        self._replaced += 1
        self._reaper.kill()
        self._reaper.wait()
        self._ours.close()
        self._ours, self._reaper = _start_reaper()
        for session in self._live.keys() - self._alone:
            self._ours.send(b"+%d" % session)
        for token, descriptor in self._held.items():
            socket.send_fds(self._ours, [b"h" + token], [descriptor])
        for folder in self._folders:
            self._ours.send(b"d" + folder)
        for entry in self._marks:
            self._ours.send(b"e" + entry)

    def close(self) -> None:
        """Kill what still runs and end the reaper."""
        self.kill_all()
        self._ours.close()
        if (status := status_of(self._reaper.pid)) is not None and status.is_stopped:
            self._reaper.kill()
        _wait(self._reaper, seconds=10)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for a process for so long; ``Popen.wait`` with a limit would look again and again, with pauses."""
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll(seconds * 1000)
        finally:
            os.close(descriptor)
    process.poll()


def _start_reaper() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(reaper.__file__))],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
    return ours, process
