"""Buckets of S3, and of what else speaks its protocol, by means of pyarrow."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NoReturn
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from ess.errors import EssError, InputOpenError, OptionError, OutputWriteError
from ess.settings import store_timeout
from ess.stores.kinds import Credentials
from ess.stores.store import (
    PIECE,
    Entry,
    Folder,
    Item,
    NoSuchObject,
    Sink,
    all_names,
    changed,
    no_conditions,
    opened,
)

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

    pyarrow has no ETag in its listings, and no conditions; a listing is held in memory. Without a key, it looks for one
    where AWS's own programs do.

    Raises:
        OptionError: If the credentials make no sense.
    """

    flat = True
    conditional = False
    late = True

    def __init__(self, name: str, credentials: Credentials) -> None:
        self.address = f"s3://{name}"
        self._name = name
        scheme, host = _endpoint(credentials)
        seconds = store_timeout()
        key, secret = credentials.get("AWS_ACCESS_KEY_ID"), credentials.get("AWS_SECRET_ACCESS_KEY")
        given = bool(key and secret)
        self._files = fs.S3FileSystem(
            access_key=key if given else None,
            secret_key=secret if given else None,
            session_token=(credentials.get("AWS_SESSION_TOKEN") or None) if given else None,
            region=credentials.get("AWS_REGION") or None,
            scheme=scheme,
            endpoint_override=host,
            tls_ca_file_path=credentials.get("AWS_CA_BUNDLE") or None,
            connect_timeout=min(seconds, _CONNECT_SECONDS),
            request_timeout=seconds,
            # In the background pieces would be held without limit where the network is slower than the database.
            background_writes=False,
            # Small objects with one request: readers see all of it or what was there before.
            allow_delayed_open=True,
        )

    def at(self, key: str) -> str:
        """The address of a key."""
        return f"{self.address}/{key}"

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
            stream = self._files.open_output_stream(self._path(key), compression=None, buffer_size=0)
        try:
            yield _Explaining(self, key, stream)
        except BaseException:
            with contextlib.suppress(OSError, pa.ArrowException):
                stream.close()  # pyarrow has no other end for it: a part of the object is there then
            raise
        with self._explained(key, writing=True):
            stream.close()

    def put(self, key: str, content: bytes, *, expected: str | None = None) -> None:
        """Write an object with one request."""
        if expected is not None:
            raise no_conditions(self.at(key))
        with self.create(key) as sink:
            sink.write(content)

    def open(self, key: str, *, offset: int = 0, version: str = "") -> BinaryIO:
        """The bytes of an object. A version that is asked for is looked at before and after, as pyarrow does not."""
        with self._explained(key, writing=False):
            file = self._files.open_input_file(self._path(key))
            if version and _version(file) != version:
                file.close()
                raise changed(self.at(key))
        return opened(self._pieces(key, file, offset, version))

    def _pieces(self, key: str, file: pa.NativeFile, offset: int, version: str) -> Iterator[bytes]:
        with file:
            with self._explained(key, writing=False):
                size = file.size()
                file.seek(min(offset, size))
            before = b""
            while True:
                with self._explained(key, writing=False):
                    piece = file.read(PIECE)
                if not piece:
                    break
                if before:
                    yield before
                before = piece
            # The last piece is held back until it is known to be of the same object.
            if version and self.head(key).version != version:
                raise changed(self.at(key))
            if before:
                yield before

    def entries(self, prefix: str = "", *, start_after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin with ``prefix``."""
        found = self._listed(prefix[: prefix.rfind("/") + 1], recursive=True)
        entries = (self._entry(info) for info in found if info.type == fs.FileType.File)
        kept = [entry for entry in entries if entry.key.startswith(prefix)]
        after = start_after.encode("utf-8", "surrogatepass")
        kept.sort(key=lambda entry: entry.key.encode("utf-8", "surrogatepass"))
        yield from (entry for entry in kept if entry.key.encode("utf-8", "surrogatepass") > after)

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        """The objects and folders directly in a folder."""
        for info in self._listed(folder, recursive=False):
            if info.type == fs.FileType.Directory:
                yield Folder(f"{folder}{info.base_name}/")
            elif info.type == fs.FileType.File and wanted(info.base_name):
                yield self._entry(info)

    def is_folder(self, key: str) -> bool:
        """True if any key begins like that."""
        return next(self.level(f"{key}/"), None) is not None

    def head(self, key: str) -> Entry:
        """The size, time and version of an object."""
        with self._explained(key, writing=False):
            info = self._files.get_file_info(self._path(key))
            if info.type != fs.FileType.File:
                raise NoSuchObject("there is no such object", where=self.at(key))
            with self._files.open_input_file(self._path(key)) as file:
                entry = self._entry(info)
                return Entry(entry.key, file.size(), entry.modified, _version(file))

    def delete(self, key: str) -> None:
        """Remove an object; pyarrow may then leave an empty one, named like the folder above."""
        with contextlib.suppress(NoSuchObject), self._explained(key, writing=True):
            self._files.delete_file(self._path(key))

    def remove(self, folder: str) -> None:
        """Remove all objects below ``folder/``; pyarrow then leaves an empty object, named like the folder above."""
        with contextlib.suppress(NoSuchObject), self._explained(folder, writing=True):
            self._files.delete_dir(self._path(folder))

    def _entry(self, info: fs.FileInfo) -> Entry:
        modified = info.mtime.timestamp() if info.mtime else 0.0
        return Entry(info.path.removeprefix(f"{self._name}/"), info.size, modified)

    def _listed(self, folder: str, *, recursive: bool) -> Iterable[fs.FileInfo]:
        path = self._path(folder).removesuffix("/")
        selector = fs.FileSelector(path, allow_not_found=True, recursive=recursive)
        with self._explained(folder, writing=False):
            found: Iterable[fs.FileInfo] = self._files.get_file_info(selector)
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


def _version(file: pa.NativeFile) -> str:
    """The ETag of an open object."""
    found = dict(file.metadata() or {})
    tag = found.get("ETag") or found.get(b"ETag") or b""
    return (tag.decode("latin-1") if isinstance(tag, bytes) else str(tag)).strip('"')


def _endpoint(credentials: Credentials) -> tuple[str, str | None]:
    """Scheme and host of another store than that of AWS, as the variables of AWS say."""
    variable = next((name for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL") if credentials.get(name)), "")
    if not variable:
        return "https", None
    with contextlib.suppress(ValueError):
        url = urlsplit(credentials.get(variable))
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
