"""URL encoding and base64, of dirty text too."""

from __future__ import annotations

import binascii
import re

_RESERVED = re.compile(rb"[^A-Za-z0-9._~-]")
#: What two hexadecimal digits stand for.
_BYTES = {
    (a + b).encode(): bytes((int(a + b, 16),)) for a in "0123456789ABCDEFabcdef" for b in "0123456789ABCDEFabcdef"
}
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def url_encode(value: bytes) -> bytes:
    """All bytes but letters, digits and ``-._~`` as ``%XX``."""
    return _RESERVED.sub(lambda match: b"%%%02X" % match[0][0], value)


def url_decode(value: bytes) -> bytes:
    """``%XX`` and ``+`` resolved; a ``%`` without two hexadecimal digits is kept."""
    if b"+" in value:
        value = value.replace(b"+", b" ")
    if b"%" not in value:
        return value
    decoded, *parts = value.split(b"%")
    for part in parts:
        byte = _BYTES.get(part[:2])
        decoded += b"%" + part if byte is None else byte + part[2:]
    return decoded


def base64_decode(value: bytes) -> bytes:
    """Decoded; bytes outside of the alphabet are skipped, an incomplete last one is dropped."""
    letters = _NOT_BASE64.sub(b"", value)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
