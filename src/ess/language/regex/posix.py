r"""POSIX regular expressions, basic and extended, in Python's syntax.

Known differences: where alternatives match at one place, Python takes the first that leads to
a match, POSIX the longest. ``\b`` is a backspace, as the manual says of all its patterns;
``\< \>`` are the ends of a word.
"""

from __future__ import annotations

import re

from ess.language.regex.brackets import translate_bracket
from ess.language.regex.errors import RegexError

_INTERVAL = re.compile(rb"(\d*)(?:(,)(\d*))?")
_ESCAPES = {
    b"n": rb"\n",
    b"t": rb"\t",
    b"r": rb"\r",
    b"f": rb"\f",
    b"v": rb"\v",
    b"b": rb"\x08",
    b"0": rb"\x00",
    b"w": rb"[A-Za-z0-9_]",
    b"W": rb"[^A-Za-z0-9_]",
    b"s": rb"[ \t\n\r\f\v]",
    b"S": rb"[^ \t\n\r\f\v]",
    b"d": rb"[0-9]",
    b"D": rb"[^0-9]",
    b"<": rb"\b(?=\w)",
    b">": rb"\b(?<=\w)",
    b"`": rb"\A",
    b"'": rb"\Z",
}


def translate_posix(pattern: bytes, *, extended: bool, newline: bool) -> bytes:
    r"""``pattern`` as Python's ``re`` takes it; to be compiled with DOTALL (MULTILINE if ``newline``).

    >>> translate_posix(rb"^\(.*\) ABC \{2\}$", extended=False, newline=False)
    b'^(.*)\\ ABC\\ {2}\\Z'

    Raises:
        RegexError: If the pattern is malformed.
    """
    return _Translator(pattern, extended, newline).translate()


class _Translator:
    def __init__(self, pattern: bytes, extended: bool, newline: bool) -> None:
        self._pattern = pattern
        self._extended = extended
        self._newline = newline
        self._at = 0
        self._out: list[bytes] = []
        self._depth = 0
        self._groups = 0
        self._closed: set[int] = set()
        self._open: list[int] = []
        self._start = True  # where a star is a literal and ^ an anchor
        self._repeated = False

    def translate(self) -> bytes:
        while self._at < len(self._pattern):
            self._step()
        if self._open:
            raise RegexError("'(' without ')'")
        return b"".join(self._out)

    def _step(self) -> None:
        byte = self._pattern[self._at : self._at + 1]
        following = self._pattern[self._at + 1 : self._at + 2]
        if byte == b"\\":
            if not following:
                raise RegexError("a backslash at the end")
            self._at += 2
            self._escaped(following)
        elif byte == b"[":
            text, self._at = translate_bracket(
                self._pattern, self._at, backslash_escapes=False, no_newline=self._newline
            )
            self._literal(text)
        else:
            self._at += 1
            self._plain(byte)

    def _escaped(self, byte: bytes) -> None:
        if not self._extended and byte in b"(){}|+?":
            self._operator(byte)
        elif byte in b"123456789":
            if int(byte) not in self._closed:
                raise RegexError(f"\\{byte.decode()} before the end of that group")
            self._literal(b"(?:\\" + byte + b")")
        elif byte == b"x" and re.match(rb"[0-9A-Fa-f]{2}", self._pattern[self._at : self._at + 2]):
            self._literal(b"\\x" + self._pattern[self._at : self._at + 2])
            self._at += 2
        else:
            self._literal(_ESCAPES.get(byte) or re.escape(byte))

    def _plain(self, byte: bytes) -> None:
        if byte == b"*":
            if self._start:
                self._literal(rb"\*")
            else:
                self._repeat(b"*")
        elif byte == b".":
            self._literal(rb"[^\n]" if self._newline else b".")
        elif byte == b"^" and (self._extended or self._start):
            self._out.append(b"^")
        elif byte == b"$" and (self._extended or self._at_end()):
            self._out.append(b"$" if self._newline else rb"\Z")
        elif self._extended and byte in b"(){|+?":
            self._operator(byte)
        else:
            self._literal(re.escape(byte))

    def _at_end(self) -> bool:
        rest = self._pattern[self._at :]
        return not rest or rest.startswith((rb"\)", rb"\|"))

    def _operator(self, byte: bytes) -> None:
        if byte == b"(":
            self._groups += 1
            self._open.append(self._groups)
            self._out.append(b"(")
            self._start = True
        elif byte == b")":
            if not self._open:
                if self._extended:  # POSIX leaves a lone ")" undefined; it is taken as itself
                    self._literal(rb"\)")
                    return
                raise RegexError("')' without '('")
            self._closed.add(self._open.pop())
            self._out.append(b")")
            self._start = self._repeated = False
        elif byte == b"|":
            self._out.append(b"|")
            self._start = True
        elif byte == b"{":
            self._interval()
        elif byte == b"}":
            raise RegexError("'}' without '{'")
        elif self._start:
            if self._extended:
                raise RegexError(f"nothing to repeat before '{byte.decode()}'")
            self._literal(re.escape(byte))
        else:
            self._repeat(byte)

    def _interval(self) -> None:
        match = _INTERVAL.match(self._pattern, self._at)
        closing = b"}" if self._extended else rb"\}"
        end = match.end() if match else self._at
        if not match or not self._pattern.startswith(closing, end) or not (match[1] or match[3]):
            if self._extended:
                self._literal(rb"\{")
                return
            raise RegexError("bad repeat count")
        low, high = int(match[1] or 0), int(match[3] or 0)
        if low > 255 or high > 255 or (match[3] and high < low):
            raise RegexError("bad repeat count")
        self._at = end + len(closing)
        self._repeat(b"{" + (match[1] or b"0") + (match[2] or b"") + (match[3] or b"") + b"}")

    def _repeat(self, operator: bytes) -> None:
        if self._repeated:  # "a**" is allowed; Python wants a group around the inner one
            piece = self._out.pop()
            self._out.append(b"(?:" + piece + b")" + operator)
            return
        if self._out:
            self._out[-1] += operator
        self._repeated = not self._out[-1].startswith(b")")

    def _literal(self, text: bytes) -> None:
        self._out.append(text)
        self._start = self._repeated = False
