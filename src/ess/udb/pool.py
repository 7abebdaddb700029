"""All servers of a database at once: every call goes to all of them, and all must answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from ess.udb.access import Access, read_access
from ess.udb.connection import Connection
from ess.udb.spec import Server

Answer = TypeVar("Answer")

#: Servers talked to at the same time.
MAX_PARALLEL = 32


class Pool:
    """Connections to servers, in the order of the spec. A context manager."""

    def __init__(self, servers: Sequence[Server], access: Access | None = None) -> None:
        found = access or (read_access() if servers else None)
        self.connections = [Connection(server, found) for server in servers] if found else []

    def hello(self) -> list[dict[str, Any]]:
        """Reach every server; see :meth:`Connection.hello`."""
        return self.each(lambda _place, connection: connection.hello())

    def call(self, action: str, request: Any) -> list[dict[str, Any]]:
        """Send the same request to every server; their answers, in order."""
        return self.each(lambda _place, connection: connection.call(action, request))

    def each(self, work: Callable[[int, Connection], Answer]) -> list[Answer]:
        """Do something with every connection, at the same time; the first failure is raised."""
        if len(self.connections) < 2:
            return [work(place, connection) for place, connection in enumerate(self.connections)]
        with ThreadPoolExecutor(min(len(self.connections), MAX_PARALLEL)) as threads:
            return list(threads.map(work, range(len(self.connections)), self.connections))

    def close(self) -> None:
        """Close all connections. Never raises."""
        for connection in self.connections:
            connection.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
