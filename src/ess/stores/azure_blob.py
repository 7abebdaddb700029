"""Containers of Azure Blob, by means of Microsoft's own library.

pyarrow's way to them is not used: it empties an object before it replaces it, waits without limit for a store that does
not answer, and ends the process where no credential is found.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Generator, Iterator
from hashlib import md5
from ssl import SSLError
from typing import Any, BinaryIO

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobPrefix,
    BlobProperties,
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
    ExponentialRetry,
)

from ess.errors import EssError, InputOpenError, OptionError, OutputWriteError
from ess.settings import store_timeout
from ess.stores.counting import count_request
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
    conflict,
    damaged,
    opened,
)
from ess.stores.wire import Patience, first_then

_HINT = (
    "check AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN"
)
_CONNECT_SECONDS = 10.0
#: The status of an answer that the library takes for final.
_TOO_MANY = 429


class Container:
    """A container; see :class:`ess.stores.store.Store`.

    Raises:
        OptionError: If no account is named, or the credentials make no sense.
    """

    flat = True
    ranged = False
    late = True

    def __init__(self, name: str, credentials: Credentials) -> None:
        self.address = f"az://{name}"
        for library in ("azure", "urllib3", "msal"):  # what they log would go to stderr, signed addresses included
            logging.getLogger(library).addHandler(logging.NullHandler())
        self._public = bool(
            credentials.get("AZURE_STORAGE_ANONYMOUS") and not credentials.get("AZURE_STORAGE_CONNECTION_STRING")
        )
        self._client: ContainerClient = _service(credentials).get_container_client(name)

    def at(self, key: str) -> str:
        """The address of a key."""
        return f"{self.address}/{key}"

    def require(self, *, writing: bool) -> None:
        """See that the container is there and lets us in; nobody writes without a key."""
        if writing and self._public:
            what, hint = "it is asked without a key, so it is only read", "select it with --account_key"
            raise OutputWriteError(what, where=self.address, hint=hint)
        with self._explained("", writing=writing):
            # A signature for one container may not ask about the container itself.
            next(iter(self._client.list_blobs(results_per_page=1).by_page()))

    @contextlib.contextmanager
    def create(self, key: str) -> Iterator[Sink]:
        """Write an object in pieces; one that is not finished is not seen."""
        writer = _Writer(self, key)
        yield writer
        writer.finish()

    def put(self, key: str, content: bytes, *, expected: str | None = None) -> None:
        """Write an object with one request."""
        blob = self.writable(key)
        with self._explained(key, writing=True):
            try:
                if expected:
                    blob.upload_blob(
                        content,
                        length=len(content),
                        validate_content=True,
                        overwrite=True,
                        etag=f'"{expected}"',
                        match_condition=MatchConditions.IfNotModified,
                    )
                else:
                    blob.upload_blob(content, length=len(content), overwrite=expected is None, validate_content=True)
            except (ResourceExistsError, ResourceModifiedError):
                raise conflict(self.at(key)) from None

    def open(self, key: str, *, offset: int = 0, length: int | None = None, version: str = "") -> BinaryIO:
        """The bytes of an object; the library asks for those of one version."""
        with self._explained(key, writing=False):
            properties = self._blob(key).get_blob_properties()
        known = _entry(properties)
        if version and known.version != version:
            raise changed(self.at(key))
        whole = offset == 0 and (length is None or length >= known.size)
        end = known.size if length is None else min(offset + length, known.size)
        checksum = properties.content_settings.content_md5 if whole else None
        pieces = self._pieces(key, known.version, offset, end, bytes(checksum or b""))
        return opened(first_then(next(pieces, b""), pieces))

    def _pieces(self, key: str, version: str, at: int, end: int, checksum: bytes) -> Generator[bytes]:
        """The bytes from ``at`` to ``end``. The library tries three times for each part; here it is tried for long."""
        found, patience = md5(usedforsecurity=False), Patience(store_timeout())
        while at < end:
            with self._explained(key, writing=False):
                try:
                    same = MatchConditions.IfNotModified
                    for piece in self._client.download_blob(
                        key, offset=at, length=end - at, etag=f'"{version}"', match_condition=same
                    ).chunks():
                        found.update(piece)
                        at += len(piece)
                        patience.reset()
                        yield piece
                    break
                except HttpResponseError as error:
                    if error.status_code is not None:
                        raise
                    patience.wait(error)
        if checksum and found.digest() != checksum:
            raise damaged(self.at(key))

    def writable(self, key: str) -> BlobClient:
        """An object that is to be written.

        Raises:
            OutputWriteError: If the library would write another one.
        """
        try:
            return self._blob(key)
        except InputOpenError as error:
            raise OutputWriteError(error.what, where=error.where, hint="give it another name") from None

    def _blob(self, key: str) -> BlobClient:
        """An object.

        Raises:
            EssError: If the library would go to another one: it takes such parts out of a key.
        """
        if any(part in (".", "..") for part in key.split("/")):
            raise InputOpenError(
                "a key with '.' or '..' as a part cannot be reached",
                where=self.at(key),
                hint="rename it by other means",
            )
        return self._client.get_blob_client(key)

    def entries(self, prefix: str = "", *, start_after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin with ``prefix``; the pages before ``start_after`` are passed over."""
        found = iter(self._client.list_blobs(prefix or None, raw_response_hook=count_request))
        while True:
            with self._explained(prefix, writing=False):
                blob = next(found, None)
            if blob is None:
                return
            if str(blob.name) > start_after:
                yield _entry(blob)

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        """The objects and folders directly in a folder."""
        found = iter(self._client.walk_blobs(folder or None, raw_response_hook=count_request))
        while True:
            with self._explained(folder, writing=False):
                item = next(found, None)
            if item is None:
                return
            if isinstance(item, BlobPrefix):
                yield Folder(str(item.name))
            elif wanted(str(item.name).rpartition("/")[2]):
                yield _entry(item)

    def is_folder(self, key: str) -> bool:
        """True if any key begins like that."""
        return next(self.level(f"{key}/"), None) is not None

    def head(self, key: str) -> Entry:
        """The size, time and version of an object."""
        with self._explained(key, writing=False):
            return _entry(self._blob(key).get_blob_properties())

    def delete(self, key: str) -> None:
        """Remove an object."""
        with contextlib.suppress(NoSuchObject), self._explained(key, writing=True):
            self._blob(key).delete_blob()

    def remove(self, folder: str) -> None:
        """Remove all objects below ``folder/``."""
        with self._explained(folder, writing=True):
            # The last first: with a hierarchical namespace folders are objects, which must be empty.
            for name in sorted((str(blob.name) for blob in self._client.list_blobs(f"{folder}/")), reverse=True):
                with contextlib.suppress(ResourceNotFoundError):
                    self._client.delete_blob(name)

    @contextlib.contextmanager
    def _explained(self, key: str, *, writing: bool) -> Iterator[None]:
        where = f"{self.address}/{key}" if key else self.address
        try:
            yield
        except ResourceModifiedError:
            raise changed(where) from None
        except (AzureError, OSError, ValueError) as error:
            # Nothing of what the library has said may come along, neither as text nor as a cause: it has addresses
            # with their signatures in it.
            raise explained(error, where, writing=writing) from None


class _Writer:
    """Gathers pieces into blocks; they make the object when all are there."""

    def __init__(self, container: Container, key: str) -> None:
        self._container, self._key = container, key
        self._blob = container.writable(key)
        self._blocks: list[BlobBlock] = []
        self._waiting = bytearray()
        #: For whoever reads it; the store computes one only of what comes in a single request.
        self._md5 = md5(usedforsecurity=False)
        #: Blocks of two that write under one key at once must not get mixed up.
        self._token = secrets.token_hex(8)

    def write(self, data: bytes, /) -> None:
        self._waiting += data
        while len(self._waiting) >= PIECE:
            with memoryview(self._waiting) as waiting:  # to cut the array itself would copy twice
                piece = bytes(waiting[:PIECE])
            del self._waiting[:PIECE]
            self._stage(piece)

    def finish(self) -> None:
        if self._waiting:
            self._stage(bytes(self._waiting))
        with self._container._explained(self._key, writing=True):
            settings = ContentSettings(content_md5=bytearray(self._md5.digest()))
            self._blob.commit_block_list(self._blocks, content_settings=settings)

    def _stage(self, piece: bytes) -> None:
        block = BlobBlock(f"{self._token}-{len(self._blocks):06}")
        with self._container._explained(self._key, writing=True):
            self._blob.stage_block(block.id, piece, length=len(piece), validate_content=True)
        self._md5.update(piece)
        self._blocks.append(block)


def _entry(blob: BlobProperties) -> Entry:
    return Entry(str(blob.name), int(blob.size), blob.last_modified.timestamp(), str(blob.etag or "").strip('"'))


class _GaveUp(Exception):
    """The time is up."""


class _Retry(ExponentialRetry):
    """Tries again as the other stores do: for as long as the settings say, not a number of times."""

    def __init__(self, seconds: float) -> None:
        often = 1_000_000
        super().__init__(retry_total=often, retry_connect=often, retry_read=often, retry_status=often)
        self._seconds = seconds

    def configure_retries(self, request: Any) -> dict[str, Any]:
        """The state of one request and its repetitions."""
        return {**super().configure_retries(request), "patience": Patience(self._seconds)}

    def send(self, request: Any) -> Any:
        """The answer, asked for again while the store says that there are too many requests."""
        patience = Patience(self._seconds)
        while True:
            response = super().send(request)  # type: ignore[no-untyped-call]
            if response.http_response.status_code != _TOO_MANY:
                return response
            try:
                patience.wait(_GaveUp(), str(response.http_response.headers.get("Retry-After", "")))
            except _GaveUp:
                return response

    def increment(self, settings: dict[str, Any], request: Any, response: Any = None, error: Any = None) -> bool:
        """Wait, and tell whether to try again."""
        if isinstance(error, ServiceRequestError) and isinstance(error.inner_exception, SSLError):
            return False  # the certificate will be the same
        if isinstance(error, ClientAuthenticationError):
            return False  # nor will there be a credential; the library has tried all, each as often as makes sense
        asked = response.headers.get("Retry-After", "") if response is not None else ""
        try:
            settings["patience"].wait(_GaveUp(), str(asked))
        except _GaveUp:
            return False
        return bool(super().increment(settings, request, response, error))

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        """The time to wait, which is over already."""
        del settings
        return 0.0


def _service(credentials: Credentials) -> BlobServiceClient:
    seconds = store_timeout()
    retry = _Retry(seconds)
    connect, read = min(seconds, _CONNECT_SECONDS), seconds
    described = credentials.get("AZURE_STORAGE_CONNECTION_STRING")
    if described:
        try:
            return BlobServiceClient.from_connection_string(
                described, retry_policy=retry, connection_timeout=connect, read_timeout=read, max_chunk_get_size=PIECE
            )
        except (ValueError, KeyError):
            where = "AZURE_STORAGE_CONNECTION_STRING"
            raise OptionError("it is not a connection string", where=where, hint="copy it from the account") from None
    account = credentials.get("AZURE_STORAGE_ACCOUNT")
    if not (account.isascii() and account.isalnum()):
        raise OptionError(
            f"bad name '{account}' of an account" if account else "it is not set",
            where="AZURE_STORAGE_ACCOUNT",
            hint="name the storage account, or set AZURE_STORAGE_CONNECTION_STRING",
        )
    endpoint = credentials.get("AZURE_STORAGE_ENDPOINT") or f"https://{account.lower()}.blob.core.windows.net"
    credential = _credential(account, credentials)
    if isinstance(credential, TokenCredential) and not endpoint.lower().startswith("https://"):
        raise OptionError(
            "the default credential is sent by https:// only",
            where=endpoint,
            hint="give a key: --account_key or AZURE_STORAGE_KEY; or ask without one: --anonymous",
        )
    return BlobServiceClient(
        endpoint,
        credential=credential,
        retry_policy=retry,
        connection_timeout=connect,
        read_timeout=read,
        max_chunk_get_size=PIECE,
    )


def _credential(account: str, credentials: Credentials) -> str | dict[str, str] | TokenCredential | None:
    if credentials.get("AZURE_STORAGE_ANONYMOUS"):
        return None
    key, signature = credentials.get("AZURE_STORAGE_KEY"), credentials.get("AZURE_STORAGE_SAS_TOKEN")
    if key:
        return {"account_name": account, "account_key": key}
    if signature:
        return signature
    from azure.identity import DefaultAzureCredential  # takes as long to load as all else here

    return DefaultAzureCredential()


def explained(error: Exception, where: str, *, writing: bool) -> EssError:
    """The error for what the library has raised."""
    kind = OutputWriteError if writing else InputOpenError
    status = error.status_code if isinstance(error, HttpResponseError) else None
    code = str(getattr(error, "error_code", None) or "")
    code = code if code.isascii() and code.isalnum() else ""
    if code == "ContainerNotFound" or (status == 404 and where.count("/") == 2):
        return kind("there is no such container", where=where, hint="make it, or mend its name or the account's")
    if isinstance(error, ResourceNotFoundError):
        return NoSuchObject("there is no such object", where=where)
    if isinstance(error, ClientAuthenticationError) or status in (401, 403):
        return kind(f"the store refuses access{f' ({code})' if code else ''}", where=where, hint=_HINT)
    if isinstance(error, ServiceRequestError | ServiceResponseError | OSError):
        return kind("the store cannot be reached, or does not answer", where=where, hint=_HINT)
    if isinstance(error, ValueError):  # a key that is not Base64, e.g.
        return kind("the credentials make no sense", where=where, hint=_HINT)
    reason = ", ".join(filter(None, (code, f"HTTP status {status}" if status else "")))
    return kind(f"the store has failed{f' ({reason})' if reason else ''}", where=where, hint="try again")
