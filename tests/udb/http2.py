"""As much of HTTP/2 and of Flight's messages as a client needs that sends what no library would send.

What the server answers is read and thrown away: answers are looked at with the library's own client.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time

from ess.udb.wire.access import Access
from ess.udb.wire.protocol import CERTIFICATE_NAME
from tests.waiting import PATIENCE

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS = 0, 1, 3, 4
_END_HEADERS, _END_STREAM = 4, 1


class Http2:
    """One connection, with one call on it."""

    def __init__(self, port: int, access: Access) -> None:
        context = ssl.create_default_context(cadata=access.authority.decode())
        context.load_cert_chain(access.folder / "server.pem", access.folder / "server.key")
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", port), 5)
        try:
            self._socket = context.wrap_socket(raw, server_hostname=CERTIFICATE_NAME)
        except BaseException:
            raw.close()
            raise
        self.send(_PREFACE + frame(SETTINGS, 0, 0, b""))

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def begin(self, method: str, headers: dict[str, str]) -> None:
        """Begin a call of a method of Flight."""
        block = b"".join(
            _header(name, value)
            for name, value in (
                (":method", "POST"),
                (":scheme", "https"),
                (":path", f"/arrow.flight.protocol.FlightService/{method}"),
                (":authority", CERTIFICATE_NAME),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                *headers.items(),
            )
        )
        self.send(frame(HEADERS, _END_HEADERS, 1, block))

    def message(self, body: bytes, *, last: bool = False) -> None:
        """Send one message of the call."""
        data = b"\0" + struct.pack(">I", len(body)) + body
        parts = [data[start : start + 16000] for start in range(0, len(data), 16000)]
        for number, part in enumerate(parts):
            self.send(frame(DATA, _END_STREAM if last and number == len(parts) - 1 else 0, 1, part))

    def read(self, seconds: float, most: int = 1 << 40) -> int:
        """Read for so long, or so many bytes, or until the server has nothing more to say; the number of bytes."""
        end = time.monotonic() + seconds
        count = 0
        try:
            while (left := end - time.monotonic()) > 0 and count < most:
                self._socket.settimeout(left)
                part = self._socket.recv(1 << 16)
                if not part:
                    break
                count += len(part)
        except OSError:
            pass
        return count

    def await_answer(self, text: bytes) -> None:
        """Read until the server has said something."""
        self._socket.settimeout(PATIENCE)
        said = b""
        while text not in said:
            part = self._socket.recv(1 << 16)
            assert part, said
            said += part

    def close(self, *, hard: bool = False) -> None:
        """Close the connection; ``hard``: as that of a process that has died."""
        try:
            if hard:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.close()
        except OSError:
            pass


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _header(name: str, value: str) -> bytes:
    return b"\0" + _text(name.encode()) + _text(value.encode("latin-1"))


def _text(raw: bytes) -> bytes:
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    rest, length = len(raw) - 127, b"\x7f"
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + raw


# Messages of Flight, as protocol buffers ------------------------------------------------------------------------------


def field(number: int, content: bytes) -> bytes:
    """A field that holds bytes."""
    return _number(number << 3 | 2) + _number(len(content)) + content


def action(kind: bytes, body: bytes) -> bytes:
    """An ``Action``."""
    return field(1, kind) + field(2, body)


def ticket(body: bytes) -> bytes:
    """A ``Ticket``."""
    return field(1, body)


def flight_data(*, command: bytes = b"", header: bytes = b"", metadata: bytes = b"", body: bytes = b"") -> bytes:
    """A ``FlightData``."""
    made = field(1, b"\x08\x02" + field(2, command)) if command else b""
    made += field(2, header) if header else b""
    made += field(3, metadata) if metadata else b""
    return made + (field(1000, body) if body else b"")


def _number(value: int) -> bytes:
    made = b""
    while value >= 128:
        made += bytes([value % 128 + 128])
        value //= 128
    return made + bytes([value])
