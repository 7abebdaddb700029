"""One UDB server: the Flight service around the databases of one process.

A handler runs in a thread of the transport. It decodes the request, finds the database, and
lets :mod:`ess.udb.database` do the work under the database's lock. Every failure leaves as one
line with an exit code, never as a traceback.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import polars as pl
import psutil
import pyarrow as pa
import pyarrow.flight as flight

from ess import errors
from ess.errors import EssError, OutOfMemory, UdbAuthenticationError, UdbRequestError
from ess.schema.columns import valid_name
from ess.udb.access import ServerAccess
from ess.udb.connection import Connection, rows_per_message
from ess.udb.database import Database
from ess.udb.protocol import (
    PROTOCOL,
    DatabaseRequest,
    OrderRequest,
    ScanRequest,
    StageRequest,
    VerdictRequest,
    decode,
    encode_error,
    read_object,
    require_protocol,
)
from ess.udb.spec_file import parse_definition, parse_server
from ess.udb.transactions import Ending, Stage, Verdict

log = logging.getLogger("udbd")

#: How long a server in doubt goes on asking a decider that it cannot reach.
DOUBT_SECONDS = 120.0


class MemoryLimit:
    """Refuses imports when the server, or the machine, would run out of memory.

    Args:
        limit: Bytes that this process may use; 0 for no limit.
        margin: Bytes of the machine that must stay available; 0 for any.
    """

    def __init__(self, limit: int = 0, margin: int = 0) -> None:
        self._limit = limit
        self._margin = margin
        self._process = psutil.Process()

    def require(self, incoming: int) -> None:
        """Refuse ``incoming`` bytes that do not fit.

        Raises:
            OutOfMemory: What is stored already stays as it is.
        """
        if self._limit and self.used() + incoming > self._limit:
            raise OutOfMemory(
                f"the server's limit of {self._limit >> 20} MB is reached",
                hint="clear tables you do not need, or start the servers with a larger -mem",
            )
        if self._margin and psutil.virtual_memory().available - incoming < self._margin:
            raise OutOfMemory(
                "the machine's free memory is at its margin (UDBD_MEM_MARGIN)", hint="clear tables you do not need"
            )

    def used(self) -> int:
        """The memory that the server holds, in bytes."""
        return int(self._process.memory_info().rss)


class _TokenCheck(flight.ServerMiddlewareFactory):  # type: ignore[misc]  # the library is untyped
    """Lets nobody in without the token, whatever they want."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._expected = f"Bearer {token}".encode()

    def start_call(self, _info: flight.CallInfo, headers: dict[str, list[str]]) -> None:
        given = headers.get("authorization") or [""]
        if not hmac.compare_digest(given[0].encode("utf-8", "replace"), self._expected):
            error = UdbAuthenticationError(
                "the server does not take the token", hint="it was started from another working folder"
            )
            raise flight.FlightUnauthenticatedError(error.what, encode_error(error))


class UdbServer(flight.FlightServerBase):  # type: ignore[misc]
    """The service. It listens as soon as it is made; ``serve`` waits until ``shutdown``.

    Args:
        host: The address to listen on.
        port: 0 for any free one; ``port`` of the instance tells which.
        access: The certificate to show, the token to ask for.
    """

    def __init__(self, host: str, port: int, access: ServerAccess, *, memory: MemoryLimit | None = None) -> None:
        self._access = access.client
        self._memory = memory or MemoryLimit()
        self._databases: dict[str, Database] = {}
        self._lock = threading.Lock()
        self._started = time.time()
        self._actions: dict[str, Callable[[bytes], dict[str, Any]]] = {
            "hello": self._hello,
            "create": self._create,
            "probe": self._probe,
            "counts": self._counts,
            "clear": self._clear,
            "order": self._order,
            "count": self._count,
            "verdict": self._verdict,
        }
        shown = f"[{host}]" if ":" in host else host
        super().__init__(
            f"grpc+tls://{shown}:{port}",
            tls_certificates=[(access.certificate, access.key)],
            middleware={"token": _TokenCheck(access.client.token)},
        )

    # What Flight calls --------------------------------------------------------------------------------------------

    def do_action(self, _context: flight.ServerCallContext, action: flight.Action) -> list[bytes]:
        """Answer a request."""
        with _errors_for_client(action.type):
            handler = self._actions.get(action.type)
            if handler is None:
                raise UdbRequestError("the server does not know this request", where=action.type)
            return [json.dumps(handler(bytes(action.body))).encode()]

    def do_get(self, _context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Send rows."""
        with _errors_for_client("export"):
            request = decode(ScanRequest, ticket.ticket)
            rows = self._database(request.database, request.definition).export(request).to_arrow()
            # Not a Python generator: this one is sent without the interpreter's lock.
            batches = rows.to_batches(max_chunksize=rows_per_message(rows))
            return flight.RecordBatchStream(pa.RecordBatchReader.from_batches(rows.schema, batches))

    def do_exchange(
        self,
        _context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Take an import."""
        with _errors_for_client("import"):
            request = decode(StageRequest, descriptor.command)
            if errors.printable(request.identity) != request.identity:
                raise UdbRequestError("bad import identity")  # it goes into the log
            database = self._database(request.database, request.definition, create=True)
            stage = database.begin(request)
            try:
                writer.write_metadata(pa.py_buffer(b'{"ready":true}'))
                self._converse(database, request, stage, reader, writer)
            finally:
                self._end(database, request, stage)

    # Imports ------------------------------------------------------------------------------------------------------

    def _converse(
        self,
        database: Database,
        request: StageRequest,
        stage: Stage,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        while True:
            try:
                chunk = reader.read_chunk()
            except (StopIteration, flight.FlightError, pa.ArrowException, OSError):
                return  # on purpose or not: without a commit nothing counts
            if chunk.data is not None and chunk.data.num_rows:
                self._memory.require(chunk.data.nbytes)
                frame = pl.from_arrow(chunk.data)
                assert isinstance(frame, pl.DataFrame)
                database.stage_rows(request, stage, frame)
            if chunk.app_metadata is not None:
                message = read_object(bytes(chunk.app_metadata))
                if message.get("say") == "prepare":
                    database.prepare(stage, int(message.get("rows", -1)))
                    writer.write_metadata(pa.py_buffer(b'{"prepared":true}'))
                elif message.get("say") == "commit":
                    counted = database.commit(request, stage)
                    writer.write_metadata(pa.py_buffer(b'{"committed":%s}' % (b"true" if counted else b"false")))
                    return
                else:
                    database.drop(stage)
                    return

    def _end(self, database: Database, request: StageRequest, stage: Stage) -> None:
        ending = database.end_of_stream(stage)
        if ending is Ending.DROPPED:
            log.warning("import %s of %s ended early, nothing was imported", stage.identity, request.database)
        elif ending is Ending.IN_DOUBT:
            # In a thread of its own, because the client's stream shall not wait for another server.
            threading.Thread(target=self._resolve, args=(database, request, stage), daemon=True).start()

    def _resolve(self, database: Database, request: StageRequest, stage: Stage) -> None:
        question = VerdictRequest(request.database, stage.identity, stage.attempt)
        deadline = time.monotonic() + DOUBT_SECONDS
        pause = 0.05
        verdict = Verdict.OPEN
        while verdict is Verdict.OPEN and time.monotonic() < deadline:
            try:
                connection = Connection(parse_server(request.decider, where="decider"), self._access)
                try:
                    verdict = Verdict(connection.call("verdict", question)["verdict"])
                finally:
                    connection.close()
            except (EssError, KeyError, ValueError) as error:
                log.warning("import %s: cannot ask %s: %s", stage.identity, request.decider, error)
            if verdict is Verdict.OPEN:
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
        try:
            if verdict is Verdict.COMMITTED:
                database.commit(request, stage)
        except EssError as error:
            log.warning("import %s: %s", stage.identity, error)
        database.drop(stage)
        log.info("import %s of %s was in doubt: %s", stage.identity, request.database, verdict.value)

    def _verdict(self, body: bytes) -> dict[str, Any]:
        request = decode(VerdictRequest, body)
        with self._lock:
            database = self._databases.get(request.database)
        verdict = Verdict.NEVER if database is None else database.verdict(request.identity, request.attempt)
        return {"verdict": verdict.value}

    # Everything else ----------------------------------------------------------------------------------------------

    def _hello(self, body: bytes) -> dict[str, Any]:
        require_protocol(read_object(body))
        with self._lock:
            defined = {name: self._databases[name].defined for name in sorted(self._databases)}
        return {
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "memory": self._memory.used(),
            "started": self._started,
            "databases": list(defined),
            "defined": defined,
        }

    def _create(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        self._database(request.database, request.definition, create=True)
        return {}

    def _probe(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        self._database(request.database, request.definition)
        return {}

    def _counts(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        return {"counts": self._database(request.database, request.definition).counts()}

    def _clear(self, body: bytes) -> dict[str, Any]:
        request = decode(DatabaseRequest, body)
        if request.table:
            self._database(request.database, request.definition).clear(request.table)
        else:
            with self._lock:  # also when the definition has changed: clearing is the way out then
                cleared = self._databases.pop(request.database, None)
            if cleared is not None:
                cleared.forget()
                log.info("database %s cleared", request.database)
        return {}

    def _order(self, body: bytes) -> dict[str, Any]:
        request = decode(OrderRequest, body)
        self._database(request.database, request.definition).order(request)
        return {}

    def _count(self, body: bytes) -> dict[str, Any]:
        request = decode(ScanRequest, body)
        keys, rows = self._database(request.database, request.definition).count(request)
        return {"keys": keys, "rows": rows}

    def _database(self, name: str, definition: str, *, create: bool = False) -> Database:
        if not valid_name(name):
            raise UdbRequestError("bad database name")
        wanted = parse_definition(definition, source=f"database {name}")
        with self._lock:
            found = self._databases.get(name)
            if found is None:
                if not create:
                    raise UdbRequestError(
                        f"database '{name}' is not defined here yet",
                        hint="if the server was restarted, its rows are lost; import into it, "
                        f"or define it empty with: aq_udb -crt {name}",
                    )
                found = self._databases[name] = Database(name, wanted)
                log.info("database %s defined", name)
                return found
        found.agree_on(wanted)
        return found


@contextlib.contextmanager
def _errors_for_client(doing: str) -> Iterator[None]:
    """What a handler raises becomes one line and an exit code for the client."""
    try:
        yield
    except EssError as error:
        log.warning("%s: %s", doing, error)
        _refuse(error)
    except MemoryError:
        _refuse(OutOfMemory("the server is out of memory", hint="clear tables you do not need"))
    except flight.FlightError:
        raise
    except Exception as error:
        log.exception("%s failed", doing)
        line = str(error).splitlines()[0] if str(error) else ""
        _refuse(UdbRequestError(f"the server failed ({type(error).__name__}: {line})", hint="see: ess udbd cklog"))


def _refuse(error: EssError) -> NoReturn:
    raise flight.FlightServerError(errors.printable(error.what), encode_error(error)) from None
