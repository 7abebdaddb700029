"""Containers of Azure Blob, by means of Microsoft's own library.

pyarrow's way to them is not used: it empties an object before it replaces it, waits without limit for a store that does
not answer, and ends the process where no credential is found.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator
from typing import BinaryIO

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
    BlobPrefix,
    BlobProperties,
    BlobServiceClient,
    ContainerClient,
    ExponentialRetry,
)

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
    conflict,
    opened,
)

_HINT = (
    "check AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN"
)
_CONNECT_SECONDS = 10.0


class Container:
    """A container; see :class:`ess.stores.store.Store`.

    Raises:
        OptionError: If no account is named, or the credentials make no sense.
    """

    flat = True
    late = True

    def __init__(self, name: str, credentials: Credentials) -> None:
        self.address = f"az://{name}"
        for library in ("azure", "urllib3", "msal"):  # what they log would go to stderr, signed addresses included
            logging.getLogger(library).addHandler(logging.NullHandler())
        self._client: ContainerClient = _service(credentials).get_container_client(name)

    def at(self, key: str) -> str:
        """The address of a key."""
        return f"{self.address}/{key}"

    def require(self, *, writing: bool) -> None:
        """See that the container is there and lets us in."""
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
        with self._explained(key, writing=True):
            try:
                if expected:
                    self._client.upload_blob(
                        key,
                        content,
                        length=len(content),
                        overwrite=True,
                        etag=f'"{expected}"',
                        match_condition=MatchConditions.IfNotModified,
                    )
                else:
                    self._client.upload_blob(key, content, length=len(content), overwrite=expected is None)
            except (ResourceExistsError, ResourceModifiedError):
                raise conflict(self.at(key)) from None

    def open(self, key: str, *, offset: int = 0, length: int | None = None, version: str = "") -> BinaryIO:
        """The bytes of an object; the library asks for those of one version."""
        known = self.head(key)
        if version and known.version != version:
            raise changed(self.at(key))
        length = known.size - offset if length is None else min(length, known.size - offset)
        if length <= 0:
            return opened(iter(()))
        with self._explained(key, writing=False):
            found = self._client.download_blob(
                key,
                offset=offset,
                length=length,
                etag=f'"{known.version}"',
                match_condition=MatchConditions.IfNotModified,
            )
        return opened(self._pieces(key, found.chunks()))

    def _pieces(self, key: str, source: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            with self._explained(key, writing=False):
                piece = next(source, b"")
            if not piece:
                return
            yield piece

    def entries(self, prefix: str = "", *, start_after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin with ``prefix``; the pages before ``start_after`` are passed over."""
        found = iter(self._client.list_blobs(prefix or None))
        while True:
            with self._explained(prefix, writing=False):
                blob = next(found, None)
            if blob is None:
                return
            if str(blob.name) > start_after:
                yield _entry(blob)

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        """The objects and folders directly in a folder."""
        found = iter(self._client.walk_blobs(folder or None))
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
            return _entry(self._client.get_blob_client(key).get_blob_properties())

    def delete(self, key: str) -> None:
        """Remove an object."""
        with contextlib.suppress(NoSuchObject), self._explained(key, writing=True):
            self._client.delete_blob(key)

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
        self._blob = container._client.get_blob_client(key)
        self._blocks: list[BlobBlock] = []
        self._waiting = bytearray()
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
            self._blob.commit_block_list(self._blocks)

    def _stage(self, piece: bytes) -> None:
        block = BlobBlock(f"{self._token}-{len(self._blocks):06}")
        with self._container._explained(self._key, writing=True):
            self._blob.stage_block(block.id, piece, length=len(piece))
        self._blocks.append(block)


def _entry(blob: BlobProperties) -> Entry:
    return Entry(str(blob.name), int(blob.size), blob.last_modified.timestamp(), str(blob.etag or "").strip('"'))


def _service(credentials: Credentials) -> BlobServiceClient:
    seconds = store_timeout()
    # Its own way to try again waits for minutes.
    retry = ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=2, random_jitter_range=1)
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
    return BlobServiceClient(
        credentials.get("AZURE_STORAGE_ENDPOINT") or f"https://{account.lower()}.blob.core.windows.net",
        credential=_credential(account, credentials),
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
