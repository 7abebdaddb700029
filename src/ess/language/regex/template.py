"""Results rendered from a match: ``literal%%1%%literal%%name%%``."""

from __future__ import annotations

import re

from ess.language.regex.errors import RegexError
from ess.language.regex.search import Match, Regex

_REFERENCE = re.compile(rb"%%(\w+)%%")


class Template:
    """A template, checked against the expression whose groups it names.

    >>> from ess.language.regex import compile_regex
    >>> regex = compile_regex(rb"(.)-(?<last>.)", ["pcre"])
    >>> Template(b"<%%last%%%%1%%>", regex).render(regex.search()(b"a-b"))
    b'<ba>'
    """

    def __init__(self, source: bytes, regex: Regex) -> None:
        self._parts: list[bytes | tuple[int, ...]] = []
        for index, part in enumerate(_REFERENCE.split(source)):
            if index % 2 == 0:
                self._parts.append(part)
                continue
            name = part.decode("ascii")
            if name.isdigit():
                if int(name) > regex.groups:
                    raise RegexError(f"%%{name}%%, but the expression has {regex.groups} groups")
                self._parts.append((int(name),))
            else:
                groups = regex.groups_of(name)
                if not groups:
                    raise RegexError(f"%%{name}%%, but the expression has no group of that name")
                self._parts.append(groups)

    def render(self, match: Match) -> bytes:
        """The text for one match; a group that took no part is blank."""
        return b"".join(part if isinstance(part, bytes) else first_of(match, part) for part in self._parts)


def first_of(match: Match, groups: tuple[int, ...]) -> bytes:
    """The text of the first of some groups that took part; blank if none did."""
    for group in groups:
        text = match.group(group)
        if text is not None:
            return text
    return b""
