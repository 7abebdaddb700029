"""Results rendered from a match: ``literal%%1%%literal%%name%%``."""

from __future__ import annotations

import re

from ess.language.regex.compile import Match, Regex
from ess.language.regex.errors import RegexError

_REFERENCE = re.compile(rb"%%(\w+)%%")


class Template:
    """A template, checked against the expression whose groups it names.

    >>> from ess.language.regex import compile_regex
    >>> regex = compile_regex(rb"(.)-(.)", ["pcre"])
    >>> Template(b"<%%2%%%%1%%>", regex).render(regex.first(b"a-b"))
    b'<ba>'
    """

    def __init__(self, source: bytes, regex: Regex) -> None:
        self._parts: list[bytes | int | str] = []
        for index, part in enumerate(_REFERENCE.split(source)):
            if index % 2 == 0:
                self._parts.append(part)
                continue
            name = part.decode("ascii")
            if name.isdigit():
                if int(name) > regex.groups:
                    raise RegexError(f"%%{name}%%, but the expression has {regex.groups} groups")
                self._parts.append(int(name))
            else:
                if name not in regex.names:
                    raise RegexError(f"%%{name}%%, but the expression has no group of that name")
                self._parts.append(name)

    def render(self, match: Match) -> bytes:
        """The text for one match; a group that took no part is blank."""
        return b"".join(part if isinstance(part, bytes) else match.group(part) or b"" for part in self._parts)
