"""RT patterns: ``From=%%ORG:@b:3-3%%To=%*``, matched against a whole value.

A pattern is translated to a regular expression of bytes. Where a pattern leaves a choice, a
variable without restrictions and the wild card ``%*`` take as little as they can, and a variable
that is restricted to certain bytes takes as much as it can.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ess.language.mapping.escapes import escape_at, find_unescaped, unescape
from ess.language.regex import RegexError, Search
from ess.language.regex.effort import Effort
from ess.language.regex.search import Engine, Regex

_CLASSES = {
    "n": rb"0-9",
    "a": rb"a-z",
    "b": rb"A-Z",
    "c": rb"\x20-\x7e",
    "x": rb"\x00-\x1f\x7f-\xff",
    "s": rb" \t\n\v\f\r",
    "g": rb"{}\[\]()",
    "q": rb"'\"`",
}
_LENGTHS = re.compile(r"([0-9]+)(?:-([0-9]+))?\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z|\*\Z")


class PatternError(ValueError):
    """Raised for a wrong pattern or template; the text says what is wrong."""


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern and the names of its variables, in lower case and in order, one for each group.

    ``*`` is not stored.
    """

    search: Search
    names: tuple[str, ...]

    def extract(self, value: bytes) -> tuple[bytes, ...] | None:
        """The variables' values if the whole value matches, else None.

        Raises:
            SlowPatternError: If the search takes too long.
        """
        match = self.search(value)
        return None if match is None else match.groups(b"")


@dataclass
class _Pieces:
    """The expression under construction: pieces that take what they can get, and what is between them."""

    parts: list[bytes] = field(default_factory=list)
    effort: Effort = field(default_factory=Effort)
    _lazy: int = -1  # the last piece of any length that takes as little as it can, if only literals came after it

    def fixed(self, part: bytes) -> None:
        """A literal, or one byte of any kind."""
        self.parts.append(part)

    def any_length(self, part: bytes, *, most: int | None, least: int, lazy: bool) -> None:
        """A variable or a wild card.

        Between two of them that may hold anything, the first place where the literals fit is as good as any later
        one, because the second can hold what is between. So that place need not be given up (``(?>...)``), and a
        value that does not match costs no more than one that does.
        """
        free = lazy and most is None
        if self._lazy >= 0 and free and self._lazy < len(self.parts) - 1:
            self.parts[self._lazy] = b"(?>" + self.parts[self._lazy]
            self.parts.append(b")")
        elif self._lazy >= 0:
            self.effort.repeat(0, None, group=False)
        if not free:
            self.effort.repeat(least, most, group=False)
        self._lazy = len(self.parts) if free else -1
        self.parts.append(part)

    def compiled(self, source: bytes, names: list[str]) -> Pattern:
        """The pattern.

        Raises:
            PatternError: If it is too large.
        """
        self.effort.anchored = True
        expression = b"".join(self.parts) + rb"\Z"
        engine = Engine(
            expression, ignore_case=False, multiline=False, text=False, longest=False, unwatched=self.effort.unwatched
        )
        try:
            search = Regex(source, engine, {}, (), anchored=True).search()
        except RegexError as error:
            raise PatternError(str(error)) from None
        return Pattern(search, tuple(names))


def compile_pattern(source: bytes, *, ignore_case: bool) -> Pattern:
    r"""Compile an RT pattern.

    Args:
        source: Literals, ``%*`` (any bytes), ``%?`` (any one byte), ``%=`` (toggles case sensitivity of the literals
            that follow), ``%%Name[:@class][:[chars]][:min[-max]][,brks]%%``, and backslash sequences.
        ignore_case: Whether literals match in either case to begin with; ASCII letters only.

    Raises:
        PatternError: If a variable's spec is malformed.

    >>> compile_pattern(b"From=%%ORG:@b:3-3%%To=%*", ignore_case=False).extract(b"From=ISGTo=OKA")
    (b'ISG',)
    >>> compile_pattern(b"%%a,,;%%%*", ignore_case=False).extract(b"x y;z")
    (b'x y',)
    """
    pieces = _Pieces()
    names: list[str] = []
    literal: list[bytes] = []

    def end_literal() -> None:
        if literal:
            text = re.escape(b"".join(literal))
            pieces.fixed(b"(?i:" + text + b")" if ignore_case else text)
            literal.clear()

    position = 0
    while position < len(source):
        if source.startswith(b"%%", position):
            end = find_unescaped(source, b"%%", position + 2)
            # %%x%%% is the variable and a % that belongs to what follows, as in %%x%%%*.
            if end < 0:
                raise PatternError("a variable that begins with %% has no %% at its end")
            end_literal()
            name, taken = _variable(source[position + 2 : end])
            names.append(name)
            pieces.any_length(b"(" + taken.expression + b")", most=taken.most, least=taken.least, lazy=taken.lazy)
            position = end + 2
        elif source[position : position + 2] in (b"%*", b"%?", b"%="):
            end_literal()
            sign = source[position + 1 : position + 2]
            if sign == b"=":
                ignore_case = not ignore_case
            elif sign == b"*":
                pieces.any_length(b".*?", most=None, least=0, lazy=True)
            else:
                pieces.fixed(b".")
            position += 2
        elif source[position : position + 1] == b"\\":
            resolved, position = escape_at(source, position)
            literal.append(resolved)
        else:
            literal.append(source[position : position + 1])
            position += 1
    end_literal()
    return pieces.compiled(source, names)


@dataclass(frozen=True)
class _Taken:
    """The bytes that a variable takes: an expression, its minimum and maximum, True if it takes as few as it can."""

    expression: bytes
    least: int
    most: int | None
    lazy: bool


def _variable(spec: bytes) -> tuple[str, _Taken]:
    """The name of a variable and what it takes."""
    head, breaks = _split_breaks(spec)
    name, *attributes = _split_attributes(head)
    if not _NAME.match(name):
        raise PatternError(f"bad variable name '{name}'")
    name = name.lower()
    allowed = b""
    least, most = 0, None
    for attribute in attributes:
        if attribute.startswith("@"):
            for letter in attribute[1:]:
                if letter not in _CLASSES:
                    raise PatternError(f"unknown character class '{letter}' of variable '{name}'; known: nabcxsgq")
                allowed += _CLASSES[letter]
        elif attribute.startswith("["):
            allowed += _escaped(unescape(attribute[1:-1].encode("utf-8", "surrogateescape")))
        elif lengths := _LENGTHS.match(attribute):
            least, most = int(lengths[1]), int(lengths[2]) if lengths[2] else None
            if most is not None and most < least:
                raise PatternError(f"'{attribute}' of variable '{name}' has a maximum below its minimum")
        else:
            raise PatternError(f"'{attribute}' of variable '{name}' is neither @class, [chars] nor min-max")
    count = b"{%d,%s}" % (least, b"" if most is None else b"%d" % most)
    if allowed:
        without = b"(?![" + _escaped(unescape(breaks)) + b"])" if breaks else b""
        return name, _Taken(b"(?:" + without + b"[" + allowed + b"])" + count, least, most, lazy=False)
    if breaks:
        return name, _Taken(b"[^" + _escaped(unescape(breaks)) + b"]" + count, least, most, lazy=False)
    return name, _Taken(b"." + count + b"?", least, most, lazy=True)


def _split_breaks(spec: bytes) -> tuple[bytes, bytes]:
    """The part before the comma and the bytes behind it; a comma between brackets does not count."""
    bracket = spec.find(b":[")
    start = 0
    if bracket >= 0:
        # A ] right behind the [ is one of the characters.
        start = spec.find(b"]", bracket + 3)
        start = len(spec) if start < 0 else start
    comma = spec.find(b",", 0, bracket if bracket >= 0 else len(spec))
    if comma < 0:
        comma = find_unescaped(spec, b",", start)
    return (spec, b"") if comma < 0 else (spec[:comma], spec[comma + 1 :])


def _split_attributes(head: bytes) -> list[str]:
    """The name and the attributes; the characters between brackets may hold colons."""
    text = head.decode("utf-8", "surrogateescape")
    parts: list[str] = []
    while text:
        if text.startswith("[") and parts:
            end = text.find("]", 2)
            if end < 0:
                raise PatternError(f"'[' without ']' in variable '{parts[0]}'")
            parts.append(text[: end + 1])
            text = text[end + 1 :].removeprefix(":")
        else:
            part, _, text = text.partition(":")
            parts.append(part)
    return parts or [""]


def _escaped(members: bytes) -> bytes:
    """Bytes as members of a bracket expression."""
    return b"".join(b"\\x%02x" % byte for byte in members)
