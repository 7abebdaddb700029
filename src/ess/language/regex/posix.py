r"""POSIX regular expressions, basic and extended, in the syntax that ``re`` and ``regex`` share.

``\b`` is a backspace, as the manual says of its patterns; ``\< \>`` are the ends of a word, ``\B`` is
where none begins or ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ess.language.regex.brackets import translate_bracket
from ess.language.regex.effort import Effort
from ess.language.regex.errors import RegexError

_INTERVAL = re.compile(rb"(\d*)(?:(,)(\d*))?")
_MOST_TIMES = 32767
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
    b"B": rb"(?:\B|\A\Z)",  # alone, \B does not match an empty value
    b"`": rb"\A",
    b"'": rb"\Z",
}
_TIMES: dict[bytes, tuple[int, int | None]] = {b"*": (0, None), b"+": (1, None), b"?": (0, 1)}


@dataclass(frozen=True)
class PosixPattern:
    """A translated pattern, how many groups it has and what it may cost."""

    source: bytes
    groups: int
    effort: Effort


def translate_posix(pattern: bytes, *, extended: bool, newline: bool) -> PosixPattern:
    r"""``pattern`` as ``re`` takes it; to be compiled with DOTALL (MULTILINE if ``newline``).

    >>> translate_posix(rb"^\(.*\) ABC \{2\}$", extended=False, newline=False).source
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
        self._groups = 0
        self._closed: set[int] = set()
        self._open: list[tuple[int, int]] = []  # number and where it begins in _out
        self._piece = 0  # where in _out what a repetition repeats begins
        self._start = True  # where a star is a literal and ^ an anchor
        self._repeated = False
        self._after_group = False
        self._effort = Effort()

    def translate(self) -> PosixPattern:
        self._effort.anchored = self._pattern[:1] == b"^" and not self._newline
        while self._at < len(self._pattern):
            self._step()
        if self._open:
            raise RegexError("'(' without ')'")
        return PosixPattern(b"".join(self._out), self._groups, self._effort)

    def _step(self) -> None:
        byte = self._pattern[self._at : self._at + 1]
        following = self._pattern[self._at + 1 : self._at + 2]
        if byte == b"\\":
            if not following:
                raise RegexError("a backslash at the end")
            self._at += 2
            self._escaped(following)
        elif byte == b"[":
            text, self._at = translate_bracket(self._pattern, self._at, no_newline=self._newline)
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
            self._effort.refer_back()
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
                self._repeat(b"*", *_TIMES[b"*"])
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
            self._open.append((self._groups, len(self._out)))
            self._out.append(b"(")
            self._effort.open()
            self._start = True
        elif byte == b")":
            if not self._open:
                if self._extended:  # POSIX leaves a lone ")" undefined; it is taken as itself
                    self._literal(rb"\)")
                    return
                raise RegexError("')' without '('")
            number, self._piece = self._open.pop()
            self._closed.add(number)
            self._out.append(b")")
            self._effort.close()
            self._start = self._repeated = False
            self._after_group = True
        elif byte == b"|":
            self._out.append(b"|")
            self._effort.alternative()
            self._effort.anchored = False
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
            self._repeat(byte, *_TIMES[byte])

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
        if low > _MOST_TIMES or high > _MOST_TIMES or (match[3] and high < low):
            raise RegexError("bad repeat count")
        if self._start:
            raise RegexError("nothing to repeat before '{'")
        self._at = end + len(closing)
        most = high if match[3] else None if match[2] else low
        self._repeat(b"{" + (match[1] or b"0") + (match[2] or b"") + (match[3] or b"") + b"}", low, most)

    def _repeat(self, operator: bytes, least: int, most: int | None) -> None:
        if self._repeated:  # "a**" is allowed; Python wants a group around the inner one
            self._effort.open()
            self._effort.repeat(0, None, group=False)
            self._effort.close()
            self._effort.repeat(least, most, group=True)
            self._out[self._piece] = b"(?:" + self._out[self._piece]
            self._out.append(b")")
        else:
            self._effort.repeat(least, most, group=self._after_group)
        self._out.append(operator)
        self._repeated = True

    def _literal(self, text: bytes) -> None:
        self._piece = len(self._out)
        self._out.append(text)
        self._start = self._repeated = self._after_group = False
