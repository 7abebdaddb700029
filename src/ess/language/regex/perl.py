r"""Perl-compatible regular expressions in Python's syntax.

The two are close. Known differences: no ``\K``, ``\R``, ``\X``, ``\C``, no recursion,
no verbs such as ``(*SKIP)``; look-behind has a fixed width.
"""

from __future__ import annotations

import re

from ess.language.regex.brackets import translate_bracket
from ess.language.regex.errors import RegexError

_ESCAPES = {
    b"z": rb"\Z",
    b"Z": rb"(?=\n?\Z)",
    b"h": rb"[ \t]",
    b"H": rb"[^ \t]",
    b"N": rb"[^\n]",
    b"e": rb"\x1b",
    b"R": rb"(?:\r\n|[\n\v\f\r])",
}
_UNKNOWN = frozenset(b"KXCGgkpPEuUlL")


def translate_perl(pattern: bytes, *, dollar_end_only: bool) -> bytes:
    r"""``pattern`` as Python's ``re`` takes it.

    >>> translate_perl(rb"(?<year>\d+)\h[[:alpha:]]+\z", dollar_end_only=False)
    b'(?P<year>\\d+)[ \\t][A-Za-z]+\\Z'

    Raises:
        RegexError: If it uses what Python does not have.
    """
    out: list[bytes] = []
    at = 0
    while at < len(pattern):
        byte, following = pattern[at : at + 1], pattern[at + 1 : at + 2]
        if pattern.startswith(rb"\Q", at):
            end = pattern.find(rb"\E", at)
            end = len(pattern) if end < 0 else end
            out.append(re.escape(pattern[at + 2 : end]))
            at = end + 2
        elif byte == b"\\" and following:
            if following[0] in _UNKNOWN:
                raise RegexError(f"\\{following.decode()} is not available")
            out.append(_ESCAPES.get(following, byte + following))
            at += 2
        elif byte == b"[":
            text, at = translate_bracket(pattern, at, backslash_escapes=True, no_newline=False)
            out.append(text)
        elif pattern.startswith(b"(?<", at) and pattern[at + 3 : at + 4] not in (b"=", b"!"):
            out.append(b"(?P<")
            at += 3
        elif pattern.startswith(b"(*", at):
            raise RegexError("verbs such as (*SKIP) are not available")
        elif byte == b"$" and dollar_end_only:
            out.append(rb"\Z")
            at += 1
        else:
            out.append(byte)
            at += 1
    return b"".join(out)
