"""Server processes of this machine: start, stop, and find out what runs.

Each server has three files in the run directory, readable by the owner only: ``udbd-Port.pid``
(process number and its start, so that a number that the system has given to another process is
never taken for ours), ``udbd-Port.log`` and ``udbd-Port.lock``, and a folder ``udbd-Port.data``
with what was committed to it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from ess import processor, surroundings
from ess.errors import EssError, InitializationError, UdbConnectError
from ess.logs import tail
from ess.settings import SETTINGS, make_private_folder, open_private, without_secrets, write_private
from ess.udb.admin.ports import PORT_IN_USE, PortInUse
from ess.udb.spec.spec import Server
from ess.udb.wire.access import make_access, read_access, udb_folder
from ess.udb.wire.running import MODULE, is_stopped, owner_of, running_servers, server_on, started

LOOPBACK = "127.0.0.1"

#: A server that has much to read from its disk takes a while; one that fails is noticed at once.
_START_SECONDS = 900.0

#: It may write a snapshot first.
_STOP_SECONDS = 60.0

#: A server lives long, so what it frees should go back to the system soon. By themselves the allocators of Polars and
#: Arrow, and that of C, from which the transport takes its messages, keep more than the rows need.
_ALLOCATORS = {
    "_RJEM_MALLOC_CONF": "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",
}


@dataclass(frozen=True)
class StartOptions:
    """Options for starting servers.

    Args:
        host: The address to listen on.
        memory: Limit for each server in KB; 0 for none.
        margin: KB of the machine's memory that imports must leave free.
        all_descriptors: Raise the limit of file descriptors to what the system allows.
        volatile: Keep no log: everything is gone when the server ends.
    """

    host: str = LOOPBACK
    memory: int = 0
    margin: int = 0
    all_descriptors: bool = False
    volatile: bool = False


@dataclass(frozen=True)
class ServerState:
    """A server as it is found; ``pid`` 0 when it does not run. ``host``: where this machine reaches it."""

    port: int
    pid: int
    host: str = LOOPBACK

    @property
    def name(self) -> str:
        """As people see it, ``udbd-10010``."""
        return f"udbd-{self.port}"


def run_folder(given: str = "") -> Path:
    """The run directory: the one given, or ``udb`` in the working folder."""
    return surroundings.absolute(given) if given else udb_folder()


def known_ports(folder: Path) -> list[int]:
    """The ports that have a pid file in a run directory, or a server whose pid file there was removed."""
    words = [path.stem.removeprefix("udbd-") for path in folder.glob("udbd-*.pid")] if folder.is_dir() else []
    lost = {server.port for server in running_servers() if server.pid_file.parent == folder}
    return sorted({int(word) for word in words if word.isascii() and word.isdigit()} | lost)


def state(folder: Path, port: int) -> ServerState:
    """The state of the server of a port, running or not; a server whose pid file was removed runs, too."""
    process = _process(folder, port) or _without_file(folder, port)
    if process is None:
        return ServerState(port, 0)
    with contextlib.suppress(psutil.Error, IndexError, ValueError):
        words = process.cmdline()
        return ServerState(port, process.pid, _reached_at(words[words.index("--host") + 1]))
    return ServerState(port, process.pid)


def start(folder: Path, ports: Sequence[int], options: StartOptions) -> list[ServerState]:
    """Start servers, all at once, and wait until each answers; those that run already are left alone.

    Raises:
        InitializationError: If one cannot start, e.g. because its port is occupied; those that have
            started stay.
    """
    make_private_folder(folder)
    access = make_access()
    children = {port: _spawn(folder, port, access, options) for port in ports if not has_file(folder, port)}
    failures: list[EssError] = []
    for port, child in children.items():
        try:
            _wait_until_ready(folder, port, child, options)
        except EssError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return [state(folder, port) for port in ports]


def has_file(folder: Path, port: int) -> bool:
    """True if the server of a port runs, and its pid file is there."""
    return _process(folder, port) is not None


def stop(folder: Path, port: int) -> int:
    """End the server of a port; its process number, 0 if it did not run.

    Raises:
        InitializationError: If it cannot be ended.
    """
    process = _process(folder, port) or _without_file(folder, port)
    if process is None:
        with contextlib.suppress(OSError):  # another user's folder
            _pid_file(folder, port).unlink(missing_ok=True)
        return 0
    end(process, port)
    with contextlib.suppress(OSError):
        _pid_file(folder, port).unlink(missing_ok=True)
    return int(process.pid)


def end(process: psutil.Process, port: int) -> None:
    """End the process of a server.

    Raises:
        InitializationError: If it cannot be ended.
    """
    where = f"udbd-{port} ({process.pid})"
    with contextlib.suppress(psutil.NoSuchProcess):
        try:
            process.terminate()
            if is_stopped(process.pid):
                process.resume()  # until then it does not notice
            if not _ends(process):
                process.kill()
                if not _ends(process):
                    raise InitializationError("the server cannot be ended", where=where)
        except psutil.AccessDenied:
            raise InitializationError(
                "another user has started it", where=where, hint="let that user stop it"
            ) from None


def _ends(process: psutil.Process) -> bool:
    """True once a process has ended, also if its parent, a program that has started it, has not noticed."""
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(0.05)
            return True
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
    return False


def log_tail(folder: Path, port: int, lines: int = 20) -> list[str]:
    """The last lines of a server's log."""
    return tail(log_file(folder, port), lines)


def log_file(folder: Path, port: int) -> Path:
    """The log of a server."""
    return folder / f"udbd-{port}.log"


def data_folder(folder: Path, port: int) -> Path:
    """The folder in which a server keeps committed rows."""
    return folder / f"udbd-{port}.data"


def known_data(folder: Path) -> list[int]:
    """The ports of the servers that have left data in a run directory."""
    words = [path.stem.removeprefix("udbd-") for path in folder.glob("udbd-*.data")] if folder.is_dir() else []
    return sorted(int(word) for word in words if word.isascii() and word.isdigit())


def remove_data(folder: Path, port: int) -> None:
    """Remove what was committed to a server, which must not run.

    Raises:
        InitializationError: If it runs, or the files cannot be removed.
    """
    if state(folder, port).pid:
        raise InitializationError("the server runs", where=f"udbd-{port}", hint="stop it")
    try:
        shutil.rmtree(data_folder(folder, port))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InitializationError(f"cannot remove its data ({error})", where=f"udbd-{port}") from error


def _pid_file(folder: Path, port: int) -> Path:
    return folder / f"udbd-{port}.pid"


def _spawn(folder: Path, port: int, access: Path, options: StartOptions) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", MODULE, "--host", options.host, "--port", str(port)]
    command += ["--access", str(access), "--pid-file", str(_pid_file(folder, port))]
    command += ["--memory", str(options.memory), "--margin", str(options.margin)]
    command += [] if options.volatile else ["--data", str(data_folder(folder, port))]
    command += ["--all-descriptors"] * options.all_descriptors
    # The task runner's settings for one command must not live on in a server.
    given = without_secrets(surroundings.environment())
    inherited = {k: v for k, v in given.items() if k not in SETTINGS or not SETTINGS[k].internal}
    inherited = {**_ALLOCATORS, **processor.without_ours(inherited)}
    log = open_private(log_file(folder, port), os.O_WRONLY | os.O_APPEND)
    try:
        # A session of its own: it must outlive the terminal, and the task of a worker that starts it.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=inherited,
            start_new_session=True,
        )
    finally:
        os.close(log)
    with contextlib.suppress(FileNotFoundError):
        write_private(_pid_file(folder, port), f"{child.pid} {started(child.pid)}\n".encode())
    return child


def _wait_until_ready(folder: Path, port: int, child: subprocess.Popen[bytes], options: StartOptions) -> None:
    from ess.udb.wire.connection import Connection  # takes half a second to load

    access = read_access()
    deadline = time.monotonic() + _START_SECONDS
    host = _reached_at(options.host)
    while time.monotonic() < deadline:
        code = child.poll()
        if code is not None:
            _pid_file(folder, port).unlink(missing_ok=True)
            if code == PORT_IN_USE:
                raise _in_use(port)
            last = [line for line in log_tail(folder, port) if line.strip()][-1:]
            reason = last[0].partition(" ERROR ")[2] or last[0] if last else f"exit code {code}"
            raise InitializationError(f"the server did not start ({reason})", where=f"udbd-{port}")
        connection = Connection(Server(host, port), access)
        try:
            # Another process may hold the port while ours is still on its way to finding that out.
            if connection.hello(2.0).get("pid") == child.pid:
                return
        except UdbConnectError:
            pass
        except EssError:
            pass  # somebody else's server; ours will end with the reason
        finally:
            connection.close()
        time.sleep(0.05)
    raise InitializationError(
        f"the server does not answer after {_START_SECONDS:.0f} seconds",
        where=f"udbd-{port}",
        hint=f"see its log: {log_file(folder, port)}",
    )


def _in_use(port: int) -> PortInUse:
    """The error for a port that is taken, with who has it."""
    server = server_on(port)
    if server is None:
        return PortInUse(port, owner=owner_of(port))
    return PortInUse(
        port, folder=str(server.pid_file.parent), owner=f"process {server.pid}", lost=not server.pid_file.exists()
    )


def _reached_at(host: str) -> str:
    """The address at which its own machine reaches a server that listens on an address."""
    return LOOPBACK if host in ("0.0.0.0", "::") else host  # noqa: S104


def _process(folder: Path, port: int) -> psutil.Process | None:
    """The process of a pid file, if it runs and really is that server."""
    try:
        number, since = _pid_file(folder, port).read_text("ascii").split()
        process = psutil.Process(int(number))
        command = process.cmdline()
        if (
            started(process.pid) == int(since)
            and MODULE in command
            and str(port) in command
            and process.status() != psutil.STATUS_ZOMBIE
        ):
            return process
    except (OSError, ValueError, psutil.Error):
        pass
    return None


def _without_file(folder: Path, port: int) -> psutil.Process | None:
    """The process of a server of this run directory whose pid file was removed."""
    server = server_on(port)
    if server is None or server.pid_file != _pid_file(folder, port) or server.pid_file.exists():
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(server.pid)
    return None
