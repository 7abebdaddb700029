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
        self._head, *parts = _REFERENCE.split(source)
        references = [_groups(name.decode("ascii"), regex) for name in parts[::2]]
        self._rest = list(zip(references, parts[1::2], strict=True))

    def render(self, match: Match) -> bytes:
        """The text for one match; a group that took no part is blank."""
        text = self._head
        for groups, literal in self._rest:
            text += (match.group(groups[0]) or first_of(match, groups)) + literal
        return text


def _groups(name: str, regex: Regex) -> tuple[int, ...]:
    """The numbers of the groups that a reference means."""
    groups = regex.groups_of(name)
    if groups:
        return groups
    missing = f"{len(regex.groups)} groups" if name.isdigit() else "no group of that name"
    raise RegexError(f"%%{name}%%, but the expression has {missing}")


def first_of(match: Match, groups: tuple[int, ...]) -> bytes:
    """The text of the first of some groups that took part; blank if none did."""
    for group in groups:
        text = match.group(group)
        if text is not None:
            return text
    return b""
