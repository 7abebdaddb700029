"""The arithmetic of values: 64-bit signed integers that wrap, IEEE 754 doubles, packed addresses."""

from __future__ import annotations

import math
import re
import socket

SMALLEST = -(2**63)
LARGEST = 2**63 - 1
MASK = 2**64 - 1

_INTEGER = re.compile(rb"[ \t\n\v\f\r]*([+-]?)0*([0-9]*)")
_FLOAT = re.compile(
    rb"[ \t\n\v\f\r]*([+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan))", re.IGNORECASE
)


class RecordError(Exception):
    """Raised while a row is evaluated, to reject the record."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def wrap(value: int) -> int:
    """The 64-bit signed integer with the low bits of ``value``.

    >>> wrap(2**63), wrap(-1), wrap(2**64 + 5)
    (-9223372036854775808, -1, 5)
    """
    return ((value + 2**63) & MASK) - 2**63


def divide(left: int, right: int) -> int:
    """Quotient truncated towards zero; not wrapped (the smallest integer by -1 gives 2**63).

    >>> divide(-7, 2), divide(7, -2), divide(7, 2)
    (-3, -3, 3)

    Raises:
        RecordError: If ``right`` is 0.
    """
    if right == 0:
        raise RecordError("division by zero")
    if (left >= 0) == (right > 0):
        return left // right
    return -(-left // right)


def remainder(left: int, right: int) -> int:
    """The remainder of truncating division; it has the sign of ``left``.

    >>> remainder(-7, 2), remainder(7, -2)
    (-1, 1)

    Raises:
        RecordError: If ``right`` is 0.
    """
    if right == 0:
        raise RecordError("remainder of a division by zero")
    result = abs(left) % abs(right)
    return -result if left < 0 else result


def divide_floats(left: float, right: float) -> float:
    """IEEE 754 division: a zero divisor gives an infinity or NaN.

    >>> divide_floats(1.0, -0.0), divide_floats(0.0, 0.0)
    (-inf, nan)
    """
    if right:
        return left / right
    if not left or left != left or right != right:
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def remainder_floats(left: float, right: float) -> float:
    """C's ``fmod``.

    >>> remainder_floats(-7.5, 2.0), remainder_floats(1.0, 0.0)
    (-1.5, nan)
    """
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def to_integer(value: float) -> int:
    """Truncated towards zero; -2**63 for NaN and what 64 bits cannot hold.

    >>> to_integer(-2.9), to_integer(1e30) == -2**63
    (-2, True)
    """
    if -9223372036854775808.0 <= value < 9223372036854775808.0:
        return int(value)
    return SMALLEST


def parse_integer(text: bytes) -> int:
    """The integer that ``text`` begins with, as C's ``strtoll`` reads it; 0 if there is none.

    >>> parse_integer(b" 12.5"), parse_integer(b"x"), parse_integer(b"9" * 30) == 2**63 - 1
    (12, 0, True)
    """
    if len(text) <= 18 and text.isdigit():
        return int(text)
    match = _INTEGER.match(text)
    if match is None or not match[2]:
        return 0
    if len(match[2]) > 18:  # near the limits or beyond; 20 digits are beyond for certain
        return max(SMALLEST, min(LARGEST, int(match[1] + match[2][:20])))
    return int(match[1] + match[2])


def parse_float(text: bytes) -> float:
    """The decimal number that ``text`` begins with; 0 if there is none.

    >>> parse_float(b"3.5e1x"), parse_float(b"-inf"), parse_float(b"")
    (35.0, -inf, 0.0)
    """
    match = _FLOAT.match(text)
    return float(match[1]) if match else 0.0


def parse_address(text: bytes) -> bytes:
    """An IPv4 or IPv6 address, packed into 4 or 16 bytes; no bytes if it is none.

    >>> list(parse_address(b"1.2.3.4")), parse_address(b"::1")[-1], parse_address(b"1.2.3")
    ([1, 2, 3, 4], 1, b'')
    """
    try:
        return socket.inet_pton(socket.AF_INET6 if b":" in text else socket.AF_INET, text.decode("ascii"))
    except (OSError, ValueError):
        return b""


def format_integer(value: int) -> bytes:
    """Decimal digits."""
    return b"%d" % value


def format_float(value: float) -> bytes:
    """C's ``%.17g``.

    >>> format_float(0.1), format_float(3.0), format_float(1e300)
    (b'0.10000000000000001', b'3', b'1.0000000000000001e+300')
    """
    return b"%.17g" % value


def format_address(value: bytes) -> bytes:
    """Dotted IPv4, compressed IPv6, or nothing for a blank address.

    >>> format_address(bytes([1, 2, 3, 4])), format_address(b"")
    (b'1.2.3.4', b'')
    """
    if len(value) == 4:
        return b"%d.%d.%d.%d" % (value[0], value[1], value[2], value[3])
    return socket.inet_ntop(socket.AF_INET6, value).encode("ascii") if len(value) == 16 else b""


def is_nonzero_address(value: bytes) -> bool:
    """The truth of an address: neither blank nor all zero."""
    return any(value)
