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
    b"ascii": rb"\x00-\x7f",
}
_NAMED = re.compile(rb"\[([:.=])(.*?)\1\]", re.DOTALL)
_SPECIAL = re.compile(rb"[^A-Za-z0-9\x80-\xff]")


def literal_member(byte: bytes) -> bytes:
    r"""A byte as a member of a bracket expression, for both engines (``regex`` knows ``--`` and ``&&`` there).

    >>> literal_member(b"-")
    b'\\-'
    """
    return _SPECIAL.sub(lambda found: b"\\x%02x" % found[0][0] if found[0] < b"!" else b"\\" + found[0], byte)


def class_members(name: bytes) -> bytes:
    """The members of ``[:name:]``.

    Raises:
        RegexError: If there is no such class.
    """
    members = _CLASSES.get(name)
    if members is None:
        raise RegexError(f"unknown character class '{name.decode('latin-1')}'")
    return members


def translate_bracket(pattern: bytes, start: int, *, no_newline: bool) -> tuple[bytes, int]:
    r"""The POSIX bracket expression at ``start`` as Python writes it, and where it ends.

    >>> translate_bracket(b"[]a[:digit:]]x", 0, no_newline=False)
    (b'[\\]a0-9]', 13)

    Raises:
        RegexError: If it does not end, or names an unknown class.
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
        else:
            is_range = byte == b"-" and bool(parts) and pattern[position + 1 : position + 2] not in (b"]", b"")
            parts.append(b"-" if is_range and parts[-1] != b"-" else literal_member(byte))
            position += 1
    if no_newline and negated:
        parts.append(rb"\n")
    return b"[" + (b"^" if negated else b"") + b"".join(parts) + b"]", position + 1


def _class(kind: bytes, name: bytes) -> bytes:
    if kind == b":":
        return class_members(name)
    if len(name) != 1:
        raise RegexError(f"unknown collating element '{name.decode('latin-1')}'")
    return literal_member(name)
