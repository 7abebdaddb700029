"""Checksums of whole objects, as stores give them in the headers of an answer."""

from __future__ import annotations

import functools
import hashlib
import zlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Protocol


class Checksum:
    """Compares what was read with a checksum that the store gives of the whole object, if it gives one."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._hash: _Hash | None = None
        self._expected = b""
        for make, text in _given(headers):
            try:
                expected = b64decode(text.strip(), validate=True)
            except ValueError:
                continue
            if expected:
                self._hash, self._expected = make(), expected
                return

    def add(self, data: bytes) -> None:
        """Some more of the object."""
        if self._hash is not None:
            self._hash.update(data)

    def holds(self) -> bool:
        """True if all that was read is what the store says."""
        return self._hash is None or self._hash.digest() == self._expected


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Cyclic:
    """A checksum that goes on from a number."""

    def __init__(self, add: Callable[[bytes, int], int], width: int) -> None:
        self._add, self._width, self._value = add, width, 0

    def update(self, data: bytes, /) -> None:
        self._value = self._add(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


def _crc32() -> _Hash:
    return _Cyclic(zlib.crc32, 4)


def _crc32c() -> _Hash:
    import anycrc

    return _Cyclic(anycrc.Model("CRC32-ISCSI").calc, 4)


def _crc64() -> _Hash:
    import anycrc

    return _Cyclic(anycrc.Model("CRC64-NVME").calc, 8)


_md5 = functools.partial(hashlib.md5, usedforsecurity=False)
_sha1 = functools.partial(hashlib.sha1, usedforsecurity=False)

#: What S3 has behind ``x-amz-checksum-``, the best first.
_AMAZON: tuple[tuple[str, Callable[[], _Hash]], ...] = (
    ("sha256", hashlib.sha256),
    ("sha1", _sha1),
    ("crc64nvme", _crc64),
    ("crc32c", _crc32c),
    ("crc32", _crc32),
)


def _given(headers: Mapping[str, str]) -> list[tuple[Callable[[], _Hash], str]]:
    """The checksums in the headers, as Base64, the best first, each with what makes one."""
    found = []
    if (
        headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT"
    ):  # that of the parts says nothing of the whole
        found += [(make, headers.get(f"x-amz-checksum-{name}", "")) for name, make in _AMAZON]
    google = dict(part.strip().partition("=")[::2] for part in headers.get("x-goog-hash", "").split(","))
    found += [(_md5, headers.get("Content-MD5", "") or google.get("md5", "")), (_crc32c, google.get("crc32c", ""))]
    return [(make, text) for make, text in found if text]
