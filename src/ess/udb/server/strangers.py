"""Connections to a server that have not shown the token: how long they may last, and how many there may be.

Everybody who reaches the port can connect, and need not say anything. The transport waits two minutes for
the handshake of such a connection, has no limit for their number, and takes none from anybody once the
process has run out of descriptors. It cannot be told otherwise from Python. So this looks at the sockets of
the process: those on its port whose peer has made no call with the token are shut down after a while, and
earlier when there are many: the oldest first, because an honest client needs a moment only. The
transport sees the end of such a connection and closes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

#: How long a client may take to make its first call with the token, in seconds.
CALL_SECONDS = 15.0

#: The connections that may be without a call at a time, unless the process may open few files.
MOST_STRANGERS = 256

#: How often the sockets are looked at, in seconds.
_LOOK_SECONDS = 1.0

#: ``ipv4:127.0.0.1:5004``, ``ipv6:[::1]:5004``
_PEER = re.compile(r"ipv[46]:\[?([^\]]*)\]?:(\d+)\Z")


@dataclass
class _Connection:
    """A socket of the process on its port: its peer, since when it is known, and whether it is left alone.

    That is so once its peer has called, once it is shut down, and with sockets of other kinds.
    """

    number: int
    peer: tuple[str, int]
    since: float
    left_alone: bool = False


@dataclass
class Strangers:
    """Looks after the connections of this process to ``port``, in a thread, until :meth:`end`.

    Args:
        port: The port that the process listens on.
        seconds: How long a connection may be without a call.
        most: How many may be; None: 256, or a quarter of the descriptors that the process may have.
    """

    port: int
    seconds: float = CALL_SECONDS
    most: int | None = None
    closed: int = 0
    _called: set[tuple[str, int]] = field(default_factory=set)
    _known: dict[str, _Connection] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        # A descriptor in reserve: a socket is looked at by means of a copy, also when there is room for no other.
        self._null, self._reserve = (os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(2))

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="strangers", daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def has_called(self, peer: str) -> None:
        """Note that a peer, as the transport names it (``ipv4:127.0.0.1:5004``), has made a call with the token."""
        found = _PEER.match(unquote(peer))
        if found:
            self._called.add((_plain(found[1]), int(found[2])))

    def look(self) -> None:
        """Shut down what has lasted too long, and the oldest of what is too many."""
        called, self._called = self._called, set()
        now = time.monotonic()
        here = _sockets()
        self._known = {inode: known for inode, known in self._known.items() if inode in here}
        for inode, number in here.items():
            known = self._known.get(inode)
            if known is None:
                with self._copy(number) as copy:
                    peer = None if copy is None else self._peer(copy)
                known = self._known[inode] = _Connection(number, peer or ("", 0), now, peer is None)
            known.left_alone = known.left_alone or known.peer in called
        strangers = [known for known in self._known.values() if not known.left_alone]
        surplus = len(strangers) - (self._most() if self.most is None else self.most)
        for place, known in enumerate(strangers):  # the oldest first
            if place < surplus or now - known.since > self.seconds:
                self._shut(known)

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self.look()
        os.close(self._reserve)
        os.close(self._null)

    def _most(self) -> int:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return MOST_STRANGERS if soft == resource.RLIM_INFINITY else max(1, min(MOST_STRANGERS, soft // 4))

    def _peer(self, connection: socket.socket) -> tuple[str, int] | None:
        """The peer of a connection to the port; None for any other connection."""
        try:
            if connection.getsockname()[1] != self.port:
                return None
            peer = connection.getpeername()
        except (OSError, IndexError):
            return None  # a socket that listens, or one of another kind
        return _plain(str(peer[0])), int(peer[1])

    def _shut(self, known: _Connection) -> None:
        with self._copy(known.number) as copy:
            # The number may be another socket's by now.
            if copy is not None and self._peer(copy) == known.peer:
                known.left_alone = True
                self.closed += 1
                with contextlib.suppress(OSError):  # its peer is gone
                    copy.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _copy(self, number: int) -> Iterator[socket.socket | None]:
        """A socket of the process by its descriptor, for a moment; None if it is gone or no socket."""
        copy = None
        with contextlib.suppress(OSError):
            os.dup2(number, self._reserve, inheritable=False)
            copy = socket.socket(fileno=self._reserve)
        try:
            yield copy
        finally:
            if copy is not None:
                copy.detach()
            os.dup2(self._null, self._reserve, inheritable=False)


def _plain(address: str) -> str:
    """An address as it is written in one way only.

    >>> _plain("::ffff:127.0.0.1"), _plain("fe80::1%eth0")
    ('127.0.0.1', 'fe80::1')
    """
    return address.removeprefix("::ffff:").partition("%")[0]


def _sockets() -> dict[str, int]:
    """The sockets of this process, in the order in which they were made: name in the system, and descriptor."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - once a second, for ever
    except OSError:  # the list needs a descriptor, and there is none
        numbers = list(range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
    found = []
    for number in numbers:
        with contextlib.suppress(OSError):
            name = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
            if name.startswith("socket:["):
                found.append((int(name[8:-1]), name, number))
    return {name: number for _, name, number in sorted(found)}
