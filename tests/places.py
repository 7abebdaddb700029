"""Folders and ports that belong to one test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

#: How many ports in a row a test gets.
PORTS = 12
#: From here on ports are given out, and below here: Linux takes ports for outgoing connections from 32768 on.
FIRST, END = 12_000, 32_000


@contextmanager
def ports_in_a_row() -> Iterator[int]:
    """The first of twelve TCP ports in a row that nobody else's tests on this machine are given meanwhile.

    The kernel keeps them apart, also those of another checkout or user: whoever is given a row holds the name of a
    socket, which goes with its process, however that ends. A name counts where a port does, in one network namespace.
    """
    with ExitStack() as held:
        for base in range(FIRST, END, PORTS):
            mark = socket.socket(socket.AF_UNIX)
            try:
                mark.bind(f"\0essentia tests, ports from {base}")
            except OSError:
                mark.close()
                continue
            held.enter_context(mark)
            if all(is_free(port) for port in range(base, base + PORTS)):
                break
        else:
            pytest.fail(f"no {PORTS} free ports in a row")
        yield base


def is_free(port: int) -> bool:
    """True if a server could listen on a port of this machine now."""
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
