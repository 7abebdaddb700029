"""The recognition of formats that have a name, from lines of a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from ess.formats.known.definition import KnownFormat, Titles
from ess.formats.known.table import FORMATS

#: One line in so many need not have the form, of the first lines; and one of a few, but not of fewer than this.
_ONE_IN, _MOST_LINES, _LEAST_FOR_A_MISS = 10, 200, 4
#: A line of titles has at least so many, and a directive is one of the first lines.
_LEAST_TITLES, _FIRST_LINES = 3, 20
_FIELDS = re.compile(r"#\s*fields\s*:\s*(.*)", re.IGNORECASE | re.DOTALL)


def recognised(lines: Sequence[str]) -> KnownFormat | None:
    """The format that most of the lines have, or None.

    Args:
        lines: Some lines of a file without their ends, their bytes as Latin-1.

    >>> found = recognised(['192.0.2.1 - - [12/Mar/2026:10:15:32 +0100] "GET / HTTP/1.1" 200 10'])
    >>> found.name if found else ""
    'clf'
    """
    some = [line for line in lines if line][:_MOST_LINES]
    if not some:
        return None
    for known in FORMATS:
        if known.titles is not Titles.NONE and _titles_fit(known, some):
            return known
        if known.signature and _fits(some, _compiled(known.signature)):
            return known
    return None


def _titles_fit(known: KnownFormat, lines: Sequence[str]) -> bool:
    """True if the first lines have titles as the format has them."""
    if known.titles is Titles.LINE:
        words = lines[0].split(" ")
        return len(words) >= _LEAST_TITLES and all(known.field_of(word) is not None for word in words)
    if known.titles is not Titles.DIRECTIVE or not lines[0].startswith("#"):
        return False
    found = next((match for line in lines[:_FIRST_LINES] if (match := _FIELDS.match(line))), None)
    return found is not None and (not known.order or set(known.order[2:4]) <= set(found[1].split()))


@cache
def _compiled(signature: str) -> re.Pattern[str]:
    return re.compile(signature, re.DOTALL)


def _fits(lines: Sequence[str], signature: re.Pattern[str]) -> bool:
    """True if nearly all lines have the form."""
    allowed = len(lines) // _ONE_IN or int(len(lines) >= _LEAST_FOR_A_MISS)
    misses = 0
    for line in lines:
        misses += signature.fullmatch(line) is None
        if misses > allowed:
            return False
    return True
