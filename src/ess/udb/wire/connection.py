"""The client's end of a connection to one server, and the translation of what goes wrong there."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

# The transport logs every refused handshake to stderr; users get our one line instead. See also _quiet_transport.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import pyarrow as pa
import pyarrow.flight as flight

from ess import settings
from ess.errors import EssError, UdbAuthenticationError, UdbCommunicationError, UdbConnectError, UdbRequestError
from ess.surroundings import carried
from ess.udb.spec.spec import Server
from ess.udb.wire import kept, watch
from ess.udb.wire.access import Access, certificate_fault
from ess.udb.wire.protocol import CERTIFICATE_NAME, PROTOCOL, decode_error, encode, read_object
from ess.udb.wire.running import stopped_server
from ess.udb.wire.watch import Patience, ServerStopped, Watch, watched

Answer = TypeVar("Answer")

_STOPPED = "the server (process {}) is stopped and does not answer"
_GO_ON = "let it go on: kill -CONT {}, or end it: ess udbd stop"
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_starting = threading.Lock()

#: How long a server may take to answer the first, empty request.
HELLO_SECONDS = 20.0

#: A server that is lost during a request may be only unreachable, or dead.
IF_ENDED = "see: ess udbd status; if it has ended, start it again with: ess udbd start"

#: About how large a message is, and how many rows it has at most.
MESSAGE_BYTES = 8 << 20
MESSAGE_ROWS = 65536


def rows_per_message(rows: pa.Table) -> int:
    """The number of rows of a table to send at once; the transport cannot take messages of any size.

    >>> rows_per_message(pa.table({"a": [1, 2, 3]}))
    65536
    """
    each = int(rows.nbytes) // max(1, int(rows.num_rows)) + 1
    return max(1, min(MESSAGE_ROWS, MESSAGE_BYTES // each))


@contextlib.contextmanager
def _quiet_transport() -> Iterator[None]:
    """Silence the transport's own log while it starts, which is when it reads its settings.

    A process of the tool server has got the caller's environment since this module was loaded.
    """
    with _starting:
        name = "GRPC_VERBOSITY"
        is_chosen = name in os.environ
        os.environ.setdefault(name, "NONE")
        try:
            yield
        finally:
            if not is_chosen:
                del os.environ[name]


class Connection:
    """A connection to one server. It is opened by the first call; ``hello`` makes that one.

    Args:
        server: The server.
        access: The access to it.
        own: True if it must not be one that earlier commands have used.
    """

    def __init__(self, server: Server, access: Access, *, own: bool = False) -> None:
        self.server = server
        self._access = access
        self._headers = [(b"authorization", f"Bearer {access.token}".encode())]
        #: True while nothing has gone wrong on it.
        self._is_sound = True
        #: How many answers have not been read to their end.
        self._unread = 0
        self._own = own
        self._opened: flight.FlightClient | None = None

    @property
    def _client(self) -> flight.FlightClient:
        if self._opened is None:
            self._opened = _open(self.server, self._access)
        return self._opened

    def hello(self, seconds: float = HELLO_SECONDS) -> dict[str, Any]:
        """Check that the server is there, takes the token and speaks our version; its status.

        Args:
            seconds: How long it may take to answer. One whose process on this machine is stopped is given up earlier,
                after ``ESS_ANSWER_TIMEOUT`` seconds.

        Raises:
            UdbConnectError: If it cannot be reached.
            UdbAuthenticationError: If it is not of this pool, or does not take the token.
            UdbRequestError: If it is of another version.
        """
        first = min(seconds, settings.answer_timeout())
        with self._translated(opening=True):
            if self._opened is None and not self._own:
                self._opened = kept.take(self.server, self._access)
                if self._opened is not None:
                    try:
                        return self._hello(first)
                    except (flight.FlightUnavailableError, flight.FlightTimedOutError):
                        if self._stopped():
                            raise
                    # It may be the connection alone: the server has been started again, or a network was cut.
                    self._close_now()
            try:
                return self._hello(first)
            except flight.FlightTimedOutError:
                if first == seconds or self._stopped():
                    raise
            return self._hello(seconds - first)

    def _hello(self, seconds: float) -> dict[str, Any]:
        options = flight.FlightCallOptions(timeout=seconds, headers=self._headers)
        action = flight.Action("hello", b'{"protocol":%d}' % PROTOCOL)
        return _only(self._client.do_action(action, options))

    def call(self, action: str, request: Any, *, seconds: float | None = None) -> dict[str, Any]:
        """Send a request and return the answer, which may take any time, or ``seconds``."""
        options = flight.FlightCallOptions(timeout=seconds, headers=self._headers)
        message = flight.Action(action, encode(request))
        if seconds is not None:
            with self._translated():
                return _only(self._client.do_action(message, options))
        return self.aside(lambda: _only(self._client.do_action(message, options)))

    def aside(self, work: Callable[[], Answer], give_up: Callable[[], None] | None = None) -> Answer:
        """Wait in another thread for work that the library cannot be told to give up; that thread is left behind then.

        Args:
            work: What may take any time.
            give_up: Called when it is left behind.

        Raises:
            UdbCommunicationError: If the server does not answer any more.
        """
        outcome: queue.SimpleQueue[Callable[[], Answer]] = queue.SimpleQueue()

        def act() -> None:
            try:
                found = work()
                outcome.put(lambda: found)
            except BaseException as error:
                failure = error
                outcome.put(lambda: _raise(failure))

        thread = threading.Thread(target=carried(act), daemon=True)
        thread.start()
        patience = Patience(self.answers)
        while True:
            with contextlib.suppress(queue.Empty), self._translated():
                answer = outcome.get(timeout=watch.ASK_EVERY_SECONDS)
                thread.join()
                return answer()
            if patience.is_at_end():
                if give_up is not None:
                    give_up()
                raise self.silent()

    def scan(self, request: Any) -> Iterator[pa.RecordBatch]:
        """Ask for rows. The server has done its part when this returns; the rows follow."""

        def ask() -> tuple[flight.FlightStreamReader, pa.Schema]:
            reader = self._client.do_get(flight.Ticket(encode(request)), self._options())
            return reader, reader.schema

        self._unread += 1
        return self._batches(*self.aside(ask))

    def _batches(self, reader: flight.FlightStreamReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([], schema=schema)  # so that the columns are known without rows
        with watched(self.answers, reader.cancel) as asked:
            while True:
                with self._waiting(asked):
                    try:
                        chunk = reader.read_chunk()
                    except StopIteration:
                        self._unread -= 1
                        return
                yield chunk.data

    def exchange(
        self, command: bytes, schema: pa.Schema
    ) -> tuple[flight.FlightStreamWriter, flight.FlightStreamReader]:
        """Open a stream both ways; batches of the schema go out. See ``ess.udb.client.stage_stream``."""

        def open_stream() -> tuple[flight.FlightStreamWriter, flight.FlightStreamReader]:
            descriptor = flight.FlightDescriptor.for_command(command)
            writer, reader = self._client.do_exchange(descriptor, self._options())
            writer.begin(schema)
            return writer, reader

        return self.aside(open_stream)

    def close(self) -> None:
        """Close the connection, or keep it for a later command. Never raises."""
        if self._is_sound and not self._unread and not self._own and self._opened is not None:
            kept.give_back(self.server, self._access, self._opened)
            self._opened = None
        self._close_now()

    def _close_now(self) -> None:
        client, self._opened = self._opened, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()

    def _options(self) -> flight.FlightCallOptions:
        return flight.FlightCallOptions(headers=self._headers)

    @contextlib.contextmanager
    def waiting(self, give_up: Callable[[], None]) -> Iterator[None]:
        """Translate what goes wrong, and end the waiting for a server that does not answer any more.

        Raises:
            UdbCommunicationError: If it does not.
        """
        with watched(self.answers, give_up) as asked, self._waiting(asked):
            yield

    @contextlib.contextmanager
    def _waiting(self, asked: Watch) -> Iterator[None]:
        try:
            with self._translated(), asked.waiting():
                yield
        except EssError:
            if asked.is_lost:
                raise self.silent() from None
            raise

    def silent(self) -> UdbCommunicationError:
        """The error when it does not answer any more."""
        self._is_sound = False
        where = f"server {self.server.address}"
        if process := self._stopped():
            return UdbCommunicationError(_STOPPED.format(process), where=where, hint=_GO_ON.format(process))
        return UdbCommunicationError("the server does not answer any more", where=where, hint=IF_ENDED)

    def _stopped(self) -> int:
        """Its process if that is on this machine and stopped, else 0."""
        return stopped_server(self.server.port) if self.server.host in _THIS_MACHINE else 0

    def answers(self, seconds: float) -> bool:
        """True if it answers on another connection: this one may be full of sent data.

        Raises:
            ServerStopped: If its process on this machine is stopped.
        """
        if self._stopped():
            time.sleep(watch.AGAIN_SECONDS)
            if self._stopped():
                raise ServerStopped
        other = Connection(self.server, self._access, own=True)
        try:
            other.hello(seconds)
        except UdbConnectError:
            return False
        except EssError:
            pass  # an answer all the same
        finally:
            other.close()
        return True

    @contextlib.contextmanager
    def _translated(self, *, opening: bool = False) -> Iterator[None]:
        try:
            yield
        except (flight.FlightError, pa.ArrowException, OSError) as error:
            self._is_sound = False
            failure = translate(error, self.server, opening=opening)
            if isinstance(failure, UdbConnectError | UdbAuthenticationError):
                fault = certificate_fault(self._access)
                if fault is not None:
                    raise UdbAuthenticationError(fault.what, where=fault.where, hint=fault.hint) from None
            if isinstance(failure, UdbConnectError) and (process := self._stopped()):
                raise UdbConnectError(
                    _STOPPED.format(process), where=failure.where, hint=_GO_ON.format(process)
                ) from None
            raise failure from None


def _open(server: Server, access: Access) -> flight.FlightClient:
    with _quiet_transport():
        return flight.FlightClient(
            f"grpc+tls://{server.address}",
            tls_root_certs=access.authority,
            cert_chain=access.certificate,
            private_key=access.key,
            override_hostname=CERTIFICATE_NAME,
            # A message is a batch; the writer decides how long it is.
            generic_options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
        )


def translate(error: BaseException, server: Server, *, opening: bool = False) -> EssError:
    """The error that tells a user what a failure of the transport means."""
    where = f"server {server.address}"
    extra = getattr(error, "extra_info", None)
    ours = decode_error(bytes(extra), server=server.address) if extra else None
    if ours is not None:
        return ours
    text = str(error)
    if isinstance(error, flight.FlightUnauthenticatedError):
        return UdbAuthenticationError(
            "the server does not take our token", where=where, hint="it was started from another working folder"
        )
    if isinstance(error, flight.FlightUnavailableError):
        if "certificate" in text or "Ssl" in text or "SSL" in text:
            return UdbAuthenticationError(
                "the server's certificate is not of this pool",
                where=where,
                hint="it was started from another working folder",
            )
        if opening:
            return UdbConnectError("the server cannot be reached", where=where, hint="start it with: ess udbd start")
        return UdbCommunicationError("the server was lost", where=where, hint=IF_ENDED)
    if isinstance(error, flight.FlightTimedOutError):
        return UdbConnectError("the server does not answer", where=where, hint="see: ess udbd status")
    if isinstance(error, (flight.FlightServerError, pa.ArrowInvalid, pa.ArrowNotImplementedError)):
        reason = text.splitlines()[0].split(". Detail:")[0] if text else "unknown"
        return UdbRequestError(f"the server failed ({reason})", where=where, hint="see its log: ess udbd cklog")
    return UdbCommunicationError("the server was lost", where=where, hint=IF_ENDED)


def _raise(error: BaseException) -> NoReturn:
    raise error


def _only(results: Iterator[flight.Result]) -> dict[str, Any]:
    bodies = [bytes(result.body) for result in results]
    if len(bodies) != 1:
        raise UdbRequestError("the server's answer is malformed", hint="install the same version on both sides")
    return read_object(bodies[0])
