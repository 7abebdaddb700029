"""A guard for the ports of the cluster's processes: strangers get little of their time and few of their descriptors.

Everybody on the machine can connect to the port, and need not say anything. Dask waits for ever for
the handshake of such a connection, and runs out of descriptors. Here a connection that has not shown a
certificate of this cluster is closed after a while, and earlier when there are many: the oldest first,
because an honest peer needs a moment only.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import Awaitable
from typing import Any

from distributed.comm import registry
from distributed.comm.tcp import TLSBackend, TLSListener
from tornado.iostream import SSLIOStream

log = logging.getLogger("distributed.ess")

#: How long a peer may take to show its certificate, in seconds. Two busy cores can make an honest one slow.
HANDSHAKE_SECONDS = 15.0

#: The connections that may be without a certificate at a time, unless the process may open few files.
MOST_STRANGERS = 512

#: Refused connections make one line of the log in so many seconds.
_TOLD_SECONDS = 60.0


def most_strangers() -> int:
    """The number of connections that may lack a certificate: the other descriptors are for those that have one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_STRANGERS if soft == resource.RLIM_INFINITY else max(1, min(MOST_STRANGERS, soft // 4))


class _Listener(TLSListener):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self._strangers: dict[SSLIOStream, asyncio.TimerHandle] = {}  # the oldest first
        self._refused = 0
        self._told = -_TOLD_SECONDS

    async def start(self) -> None:
        await super().start()  # type: ignore[no-untyped-call]
        assert self.tcp_server is not None
        self.tcp_server.handle_stream = self._admit  # called as soon as a connection is there

    def _admit(self, stream: SSLIOStream, address: Any) -> Awaitable[None]:
        while len(self._strangers) >= most_strangers():
            self._close(next(iter(self._strangers)))
        loop = asyncio.get_running_loop()
        self._strangers[stream] = loop.call_later(HANDSHAKE_SECONDS, self._close, stream)
        handled: Awaitable[None] = self._handle_stream(stream, address)  # type: ignore[no-untyped-call]
        return handled

    def _close(self, stream: SSLIOStream) -> None:
        self._is_no_stranger(stream)
        stream.close()

    def _is_no_stranger(self, stream: SSLIOStream) -> None:
        timer = self._strangers.pop(stream, None)
        if timer is not None:
            timer.cancel()

    async def _prepare_stream(self, stream: SSLIOStream, _address: str) -> SSLIOStream | None:
        try:
            await stream.wait_for_handshake()
        except OSError:  # the library would write a line for each
            self._refused += 1
            now = time.monotonic()
            if now - self._told >= _TOLD_SECONDS:
                log.warning("%d connections were closed that showed no certificate of this cluster", self._refused)
                self._told, self._refused = now, 0
            return None
        finally:
            self._is_no_stranger(stream)
        return stream


class _Backend(TLSBackend):
    _listener_class = _Listener


def bound_strangers() -> None:
    """Have what this process opens from now on listen in this way."""
    registry.backends["tls"] = _Backend()
