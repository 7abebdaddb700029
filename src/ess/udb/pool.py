"""All servers of a database at once: every call goes to all of them, and all must answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from ess.errors import UdbConnectError, UdbRequestError
from ess.udb.access import Access, read_access
from ess.udb.connection import Connection
from ess.udb.spec import Server

Answer = TypeVar("Answer")

#: One of several servers is gone, and its share of the keys with it.
_LOST = "its rows are lost: run ess udbd restart, and import again"

#: Servers talked to at the same time.
MAX_PARALLEL = 32


class Pool:
    """Connections to servers, in the order of the spec. A context manager."""

    def __init__(self, servers: Sequence[Server], access: Access | None = None) -> None:
        found = access or (read_access() if servers else None)
        self.connections = [Connection(server, found) for server in servers] if found else []
        self._statuses: list[dict[str, Any]] = []

    def hello(self) -> list[dict[str, Any]]:
        """Reach every server; see :meth:`Connection.hello`."""
        self._statuses = self.each(lambda _place, connection: connection.hello())
        return self._statuses

    def reach(self, database: str) -> None:
        """Reach every server, and make sure that none has lost its rows of a database.

        Raises:
            UdbConnectError: If one cannot be reached.
            UdbRequestError: If one has been restarted since the database was defined.
        """
        answers = self.each(_status_or_failure)
        self._statuses = [answer for answer in answers if isinstance(answer, dict)]
        held = any(database in status["databases"] for status in self._statuses)
        for answer in answers:
            if isinstance(answer, UdbConnectError):
                raise UdbConnectError(answer.what, where=answer.where, hint=_LOST) if held else answer
        self.require_whole(database)

    def require_whole(self, database: str) -> None:
        """Refuse to take what is left of a database for all of it, as the servers were when last reached.

        A server that does not know the database, though it has been started after another one got to know it, is a
        server that was restarted alone. One that has been there for longer has lost nothing: its turn has not come.

        Raises:
            UdbRequestError: If there is such a server.
        """
        defined = [status["defined"][database] for status in self._statuses if database in status.get("defined", {})]
        for connection, status in zip(self.connections, self._statuses, strict=False):
            if database not in status["databases"] and defined and status["started"] > min(defined):
                raise UdbRequestError(
                    f"the server was restarted and has lost its rows of database '{database}'",
                    where=f"server {connection.server.address}",
                    hint="run ess udbd restart, and import again",
                )

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


def _status_or_failure(_place: int, connection: Connection) -> dict[str, Any] | UdbConnectError:
    try:
        return connection.hello()
    except UdbConnectError as error:
        return error
