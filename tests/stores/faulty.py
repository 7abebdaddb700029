"""A proxy in front of a store that does what networks and busy stores do, at the moment that a test says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>secret words</Message></Error>"


@dataclass
class Fault:
    """A fault that happens to one request.

    Attributes:
        method: Which requests it is for.
        after: So many bytes of the answer's body come; then the connection is cut. None: all of them.
        status: Instead of an answer of the store.
        body: The body of such an answer.
        silent: Nothing comes at all, and the connection stays open.
        taken: So many bytes of the request's body are taken; then the connection is cut.
        before: Called before the request is passed on.
    """

    method: str = "GET"
    after: int | None = None
    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    taken: int | None = None
    before: Callable[[], None] | None = None


class FaultyProxy:
    """Passes requests on to a port of this machine; ``faults`` are used up one by one by the requests they fit."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.faults: list[Fault] = []
        self.requests: list[bytes] = []  # the heads of all requests
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, and all its connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
                while self._answer(connection, stream):
                    pass
        finally:
            with self._lock:
                self._open.discard(connection)

    def _answer(self, connection: socket.socket, stream: BufferedReader) -> bool:
        head = _head(stream)
        if not head:
            return False
        method = head.split(b" ", 1)[0].decode()
        fault = next((fault for fault in self.faults if fault.method == method), Fault(method))
        if fault in self.faults:
            self.faults.remove(fault)
        body = stream.read(_length(head) if fault.taken is None else min(fault.taken, _length(head)))
        self.requests.append(head)
        if fault.taken is not None:
            return False
        if fault.before is not None:
            fault.before()
        if fault.silent:
            stream.read(1)  # until the client has had enough
            return False
        if fault.status:
            lines = "".join(f"{name}: {value}\r\n" for name, value in fault.headers.items())
            length = 0 if method == "HEAD" else len(fault.body)
            connection.sendall(f"HTTP/1.1 {fault.status} X\r\n{lines}Content-Length: {length}\r\n\r\n".encode())
            connection.sendall(fault.body[:length])
            return True
        with socket.create_connection(("127.0.0.1", self._upstream)) as store, store.makefile("rb") as answer:
            store.sendall(head[:-2] + b"Connection: close\r\n\r\n" + body)
            answered = _head(answer)
            connection.sendall(answered)
            left = -1 if fault.after is None else fault.after
            while left and (piece := answer.read1(65536 if left < 0 else min(65536, left))):
                connection.sendall(piece)
                left -= len(piece) if left > 0 else 0
        return False


def _head(stream: BufferedReader) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        if not line.lower().startswith(b"connection:"):
            head += line
    return head


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


@contextlib.contextmanager
def faulty(port: int) -> Iterator[FaultyProxy]:
    """A proxy in front of a port, ended at last."""
    proxy = FaultyProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
