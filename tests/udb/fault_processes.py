"""Servers and commands as processes of their own, to be killed at any moment.

They come in two ways. *Forked*: from a process that has imported everything, so that hundreds of rounds take minutes.
A forked server runs what ``udbd`` starts, with smaller limits (logs are replaced by snapshots all the time), and may be
told to end itself with SIGKILL at a chosen write, sync or rename of its files, in the middle of the write, too.
*Real*: the installed ``udbd``, ``aq_pp`` and ``aq_udb``, as a user has them.
"""

from __future__ import annotations

import errno
import functools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import connection, forkserver
from pathlib import Path
from typing import Any

import pytest

from ess.errors import EssError
from ess.udb.admin.processes import _ALLOCATORS, log_file, state
from ess.udb.spec.spec import Server
from ess.udb.wire.access import access_folder, make_access, read_access, udb_folder
from ess.udb.wire.connection import Connection
from tests.waiting import PATIENCE

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "ess.udb.server.daemon",
        "ess.udb.server.server",
        "ess.udb.client.importing",
        "ess.udb.command.perform",
        "ess.udb.checkpoint.checkpoint",
        "ess.tools.aq_pp",
        "ess.tools.aq_udb",
    ]
)

#: Longer than this nothing may take here.
SECONDS = PATIENCE

_BIN = Path(sys.executable).parent
_starting = threading.Lock()


# Servers --------------------------------------------------------------------------------------------------------------


def serve(work_folder: str, port: int, dies_at: int, file_bytes: int, silent_seconds: float = 0.0) -> None:
    """The process of a forked server.

    Args:
        work_folder: Where its access files and its data are.
        port: Where it listens.
        dies_at: At which write, sync or rename it ends itself; 0: never.
        file_bytes: No file of it can get larger, as on a full disk; 0: any size.
        silent_seconds: It drops what clients have left open after so long, and tells how much is open; 0: as usual.
    """
    os.environ["ESS_WORK_DIR"] = work_folder
    from ess.udb.journal import journal
    from ess.udb.server import catalog, daemon, database, server

    _redirect(log_file(udb_folder(), port))
    patch = pytest.MonkeyPatch()
    patch.setattr(journal, "LARGE_LOG", 30_000)
    patch.setattr(database, "LARGE_IMPORT", 8_000)
    patch.setattr(daemon, "SNAPSHOT_AT_END", 10_000)
    patch.setattr(server, "housekeeping", functools.partial(catalog.housekeeping, seconds=0.03))
    if silent_seconds:
        patch.setattr(catalog, "SILENT_SECONDS", silent_seconds)
        _tell_what_is_open(patch)
    if file_bytes:
        limit_files(file_bytes)
    _let_syncs_fail(sync_fails(port))
    if dies_at:
        _die_at(dies_at)
    sys.exit(daemon.main(daemon_arguments(port)))


def sync_fails(port: int) -> Path:
    """While this file is there, a forked server cannot make anything safe on its disk."""
    return udb_folder() / f"sync-fails-{port}"


def _let_syncs_fail(while_there: Path) -> None:
    fdatasync, fsync = os.fdatasync, os.fsync

    def failing(real: Callable[[int], None], file: int) -> None:
        if while_there.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(file)

    os.fdatasync = functools.partial(failing, fdatasync)
    os.fsync = functools.partial(failing, fsync)


def _tell_what_is_open(patch: pytest.MonkeyPatch) -> None:
    """Let the server add to its status how many imports and sessions are under way."""
    from ess.udb.server import server

    class Telling(server.UdbServer):
        def _hello(self, body: bytes) -> dict[str, Any]:
            opened = sum(each._transactions.open_stages() for each in self.catalog._all())
            return {**super()._hello(body), "open": opened}

    patch.setattr(server, "UdbServer", Telling)


def daemon_arguments(port: int) -> list[str]:
    """The arguments that ``udbd`` gives to a server of the working folder."""
    folder = udb_folder()
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--access", str(access_folder())]
    return [*arguments, "--pid-file", str(folder / f"udbd-{port}.pid"), "--data", str(folder / f"udbd-{port}.data")]


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond a size: a write then fails as on a full disk."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _redirect(path: Path) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)


def _die_at(count: int) -> None:
    """End this process at the so-many-th operation on its files."""
    left = [count]
    counting = threading.Lock()
    write, fdatasync, fsync, rename = os.write, os.fdatasync, os.fsync, Path.rename

    def is_last() -> bool:
        with counting:
            left[0] -= 1
            return left[0] == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def dying_write(file: int, data: Any) -> int:
        if file > 2 and is_last():
            write(file, bytes(data)[: max(1, len(data) // 2)])
            die()
        return write(file, data)

    def dying_fdatasync(file: int) -> None:
        if is_last():
            die()
        fdatasync(file)

    def dying_fsync(file: int) -> None:
        if is_last():
            die()
        fsync(file)

    def dying_rename(path: Path, target: Any) -> Path:
        if is_last():
            die()
        done = rename(path, target)
        if is_last():
            die()
        return done

    os.write = dying_write
    os.fdatasync = dying_fdatasync  # type: ignore[assignment]
    os.fsync = dying_fsync  # type: ignore[assignment]
    Path.rename = dying_rename  # type: ignore[method-assign, assignment]


@dataclass
class Servers:
    """The servers of a working folder, whose data outlive them."""

    ports: tuple[int, ...]
    real: bool = False
    #: Of forked servers, so that they meet a full disk.
    file_bytes: int = 0
    #: Of forked servers, after how long clients that say nothing are dropped; 0: as usual.
    silent_seconds: float = 0.0
    _forked: dict[int, Any] = field(default_factory=dict)
    _deadly: set[int] = field(default_factory=set)

    def start(self, generator: random.Random | None = None) -> None:
        """Start those that do not run, and wait until they answer.

        Args:
            generator: Chooses when a forked one ends itself, also while it starts: then it is started again. None:
                never.
        """
        make_access()
        _begin_forking()
        if self.real:
            ports = [f"{port}" for port in self.ports]
            subprocess.run([_BIN / "udbd", "-q", "start", *ports], check=True, timeout=SECONDS)
            return
        for port in self.ports:
            while not self.pid(port):
                dies_at = (
                    generator.choice([0, 0, generator.randint(1, 25), generator.randint(1, 150)]) if generator else 0
                )
                arguments = (os.environ["ESS_WORK_DIR"], port, dies_at, self.file_bytes, self.silent_seconds)
                process = CONTEXT.Process(target=serve, args=arguments, daemon=True)
                with _starting:
                    process.start()
                self._forked[port] = process
                (self._deadly.add if dies_at else self._deadly.discard)(port)
                _await_answer(port, process)
                if generator is None and not self.pid(port):
                    raise AssertionError(f"server {port} does not start: see {log_file(udb_folder(), port)}")

    def pid(self, port: int) -> int:
        """The number of the process; 0 if there is none."""
        if self.real:
            return state(udb_folder(), port).pid
        process = self._forked.get(port)
        return int(process.pid) if process is not None and process.is_alive() else 0

    def end(self, port: int, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal that ends it, and wait until it has ended."""
        pid = self.pid(port)
        if not pid:
            return
        os.kill(pid, how)
        deadline = time.monotonic() + SECONDS
        while self.pid(port):
            if time.monotonic() > deadline:
                raise AssertionError(f"server {port} does not end")
            time.sleep(0.005)

    def end_deadly(self) -> None:
        """Kill those that would end themselves some time."""
        for port in self._deadly:
            self.end(port)

    def stop(self) -> None:
        """Kill all."""
        for port in self.ports:
            self.end(port)


def _begin_forking() -> None:
    """Start the process that is forked from with the allocators of real servers, or its memory would seem to grow."""
    with _starting, pytest.MonkeyPatch.context() as patch:
        for name, value in _ALLOCATORS.items():
            patch.setenv(name, value)
        forkserver.ensure_running()


def _await_answer(port: int, process: Any) -> None:
    deadline = time.monotonic() + SECONDS
    access = read_access()
    while process.is_alive():
        asked = Connection(Server("127.0.0.1", port), access)
        try:
            asked.hello(2.0)
            return
        except EssError:
            if time.monotonic() > deadline:
                raise AssertionError(f"server {port} does not answer") from None
            time.sleep(0.01)
        finally:
            asked.close()


# Commands -------------------------------------------------------------------------------------------------------------


class Command:
    """A command that runs in the background.

    Args:
        words: The tool and its arguments.
        printed: A file for what it prints.
        variables: More for its environment.
        real: Run the installed command.
        file_bytes: No file of it can get larger, as on a full disk; 0: any size.
    """

    def __init__(
        self,
        words: list[str],
        printed: Path,
        variables: dict[str, str] | None = None,
        *,
        real: bool = False,
        file_bytes: int = 0,
    ) -> None:
        self.words = words
        self._printed = printed
        printed.unlink(missing_ok=True)
        environment = {"ESS_WORK_DIR": os.environ["ESS_WORK_DIR"], "ESS_WARM": "0", **(variables or {})}
        self._real: subprocess.Popen[bytes] | None = None
        self._forked: Any = None
        if real:
            with printed.open("wb") as file:
                self._real = subprocess.Popen(
                    [_BIN / words[0], *words[1:]],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    env={**os.environ, **environment},
                )
        else:
            arguments = (environment, words, str(printed), file_bytes)
            self._forked = CONTEXT.Process(target=run, args=arguments, daemon=True)
            with _starting:
                self._forked.start()

    def kill(self) -> None:
        """End it with SIGKILL."""
        (self._real or self._forked).kill()

    def is_running(self) -> bool:
        """True until it has ended."""
        if self._real is not None:
            return self._real.poll() is None
        with _starting:
            return bool(self._forked.is_alive())

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit code; negative: the signal that has ended it.

        Raises:
            AssertionError: If it takes longer; then it is killed.
        """
        if self._real is not None:
            try:
                return self._real.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
        else:
            connection.wait([self._forked.sentinel], seconds)
            with _starting:  # to start a process asks all of them how they ended, and only who asks first is told
                code = self._forked.exitcode
        if code is None:
            self.kill()
            raise AssertionError(f"after {seconds} seconds it still runs: {self.words}")
        return int(code)

    def said(self) -> str:
        """The lines printed so far."""
        return self._printed.read_text("utf-8", "replace") if self._printed.exists() else ""


def run(variables: dict[str, str], words: list[str], printed: str, file_bytes: int) -> None:
    """The process of a forked command."""
    os.environ.update(variables)
    _redirect(Path(printed))
    if file_bytes:
        limit_files(file_bytes)
    from ess.tools import aq_pp, aq_udb
    from ess.tools.process import exit_code

    main = {"aq_pp": aq_pp.main, "aq_udb": aq_udb.main}[words[0]]
    code = exit_code(words[0], functools.partial(main, words[1:]))
    sys.stderr.flush()
    os._exit(code)
