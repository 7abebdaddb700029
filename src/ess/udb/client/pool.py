"""All servers of a database at once: every call goes to all of them, and all must answer."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

import pyarrow as pa

from ess.errors import UdbConnectError, UdbRequestError
from ess.surroundings import carried
from ess.udb.client.stage_stream import StageStream, kept_alive
from ess.udb.client.two_phases import commit
from ess.udb.spec.spec import Server
from ess.udb.spec.spec_file import format_server
from ess.udb.wire.access import Access, read_access
from ess.udb.wire.connection import Connection
from ess.udb.wire.protocol import DAMAGED, CreateRequest, DatabaseRequest, SessionRequest

Answer = TypeVar("Answer")

#: Servers talked to at the same time.
MAX_PARALLEL = 32

#: How soon Ctrl-C is noticed at the latest.
NOTICE_SECONDS = 0.5

_NOTHING = pa.schema([])

#: A job that is resumed leaves out the files whose rows are gone.
_ANEW = "then import all files again, without --resume"

#: A server's answer about a database that was just defined.
_NEW = {"commits": 0, "waiting": 0}


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

    def reach(self, database: str, definition: str = "") -> None:
        """Reach every server, and make sure that none has lost its rows of a database.

        Args:
            database: Its name.
            definition: The text of a spec: where only some servers have the database, and it is empty, because its
                creator did not finish, the others get it too.

        Raises:
            UdbConnectError: If one cannot be reached.
            UdbRequestError: If one has lost its rows.
        """
        answers = self.each(_status_or_failure)
        self._statuses = [answer for answer in answers if isinstance(answer, dict)]
        held = [status["databases"][database] for status in self._statuses if database in status["databases"]]
        missing = [answer for answer in answers if isinstance(answer, UdbConnectError)]
        if missing:
            # All of them are named, so that the user can start all of them at once.
            where = ", ".join(dict.fromkeys(answer.where for answer in missing))
            what = "; ".join(dict.fromkeys(answer.what for answer in missing))
            hint = "; ".join(dict.fromkeys(answer.hint for answer in missing))
            if any(each["volatile"] for each in held):
                hint = f"its rows are lost: start it, clear the rest (aq_udb -clr {database}), {_ANEW}"
            raise UdbConnectError(what, where=where, hint=hint)
        self.require_whole(database)
        if definition and 0 < len(held) < len(answers):
            self.define(database, definition)

    def require_whole(self, database: str) -> None:
        """Refuse to take what is left of a database for all of it.

        Raises:
            UdbRequestError: If a server does not have the database though others have rows of it, or has another one.
        """
        try:
            self._require_whole(database)
        except UdbRequestError:
            # One server may have answered before somebody else defined the database, and another one after.
            self.hello()
            self._require_whole(database)

    def _require_whole(self, database: str) -> None:
        held = [status["databases"].get(database) for status in self._statuses]
        used = {each["birth"] for each in held if each is not None and each["commits"]}
        for connection, each in zip(self.connections, held, strict=False):
            if each is None and used:
                raise UdbRequestError(
                    f"the server does not have its part of database '{database}'",
                    where=f"server {connection.server.address}",
                    hint=f"clear the rest with aq_udb -clr {database}, {_ANEW}",
                )
            if each is not None and used and (each["birth"] not in (*used, DAMAGED) or len(used) > 1):
                raise UdbRequestError(
                    f"the server has another database '{database}' than the others",
                    where=f"server {connection.server.address}",
                    hint=f"clear it everywhere with aq_udb -clr {database}, {_ANEW}",
                )

    def define(self, database: str, definition: str, *, volatile: bool = False) -> None:
        """Make a database known on all servers, unless it is. Call ``reach`` or ``hello`` before.

        Raises:
            EssError: If a server holds it with another definition.
        """
        births = [self._birth(database, place) for place in range(len(self.connections))]
        used = next((birth for birth in births if birth), "")
        request = CreateRequest(database, definition, used, volatile)
        if self.connections:
            # The first one chooses the number where there is none, so that two clients at once agree on it.
            birth = str(self.connections[0].call("create", request)["birth"])
            request = dataclasses.replace(request, birth=birth)
            for connection in self.connections[1:]:
                connection.call("create", request)
            for status in self._statuses:
                status["databases"].setdefault(database, dict(_NEW, volatile=volatile))["birth"] = birth

    def has(self, database: str) -> bool:
        """True if all servers had the database when they were last reached."""
        return all(self._birth(database, place) for place in range(len(self.connections)))

    def birth(self, database: str) -> str:
        """The number of the database that was found when the servers were last reached; blank if none was."""
        return next((b for place in range(len(self._statuses)) if (b := self._birth(database, place))), "")

    def _birth(self, database: str, place: int) -> str:
        found = self._statuses[place]["databases"].get(database) if place < len(self._statuses) else None
        return str(found["birth"]) if found is not None and found["birth"] != DAMAGED else ""

    @contextmanager
    def session(self, database: str, definition: str = "", *, changing: bool, held: bool = False) -> Iterator[str]:
        """One state of a database on all servers, to look at or to change.

        Gives the ``session`` for the requests to them. Their changes count on all servers or on none, when the
        block has ended without an error. On a single server every request is a session by itself, and it is blank,
        unless it is to be held for several requests.

        Raises:
            EssError: If a server is lost or refuses.
        """
        if not self.connections or (len(self.connections) == 1 and not held):
            yield ""
            return
        if any(status["databases"].get(database, _NEW)["waiting"] for status in self._statuses):
            # All at the same time: opening the sessions would have one server do it after the other.
            self.call("settle", DatabaseRequest(database, definition))
        attempt = secrets.token_hex(16)
        streams: list[StageStream] = []
        try:
            # One after the other: two clients at once could wait for each other otherwise.
            for place, connection in enumerate(self.connections):
                decider = format_server(self.connections[0].server) if place else ""
                request = SessionRequest(database, definition, attempt, decider, self.birth(database))
                streams.append(StageStream(connection, request, _NOTHING))
                streams[-1].wait()
            if not changing:
                for stream in streams:
                    stream.say("release")
            with kept_alive(streams):
                yield attempt
                if changing:
                    commit(streams)
        finally:
            for stream in streams:
                stream.close()

    def look(self, action: str, request: Any) -> list[dict[str, Any]]:
        """Send a request that changes nothing to every server; their answers, in order, about one state."""
        with self.session(request.database, request.definition, changing=False) as session:
            return self.call(action, dataclasses.replace(request, session=session))

    def change(self, action: str, request: Any) -> list[dict[str, Any]]:
        """Send a request that changes something to every server: it is done on all or on none; their answers."""
        with self.session(request.database, request.definition, changing=True) as session:
            return self.call(action, dataclasses.replace(request, session=session))

    def call(self, action: str, request: Any) -> list[dict[str, Any]]:
        """Send the same request to every server; their answers, in order."""
        return self.each(lambda _place, connection: connection.call(action, request))

    def each(self, work: Callable[[int, Connection], Answer]) -> list[Answer]:
        """Do something with every connection, at the same time; the first failure is raised."""
        if len(self.connections) < 2:
            return [work(place, connection) for place, connection in enumerate(self.connections)]
        threads = ThreadPoolExecutor(min(len(self.connections), MAX_PARALLEL))
        waits = True
        try:
            futures = [
                threads.submit(carried(work), place, connection) for place, connection in enumerate(self.connections)
            ]
            return [_result(future) for future in futures]
        except KeyboardInterrupt:
            waits = False  # a server may work for any time; it notices that nobody waits any more
            raise
        finally:
            threads.shutdown(wait=waits, cancel_futures=not waits)

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


def _result(future: Future[Answer]) -> Answer:
    while not future.done():
        # Not without a limit: Polars has such a wait go on when Ctrl-C is pressed.
        wait((future,), NOTICE_SECONDS)
    return future.result()


def _status_or_failure(_place: int, connection: Connection) -> dict[str, Any] | UdbConnectError:
    try:
        return connection.hello()
    except UdbConnectError as error:
        return error
