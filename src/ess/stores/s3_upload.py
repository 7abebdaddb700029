"""Writing an object of S3 in parts: whole when all have arrived, and nothing is left of one that is given up."""

from __future__ import annotations

import contextlib
import html
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import md5
from typing import Protocol

from ess.errors import EssError, OutputWriteError
from ess.stores.store import PIECE, Entry, NoSuchObject
from ess.stores.unfinished import Note, left, note
from ess.stores.wire import Answer, tag

_UPLOAD = re.compile(rb"<UploadId>(.*?)</UploadId>", re.DOTALL)

#: An object has at most 10,000 parts, so parts grow.
_GROWS_EVERY = 1000


class Bucket(Protocol):
    """A bucket, as far as a writer needs it."""

    @property
    def place(self) -> str:
        """Its address on the network, for notes."""

    def at(self, key: str) -> str:
        """The address of a key."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object with one request."""

    def head(self, key: str) -> Entry:
        """An object that is there."""

    def ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """An answer that is no failure."""


class Upload:
    """Gathers pieces into parts; they make the object when all are there."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key = bucket, key
        self._waiting = bytearray()
        self._upload = ""
        self._note: Note | None = None
        self._parts: list[str] = []
        self._size = 0

    def write(self, data: bytes, /) -> None:
        """Take some more."""
        self._waiting += data
        while len(self._waiting) > (size := PIECE * (1 + len(self._parts) // _GROWS_EVERY)):
            with memoryview(self._waiting) as waiting:  # to cut the array itself would copy twice
                piece = bytes(waiting[:size])
            del self._waiting[:size]
            self._send(piece)

    def finish(self) -> None:
        """Make the object."""
        if not self._upload:
            self._bucket.put(self._key, bytes(self._waiting))
            return
        self._send(bytes(self._waiting))
        parts = "".join(
            f'<Part><PartNumber>{number}</PartNumber><ETag>"{found}"</ETag></Part>'
            for number, found in enumerate(self._parts, start=1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        try:
            self._bucket.ask("POST", self._key, {"uploadId": self._upload}, body=body)
        except EssError as error:
            if not self._is_there():
                raise self._gone() if isinstance(error, NoSuchObject) else error from None
        self._ended()

    def abandon(self) -> None:
        """Tell the store to drop the parts, as far as it listens; if it does not, the next upload will."""
        if not self._upload:
            return
        try:
            self._bucket.ask("DELETE", self._key, {"uploadId": self._upload})
        except NoSuchObject:
            self._ended()
        except EssError:
            if self._note is not None:
                self._note.keep()
        else:
            self._ended()

    def _ended(self) -> None:
        self._upload = ""
        if self._note is not None:
            self._note.remove()

    def _is_there(self) -> bool:
        """True if the request to make the object had been carried out, although its answer was lost."""
        with contextlib.suppress(EssError):
            found = self._bucket.head(self._key)
            return found.size == self._size and found.version.endswith(f"-{len(self._parts)}")
        return False

    def _gone(self) -> OutputWriteError:
        return OutputWriteError(
            "somebody else has ended its upload", where=self._bucket.at(self._key), hint="write it again"
        )

    def _send(self, piece: bytes) -> None:
        if not self._upload:
            self._begin()
        query = {"partNumber": str(len(self._parts) + 1), "uploadId": self._upload}
        try:
            answer = self._bucket.ask("PUT", self._key, query, headers=checksum(piece), body=piece)
        except NoSuchObject:
            raise self._gone() from None
        self._parts.append(tag(answer.headers))
        self._size += len(piece)

    def _begin(self) -> None:
        remove_left(self._bucket)
        found = _UPLOAD.search(self._bucket.ask("POST", self._key, {"uploads": ""}).body)
        self._upload = html.unescape(found[1].decode("utf-8", "surrogateescape")) if found else ""
        if not self._upload:
            raise OutputWriteError(
                "the store does not say how to go on",
                where=self._bucket.at(self._key),
                hint="use another kind of store",
            )
        self._note = note(self._bucket.place, self._key, self._upload)


def checksum(content: bytes) -> dict[str, str]:
    """The header by which a store sees whether content has arrived as it was sent."""
    return {"Content-MD5": b64encode(md5(content, usedforsecurity=False).digest()).decode()}


def remove_left(bucket: Bucket) -> None:
    """Remove the parts of uploads of this machine to a bucket whose processes are gone, as far as the store listens."""
    for found in left(bucket.place):
        try:
            bucket.ask("DELETE", found.key, {"uploadId": found.upload})
        except NoSuchObject:
            found.remove()
        except EssError:
            found.keep()
        else:
            found.remove()
