"""Attributes and a pattern to a compiled expression."""

from __future__ import annotations

from collections.abc import Sequence

from ess.language.regex.errors import RegexError
from ess.language.regex.posix import translate_posix
from ess.language.regex.search import Engine, Regex

_POSIX_WORDS = frozenset({"rx", "rx_extended", "rx_icase", "rx_newline"})
_MODES = {"caseless": "i", "dotall": "s", "multiline": "m", "extended": "x", "ungreedy": "U", "dupnames": "J"}
_PERL_WORDS = frozenset(_MODES) | {
    "allow_empty_class",
    "alt_bsux",
    "alt_circumflex",
    "alt_verbnames",
    "anchored",
    "dollar_endonly",
    "firstline",
    "match_unset_backref",
    "never_backslash_c",
    "never_ucp",
    "never_utf",
    "no_dotstar_anchor",
    "no_start_optimize",
    "no_utf_check",
    "notbol",
    "notempty",
    "notempty_atstart",
    "noteol",
    "pcre",
    "ucp",
    "utf",
}
# A match must end elsewhere than it began: the first group holds what follows its beginning.
_NOT_EMPTY = (b"(?=((?s:.*)))(?:", b")(?!\\1\\Z)")
_NOT_EMPTY_AT_START = (b"(?:", b")(?!\\A)")

#: All attributes that choose how a regular expression works.
REGEX_WORDS = frozenset({"ncas"}) | _POSIX_WORDS | _PERL_WORDS


def compile_regex(pattern: bytes, words: Sequence[str], *, only_whether: bool = False) -> Regex:
    r"""Compile a pattern under the attributes of the manual's section "RegEx Attributes".

    POSIX basic syntax is the default. Upper and lower case are ASCII's unless ``utf`` or ``ucp`` is given.

    Args:
        pattern: The pattern.
        words: The attributes.
        only_whether: Whether the caller only asks if a value matches, not how; that is faster.

    >>> compile_regex(rb"\([0-9]*\)x", []).search()(b"a12x").group(1)
    b'12'
    >>> compile_regex(rb"(B+)", ["pcre", "ncas"]).search()(b"abbc").group(1)
    b'bb'

    Raises:
        RegexError: If the pattern is malformed or attributes contradict each other.
    """
    chosen = frozenset(words)
    unknown = chosen - REGEX_WORDS
    if unknown:
        raise RegexError(f"unknown regular expression attribute '{min(unknown)}'")
    if chosen & _POSIX_WORDS and chosen & _PERL_WORDS:
        raise RegexError(f"'{min(chosen & _POSIX_WORDS)}' and '{min(chosen & _PERL_WORDS)}' are of different engines")
    for forbidden, word in (("never_utf", "utf"), ("never_ucp", "ucp")):
        if {forbidden, word} <= chosen:
            raise RegexError(f"'{word}' and '{forbidden}' contradict each other")
    regex = _perl(pattern, chosen) if chosen & _PERL_WORDS else _posix(pattern, chosen, only_whether=only_whether)
    regex.engine.quick  # noqa: B018 - compiles it, so that what is wrong is said now
    return regex


def _posix(pattern: bytes, chosen: frozenset[str], *, only_whether: bool) -> Regex:
    newline = "rx_newline" in chosen
    translated = translate_posix(pattern, extended="rx_extended" in chosen, newline=newline)
    effort = translated.effort
    engine = Engine(
        translated.source,
        ignore_case=bool(chosen & {"ncas", "rx_icase"}),
        multiline=newline,
        text=False,
        longest=not (only_whether or effort.greedy_is_longest),
        unwatched=effort.unwatched,
    )
    return Regex(pattern, engine, {}, tuple((number,) for number in range(1, translated.groups + 1)))


def _perl(pattern: bytes, chosen: frozenset[str]) -> Regex:
    from ess.language.regex.perl import translate_perl  # its tables take a while to make, and few programs need them
    from ess.language.regex.perl_syntax import PerlOptions

    text = bool(chosen & {"utf", "ucp"})
    not_empty = "notempty" in chosen
    ignore_case = bool(chosen & {"ncas", "caseless"})
    options = PerlOptions(
        modes=frozenset(letter for word, letter in _MODES.items() if word in chosen)
        | (frozenset("i") if ignore_case else frozenset()),
        dollar_endonly="dollar_endonly" in chosen,
        alt_circumflex="alt_circumflex" in chosen,
        alt_bsux="alt_bsux" in chosen,
        allow_empty_class="allow_empty_class" in chosen,
        match_unset_backref="match_unset_backref" in chosen,
        never_backslash_c="never_backslash_c" in chosen,
        notbol="notbol" in chosen,
        noteol="noteol" in chosen,
        text=text,
        unicode="ucp" in chosen,
        shift=1 if not_empty else 0,
    )
    translated = translate_perl(pattern, options)
    source = translated.source
    for wanted, (before, after) in ((not_empty, _NOT_EMPTY), ("notempty_atstart" in chosen, _NOT_EMPTY_AT_START)):
        source = before + source + after if wanted else source
    engine = Engine(
        source,
        ignore_case=ignore_case,
        multiline=False,
        text=text,
        longest=False,
        unwatched=translated.effort.unwatched,
    )
    return Regex(
        pattern,
        engine,
        translated.names,
        translated.groups,
        anchored="anchored" in chosen,
        first_line="firstline" in chosen,
        shifted=not_empty,
    )
