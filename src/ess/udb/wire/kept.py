"""Connections to servers that outlive a command, in a process of the tool server that does several.

A new one takes client and server 10 ms, as much as all the rest of a small import. One is kept for each server, by the
access that it was made with, after commands in which nothing went wrong on it. ``Connection.hello`` alone takes it, and
replaces it by a new one if the server does not answer on it, before anything else is said.

The process has to let the descriptors of kept connections be: the transport closes them itself.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.flight as flight

    from ess.udb.spec.spec import Server
    from ess.udb.wire.access import Access

#: For no more servers than that.
_MOST = 16

_allowed = False
_clients: dict[tuple[int, Server], tuple[Access, flight.FlightClient]] = {}


def allow(*, allowed: bool) -> None:
    """Have this process keep connections, or not."""
    global _allowed
    _allowed = allowed


def take(server: Server, access: Access) -> flight.FlightClient | None:
    """The connection that is kept to a server, if it was made with this access; it is kept no more."""
    if not _allowed:
        return None
    # A fork has none: the transport's threads are not in it.
    made_with, client = _clients.pop((os.getpid(), server), (None, None))
    if client is not None and made_with != access:
        _close(client)
        return None
    return client


def give_back(server: Server, access: Access, client: flight.FlightClient) -> None:
    """Keep a connection on which nothing is under way, or close it. Never raises."""
    key = os.getpid(), server
    if _allowed and key not in _clients and len(_clients) < _MOST:
        _clients[key] = access, client
    else:
        _close(client)


def holds(descriptor: int) -> bool:
    """True if a descriptor of this process is that of a kept connection."""
    ports = {server.port for _process, server in _clients}
    if not ports:
        return False
    try:
        with socket.socket(fileno=os.dup(descriptor)) as other:
            internet = other.family in (socket.AF_INET, socket.AF_INET6) and other.type == socket.SOCK_STREAM
            return internet and other.getpeername()[1] in ports
    except OSError:
        return False


def _close(client: flight.FlightClient) -> None:
    with contextlib.suppress(Exception):
        client.close()
