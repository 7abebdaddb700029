"""RT patterns: ``From=%%ORG:@b:3-3%%To=%*``, matched against a whole value.

A pattern is translated to a regular expression of bytes. Where a pattern leaves a choice, a
variable without restrictions and the wild card ``%*`` take as little as they can, and a variable
that is restricted to certain bytes takes as much as it can.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ess.language.mapping.escapes import escape_at, find_unescaped, unescape

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
    """What is wrong with a pattern or a template."""


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern and the names of its variables, in order, one for each group (``*`` is not stored)."""

    expression: re.Pattern[bytes]
    names: tuple[str, ...]

    def extract(self, value: bytes) -> tuple[bytes, ...] | None:
        """The variables' values if the whole value matches."""
        match = self.expression.fullmatch(value)
        return None if match is None else match.groups(b"")


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
    parts: list[bytes] = []
    names: list[str] = []
    literal: list[bytes] = []

    def end_literal() -> None:
        if literal:
            text = re.escape(b"".join(literal))
            parts.append(b"(?i:" + text + b")" if ignore_case else text)
            literal.clear()

    position = 0
    while position < len(source):
        if source.startswith(b"%%", position):
            end = find_unescaped(source, b"%%", position + 2)
            # %%x%%% is the variable and a % that belongs to what follows, as in %%x%%%*.
            if end < 0:
                raise PatternError("a variable that begins with %% has no %% at its end")
            end_literal()
            name, expression = _variable(source[position + 2 : end])
            names.append(name)
            parts.append(b"(" + expression + b")")
            position = end + 2
        elif source[position : position + 2] in (b"%*", b"%?", b"%="):
            end_literal()
            sign = source[position + 1 : position + 2]
            if sign == b"=":
                ignore_case = not ignore_case
            else:
                parts.append(b".*?" if sign == b"*" else b".")
            position += 2
        elif source[position : position + 1] == b"\\":
            resolved, position = escape_at(source, position)
            literal.append(resolved)
        else:
            literal.append(source[position : position + 1])
            position += 1
    end_literal()
    try:
        return Pattern(re.compile(b"".join(parts), re.DOTALL), tuple(names))
    except (re.error, OverflowError) as error:
        raise PatternError(str(error)) from None


def _variable(spec: bytes) -> tuple[str, bytes]:
    """The name of a variable and the expression for what it takes."""
    head, breaks = _split_breaks(spec)
    name, *attributes = _split_attributes(head)
    if not _NAME.match(name):
        raise PatternError(f"bad variable name '{name}'")
    allowed = b""
    least, most = "0", ""
    for attribute in attributes:
        if attribute.startswith("@"):
            for letter in attribute[1:]:
                if letter not in _CLASSES:
                    raise PatternError(f"unknown character class '{letter}' of variable '{name}'; known are nabcxsgq")
                allowed += _CLASSES[letter]
        elif attribute.startswith("["):
            allowed += _escaped(unescape(attribute[1:-1].encode("utf-8", "surrogateescape")))
        elif lengths := _LENGTHS.match(attribute):
            least, most = lengths[1], lengths[2] or ""
            if most and int(most) < int(least):
                raise PatternError(f"'{attribute}' of variable '{name}' has a maximum below its minimum")
        else:
            raise PatternError(f"'{attribute}' of variable '{name}' is neither @class, [chars] nor min-max")
    count = f"{{{least},{most}}}".encode("ascii")
    if allowed:
        without = b"(?![" + _escaped(unescape(breaks)) + b"])" if breaks else b""
        return name, b"(?:" + without + b"[" + allowed + b"])" + count
    if breaks:
        return name, b"[^" + _escaped(unescape(breaks)) + b"]" + count
    return name, b"." + count + b"?"


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
