"""The client's end of the stream of an import or a session: batches out, acknowledgements back."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from ess.errors import UdbCommunicationError
from ess.surroundings import carried
from ess.udb.wire import watch
from ess.udb.wire.connection import IF_ENDED, Connection, rows_per_message
from ess.udb.wire.protocol import encode, read_object
from ess.udb.wire.watch import Patience

#: How often a client with nothing to say says that it is there.
ALIVE_SECONDS = 15.0

#: How many batches may wait to be sent. More would only cost memory.
_DEPTH = 2


class StageStream:
    """The stream of one import or session to one server.

    Batches are sent by a thread, so that the next ones can be made meanwhile; what goes wrong with one is raised by a
    later call. Whatever waits here ends with an error when the server does not answer any more; see
    :meth:`Connection.waiting`.

    Args:
        connection: To the server.
        request: What to begin, as JSON can hold it.
        schema: That of the batches; of a session, without columns.
    """

    def __init__(self, connection: Connection, request: Any, schema: pa.Schema) -> None:
        self._connection = connection
        self._schema = schema
        self._writing = threading.Lock()
        self._is_lost = False
        self.rows = 0
        self._changed = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_sending = False
        self._has_failed = False
        self._has_ended = False
        self._writer, self._reader = connection.exchange(encode(request), schema)
        threading.Thread(target=carried(self._send_all), name="send", daemon=True).start()

    def wait(self) -> dict[str, Any]:
        """The server's next acknowledgement."""
        with self._connection.waiting(self._give_up):
            return self._read()

    def write(self, rows: pa.Table) -> None:
        """Send rows, now or soon."""
        # The library's own error about it cannot be told from one of a server that has refused.
        if rows.schema != self._schema:
            raise TypeError(f"rows of {rows.schema} on a stream of {self._schema}")
        self._send(lambda: self._writer.write_table(rows, max_chunksize=rows_per_message(rows)))
        self.rows += rows.num_rows

    def say(self, word: str) -> None:
        """Send ``prepare``, ``commit``, ``abort``, ``release`` or ``alive``; ``prepare`` states the number of rows.

        When this returns, it is sent, and so are all rows before.
        """
        message = b'{"say":"%s","rows":%d}' % (word.encode(), self.rows)
        self._send(lambda: self._writer.write_metadata(pa.py_buffer(message)))
        self._wait_until(lambda: not self._waiting and not self._is_sending)

    def tell_alive(self) -> None:
        """Say that the client is there. Never raises; waits only while the server takes nothing."""
        if self._writing.acquire(blocking=False):
            try:
                with contextlib.suppress(flight.FlightError, pa.ArrowException, OSError):
                    self._writer.write_metadata(pa.py_buffer(b'{"say":"alive"}'))
            finally:
                self._writing.release()

    def close(self) -> None:
        """End the stream; what still waits is not sent. Never raises."""
        with self._changed:
            self._has_ended = True
            self._waiting.clear()
            self._changed.notify_all()
        if not self._is_lost:
            with contextlib.suppress(Exception):
                self._connection.aside(partial(self._alone, self._end), self._give_up)
        if self._is_lost:
            # Otherwise the library does it when the writer is collected, and prints that it has failed.
            closing = threading.Thread(target=self._close_lost, daemon=True)
            closing.start()
            closing.join(1.0)

    def _end(self) -> None:
        try:
            self._writer.done_writing()
        finally:
            self._writer.close()

    def _close_lost(self) -> None:
        with contextlib.suppress(flight.FlightError, pa.ArrowException, OSError):
            self._alone(self._writer.close)

    def _send(self, send: Callable[[], None]) -> None:
        self._wait_until(lambda: len(self._waiting) < _DEPTH)
        with self._changed:
            self._waiting.append(send)
            self._changed.notify_all()

    def _send_all(self) -> None:
        """In a thread of its own, because to cancel the stream does not end a write that waits."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._has_ended)
                if self._has_ended:
                    return
                send = self._waiting.popleft()
                self._is_sending = True
                self._changed.notify_all()
            failed = False
            try:
                self._alone(send)
            except (flight.FlightError, pa.ArrowException, OSError):
                failed = True
            with self._changed:
                self._is_sending = False
                self._has_failed = self._has_failed or failed
                self._changed.notify_all()

    def _alone(self, write: Callable[[], None]) -> None:
        with self._writing:
            write()

    def _wait_until(self, done: Callable[[], bool]) -> None:
        """Wait for the thread that sends.

        Raises:
            EssError: If the server has refused, or does not answer any more.
        """
        patience = Patience(self._connection.answers)
        while not self._is_lost:
            with self._changed:
                if self._changed.wait_for(lambda: self._has_failed or done(), watch.ASK_EVERY_SECONDS):
                    break
            if patience.is_at_end():
                self._give_up()
        if self._is_lost:
            raise self._connection.silent()
        if self._has_failed:
            self.wait()  # a write fails when the server has refused; its reason is in its answer
            where = f"server {self._connection.server.address}"
            raise UdbCommunicationError("the server was lost", where=where, hint=IF_ENDED)

    def _give_up(self) -> None:
        self._is_lost = True
        self._reader.cancel()

    def _read(self) -> dict[str, Any]:
        try:
            chunk = self._reader.read_chunk()
        except StopIteration:
            where = f"server {self._connection.server.address}"
            raise UdbCommunicationError(
                "the server ended the import", where=where, hint="see: ess udbd status"
            ) from None
        return read_object(bytes(chunk.app_metadata or b""))


@contextlib.contextmanager
def kept_alive(streams: Sequence[StageStream]) -> Iterator[None]:
    """Send a sign of life on streams now and then while this is open: a server drops a silent client."""
    ended = threading.Event()

    def say() -> None:
        while not ended.wait(ALIVE_SECONDS):
            for stream in streams:
                stream.tell_alive()

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1.0)  # it may be at work for a moment; longer if a server takes nothing
