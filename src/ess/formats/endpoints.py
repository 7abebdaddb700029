"""Ends of a stream of bytes: files, named pipes and sockets.

``fifo@Path`` is a named pipe, made if it is not there; ``connect@Host:Port`` a connection to a listener;
``listen@[Host:]Port`` one connection from somewhere (from anywhere, if no host is given). An IPv6 host stands in
square brackets. Anything else is the path of a file. The bytes on a socket are neither encrypted nor authenticated.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from pathlib import Path
from typing import BinaryIO, cast

from ess.errors import EssError, InputOpenError, OutputOpenError

_SOCKET = re.compile(r"(connect|listen)@(?:(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]/]+)):)?([0-9]{1,5})\Z")
_FIFO = "fifo@"


def open_source(endpoint: str) -> BinaryIO:
    """Open an input.

    Raises:
        InputOpenError: If that fails.
    """
    return _opened(endpoint, "rb", InputOpenError)


def open_target(endpoint: str, *, append: bool) -> BinaryIO:
    """Open an output; a file is emptied first unless ``append``.

    Raises:
        OutputOpenError: If that fails.
    """
    return _opened(endpoint, "ab" if append else "wb", OutputOpenError)


def _opened(endpoint: str, mode: str, failure: type[EssError]) -> BinaryIO:
    path = endpoint.removeprefix(_FIFO)
    if not path:
        raise failure("the name of a file is blank", where=endpoint or "''", hint="give its path, or - for the stream")
    try:
        if endpoint.startswith(("connect@", "listen@")):
            return _socket_file(endpoint, mode, failure)
        if endpoint.startswith(_FIFO):
            _make_fifo(path)
            mode = mode.replace("a", "w")
        return cast(BinaryIO, Path(path).open(mode))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = "check the name and the permissions"
        if _MEANT_AS_ATTRIBUTES.search(endpoint):
            hint = "attributes go right after the option, without a blank: -f,+1 File"
        raise failure(f"cannot open it: {reason}", where=endpoint, hint=hint) from None


#: A number of lines to skip, or attributes, that became a file's name.
_MEANT_AS_ATTRIBUTES = re.compile(r"(^|,)(\+[0-9]+[brl]?|eok|qui|csv|tsv|notitle|sep=.)$")


def _make_fifo(path: str) -> None:
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        if not stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116
            raise OSError(0, "it is there but no named pipe") from None


def _socket_file(endpoint: str, mode: str, failure: type[EssError]) -> BinaryIO:
    match = _SOCKET.match(endpoint)
    if match is None or not 0 < int(match[4]) < 65536 or (match[1] == "connect" and not (match[2] or match[3])):
        raise failure(
            "this is not an address",
            where=endpoint,
            hint="e.g. connect@example.org:5000, connect@[::1]:5000, listen@5000",
        )
    host, port = match[2] or match[3] or "", int(match[4])
    if match[1] == "connect":
        connection = socket.create_connection((host, port))
    else:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as listener:
            connection, _ = listener.accept()
    with connection:
        # The file keeps the connection open until it is closed itself.
        return cast(BinaryIO, connection.makefile("rb") if mode == "rb" else connection.makefile("wb"))
