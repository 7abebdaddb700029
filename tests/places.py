"""Folders and ports that belong to one test."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


def free_port_base() -> int:
    """The first of twelve TCP ports in a row that are free now, in a range of this test process alone.

    The ranges lie below those from which Linux takes ports for outgoing connections (32768 and up).
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    first = 12000 + 1200 * (int(worker) % 15 if worker else 15)
    start = first + 12 * (os.getpid() % 50)
    for base in [*range(start, first + 1200, 12), *range(first, start, 12)]:
        if all(is_free(port) for port in range(base, base + 12)):
            return base
    pytest.fail("no twelve free ports in a row")


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of this machine now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def own_places(folder: Path, port: int) -> dict[str, str]:
    """Variables that give a test state, settings and ports of its own."""
    return {
        "ESS_CACHE_DIR": str(folder / "ess"),
        "ESS_WORK_DIR": str(folder / "conf"),
        "ESS_UDB_PORT": str(port),
    }
