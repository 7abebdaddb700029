"""One UDB server: the Flight service around the databases of one process.

A handler runs in a thread of the transport. It decodes the request, finds the database, and
lets :mod:`ess.udb.server.database` do the work. Every failure leaves as one line with an exit code,
never as a traceback.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pyarrow as pa
import pyarrow.flight as flight

from ess import errors
from ess.errors import EssError, OutOfMemory, UdbAuthenticationError, UdbRequestError
from ess.schema.columns import valid_name
from ess.udb.scan.reading import changes_nothing
from ess.udb.scan.scan import Scan
from ess.udb.server.activity import touch
from ess.udb.server.cancellation import while_wanted
from ess.udb.server.catalog import Catalog, housekeeping
from ess.udb.server.conversations import Conversation, require_names
from ess.udb.server.database import Database
from ess.udb.server.memory import MemoryLimit
from ess.udb.server.pending import Pending
from ess.udb.server.sessions import change, looking
from ess.udb.server.strangers import Strangers
from ess.udb.shard.altering import alter, drop
from ess.udb.shard.changes import Clear, Forget
from ess.udb.shard.reordering import order
from ess.udb.shard.shard import Shard
from ess.udb.shard.shuffling import shuffle
from ess.udb.spec.spec_file import parse_server
from ess.udb.wire.access import ServerAccess
from ess.udb.wire.connection import Connection, rows_per_message
from ess.udb.wire.protocol import (
    PROTOCOL,
    CreateRequest,
    DatabaseRequest,
    LoadRequest,
    OrderRequest,
    ScanRequest,
    SessionRequest,
    ShuffleRequest,
    StageRequest,
    VerdictRequest,
    decode,
    encode_error,
    read_object,
    require_protocol,
    shortened,
)
from ess.udb.wire.transactions import Ending, Verdict

log = logging.getLogger("udbd")

Answer = TypeVar("Answer")

#: How long a decider may take to answer another server.
ASK_SECONDS = 10.0

#: The methods of the service. The library answers others with a traceback, even if they raise an error.
_METHODS = (flight.FlightMethod.DO_ACTION, flight.FlightMethod.DO_GET, flight.FlightMethod.DO_EXCHANGE)


class _TokenCheck(flight.ServerMiddlewareFactory):  # type: ignore[misc]  # the library is untyped
    """Refuses every call without the token, and every method that the service does not have."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._expected = f"Bearer {token}".encode()

    def start_call(self, info: flight.CallInfo, headers: dict[str, list[str]]) -> None:
        given = headers.get("authorization") or [""]
        if not hmac.compare_digest(given[0].encode("utf-8", "replace"), self._expected):
            error = UdbAuthenticationError(
                "the server does not take the token", hint="it was started from another working folder"
            )
            raise flight.FlightUnauthenticatedError(error.what, encode_error(error))
        if info.method not in _METHODS:
            _refuse(UdbRequestError("the server does not know this request", where=info.method.name.lower()))


class UdbServer(flight.FlightServerBase):  # type: ignore[misc]
    """The service. It listens as soon as it is made; ``serve`` waits until ``shutdown``.

    Args:
        host: The address to listen on.
        port: 0 for any free one; ``port`` of the instance tells which.
        access: The certificate to show, the token to ask for.
        folder: Where databases are logged; None: all are volatile.
    """

    def __init__(
        self,
        host: str,
        port: int,
        access: ServerAccess,
        *,
        memory: MemoryLimit | None = None,
        folder: Path | None = None,
    ) -> None:
        self._access = access.client
        self._modules = access.modules
        self._memory = memory or MemoryLimit()
        self._ended = contextlib.ExitStack()
        self.catalog = Catalog(folder, self._ask)
        self._ended.enter_context(housekeeping(self.catalog))
        self._started = time.time()
        self._actions: dict[str, Callable[[bytes], dict[str, Any]]] = {
            "hello": self._hello,
            "create": self._create,
            "probe": self._probe,
            "settle": self._settle,
            "counts": self._counts,
            "clear": self._clear,
            "remove": self._remove,
            "order": self._order,
            "shuffle": self._shuffle,
            "alter": self._alter,
            "drop": self._drop,
            "verdict": self._verdict,
        }
        shown = f"[{host}]" if ":" in host else host
        super().__init__(
            f"grpc+tls://{shown}:{port}",
            tls_certificates=[(access.client.certificate, access.client.key)],
            verify_client=True,
            root_certificates=access.client.authority,
            middleware={"token": _TokenCheck(access.client.token)},
        )
        self._strangers = Strangers(self.port)
        self._strangers.start()
        self._ended.callback(self._strangers.end)

    def shutdown(self) -> None:
        """End the service."""
        self._ended.close()
        super().shutdown()

    def _called(self, context: flight.ServerCallContext) -> None:
        """Note that somebody who has the token asks for something."""
        self._strangers.has_called(context.peer())
        touch()

    # What Flight calls --------------------------------------------------------------------------------------------

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> list[bytes]:
        """Answer a request."""
        self._called(context)
        with _errors_for_client(action.type):
            if action.type == "count":
                return [json.dumps(self._count(bytes(action.body), context)).encode()]
            handler = self._actions.get(action.type)
            if handler is None:
                raise UdbRequestError("the server does not know this request", where=action.type)
            return [json.dumps(handler(bytes(action.body))).encode()]

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Send rows."""
        self._called(context)
        with _errors_for_client("export"):
            request = decode(ScanRequest, ticket.ticket)
            rows = self._scan(request, Scan.export, context).to_arrow()
            # Not a Python generator: this one is sent without the interpreter's lock.
            batches = rows.to_batches(max_chunksize=rows_per_message(rows))
            return flight.RecordBatchStream(pa.RecordBatchReader.from_batches(rows.schema, batches))

    def do_exchange(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Take an import, or hold a session."""
        self._called(context)
        with _errors_for_client("import or session"):
            fields = read_object(bytes(descriptor.command or b""))
            if "attempt" not in fields:
                wanted = decode(LoadRequest, descriptor.command)
                holder = self.catalog.get(wanted.database, "")
                Conversation(holder, self._memory, self.catalog.forget, reader, writer).load(wanted)
                return
            request: StageRequest | SessionRequest
            if "identity" in fields:
                request = decode(StageRequest, descriptor.command)
            else:
                request = decode(SessionRequest, descriptor.command)
            require_names(request)
            database = self.catalog.get(request.database, request.definition)
            conversation = Conversation(database, self._memory, self.catalog.forget, reader, writer)
            pending = conversation.open(request)
            try:
                conversation.go_on(pending)
            finally:
                self._end(database, pending)

    def _end(self, database: Database, pending: Pending) -> None:
        ending = database.end_of_stream(pending)
        if ending is Ending.IN_DOUBT:
            # In a thread of its own, so that the client's stream need not wait for another server.
            self.catalog.resolve(database, pending)
        elif ending is Ending.DROPPED and not pending.is_session:
            log.warning("import %s of %s ended early, nothing was imported", pending.stage.identity, database.name)

    # Requests -----------------------------------------------------------------------------------------------------

    def _hello(self, body: bytes) -> dict[str, Any]:
        require_protocol(read_object(body))
        return {
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "memory": self._memory.used(),
            "started": self._started,
            "databases": self.catalog.statuses(),
        }

    def _create(self, body: bytes) -> dict[str, Any]:
        return {"birth": self.catalog.create(decode(CreateRequest, body)).birth}

    def _probe(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        self.catalog.get(request.database, request.definition)
        return {}

    def _settle(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        self.catalog.get(request.database, request.definition).settle()
        return {}

    def _counts(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        with looking(self.catalog.get(request.database, request.definition), request.session) as shard:
            return {"counts": shard.counts()}

    def _clear(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        database = self.catalog.get(request.database, request.definition if request.table else "")
        clearing = Clear(request.table) if request.table else Forget()
        change(database, lambda shard: shard.do(clearing), request.session)
        if not request.session and database.is_forgotten:
            self.catalog.remove(request.database)
        return {}

    def _remove(self, body: bytes) -> dict[str, Any]:
        """Remove a database in any state: the way out when it is damaged, or differs between servers."""
        request = decode(DatabaseRequest, body)
        if not valid_name(request.database):
            raise UdbRequestError("bad database name")
        self.catalog.remove(request.database)
        return {}

    def _order(self, body: bytes) -> dict[str, Any]:
        request = decode(OrderRequest, body)
        database = self.catalog.get(request.database, request.definition)
        change(database, lambda shard: order(shard, request), request.session)
        return {}

    def _shuffle(self, body: bytes) -> dict[str, Any]:
        request = decode(ShuffleRequest, body)
        database = self.catalog.get(request.database, request.definition)
        change(database, lambda shard: shuffle(shard, request.table, request.seed), request.session)
        return {}

    def _alter(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        database = self.catalog.get(request.database, "")
        change(database, lambda shard: alter(shard, request.definition), request.session)
        return {}

    def _drop(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        database = self.catalog.get(request.database, "")
        if database.definition.find(request.table) is not None:
            change(database, lambda shard: drop(shard, request.table), request.session)
        return {}

    def _count(self, body: bytes, context: flight.ServerCallContext) -> dict[str, Any]:
        keys, rows = self._scan(decode(ScanRequest, body), Scan.count, context)
        return {"keys": keys, "rows": rows}

    def _scan(self, request: ScanRequest, what: Callable[[Scan], Answer], context: flight.ServerCallContext) -> Answer:
        """Go through a table as long as the client waits for it."""
        database = self.catalog.get(request.database, request.definition)
        session = database.find_session(request.session) if request.session else None

        def is_gone() -> bool:
            return bool(context.is_cancelled()) or (session is not None and session.shard is None)

        def work(shard: Shard) -> Answer:
            return while_wanted(lambda: what(Scan(shard, request, self._modules)), is_gone)

        if changes_nothing(request):
            with looking(database, request.session) as shard:
                return work(shard)
        return change(database, self._limited(work), request.session)

    def _limited(self, work: Callable[[Shard], Answer]) -> Callable[[Shard], Answer]:
        """Work whose changes must fit into the server's memory, when they have replaced what was there."""

        def do(shard: Shard) -> Answer:
            before, size = self._memory.usage(), shard.size()
            answer = work(shard)
            grown = shard.size() - size
            if grown > 0:
                self._memory.require(grown, before)
            return answer

        return do

    def _verdict(self, body: bytes) -> dict[str, Any]:
        return {"verdict": self.catalog.verdict(decode(VerdictRequest, body)).value}

    def _ask(self, address: str, question: VerdictRequest) -> Verdict:
        connection = Connection(parse_server(address, where="decider"), self._access)
        try:
            return Verdict(connection.call("verdict", question, seconds=ASK_SECONDS)["verdict"])
        except (KeyError, ValueError) as error:
            raise UdbRequestError("the server's answer is malformed", where=address) from error
        finally:
            connection.close()


@contextlib.contextmanager
def _errors_for_client(doing: str) -> Iterator[None]:
    """Turn what a handler raises into one line and an exit code for the client."""
    doing = errors.printable(doing[:40])
    try:
        yield
    except EssError as error:
        short = shortened(error)
        log.warning("%s: %s", doing, short)
        _refuse(short)
    except MemoryError:
        _refuse(OutOfMemory("the server is out of memory", hint="clear tables you do not need"))
    except flight.FlightError:
        raise
    except Exception as error:
        log.exception("%s failed", doing)
        line = str(error).splitlines()[0] if str(error) else ""
        failure = UdbRequestError(f"the server failed ({type(error).__name__}: {line})", hint="see: ess udbd cklog")
        _refuse(shortened(failure))


def _refuse(error: EssError) -> NoReturn:
    raise flight.FlightServerError(errors.printable(error.what), encode_error(error)) from None
