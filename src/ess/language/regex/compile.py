"""Attributes and a pattern to a compiled expression."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ess.language.regex.errors import RegexError
from ess.language.regex.perl import translate_perl
from ess.language.regex.posix import translate_posix

_POSIX_WORDS = frozenset({"rx", "rx_extended", "rx_icase", "rx_newline"})
_PERL_FLAGS = {
    "caseless": re.IGNORECASE,
    "dotall": re.DOTALL,
    "extended": re.VERBOSE,
    "multiline": re.MULTILINE,
}
_PERL_OWN = frozenset({"pcre", "anchored", "dollar_endonly", "notempty", "notempty_atstart", "utf", "ucp"})
# These only forbid something or speed the other engine up.
_PERL_WITHOUT_EFFECT = frozenset(
    {"never_backslash_c", "never_ucp", "never_utf", "no_dotstar_anchor", "no_start_optimize", "no_utf_check"}
)
_PERL_MISSING = frozenset(
    {
        "allow_empty_class",
        "alt_bsux",
        "alt_circumflex",
        "alt_verbnames",
        "dupnames",
        "firstline",
        "match_unset_backref",
        "notbol",
        "noteol",
        "ungreedy",
    }
)
_PERL_WORDS = frozenset(_PERL_FLAGS) | _PERL_OWN | _PERL_WITHOUT_EFFECT | _PERL_MISSING

#: All attributes that choose how a regular expression works.
REGEX_WORDS = frozenset({"ncas"}) | _POSIX_WORDS | _PERL_WORDS


class Match(Protocol):
    """What is needed of a match."""

    def start(self) -> int:
        """Where it begins, in bytes."""
        ...

    def end(self) -> int:
        """Where it ends, in bytes."""
        ...

    def group(self, group: int | str, /) -> bytes | None:
        """A group's text; None if it took no part."""
        ...


@dataclass(frozen=True)
class _TextMatch:
    """A match in decoded text, seen as bytes."""

    match: re.Match[str]

    def start(self) -> int:
        return len(_encode(self.match.string[: self.match.start()]))

    def end(self) -> int:
        return len(_encode(self.match.string[: self.match.end()]))

    def group(self, group: int | str, /) -> bytes | None:
        text = self.match[group]
        return None if text is None else _encode(text)


@dataclass(frozen=True)
class Regex:
    """A compiled expression: of bytes, or of text (attributes ``utf`` and ``ucp``)."""

    pattern: re.Pattern[bytes] | re.Pattern[str]
    anchored: bool = False
    not_empty: bool = False
    not_empty_at_start: bool = False

    @property
    def groups(self) -> int:
        """How many groups it has."""
        return self.pattern.groups

    @property
    def names(self) -> frozenset[str]:
        """The names of its named groups."""
        return frozenset(self.pattern.groupindex)

    def matches(self, value: bytes) -> Iterator[Match]:
        """All matches from left to right, none overlapping."""
        found: Iterator[Match]
        if isinstance(self.pattern.pattern, bytes):
            found = self.pattern.finditer(value)
        else:
            text = value.decode("utf-8", "surrogateescape")
            found = (_TextMatch(match) for match in self.pattern.finditer(text))
        expected = 0
        for match in found:
            if self.anchored and match.start() != expected:
                return
            expected = match.end()
            empty = match.start() == match.end()
            if not (empty and (self.not_empty or (self.not_empty_at_start and match.start() == 0))):
                yield match

    def first(self, value: bytes) -> Match | None:
        """The leftmost match."""
        if self.is_plain:
            return self.pattern.search(value)  # type: ignore[call-overload]
        return next(self.matches(value), None)

    @property
    def is_plain(self) -> bool:
        """Whether ``pattern.search`` over bytes says everything."""
        restricted = self.anchored or self.not_empty or self.not_empty_at_start
        return isinstance(self.pattern.pattern, bytes) and not restricted


def compile_regex(pattern: bytes, words: Sequence[str]) -> Regex:
    r"""Compile a pattern under the attributes of the manual's section "RegEx Attributes".

    POSIX basic syntax is the default. Upper and lower case are ASCII's unless ``utf`` is given.

    >>> compile_regex(rb"\([0-9]*\)x", []).first(b"a12x").group(1)
    b'12'
    >>> compile_regex(rb"(B+)", ["pcre", "ncas"]).first(b"abbc").group(1)
    b'bb'

    Raises:
        RegexError: If the pattern is malformed, attributes contradict each other or one is not
            available.
    """
    chosen = set(words)
    unknown = chosen - REGEX_WORDS
    if unknown:
        raise RegexError(f"unknown regular expression attribute '{min(unknown)}'")
    if chosen & _POSIX_WORDS and chosen & _PERL_WORDS:
        raise RegexError(f"'{min(chosen & _POSIX_WORDS)}' and '{min(chosen & _PERL_WORDS)}' are of different engines")
    if chosen & _PERL_MISSING:
        raise RegexError(f"attribute '{min(chosen & _PERL_MISSING)}' is not available")
    perl = bool(chosen & _PERL_WORDS)
    flags = re.IGNORECASE if chosen & {"ncas", "rx_icase"} else re.NOFLAG
    if perl:
        for word in chosen & _PERL_FLAGS.keys():
            flags |= _PERL_FLAGS[word]
        source = translate_perl(pattern, dollar_end_only="dollar_endonly" in chosen)
    else:
        newline = "rx_newline" in chosen
        flags |= re.DOTALL | (re.MULTILINE if newline else re.NOFLAG)
        source = translate_posix(pattern, extended="rx_extended" in chosen, newline=newline)
    return Regex(
        _compile(source, flags, text=bool(chosen & {"utf", "ucp"}), unicode="ucp" in chosen),
        "anchored" in chosen,
        "notempty" in chosen,
        "notempty_atstart" in chosen,
    )


def _compile(source: bytes, flags: re.RegexFlag, *, text: bool, unicode: bool) -> re.Pattern[bytes] | re.Pattern[str]:
    try:
        if text:
            decoded = source.decode("utf-8", "surrogateescape")
            return re.compile(decoded, flags if unicode else flags | re.ASCII)
        return re.compile(source, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexError(str(error)) from None


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
