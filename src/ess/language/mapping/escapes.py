"""The backslash sequences that patterns and templates share."""

from __future__ import annotations

_SEQUENCES = {
    b"%": b"%",
    b"\\": b"\\",
    b'"': b'"',
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    b"0": b"\0",
    b"\n": b"",
}
_HEXADECIMAL = b"0123456789abcdefABCDEF"


def escape_at(text: bytes, position: int) -> tuple[bytes, int]:
    r"""The meaning of the sequence at a backslash, and its end; an unknown one is kept as it is.

    >>> escape_at(rb"\x41b", 0), escape_at(rb"\%", 0), escape_at(rb"\q", 0)
    ((b'A', 4), (b'%', 2), (b'\\q', 2))
    """
    following = text[position + 1 : position + 2]
    if following in _SEQUENCES:
        return _SEQUENCES[following], position + 2
    digits = text[position + 2 : position + 4]
    if following == b"x" and len(digits) == 2 and all(digit in _HEXADECIMAL for digit in digits):
        return bytes.fromhex(digits.decode("ascii")), position + 4
    return text[position : position + 1 + len(following)], position + 1 + len(following)


def unescape(text: bytes) -> bytes:
    r"""All sequences of a text resolved.

    >>> unescape(rb"a\tb\\")
    b'a\tb\\'
    """
    parts: list[bytes] = []
    position = 0
    while (backslash := text.find(b"\\", position)) >= 0:
        parts.append(text[position:backslash])
        resolved, position = escape_at(text, backslash)
        parts.append(resolved)
    return b"".join(parts) + text[position:]


def find_unescaped(text: bytes, wanted: bytes, start: int) -> int:
    """The position of the next ``wanted`` without a backslash before it, or -1."""
    position = start
    while position < len(text):
        if text[position : position + 1] == b"\\":
            position += 2
        elif text.startswith(wanted, position):
            return position
        else:
            position += 1
    return -1
