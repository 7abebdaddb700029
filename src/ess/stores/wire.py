"""HTTP with stores: connections that are kept, requests that are tried again, and bodies that go on at their byte.

urllib3 carries the bytes. Its own way to try again is not used, because it cannot sign a request anew, and neither are
its clients that take an address: they take ``/../`` out of a path, which may stand in a key.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, SSLError
from urllib3.response import BaseHTTPResponse

from ess.errors import OptionError
from ess.settings import store_timeout
from ess.stores.checksums import Checksum
from ess.stores.counting import count_request

#: Bytes that are taken from a connection at a time.
READ = 1 << 20
_CONNECT_SECONDS = 10.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 8.0
#: Answers after which the same request may do better; 503 is also S3's ``SlowDown``.
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
#: S3 says so with status 400, where a body has come too slowly, damaged, or in part.
_BODY = re.compile(rb"<Code>(RequestTimeout|BadDigest|IncompleteBody)</Code>")
_CONNECTIONS = 16


class Unanswered(Exception):
    """Nobody answered, or only with errors that may pass, for as long as the settings allow.

    Attributes:
        status: The last status; 0 if there was none.
        body: What came with it.
    """

    def __init__(self, status: int = 0, body: bytes = b"") -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Untrusted(Unanswered):
    """The certificate of the server is not one that we trust; nothing was sent."""


class Damaged(Exception):
    """Raised for content that is not what the store says it has."""


class Replaced(Exception):
    """The object is another one than before."""


@dataclass(frozen=True)
class Request:
    """A request before it is signed.

    Attributes:
        method: ``GET`` and so on.
        target: The path as it goes over the wire, percent-encoded, and behind ``?`` the query.
        headers: Without those that belong to a signature.
        body: All of it.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """An answer that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Signer(Protocol):
    """Gives the headers that a request is to be sent with."""

    def __call__(self, request: Request, host: str, /, *, secure: bool) -> Mapping[str, str]:
        """The headers of ``request`` with those that show who asks."""


def unsigned(request: Request, _host: str, *, secure: bool) -> Mapping[str, str]:
    """The headers of somebody who says nothing about who asks."""
    del secure
    return request.headers


class Client:
    """One server. It can be used by several threads.

    Args:
        base: ``http://Host:Port`` or ``https://Host``, without a path.
        where: What names the base in messages.
        authorities: A file of certificates of authorities; blank for those of the system.

    Raises:
        OptionError: If there is no such file, or it has no certificates.
    """

    def __init__(self, base: str, *, where: str, authorities: str = "") -> None:
        parts = urlsplit(base)
        self.host = parts.netloc
        self.secure = parts.scheme == "https"
        self._seconds = store_timeout()
        self._pool = _pool(base, authorities, where)

    def send(self, request: Request, sign: Signer) -> Answer:
        """Send a request, and again after failures that may pass; the answer, whatever its status.

        Raises:
            Unanswered: If that takes longer than the settings allow.
        """
        patience = Patience(self._seconds)
        while True:
            with self.begin(request, sign) as response:
                try:
                    return Answer(response.status, response.headers, response.data)
                except Unanswered as failure:
                    if request.method not in ("GET", "HEAD"):
                        raise  # it was carried out
                    patience.wait(failure)

    def begin(self, request: Request, sign: Signer) -> Opened:
        """As :meth:`send`, but only the head of the answer is read yet; whoever asks closes it.

        An answer that is no success is read whole, and sent for again as often as its body breaks off.
        """
        patience = Patience(self._seconds)
        while True:
            count_request()
            try:
                response = self._once(request, sign)
                if response.status < 300:
                    return Opened(response)
                body = response.read(READ, decode_content=False)
                response.drain_conn()
                response.release_conn()
            except (HTTPError, OSError) as error:
                if isinstance(error, SSLError) and isinstance(error.args[0], ssl.SSLCertVerificationError):
                    raise Untrusted from None  # it will be the same one next time
                patience.wait(Unanswered())
                continue
            if response.status not in _TRANSIENT and not (response.status == 400 and _BODY.search(body)):
                return Opened(response, body)
            patience.wait(Unanswered(response.status, body), response.headers.get("Retry-After", ""))

    def _once(self, request: Request, sign: Signer) -> BaseHTTPResponse:
        headers = {"Accept-Encoding": "identity", **sign(request, self.host, secure=self.secure)}
        return self._pool.urlopen(
            request.method,
            request.target,
            body=request.body or None,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=min(self._seconds, _CONNECT_SECONDS), read=self._seconds),
        )

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()


class Opened:
    """An answer whose body is still to come, or is there already."""

    def __init__(self, response: BaseHTTPResponse, body: bytes | None = None) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._body = body

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def data(self) -> bytes:
        """The rest of the body.

        Raises:
            Unanswered: If it breaks off.
        """
        if self._body is None:
            try:
                self._body = b"".join(iter(self.read, b""))
            except (HTTPError, OSError):
                raise Unanswered from None
        return self._body

    def read(self) -> bytes:
        """The next piece of the body; none at its end."""
        return self._response.read(READ, decode_content=False)

    def close(self) -> None:
        """Give the connection back if it can be used again, else close it."""
        if self._response.length_remaining == 0:
            self._response.release_conn()
        else:
            self._response.close()


class Patience:
    """The time to wait for something that fails: growing pauses, with chance in them, until a time is up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pause = _FIRST_PAUSE
        self._since: float | None = None

    def wait(self, reason: Exception, asked: str = "") -> None:
        """Wait before the next try.

        Args:
            reason: Raised if the time is up.
            asked: For how long the server wants to be left alone: seconds, or a date.
        """
        now = time.monotonic()
        if self._since is None:
            self._since = now
        pause = self._pause * random.uniform(0.5, 1)  # noqa: S311 - so that clients do not come back together
        pause = max(pause, min(_seconds(asked), self._seconds))
        if now + pause - self._since > self._seconds:
            raise reason
        time.sleep(pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def reset(self) -> None:
        """Something has worked."""
        self._pause, self._since = _FIRST_PAUSE, None


def read_object(
    begin: Callable[[Request], Opened],
    request: Callable[[int, str], Request],
    *,
    offset: int,
    end: int | None = None,
    version: str,
    explain: Callable[[Answer], Exception | None],
    version_of: Callable[[Mapping[str, str]], str] | None = None,
) -> Iterator[bytes]:
    """The bytes of an object, in pieces. After a break, the rest is asked for, of the same version.

    Args:
        begin: Sends a request; see :meth:`Client.begin`.
        request: Makes the request for the bytes from a place on, of a version (blank for any).
        offset: Where to begin.
        end: Where to stop; None for the end of the object. What ``request`` asks for has to end there as well.
        version: What the object has to be; blank for what it is when it is first asked for.
        explain: What to raise for an answer without the object; None if the same request may succeed now.
        version_of: The version that an answer tells; None for its entity tag.

    Raises:
        Replaced: If the object is replaced meanwhile.
        Damaged: If all was read, and it is not what its checksum says.
        Unanswered: If the store answers no more.
    """
    patience = Patience(store_timeout())
    at = offset
    total: int | None = end if end is not None and end <= offset else None
    check: Checksum | None = None
    while total is None or at < total:
        with begin(request(at, version)) as answer:
            if answer.status == 416 and check is None:
                return  # nothing from there on
            if answer.status == 412:
                raise Replaced
            if answer.status not in (200, 206):
                problem = explain(Answer(answer.status, answer.headers, answer.data))
                if problem is None:
                    continue
                raise problem
            found = (version_of or tag)(answer.headers)
            if check is None:
                check = Checksum(answer.headers if at == 0 and answer.status == 200 and end is None else {})
            elif not found:
                raise Unanswered  # nobody can tell whether the rest belongs to what was read
            if version and found and found != version:
                raise Replaced
            version = version or found
            skip = at if answer.status == 200 else 0
            if answer.status == 206 and _first_byte(answer.headers) not in (None, at):
                raise Damaged
            length = answer.headers.get("Content-Length", "")
            if length.isdigit():
                total = int(length) + at - skip
                total = total if end is None else min(total, end)
            with contextlib.suppress(HTTPError, OSError):  # it has broken off, so the rest is asked for
                for piece in iter(answer.read, b""):
                    patience.reset()
                    if skip:
                        left_out = min(skip, len(piece))
                        skip -= left_out
                        piece = piece[left_out:]
                    if end is not None:
                        piece = piece[: end - at]
                    if piece:
                        at += len(piece)
                        check.add(piece)
                        yield piece
                    if end is not None and at >= end:
                        break
                if total is None or at >= total:
                    break
        patience.wait(Unanswered())
    if check is not None and not check.holds():
        raise Damaged


def _seconds(asked: str) -> float:
    """The seconds of a ``Retry-After``; none where it says nothing that is known."""
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, until.timestamp() - time.time())


def tag(headers: Mapping[str, str]) -> str:
    """The entity tag of an answer, without quotes; blank if there is none, or only a weak one."""
    found = headers.get("ETag", "")
    return "" if found.startswith("W/") else found.strip('"')


def byte_range(at: int, end: int | None) -> dict[str, str]:
    """The header that asks for the bytes from ``at`` up to ``end``; none for all.

    >>> byte_range(7, 10), byte_range(7, None), byte_range(0, None)
    ({'Range': 'bytes=7-9'}, {'Range': 'bytes=7-'}, {})
    """
    if end is not None:
        return {"Range": f"bytes={at}-{max(end, at + 1) - 1}"}
    return {"Range": f"bytes={at}-"} if at else {}


def _first_byte(headers: Mapping[str, str]) -> int | None:
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(found[1]) if found else None


#: By process as well: one that was forked must not send on the connections of its parent.
_pools: dict[tuple[int, str, str], HTTPConnectionPool] = {}
_lock = threading.Lock()


def _pool(base: str, authorities: str, where: str) -> HTTPConnectionPool:
    """The connections to a server, which all stores there share."""
    with _lock:
        key = os.getpid(), base, authorities
        found = _pools.get(key)
        if found is None:
            found = _pools[key] = _new_pool(base, authorities, where)
        return found


def _new_pool(base: str, authorities: str, where: str) -> HTTPConnectionPool:
    parts = urlsplit(base)
    context: ssl.SSLContext | None = None
    if parts.scheme == "https":
        try:
            context = ssl.create_default_context(cafile=authorities or None)
        except (OSError, ssl.SSLError) as error:
            raise OptionError(
                "it is no file of certificates", where=where, hint="name a PEM file with those of the authorities"
            ) from error
    proxy = "" if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme, "")
    manager = (
        urllib3.ProxyManager(proxy, ssl_context=context, maxsize=_CONNECTIONS, block=False)
        if proxy
        else urllib3.PoolManager(ssl_context=context, maxsize=_CONNECTIONS, block=False)
    )
    return manager.connection_from_host(parts.hostname, parts.port, scheme=parts.scheme)


def first_then(first: bytes, rest: Generator[bytes]) -> Iterator[bytes]:
    """A piece that was read already, and those behind it. ``rest`` is closed also if only ``first`` is wanted."""
    try:
        yield first
        yield from rest
    finally:
        rest.close()
