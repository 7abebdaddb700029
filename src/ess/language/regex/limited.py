"""Python's own regular expressions on text, with a limit of time where a search may take long."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ess.language.regex.effort import SHORT
from ess.language.regex.errors import RegexError, SlowPatternError
from ess.language.regex.search import LIMIT

_SHOWN = 80


class LimitedPattern:
    """A pattern in Python's syntax, in which ``.`` matches a line end as well.

    >>> LimitedPattern("b(?P<n>[0-9])").search("ab1")["n"]
    '1'

    Raises:
        RegexError: If the pattern is malformed.
    """

    def __init__(self, source: str, *, where: str = "") -> None:
        self._source, self._where = source, where
        try:
            self._quick = re.compile(source, re.DOTALL)
        except (re.error, OverflowError, RecursionError) as error:
            raise RegexError(str(error)) from None
        self._unwatched = _unwatched(source)
        if self._unwatched <= SHORT:
            self._watched  # noqa: B018 - compiles it, so that what is wrong is said now

    @property
    def groupindex(self) -> Mapping[str, int]:
        """The names of its groups."""
        return self._quick.groupindex

    def search(self, text: str) -> re.Match[str] | None:
        """The first match.

        Raises:
            SlowPatternError: If the search takes too long.
        """
        if len(text) <= self._unwatched:
            return self._quick.search(text)
        try:
            found: re.Match[str] | None = self._watched.search(text, timeout=LIMIT)
        except (TimeoutError, MemoryError):
            shown = self._source if len(self._source) <= _SHOWN else self._source[:_SHOWN] + "..."
            costs = f"more than {LIMIT:g} s, or too much memory, for a text of {len(text)} characters"
            raise SlowPatternError(
                f"regular expression '{shown}' takes {costs}",
                where=self._where,
                hint="avoid repetitions inside of repetitions and alternatives that match the same",
            ) from None
        return found

    @cached_property
    def _watched(self) -> Any:
        import regex  # only few patterns need it

        try:
            return regex.compile(self._source, regex.DOTALL | regex.VERSION0)
        except (regex.error, OverflowError, RecursionError, ValueError, MemoryError) as error:
            raise RegexError(str(error)) from None


def _unwatched(source: str) -> int:
    """The length of a text up to which a search ends soon, judged as for Perl's patterns, which are much alike."""
    from ess.language.regex.perl import translate_perl
    from ess.language.regex.perl_syntax import PerlOptions

    judged = source.replace("(?ai:", "(?i:").encode("utf-8", "surrogateescape")
    try:
        return translate_perl(judged, PerlOptions(modes=frozenset("s"), text=True)).effort.unwatched
    except RegexError:
        return -1
