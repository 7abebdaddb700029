"""HTTP as the store servers of the benchmark speak it: kept connections, a thread each, requests without a body."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

#: Answers a request, of which it gets the head without the blank line.
Answer = Callable[[socket.socket, str], None]


def serve(answer: Answer) -> None:
    """Print a port of this machine, and serve there until killed."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        os.close(1)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_talk, args=(connection, answer), daemon=True).start()


def _talk(connection: socket.socket, answer: Answer) -> None:
    received = b""
    try:
        while piece := connection.recv(1 << 16):
            received += piece
            while b"\r\n\r\n" in received:
                request, _, received = received.partition(b"\r\n\r\n")
                answer(connection, request.decode("latin-1"))
    except OSError:  # whoever asked has gone
        return
    finally:
        connection.close()
