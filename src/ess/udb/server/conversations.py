"""The server's end of a stream: an import that comes in, or a session that is held open."""

from __future__ import annotations

import time
from collections.abc import Callable

import polars as pl
import pyarrow as pa
import pyarrow.flight as flight

from ess import errors
from ess.errors import OptionError, UdbRequestError
from ess.schema.batch import Batch
from ess.udb.server.database import Database
from ess.udb.server.memory import MemoryLimit
from ess.udb.server.pending import Pending
from ess.udb.server.sessions import change
from ess.udb.server.validation import frame_of
from ess.udb.shard.changes import Append
from ess.udb.spec.spec_file import parse_server
from ess.udb.wire.protocol import LoadRequest, SessionRequest, StageRequest, read_object

_LONGEST_ATTEMPT = 64


def require_names(request: StageRequest | SessionRequest) -> None:
    """Refuse names that must not become those of files, or lines in the log.

    Raises:
        UdbRequestError: If there is one.
    """
    attempt = request.attempt
    if not (attempt.isascii() and attempt.isalnum() and len(attempt) <= _LONGEST_ATTEMPT):
        raise UdbRequestError("bad number of an attempt")
    if isinstance(request, StageRequest) and errors.printable(request.identity) != request.identity:
        raise UdbRequestError("bad import identity")
    if request.decider:
        try:
            parse_server(request.decider, where="decider")
        except OptionError:
            # Nobody could be asked about it, so it would stay for ever.
            raise UdbRequestError("bad address of the server that decides") from None


class Conversation:
    """Hears what the client says, and answers, until one of them ends it.

    The client says ``prepare``, ``commit`` or ``abort``, ``alive`` while it has nothing else to say, and of a session
    ``release``. The end of the stream without a commit means that nothing counts.

    Args:
        database: The database.
        memory: What rows must fit into.
        forget: Called when a session has cleared the database as a whole.
        reader, writer: The stream.
    """

    def __init__(
        self,
        database: Database,
        memory: MemoryLimit,
        forget: Callable[[Database, Pending], None],
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        self._database = database
        self._memory = memory
        self._forget = forget
        self._reader = reader
        self._writer = writer

    def open(self, request: StageRequest | SessionRequest) -> Pending:
        """Begin the import or the session."""
        if isinstance(request, StageRequest):
            return self._database.begin(request)
        return self._database.open_session(request)

    def go_on(self, pending: Pending) -> None:
        """Until it has ended, on purpose or not."""
        self._answer(b'{"ready":true}')
        while True:
            try:
                chunk = self._reader.read_chunk()
            except (StopIteration, flight.FlightError, pa.ArrowException, OSError):
                return
            pending.stage.heard = time.monotonic()
            if chunk.data is not None and chunk.data.num_rows:
                self._take(pending, chunk.data)
            if chunk.app_metadata is not None and not self._hear(pending, bytes(chunk.app_metadata)):
                return

    def load(self, request: LoadRequest) -> None:
        """Put rows into a table in a session, all at once when the client has stated how many they are."""
        self._database.find_session(request.session)
        self._answer(b'{"ready":true}')
        frames: list[Batch] = []
        while True:
            try:
                chunk = self._reader.read_chunk()
            except (StopIteration, flight.FlightError, pa.ArrowException, OSError):
                return
            if chunk.data is not None and chunk.data.num_rows:
                frames.append(self._frame(request.table, chunk.data))
            message = read_object(bytes(chunk.app_metadata)) if chunk.app_metadata is not None else {}
            if message.get("say") == "prepare":
                if sum(frame.height for frame in frames) != message.get("rows"):
                    raise UdbRequestError("not all rows have arrived", where=request.table)
                if frames:
                    self._append(request, pl.concat(frames))
                self._answer(b'{"prepared":true}')
                return

    def _append(self, request: LoadRequest, rows: Batch) -> None:
        change(self._database, lambda shard: shard.do(Append(request.table, rows)), request.session)

    def _frame(self, table: str, rows: pa.RecordBatch) -> Batch:
        return frame_of(rows, self._database.columns(table), self._memory, where=table)

    def _take(self, pending: Pending, rows: pa.RecordBatch) -> None:
        if not isinstance(pending.request, StageRequest):
            raise UdbRequestError("a session takes no rows")
        self._database.stage_rows(pending, self._frame(pending.request.table, rows))

    def _hear(self, pending: Pending, data: bytes) -> bool:
        """Do what the client says; whether it goes on."""
        message = read_object(data)
        word = message.get("say")
        if word == "prepare":
            rows = message.get("rows")
            if type(rows) is not int:
                raise UdbRequestError("the number of rows is missing")
            self._database.prepare(pending, rows)
            self._answer(b'{"prepared":true}')
        elif word == "commit":
            counted = self._database.commit(pending)
            if pending.clears_all:
                self._forget(self._database, pending)
            self._answer(b'{"committed":%s}' % (b"true" if counted else b"false"))
            return False
        elif word == "release":
            self._database.release(pending)
        # A client that gives up does not know whether the decider has committed: that is for the end of the stream.
        return word in ("prepare", "release", "alive")

    def _answer(self, data: bytes) -> None:
        self._writer.write_metadata(pa.py_buffer(data))
