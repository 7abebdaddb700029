"""Templates: ``Month=%%TIME:4:2%%``, rendered from extracted values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ess.language.mapping.escapes import escape_at, find_unescaped, unescape
from ess.language.mapping.pattern import PatternError
from ess.language.text_codes import base64_decode, url_decode

_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
_URL = re.compile(r"url([1-9][0-9]?)?\Z")


@dataclass(frozen=True)
class Part:
    """A variable's place in a template: which bytes of its value to take, where to stop, how to decode them."""

    name: str
    start: int
    length: int | None
    breaks: bytes
    url_decodes: int
    base64: bool

    def render(self, value: bytes) -> bytes:
        """The text for one value: cut first, decoded then."""
        value = value[self.start :] if self.length is None else value[self.start : self.start + self.length]
        if self.breaks:
            value = value[: next((i for i, byte in enumerate(value) if byte in self.breaks), len(value))]
        for _ in range(self.url_decodes):
            value = url_decode(value)
        return base64_decode(value) if self.base64 else value


@dataclass(frozen=True)
class Template:
    """A parsed template."""

    parts: tuple[bytes | Part, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The variables it refers to in lower case, each once, in order of first mention."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Part)))

    def render(self, values: Mapping[str, bytes]) -> bytes:
        """The text for these values."""
        return b"".join(part if isinstance(part, bytes) else part.render(values[part.name]) for part in self.parts)


def parse_template(source: bytes) -> Template:
    """Parse literals, ``%%Name[:cnv][[:start]:length][,brks]%%`` and backslash sequences.

    Raises:
        PatternError: If a variable's spec is malformed.

    >>> parse_template(b"Month=%%TIME:4:2%%").render({"time": b"20150904"})
    b'Month=09'
    """
    parts: list[bytes | Part] = []
    literal: list[bytes] = []
    position = 0
    while position < len(source):
        if source.startswith(b"%%", position):
            end = find_unescaped(source, b"%%", position + 2)
            if end < 0:
                raise PatternError("a variable that begins with %% has no %% at its end")
            parts += [b"".join(literal), _part(source[position + 2 : end])]
            literal.clear()
            position = end + 2
        elif source[position : position + 1] == b"\\":
            resolved, position = escape_at(source, position)
            literal.append(resolved)
        else:
            literal.append(source[position : position + 1])
            position += 1
    return Template((*(part for part in parts if part != b""), b"".join(literal)))


def _part(spec: bytes) -> Part:
    comma = find_unescaped(spec, b",", 0)
    head, breaks = (spec, b"") if comma < 0 else (spec[:comma], spec[comma + 1 :])
    name, *attributes = head.decode("utf-8", "surrogateescape").split(":")
    if not _NAME.match(name):
        raise PatternError(f"bad variable name '{name}'")
    numbers: list[int] = []
    url_decodes, base64 = 0, False
    for attribute in attributes:
        if attribute == "b64":
            base64 = True
        elif url := _URL.match(attribute):
            url_decodes = int(url[1] or 1)
        elif attribute.isascii() and attribute.isdigit() and len(numbers) < 2:
            numbers.append(int(attribute))
        else:
            raise PatternError(f"'{attribute}' of variable '{name}' is neither b64, url[Num], length nor start:length")
    start = numbers[0] if len(numbers) == 2 else 0
    length = numbers[-1] if numbers else None
    return Part(name.lower(), start, length, unescape(breaks), url_decodes, base64)
