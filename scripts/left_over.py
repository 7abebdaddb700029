"""A check that the demo left no processes or ports behind.

    python scripts/left_over.py free-ports           print the first of eight free ports in a row
    python scripts/left_over.py note FILE            write the processes and listening ports of this demo to FILE
    python scripts/left_over.py check FILE           fail if any of them is still there, or a new one

A process belongs to the demo when its environment has the demo's `ESS_WORK_DIR`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path

import psutil

SECONDS_TO_END = 10.0


def processes() -> dict[int, psutil.Process]:
    """The running processes of this demo by id, without this one and the shells above it."""
    place = os.environ["ESS_WORK_DIR"]
    above = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if process.pid not in above and process.environ().get("ESS_WORK_DIR") == place:
                found[process.pid] = process
        except psutil.Error:
            continue  # ended meanwhile, or somebody else's
    return found


def listening(found: dict[int, psutil.Process]) -> set[int]:
    """The TCP ports on which these processes listen."""
    ports: set[int] = set()
    for process in found.values():
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        ports |= {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}
    return ports


def is_free(port: int) -> bool:
    """True if nobody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports() -> int:
    """The first of eight free ports in a row, from the default port of the database on."""
    for first in range(10010, 32000, 10):
        if all(is_free(port) for port in range(first, first + 8)):
            return first
    sys.exit("demo: no eight free ports in a row below 32000")


def check(noted: list[int]) -> None:
    """Say that nothing is left, or what is, and fail then."""
    end = time.monotonic() + SECONDS_TO_END
    while True:
        left = processes()
        ports = sorted({port for port in noted if not is_free(port)} | listening(left))
        if not left and not ports:
            print(f"no process left, and all {len(noted)} ports free again")
            return
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    for process in left.values():
        print(f"demo: still running: {process.pid} {' '.join(process.cmdline())}", file=sys.stderr)
    sys.exit(f"demo: {len(left)} processes and the ports {ports} are left")


def main(words: list[str]) -> None:
    """Do what the first word says."""
    match words:
        case ["free-ports"]:
            print(free_ports())
        case ["note", file]:
            Path(file).write_text(json.dumps(sorted(listening(processes()))), "utf-8")
        case ["check", file]:
            check(json.loads(Path(file).read_text("utf-8")))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
