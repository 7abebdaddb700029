"""Containers of Azure Blob, by means of Microsoft's own library.

pyarrow's way to them is not used: it empties an object before it replaces it, waits without limit for a store that does
not answer, and ends the process where no credential is found.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Iterator

from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob import (
    BlobBlock,
    BlobPrefix,
    BlobServiceClient,
    ContainerClient,
    ExponentialRetry,
)

from ess.errors import EssError, InputOpenError, OptionError, OutputWriteError
from ess.settings import setting, store_timeout
from ess.stores.store import PIECE, Entry, NoSuchObject, Sink

_HINT = (
    "check AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN"
)
_CONNECT_SECONDS = 10.0


class Container:
    """A container; see :class:`ess.stores.store.Store`.

    Raises:
        OptionError: If no account is named, or the variables that name it make no sense.
    """

    def __init__(self, name: str) -> None:
        self.address = f"az://{name}"
        for library in ("azure", "urllib3", "msal"):  # what they log would go to stderr, signed addresses included
            logging.getLogger(library).addHandler(logging.NullHandler())
        self._client: ContainerClient = _service().get_container_client(name)

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

    def put(self, key: str, content: bytes) -> None:
        """Write an object with one request."""
        with self._explained(key, writing=True):
            self._client.upload_blob(key, content, length=len(content), overwrite=True)

    def read(self, key: str) -> Iterator[bytes]:
        """The bytes of an object, in pieces."""
        with self._explained(key, writing=False):
            pieces = self._client.download_blob(key).chunks()
        while True:
            with self._explained(key, writing=False):
                piece = next(pieces, b"")
            if not piece:
                return
            yield piece

    def folders(self, folder: str) -> list[str]:
        """The first parts of keys behind ``folder/``."""
        prefix = f"{folder}/"
        with self._explained(folder, writing=False):
            found = [item for item in self._client.walk_blobs(prefix) if isinstance(item, BlobPrefix)]
            return [str(item.name).removeprefix(prefix).removesuffix("/") for item in found]

    def entries(self, folder: str) -> list[Entry]:
        """All objects below ``folder/``."""
        with self._explained(folder, writing=False):
            return [
                Entry(str(blob.name), int(blob.size), blob.last_modified)
                for blob in self._client.list_blobs(f"{folder}/")
            ]

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


def _service() -> BlobServiceClient:
    seconds = store_timeout()
    # Its own way to try again waits for minutes.
    retry = ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=2, random_jitter_range=1)
    connect, read = min(seconds, _CONNECT_SECONDS), seconds
    described = setting("AZURE_STORAGE_CONNECTION_STRING")
    if described:
        try:
            return BlobServiceClient.from_connection_string(
                described, retry_policy=retry, connection_timeout=connect, read_timeout=read, max_chunk_get_size=PIECE
            )
        except (ValueError, KeyError):
            where = "AZURE_STORAGE_CONNECTION_STRING"
            raise OptionError("it is not a connection string", where=where, hint="copy it from the account") from None
    account = setting("AZURE_STORAGE_ACCOUNT")
    if not (account.isascii() and account.isalnum()):
        raise OptionError(
            f"bad name '{account}' of an account" if account else "it is not set",
            where="AZURE_STORAGE_ACCOUNT",
            hint="name the storage account, or set AZURE_STORAGE_CONNECTION_STRING",
        )
    return BlobServiceClient(
        f"https://{account.lower()}.blob.core.windows.net",
        credential=_credential(account),
        retry_policy=retry,
        connection_timeout=connect,
        read_timeout=read,
        max_chunk_get_size=PIECE,
    )


def _credential(account: str) -> str | dict[str, str] | TokenCredential:
    key, signature = setting("AZURE_STORAGE_KEY"), setting("AZURE_STORAGE_SAS_TOKEN")
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
