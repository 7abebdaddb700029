"""The process of one UDB server: ``python -m ess.udb.server.daemon --port 10010 ...``, started by ``udbd``."""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from ess.errors import EssError, InitializationError
from ess.logs import keep_small
from ess.settings import open_private
from ess.udb.admin.ports import PORT_IN_USE, PortInUse
from ess.udb.wire.access import read_server_access

log = logging.getLogger("udbd")

#: A log of this size is read in so short a time that no snapshot is written at the end.
SNAPSHOT_AT_END = 16 << 20


def main(argv: list[str]) -> int:
    """Serve until SIGTERM or SIGINT. A failure is the last line of stderr, the server's log."""
    arguments = _parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    signals = {signal.SIGTERM, signal.SIGINT}
    # Blocked before any thread is made, so that only sigwait below ever gets them.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    pid_file = Path(arguments.pid_file)
    keep_small(pid_file.with_suffix(".log"))
    try:
        _raise_descriptor_limit(arguments.all_descriptors)
        with _only_server(pid_file.with_suffix(".lock"), arguments.host, arguments.port):
            gc.disable()  # what is loaded now stays
            from ess.udb.server.memory import MemoryLimit
            from ess.udb.server.server import UdbServer

            gc.enable()
            os.umask(0o077)  # whatever that of the user is: what a server writes is for its owner
            access = read_server_access(Path(arguments.access))
            memory = MemoryLimit(arguments.memory << 10, arguments.margin << 10)
            folder = Path(arguments.data) if arguments.data else None
            server = UdbServer(arguments.host, arguments.port, access, memory=memory, folder=folder)
            log.info("listening on %s port %d", arguments.host, server.port)
            caught = signal.sigwait(signals)
            log.info("ended by %s", signal.Signals(caught).name)
            server.catalog.take_snapshots(least=SNAPSHOT_AT_END, wanted=False)
            with contextlib.suppress(OSError):
                pid_file.unlink()
            # Not shutdown(), which would wait for the streams of clients: what is not committed does not count.
            logging.shutdown()
            os._exit(0)
    except EssError as error:
        log.error("%s", error)
        return PORT_IN_USE if isinstance(error, PortInUse) else error.exit_code


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="udbd server", allow_abbrev=False)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--access", required=True, help="folder of the access files")
    parser.add_argument("--pid-file", required=True)
    parser.add_argument("--data", default="", help="folder of the logs, none for a volatile server")
    parser.add_argument("--memory", type=int, default=0, help="limit in KB, 0 for none")
    parser.add_argument("--margin", type=int, default=0, help="KB of the machine that stay free")
    parser.add_argument("--all-descriptors", action="store_true")
    return parser.parse_args(argv)


@contextlib.contextmanager
def _only_server(lock: Path, host: str, port: int) -> Iterator[None]:
    """Make sure that the port is ours: one server a port and run directory, and nobody else on it."""
    handle = open_private(lock, os.O_RDWR)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InitializationError("a server for this port is starting already", where=f"port {port}") from None
        _require_free(host, port)
        yield
    finally:
        os.close(handle)


def _require_free(host: str, port: int) -> None:
    """Refuse an occupied port with a useful message; the transport's own says nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(port) from None
            raise InitializationError(
                f"cannot listen on {host} port {port} ({error.strerror})",
                where=f"udbd-{port}",
                hint="choose another port or address",
            ) from None


def _raise_descriptor_limit(wanted: bool) -> None:
    if wanted:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
