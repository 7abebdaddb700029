"""Composite keys and hashes: KeyEnc, KeyDec, KeyHash, ImpHash, SegHash, SHash, MaskStr, UNameHash."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Sequence

from ess.language.function import (
    Argument,
    Example,
    Form,
    Function,
    Parameter,
    RecordError,
    RowFunction,
    Value,
    anything,
    text,
    words_of,
)
from ess.language.key_hash import GENERAL, PLACEMENT, SEGMENT, key_hash
from ess.language.tree import Attributes, Reference, Target, ValueType
from ess.schema.types import ColumnType

# A component is a tag, which tells its column type, and its value; numbers have a fixed width, the
# others are preceded by their length.
_TAGS: dict[ColumnType, bytes] = {
    ColumnType.S: b"s",
    ColumnType.F: b"f",
    ColumnType.L: b"l",
    ColumnType.LS: b"L",
    ColumnType.I: b"i",
    ColumnType.IS: b"I",
    ColumnType.IP: b"p",
}
_NUMBERS: dict[ColumnType, struct.Struct] = {
    ColumnType.F: struct.Struct("<d"),
    ColumnType.L: struct.Struct("<q"),  # inside an expression, L is signed
    ColumnType.LS: struct.Struct("<q"),
    ColumnType.I: struct.Struct("<I"),
    ColumnType.IS: struct.Struct("<i"),
}
_LENGTH = struct.Struct("<I")
_EXPRESSIONS = {
    ValueType.STRING: ColumnType.S,
    ValueType.INTEGER: ColumnType.LS,
    ValueType.FLOAT: ColumnType.F,
    ValueType.IP: ColumnType.IP,
}


def _column_type(argument: Argument) -> ColumnType:
    """A column's type; that of the widest column for an expression."""
    if isinstance(argument, Reference):
        return argument.slot.type
    if isinstance(argument, Attributes | Target):
        raise TypeError(f"{argument!r} is not a value")
    return _EXPRESSIONS[argument.type]


def _component(kind: ColumnType) -> Callable[[Value], bytes]:
    tag = _TAGS[kind]
    number = _NUMBERS.get(kind)
    if number is not None:
        pack = number.pack
        return lambda value: tag + pack(value)
    return lambda value: tag + _LENGTH.pack(len(value)) + value  # type: ignore[arg-type,operator]


def _encoder(arguments: Sequence[Argument]) -> Callable[..., bytes]:
    parts = [_component(_column_type(argument)) for argument in arguments]
    return lambda *values: b"".join([part(value) for part, value in zip(parts, values, strict=True)])


def _decoder(arguments: Sequence[Argument]) -> RowFunction:
    kinds: list[tuple[ColumnType, bool]] = []
    for argument in arguments[1:]:
        if isinstance(argument, Target):
            kinds.append((argument.slot.type, True))
        else:
            kinds.append((ColumnType[words_of(argument)[0].upper()], False))

    def decode(key: bytes, *current: Value) -> tuple[Value, ...]:
        results: list[Value] = [1]
        at = 0
        for kind, wanted in kinds:
            value, at = _take(key, at, kind)
            if wanted:
                results.append(value)
        if at != len(key):
            raise RecordError("the key has more components than KeyDec takes")
        return tuple(results)

    if not any(wanted for _, wanted in kinds):
        return lambda key: decode(key)[0]
    return decode


def _take(key: bytes, at: int, kind: ColumnType) -> tuple[Value, int]:
    if key[at : at + 1] != _TAGS[kind]:
        raise RecordError(f"the key has no component of type {kind.value} where KeyDec takes one")
    at += 1
    number = _NUMBERS.get(kind)
    try:
        if number is not None:
            value: Value = number.unpack_from(key, at)[0]
            return value, at + number.size
        size = _LENGTH.unpack_from(key, at)[0]
    except struct.error:
        raise RecordError("the key is cut off") from None
    at += _LENGTH.size
    if at + size > len(key):
        raise RecordError("the key is cut off")
    return key[at : at + size], at + size


def _hasher(variant: int) -> Callable[[Sequence[Argument]], RowFunction]:
    def specialize(arguments: Sequence[Argument]) -> RowFunction:
        types = [argument.type for argument in arguments if not isinstance(argument, Attributes | Target)]
        return key_hash(types, variant)

    return specialize


_BLOCK = 64
#: 33 to the power of 63, ... 2, 1, 0, modulo 2**32.
_POWERS = [pow(33, exponent, 2**32) for exponent in range(_BLOCK - 1, -1, -1)]


def string_hash(value: bytes) -> int:
    """Bernstein's hash, 33 h + byte from 5381, of the value in lower case; modulo 2**32."""
    running = 5381
    for start in range(0, len(value), _BLOCK):
        block = value[start : start + _BLOCK].lower()
        powers = _POWERS[_BLOCK - len(block) :]
        running = running * powers[0] * 33 + sum(map(operator.mul, block, powers)) & 0xFFFFFFFF
    return running


def mask(value: bytes) -> bytes:
    """Letters, digits, ``-`` and ``_`` made from a hash (SHAKE256) of the value, at least as many as it has bytes."""
    import base64
    import hashlib  # slow to load, and few commands mask anything

    if not value:
        return b""
    size = max(15, -(-len(value) * 3 // 4))
    size += -size % 3  # so that base64 needs no padding
    return base64.urlsafe_b64encode(hashlib.shake_256(value).digest(size))


def _user_name_hash(value: bytes) -> bytes:
    import base64
    import hashlib

    digest = hashlib.blake2b(value, digest_size=5, person=b"UNameHash").digest()
    return base64.b32encode(digest)


def _hash_function(name: str, summary: str, variant: int, value: int) -> Function:
    return Function(
        name,
        (),
        ValueType.INTEGER,
        f"A 32-bit hash of columns, the same on every machine. {summary}",
        (Example(f"{name}('a')", value),),
        specialize=_hasher(variant),
        repeated=(anything("Col"),),
        differences="The numbers are not those of the reference system.",
    )


_COLUMN_OR_TYPE = Parameter("Col|ColType", Form.TARGET_OR_TYPE, types=tuple(ValueType))

FUNCTIONS = (
    Function(
        "KeyEnc",
        (),
        ValueType.STRING,
        "Values of any types packed into one binary string, for KeyDec.",
        (Example("SLeng(KeyEnc('ab', 1, 1.2.3.4))", 25),),
        specialize=_encoder,
        repeated=(anything("Col"),),
    ),
    Function(
        "KeyDec",
        (text("Key"),),
        ValueType.INTEGER,
        "Unpacks a string of KeyEnc into columns; a quoted type takes a component without storing it. A key that does "
        "not fit rejects the record.",
        (
            Example("KeyDec(KeyEnc('ab', 2.5, 'c'), Str1, 'F', Str2)", 1, (("Str1", b"ab"), ("Str2", b"c"))),
            Example("KeyDec(KeyEnc(Str1, Int1, Ip1), Str1, 'I', Ip1)", 1, (("Str1", b""), ("Ip1", b""))),
        ),
        specialize=_decoder,
        repeated=(_COLUMN_OR_TYPE,),
    ),
    _hash_function("KeyHash", "For general use.", GENERAL, 139446975),
    _hash_function("ImpHash", "An import takes it modulo the servers' weights to place a key.", PLACEMENT, 3320656311),
    _hash_function("SegHash", "An import with seg=N1/N takes it modulo N.", SEGMENT, 240370114),
    Function(
        "SHash",
        (text("Val"),),
        ValueType.INTEGER,
        "A 32-bit hash of a string, the same on every machine and in every version. Upper and lower case of ASCII "
        "letters hash alike.",
        (
            Example("SHash('Portugal')", 1264705971),
            Example("SHash('PORTUGAL')", 1264705971),
            Example("SHash('')", 5381),
        ),
        row=string_hash,
    ),
    Function(
        "MaskStr",
        (text("Val"),),
        ValueType.STRING,
        "A text made from a hash of Val, at least 20 characters and at least as long as Val; blank stays blank. Equal "
        "values give equal results, so someone who guesses a value can confirm it.",
        (Example("SLeng(MaskStr('a'))", 20), Example("MaskStr('')", b"")),
        row=mask,
    ),
    Function(
        "UNameHash",
        (text("NameStr"),),
        ValueType.STRING,
        "An alphanumeric hash of 8 characters (40 bits, so names can collide).",
        (Example("SLeng(UNameHash('a'))", 8),),
        row=_user_name_hash,
        differences="The texts are not those of the reference system.",
    ),
)
