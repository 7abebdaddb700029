"""The verbs of ``udbd`` for the servers of this machine, as the lines that they print."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from ess.errors import EssError, InitializationError, OptionError
from ess.surroundings import environment
from ess.udb.admin import processes
from ess.udb.admin.processes import LOOPBACK, ServerState, StartOptions
from ess.udb.spec.spec import Server
from ess.udb.wire.access import read_access
from ess.udb.wire.running import is_stopped, owner_of, server_on

#: The memory that stays free on the machine when no limit is given.
_SPARE_KB = 500 * 1024

#: The memory of a server without rows: 123 MB when it has started and 146 after its first requests.
EMPTY_SERVER_MB = 150

_LOG_LINES = 20


def start(folder: Path, ports: Sequence[int], options: StartOptions) -> Iterator[str]:
    """Start servers and wait until they answer.

    Raises:
        InitializationError: If one cannot start.
    """
    running = [
        processes.state(folder, port) if processes.has_file(folder, port) else ServerState(port, 0) for port in ports
    ]
    for server in running:
        if server.pid and is_stopped(server.pid):
            yield _stopped(server)
        elif server.pid:
            yield f"{server.name} ({server.pid}) is running already."
        else:
            yield f"Starting {server.name}."
    missing = [server.port for server in running if not server.pid]
    for server in processes.start(folder, missing, options):
        yield f"{server.name} ({server.pid}) started."


def stop(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """End servers; without ports, all that run.

    Raises:
        InitializationError: If one cannot be ended.
    """
    found = [processes.state(folder, port) for port in ports or processes.known_ports(folder)]
    if not ports and not any(server.pid for server in found):
        yield "No running server detected."
    for server in found:
        if server.pid:
            yield f"Stopping {server.name} ({server.pid})."
        elif ports:
            yield f"(-) {server.name} not running."
        if processes.stop(folder, server.port):
            yield f"{server.name} stopped."


def stop_port(port: int) -> Iterator[str]:
    """End this user's server of a port, whatever its run directory is, or was before it was removed.

    Raises:
        OptionError: If there is none; who else has the port is named.
        InitializationError: If it cannot be ended.
    """
    server = server_on(port)
    if server is None:
        owner = owner_of(port)
        what = f"the port is that of another program ({owner})" if owner else "no server of yours has this port"
        raise OptionError(what, where=f"port {port}", hint="see what runs: udbd status")
    yield f"Stopping udbd-{port} ({server.pid})."
    processes.end(psutil.Process(server.pid), port)
    with contextlib.suppress(OSError):
        server.pid_file.unlink(missing_ok=True)
    yield f"udbd-{port} stopped."


def restart(folder: Path, ports: Sequence[int], options: StartOptions) -> Iterator[str]:
    """End servers and start them again; without ports, those that run."""
    chosen = list(ports) or running_ports(folder)
    if not chosen:
        yield "No running server detected."
        return
    yield from stop(folder, chosen)
    yield from start(folder, chosen, options)


def status(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """The servers that run."""
    found = [processes.state(folder, port) for port in ports or processes.known_ports(folder)]
    if not ports:
        found = [server for server in found if server.pid]
    if not found:
        yield "No running server detected."
    for server in found:
        if server.pid and is_stopped(server.pid):
            yield f"(+) {_stopped(server)}"
        else:
            yield f"(+) {server.name} ({server.pid}) running." if server.pid else f"(-) {server.name} not running."


def _stopped(server: ServerState) -> str:
    go_on = f"let it go on: kill -CONT {server.pid}, or end it: ess udbd stop"
    return f"{server.name} ({server.pid}) is stopped; {go_on}"


def memory(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """The memory that the servers hold.

    Raises:
        EssError: If one does not answer.
    """
    yield from _of_running(folder, ports, _memory_line)


def logs(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """The last lines of the servers' logs."""
    chosen = list(ports) or processes.known_ports(folder)
    if not chosen:
        yield "No running server detected."
    for port in chosen:
        yield f"{ServerState(port, 0).name}: {processes.log_file(folder, port)}"
        yield from (f"  {line}" for line in processes.log_tail(folder, port, _LOG_LINES))


def running_ports(folder: Path) -> list[int]:
    """The ports of the servers that run."""
    return [port for port in processes.known_ports(folder) if processes.state(folder, port).pid]


def all_running(folder: Path, ports: Sequence[int]) -> bool:
    """True if there is a server, and every one that was asked for runs."""
    chosen = list(ports) or running_ports(folder)
    return bool(chosen) and all(processes.state(folder, port).pid for port in chosen)


def start_options(
    servers: int,
    *,
    each: int | None = None,
    total: int | None = None,
    everything: bool = False,
    host: str = LOOPBACK,
    volatile: bool = False,
) -> StartOptions:
    """Memory limits and the like from arguments and environment.

    Args:
        servers: How many are to be started.
        each: ``-mem``: KB for each server; negative: the machine's memory less that.
        total: ``-memx``: the same for all servers together.
        everything: ``-maxfd``.
        host: The address to listen on.
        volatile: ``-volatile``.

    Raises:
        OptionError: If no memory is left, or less than a server needs without rows; if both limits are given; or if an
            environment variable is no number.
    """
    if each is not None and total is not None:
        raise OptionError("-mem and -memx exclude each other", where="-memx", hint="limit each server, or all together")
    machine = psutil.virtual_memory().total >> 10
    where = "-mem" if each is not None else "-memx"
    if each is None and total is None:
        each = _from_environment("UDBD_MEM")
        where = "UDBD_MEM" if each is not None else ""
    if each is not None:
        limit = each if each > 0 else machine + each
    else:
        total = -_SPARE_KB if total is None else total
        limit = (total if total > 0 else machine + total) // max(1, servers)
    if limit <= 0:
        raise OptionError("no memory is left for the servers", where=where or "udbd", hint="limit them with -mem")
    if where and limit < EMPTY_SERVER_MB << 10:
        raise OptionError(
            f"{limit} KB for each server is too little: one without rows holds {EMPTY_SERVER_MB} MB",
            where=where,
            hint=f"the limit is in KB; give more than {EMPTY_SERVER_MB << 10} for each server",
        )
    all_descriptors = everything or environment().get("UDBD_MAXFD", "").lower() == "y"
    return StartOptions(host, limit, _from_environment("UDBD_MEM_MARGIN") or 0, all_descriptors, volatile)


def _from_environment(name: str) -> int | None:
    text = environment().get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise OptionError(f"'{text}' is not a number of kilobytes", where=name) from None


def _of_running(folder: Path, ports: Sequence[int], line: Callable[[ServerState], str]) -> Iterator[str]:
    found = [processes.state(folder, port) for port in ports or processes.known_ports(folder)]
    found = [server for server in found if server.pid or ports]
    if not found:
        yield "No running server detected."
    for server in found:
        yield line(server) if server.pid else f"(-) {server.name} not running."


def _memory_line(server: ServerState) -> str:
    try:
        answer = _hello(Server(server.host, server.port))
    except EssError as error:
        raise InitializationError(error.what, where=f"{server.name} ({server.pid})", hint=error.hint) from error
    return f"{server.name} ({server.pid}): {held_line(answer)}"


def held_line(status: Mapping[str, Any]) -> str:
    """A line about what a server holds, from its answer to ``hello``."""
    names = " ".join(status["databases"]) or "(none)"
    return f"{int(status['memory']) >> 20} MB, databases: {names}"


def elsewhere(servers: Sequence[Server], *, memory: bool) -> Iterator[tuple[str, str]]:
    """Servers of other machines: the host of each and a line about it, its memory or whether it runs."""
    for server in servers:
        name = f"udbd-{server.port}"
        try:
            answer = _hello(server)
        except EssError as error:
            yield server.host, f"(-) {name}: {error.what}."
        else:
            yield server.host, f"{name}: {held_line(answer)}" if memory else f"(+) {name} running."


def _hello(server: Server) -> dict[str, Any]:
    from ess.udb.wire.connection import Connection  # takes half a second to load

    connection = Connection(server, read_access())
    try:
        return connection.hello()
    finally:
        connection.close()
