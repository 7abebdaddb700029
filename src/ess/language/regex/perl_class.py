"""Bracket expressions of Perl, and the escapes that stand inside and outside of them."""

from __future__ import annotations

import re

from ess.language.regex.brackets import class_members, literal_member
from ess.language.regex.errors import RegexError

_NAMED = re.compile(rb"\[:(\^?)(\w*):\]")
_CODE = re.compile(
    rb"\\x\{([0-9A-Fa-f]+)\}|\\o\{([0-7]+)\}|\\x([0-9A-Fa-f]{0,2})|\\(0[0-7]{0,2}|[1-7][0-7]{1,2})|\\c([ -~])"
)
_EXACT_CODE = re.compile(rb"\\x([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})")
_PROPERTY = re.compile(rb"\\([pP])(?:\{(\^?)([\w& =-]+)\}|([A-Z]))")
_CONTROLS = {b"a": 7, b"e": 27, b"f": 12, b"n": 10, b"r": 13, b"t": 9}
#: The members of ``\\d``, ``\\s`` and ``\\w`` but in text with the attribute ``ucp``.
ASCII_CLASSES = {b"d": b"0-9", b"s": rb" \t\n\r\f\v", b"w": b"A-Za-z0-9_"}
_BLANKS = rb" \t"
_LINE_ENDS = rb"\n\v\f\r"


def code_at(pattern: bytes, at: int, *, text: bool, bsux: bool) -> tuple[bytes, int] | None:
    r"""The character of a numeric or control escape at ``at``, as a member of a class, and where it ends.

    Args:
        pattern: The pattern.
        at: Where a backslash stands.
        text: Whether a character may need more than a byte (attribute ``utf``).
        bsux: Whether ``\x`` and ``\u`` are those of ECMAScript (attribute ``alt_bsux``).

    >>> code_at(rb"\x{41}b", 0, text=False, bsux=False)
    (b'A', 6)

    Raises:
        RegexError: If there is no such character.
    """
    letter = pattern[at + 1 : at + 2]
    if letter in _CONTROLS:
        return _member(_CONTROLS[letter], text), at + 2
    if bsux and letter in (b"x", b"u"):
        exact = _EXACT_CODE.match(pattern, at)
        if exact is None:
            return letter, at + 2
        return _member(int(exact[1] or exact[2], 16), text), exact.end()
    found = _CODE.match(pattern, at)
    if found is None:
        return None
    if found[5] is not None:
        return _member(ord(found[5].upper()) ^ 64, text), found.end()
    octal = found[2] or found[4]
    number = int(octal, 8) if octal else int(found[1] or found[3] or b"0", 16)
    return _member(number, text), found.end()


def _member(number: int, text: bool) -> bytes:
    if number < 128 or (number < 256 and not text):
        return literal_member(bytes([number])) if number < 128 else b"\\x%02x" % number
    if not text or number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise RegexError(
            f"there is no character {number:#x}" + ("" if text else " of one byte; give the attribute utf")
        )
    return b"\\U%08x" % number


def property_at(pattern: bytes, at: int, *, text: bool) -> tuple[bytes, int]:
    r"""``\p{L}`` at ``at`` as ``regex`` writes it, and where it ends.

    Raises:
        RegexError: If it is malformed, or the pattern is not of text.
    """
    found = _PROPERTY.match(pattern, at)
    if found is None:
        raise RegexError("malformed \\p or \\P")
    if not text:
        raise RegexError("\\p needs the attribute utf")
    return b"\\" + found[1] + b"{" + (found[2] or b"") + (found[3] or found[4]) + b"}", found.end()


def perl_bracket(
    pattern: bytes, start: int, *, text: bool, unicode: bool, bsux: bool, may_be_empty: bool
) -> tuple[bytes, int]:
    r"""The bracket expression at ``start`` as both engines write it, and where it ends.

    Args:
        pattern: The pattern.
        start: Where the ``[`` stands.
        text: Whether a character may need more than a byte.
        unicode: Whether ``\d``, ``\s`` and ``\w`` know more than ASCII (attribute ``ucp``).
        bsux: As for ``code_at``.
        may_be_empty: Whether ``[]`` is a class of nothing (attribute ``allow_empty_class``).

    >>> perl_bracket(rb"[]\]a[:digit:]-]x", 0, text=False, unicode=False, bsux=False, may_be_empty=False)
    (b'[\\]\\]a0-9\\-]', 16)

    Raises:
        RegexError: If it does not end, names an unknown class or has a range that runs backwards.
    """
    at = start + 1
    negated = pattern[at : at + 1] == b"^"
    at += negated
    if may_be_empty and pattern[at : at + 1] == b"]":
        return (b"(?s:.)" if negated else b"(?!)"), at + 1
    parts: list[bytes] = []
    range_from = False  # whether the last part may begin a range
    opened = False  # whether the last part is the "-" of a range
    first = True
    while True:
        byte = pattern[at : at + 1]
        if not byte:
            raise RegexError("'[' without ']'")
        if byte == b"]" and not first:
            break
        first = False
        if pattern.startswith(rb"\E", at):
            at += 2
            continue
        if pattern.startswith(rb"\Q", at):
            end = pattern.find(rb"\E", at + 2)
            end = len(pattern) if end < 0 else end
            parts += [literal_member(pattern[i : i + 1]) for i in range(at + 2, end)]
            range_from, at = end > at + 2, end + 2
            continue
        if byte == b"-" and range_from and pattern[at + 1 : at + 2] not in (b"]", b""):
            parts.append(b"-")
            range_from, opened, at = False, True, at + 1
            continue
        member, at, single = _bracket_part(pattern, at, text=text, unicode=unicode, bsux=bsux)
        if opened and not single:  # "a-\d": the "-" is itself
            parts[-1] = rb"\-"
        parts.append(member)
        range_from, opened = single and not opened, False
    if opened:
        parts[-1] = rb"\-"
    return b"[" + (b"^" if negated else b"") + b"".join(parts) + b"]", at + 1


def _bracket_part(pattern: bytes, at: int, *, text: bool, unicode: bool, bsux: bool) -> tuple[bytes, int, bool]:
    """One member or class, where it ends, and whether it is a single character."""
    named = _NAMED.match(pattern, at)
    if named:
        members = class_members(named[2])
        return _others(members, text) if named[1] else members, named.end(), False
    if pattern[at : at + 1] != b"\\":
        return _one(pattern, at, text)
    letter = pattern[at + 1 : at + 2]
    if not letter:
        raise RegexError("a backslash at the end")
    code = code_at(pattern, at, text=text, bsux=bsux)
    if code is not None:
        return *code, True
    if letter == b"b":
        return rb"\x08", at + 2, True
    if letter.lower() in ASCII_CLASSES:
        if unicode:
            return b"\\" + letter, at + 2, False
        members = ASCII_CLASSES[letter.lower()]
        return members if letter.islower() else _others(members, text), at + 2, False
    if letter == b"h":
        return _BLANKS, at + 2, False
    if letter == b"v":
        return _LINE_ENDS, at + 2, False
    if letter in b"pP":
        return *property_at(pattern, at, text=text), False
    if letter.isalpha() and not (bsux and letter == b"U"):
        raise RegexError(f"\\{letter.decode()} is not available between brackets")
    return _one(pattern, at + 1, text)


def _others(members: bytes, text: bool) -> bytes:
    """The characters that a class of ASCII characters leaves out."""
    inside = re.compile(b"[" + members + b"]")
    ascii_part = b"".join(literal_member(bytes([code])) for code in range(128) if not inside.match(bytes([code])))
    return ascii_part + (b"\\U00000080-\\U0010ffff" if text else rb"\x80-\xff")


def _one(pattern: bytes, at: int, text: bool) -> tuple[bytes, int, bool]:
    """A literal character; in text it may have several bytes."""
    end = at + 1
    while text and pattern[at] >= 0xC0 and end < len(pattern) and pattern[end] & 0xC0 == 0x80:
        end += 1
    return literal_member(pattern[at:end]), end, True
