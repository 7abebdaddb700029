"""Bracket expressions, ``[^a-z[:digit:]]``, which POSIX and Perl share but for the backslash."""

from __future__ import annotations

import re

from ess.language.regex.errors import RegexError

_CLASSES = {
    b"alpha": b"A-Za-z",
    b"digit": b"0-9",
    b"alnum": b"A-Za-z0-9",
    b"upper": b"A-Z",
    b"lower": b"a-z",
    b"space": rb" \t\n\r\f\v",
    b"blank": rb" \t",
    b"punct": rb"!-/:-@\[-`{-~",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"graph": rb"!-~",
    b"print": rb" -~",
    b"xdigit": b"0-9A-Fa-f",
    b"word": b"A-Za-z0-9_",
}
_NAMED = re.compile(rb"\[([:.=])(.*?)\1\]", re.DOTALL)


def translate_bracket(pattern: bytes, start: int, *, backslash_escapes: bool, no_newline: bool) -> tuple[bytes, int]:
    r"""The bracket expression at ``start`` as Python writes it, and where it ends.

    >>> translate_bracket(b"[]a[:digit:]]x", 0, backslash_escapes=False, no_newline=False)
    (b'[\\]a0-9]', 13)
    """
    position = start + 1
    negated = pattern[position : position + 1] == b"^"
    position += negated
    parts: list[bytes] = []
    first = True
    while True:
        byte = pattern[position : position + 1]
        if not byte:
            raise RegexError("'[' without ']'")
        if byte == b"]" and not first:
            break
        first = False
        named = _NAMED.match(pattern, position) if byte == b"[" else None
        if named:
            parts.append(_class(named[1], named[2]))
            position = named.end()
        elif byte == b"\\" and backslash_escapes and position + 1 < len(pattern):
            parts.append(pattern[position : position + 2])
            position += 2
        else:
            parts.append(b"-" if byte == b"-" and _is_range(pattern, position, bool(parts)) else re.escape(byte))
            position += 1
    if no_newline and negated:
        parts.append(rb"\n")
    return b"[" + (b"^" if negated else b"") + b"".join(parts) + b"]", position + 1


def _is_range(pattern: bytes, position: int, after_something: bool) -> bool:
    return after_something and pattern[position + 1 : position + 2] not in (b"]", b"")


def _class(kind: bytes, name: bytes) -> bytes:
    if kind != b":":
        if len(name) != 1:
            raise RegexError(f"unknown collating element '{name.decode('latin-1')}'")
        return re.escape(name)
    negated = name.startswith(b"^")
    members = _CLASSES.get(name[1:] if negated else name)
    if members is None or negated:
        raise RegexError(f"unknown character class '{name.decode('latin-1')}'")
    return members
