"""The meaning of a field's bytes: the one definition of numbers and addresses in input.

* Integer: an optional sign and digits, in the range of the column's type. With the ``hex``
  attribute hexadecimal digits, with or without ``0x``.
* Float: an optional sign, then a decimal number with an optional exponent as C's ``strtod``
  takes it, or ``inf``, ``infinity``, ``nan`` in any case. An overflow is rejected;
  an underflow becomes the nearest number.
* A blank number is 0, and so is a lone ``-`` (web logs print it for "no value"; the reference
  system reads it as 0). Blanks around a number are only allowed with ``trm``.
* Address: dotted IPv4 or colon IPv6 text, packed into 4 or 16 bytes; a blank one, and a lone ``-``,
  is no bytes.
* String: at most 65535 bytes.

The columnar path (`ess.formats.convert`) takes the common forms and asks here for the rest;
a test compares the two.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

from ess.schema.columns import Column
from ess.schema.types import INTEGER_RANGES, ColumnType

#: The longest string in bytes.
STRING_LIMIT = 65535
#: Readers keep at least so much of a string that is longer.
KEPT_OF_A_STRING = 70_000

Value = bytes | int | float

_DECIMAL = re.compile(rb"[+-]?[0-9]+\Z")
_HEXADECIMAL = re.compile(rb"[+-]?(?:0[xX])?[0-9a-fA-F]+\Z")
_FLOAT = re.compile(
    rb"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z|(?:inf|infinity|nan)\Z)", re.IGNORECASE
)
_NAMES = {
    ColumnType.L: "an unsigned 64-bit integer",
    ColumnType.LS: "a signed 64-bit integer",
    ColumnType.I: "an unsigned 32-bit integer",
    ColumnType.IS: "a signed 32-bit integer",
}
#: No integer type holds more decimal digits than this; longer ones are not even converted.
_MOST_DIGITS = 20


class BadValueError(Exception):
    """A field that its column cannot hold; the text says why."""


def shown(raw: bytes, most: int = 40) -> str:
    r"""Bytes of a record for a message: quoted, printable, cut.

    >>> print(shown(b"a" + bytes([0, 255]) + b"b"))
    'a\x00\xffb'
    """
    text = raw[:most].decode("ascii", "backslashreplace")
    safe = text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return f"'{safe}'..." if len(raw) > most else f"'{safe}'"


def converter(column: Column) -> Callable[[bytes], Value]:
    """The function that turns a field of ``column`` into its value, or raises `BadValueError`."""
    attributes = column.attributes
    if column.type is ColumnType.S:
        return _string(attributes.trim, attributes.lower, attributes.upper)
    convert: Callable[[bytes], Value]
    if column.type is ColumnType.F:
        convert = to_float
    elif column.type is ColumnType.IP:
        convert = to_address
    else:
        convert = _integer(column.type, hexadecimal=attributes.hexadecimal)
    if attributes.trim:
        return lambda raw: convert(raw.strip())
    return convert


def _string(trim: bool, lower: bool, upper: bool) -> Callable[[bytes], bytes]:
    def convert(raw: bytes) -> bytes:
        if trim:
            raw = raw.strip()
        if lower:
            raw = raw.lower()
        if upper:
            raw = raw.upper()
        if len(raw) > STRING_LIMIT:
            # of a very long one, a reader may keep the beginning only
            least = "at least " if len(raw) >= KEPT_OF_A_STRING else ""
            raise BadValueError(
                f"{shown(raw)} is {least}{len(raw)} bytes long, and a string may have {STRING_LIMIT};"
                " a column X leaves it out"
            )
        return raw

    return convert


def _integer(kind: ColumnType, *, hexadecimal: bool) -> Callable[[bytes], int]:
    lowest, highest = INTEGER_RANGES[kind]
    name = _NAMES[kind]
    grammar, base = (_HEXADECIMAL, 16) if hexadecimal else (_DECIMAL, 10)

    def convert(raw: bytes) -> int:
        if raw in (b"", b"-"):
            return 0
        if not grammar.match(raw):
            raise BadValueError(f"{shown(raw)} is not {name}")
        if len(raw) > _MOST_DIGITS and len(raw.lstrip(b"+-0xX")) > _MOST_DIGITS:
            raise BadValueError(f"{shown(raw)} does not fit {name}")
        value = int(raw, base)
        if not lowest <= value <= highest:
            raise BadValueError(f"{shown(raw)} does not fit {name}")
        return value

    return convert


def to_float(raw: bytes) -> float:
    """The value of a field of type F; raises `BadValueError`.

    >>> to_float(b"2.5e3")
    2500.0
    """
    if raw in (b"", b"-"):
        return 0.0
    if not _FLOAT.match(raw):
        raise BadValueError(f"{shown(raw)} is not a number")
    value = float(raw)
    if value in (float("inf"), float("-inf")) and raw[-1:] not in b"fFyY":
        raise BadValueError(f"{shown(raw)} does not fit a 64-bit float")
    return value


def to_address(raw: bytes) -> bytes:
    r"""The packed bytes of a field of type IP; raises `BadValueError`.

    >>> to_address(b"127.0.0.1")
    b'\x7f\x00\x00\x01'
    """
    if raw in (b"", b"-"):
        return b""
    try:
        text = raw.decode("ascii")
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        raise BadValueError(f"{shown(raw)} is not an IP address") from None


def address_text(packed: bytes) -> bytes:
    """The printed form of an address: dotted or colon text, blank for no bytes."""
    if not packed:
        return b""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed).encode("ascii")
