"""Buckets of S3, and of what else speaks its protocol, by means of pyarrow."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from ess.errors import EssError, InputOpenError, OptionError, OutputWriteError
from ess.settings import setting, store_timeout
from ess.stores.store import PIECE, Entry, NoSuchObject, Sink

_FAILURE = re.compile(r"AWS Error ([A-Z0-9_]+)(?: \(HTTP status (\d+)\))? during (\w+) operation")
_REGION = re.compile(r"the bucket is located in '([a-z0-9-]+)'")
_REFUSED = {
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN_ID",
    "INVALID_SIGNATURE",
    "MISSING_AUTHENTICATION_TOKEN",
    "REQUEST_EXPIRED",
    "SIGNATURE_DOES_NOT_MATCH",
    "UNRECOGNIZED_CLIENT",
}
_CONNECT_SECONDS = 10.0


class Bucket:
    """A bucket; see :class:`ess.stores.store.Store`.

    Raises:
        OptionError: If the variables that say where it is make no sense.
    """

    def __init__(self, name: str) -> None:
        self.address = f"s3://{name}"
        self._name = name
        scheme, host = _endpoint()
        seconds = store_timeout()
        self._files = fs.S3FileSystem(
            scheme=scheme,
            endpoint_override=host,
            tls_ca_file_path=setting("AWS_CA_BUNDLE") or None,
            connect_timeout=min(seconds, _CONNECT_SECONDS),
            request_timeout=seconds,
            # In the background pieces would be held without limit where the network is slower than the database.
            background_writes=False,
            # Small objects with one request: readers see all of it or what was there before.
            allow_delayed_open=True,
        )

    def require(self, *, writing: bool) -> None:
        """See that the bucket is there and lets us in."""
        with self._explained("", writing=writing):
            there = self._files.get_file_info(self._name).type != fs.FileType.NotFound
        if not there:
            raise _failure("NO_SUCH_BUCKET", 0, self.address, writing=writing)

    @contextlib.contextmanager
    def create(self, key: str) -> Iterator[Sink]:
        """Write an object in pieces."""
        with self._explained(key, writing=True):
            stream = self._files.open_output_stream(self._path(key), buffer_size=0)
        try:
            yield _Explaining(self, key, stream)
        except BaseException:
            with contextlib.suppress(OSError, pa.ArrowException):
                stream.close()  # pyarrow has no other end for it: a part of the object is there then
            raise
        with self._explained(key, writing=True):
            stream.close()

    def put(self, key: str, content: bytes) -> None:
        """Write an object with one request."""
        with self.create(key) as sink:
            sink.write(content)

    def read(self, key: str) -> Iterator[bytes]:
        """The bytes of an object, in pieces."""
        with self._explained(key, writing=False):
            stream = self._files.open_input_stream(self._path(key))
        with stream:
            while True:
                with self._explained(key, writing=False):
                    piece = stream.read(PIECE)
                if not piece:
                    return
                yield piece

    def folders(self, folder: str) -> list[str]:
        """The first parts of keys behind ``folder/``."""
        found = self._listed(folder, recursive=False)
        return [info.base_name for info in found if info.type == fs.FileType.Directory]

    def entries(self, folder: str) -> list[Entry]:
        """All objects below ``folder/``."""
        return [
            Entry(info.path.removeprefix(f"{self._name}/"), info.size, info.mtime or datetime.fromtimestamp(0, UTC))
            for info in self._listed(folder, recursive=True)
            if info.type == fs.FileType.File
        ]

    def remove(self, folder: str) -> None:
        """Remove all objects below ``folder/``; pyarrow then leaves an empty object, named like the folder above."""
        with contextlib.suppress(NoSuchObject), self._explained(folder, writing=True):
            self._files.delete_dir(self._path(folder))

    def _listed(self, folder: str, *, recursive: bool) -> list[fs.FileInfo]:
        selector = fs.FileSelector(self._path(folder), allow_not_found=True, recursive=recursive)
        with self._explained(folder, writing=False):
            found: list[fs.FileInfo] = self._files.get_file_info(selector)
            return found

    def _path(self, key: str) -> str:
        return f"{self._name}/{key}"

    @contextlib.contextmanager
    def _explained(self, key: str, *, writing: bool) -> Iterator[None]:
        where = f"{self.address}/{key}" if key else self.address
        try:
            yield
        except FileNotFoundError:
            raise NoSuchObject("there is no such object", where=where) from None
        except (OSError, pa.ArrowException) as error:
            # Nothing of what the store has said may come along, neither as text nor as a cause.
            explain(str(error), where, writing=writing)


class _Explaining:
    def __init__(self, bucket: Bucket, key: str, stream: pa.NativeFile) -> None:
        self._bucket, self._key, self._stream = bucket, key, stream

    def write(self, data: bytes, /) -> None:
        with self._bucket._explained(self._key, writing=True):
            self._stream.write(data)


def _endpoint() -> tuple[str, str | None]:
    """Scheme and host of another store than that of AWS, as the variables of AWS say."""
    variable = next((name for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL") if setting(name)), "")
    if not variable:
        return "https", None
    with contextlib.suppress(ValueError):
        url = urlsplit(setting(variable))
        plain = url.path in ("", "/") and not url.query and not url.fragment and "@" not in url.netloc
        if url.scheme in ("http", "https") and url.hostname and plain and url.port != 0:
            return url.scheme, url.netloc
    raise OptionError("it is not the address of a store", where=variable, hint="give https://Host or https://Host:Port")


def explain(said: str, where: str, *, writing: bool) -> NoReturn:
    """Raise the error for what pyarrow has said about a request.

    Raises:
        EssError: Always.
    """
    found = _FAILURE.search(said)
    region = _REGION.search(said)
    if region is not None:
        kind = OutputWriteError if writing else InputOpenError
        raise kind("the bucket is in another region", where=where, hint=f"set AWS_REGION={region[1]}") from None
    code, status = (found[1], int(found[2] or 0)) if found else ("", 0)
    raise _failure(code, status, where, writing=writing) from None


def _failure(code: str, status: int, where: str, *, writing: bool) -> EssError:
    kind = OutputWriteError if writing else InputOpenError
    if code == "NO_SUCH_BUCKET":
        return kind("there is no such bucket", where=where, hint="make it, or mend its name or AWS_ENDPOINT_URL")
    if code in _REFUSED or status in (401, 403):
        return kind(
            f"the store refuses access ({code})",
            where=where,
            hint="check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and what they may do",
        )
    if code == "NETWORK_CONNECTION":
        return kind(
            "the store cannot be reached, or does not answer", where=where, hint="check AWS_ENDPOINT_URL and AWS_REGION"
        )
    reason = f" ({code}{f', HTTP status {status}' if status else ''})" if code else ""
    return kind(f"the store has failed{reason}", where=where, hint="try again; see the store's own log")
