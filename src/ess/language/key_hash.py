"""The hash that places a key on a server, one key at a time.

It is specified in ``ess.udb.spec.placement``, which computes it for whole batches; a test compares
the two.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

from ess.language.tree import ValueType

#: Hashes of one key that have nothing to do with each other.
PLACEMENT = 0
SEGMENT = 1
GENERAL = 75

_MASK = 0xFFFFFFFF
_INTEGER = struct.Struct("<q").pack
_FLOAT = struct.Struct("<d").pack
_NAN = _FLOAT(float("nan"))


def key_hash(types: Sequence[ValueType], variant: int) -> Callable[..., int]:
    """A function from a key's values to its hash, 0 to 2**32 - 1.

    >>> key_hash([ValueType.STRING], PLACEMENT)(b"4084")
    1966378495
    """
    encoders = [_ENCODERS.get(kind) for kind in types]
    change = variant * 0x9E3779B9 & _MASK

    def hash_values(*values: bytes | int | float) -> int:
        running = 0
        for encode, value in zip(encoders, values, strict=True):
            running = zlib.crc32(encode(value) if encode else value, running)  # type: ignore[arg-type]
        return _mix(running ^ change)

    return hash_values


def _float_bytes(value: float) -> bytes:
    return _FLOAT(value + 0.0) if value == value else _NAN


def _mix(value: int) -> int:
    """The finalizer of MurmurHash3."""
    value ^= value >> 16
    value = value * 0x85EBCA6B & _MASK
    value ^= value >> 13
    value = value * 0xC2B2AE35 & _MASK
    return value ^ value >> 16


_ENCODERS: dict[ValueType, Callable[..., bytes]] = {ValueType.INTEGER: _INTEGER, ValueType.FLOAT: _float_bytes}
