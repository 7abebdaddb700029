"""Regular expressions of three syntaxes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.language.functions.comparison import wildcard
from ess.language.regex import RegexError, compile_regex


@pytest.mark.parametrize(
    ("pattern", "words", "value", "matched"),
    [
        (rb"^\(a*\)b\{2\}$", [], b"aabb", b"aabb"),
        (rb"a(b", [], b"a(b", b"a(b"),
        (rb"a+b", [], b"a+b", b"a+b"),
        (rb"a\+b", [], b"aab", b"aab"),
        (rb"x\|y", [], b"y", b"y"),
        (rb"*a", [], b"*a", b"*a"),
        (rb"\(*a\)", [], b"*a", b"*a"),
        (rb"a^b$c", [], b"a^b$c", b"a^b$c"),
        (rb"[]a-]*", [], b"]-a", b"]-a"),
        (rb"[^]a]", [], b"]ab", b"b"),
        (rb"[\n]", [], b"\\", b"\\"),
        (rb"[[:alpha:]_][[:alnum:]]*", [], b"9a9", b"a9"),
        (rb"\(.\)\1", [], b"abb", b"bb"),
        (rb"a.c", [], b"a\nc", b"a\nc"),
        (rb"b$", [], b"b\n", None),
        (rb"^b", [], b"a\nb", None),
        (rb"^b$", ["rx_newline"], b"a\nb\nc", b"b"),
        (rb"a.c", ["rx_newline"], b"a\nc", None),
        (rb"[^a]", ["rx_newline"], b"\nb", b"b"),
        (rb"(a|b)+c{1,2}", ["rx_extended"], b"xabacc", b"abacc"),
        (rb"a{,2}b", ["rx_extended"], b"aab", b"aab"),
        (rb"a{x}", ["rx_extended"], b"a{x}", b"a{x}"),
        (rb"a)", ["rx_extended"], b"a)", b"a)"),
        (rb"a**", ["rx_extended"], b"aa", b"aa"),
        (rb"\<b\w*\>", [], b"ab bcd", b"bcd"),
        (rb"A", ["rx_icase"], b"a", b"a"),
        (rb"\xe9", [], b"\xe9", b"\xe9"),
        (b"\xe9+", ["pcre"], b"\xe9\xe9", b"\xe9\xe9"),
        (rb"(?<y>\d{4})\h\Qa.b\E[[:digit:]]\z", ["pcre"], b"2014 a.b1", b"2014 a.b1"),
        (rb"b", ["pcre", "anchored"], b"ab", None),
        (rb"a*", ["pcre", "notempty"], b"bba", b"a"),
        (rb"b$", ["pcre"], b"b\n", b"b"),
        (rb"b$", ["pcre", "dollar_endonly"], b"b\n", None),
        (rb"a.c", ["pcre"], b"a\nc", None),
        (rb"a.c", ["dotall"], b"a\nc", b"a\nc"),
        (rb"a b # note", ["extended"], b"ab", b"ab"),
        (b"^.$", ["utf"], b"\xc3\xa9", b"\xc3\xa9"),
        (rb"\w+", ["ucp"], b"- \xc3\xa9", b"\xc3\xa9"),
        (b"\xc3\x89", ["ucp", "ncas"], b"\xff\xc3\xa9", b"\xc3\xa9"),
    ],
)
def test_matches(pattern, words, value, matched):
    match = compile_regex(pattern, words).first(value)
    assert (None if match is None else match.group(0)) == matched
    if match is not None:
        assert value[match.start() : match.end()] == matched


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (rb"\(a", []),
        (rb"a\)", []),
        (rb"[a", []),
        (rb"a\{2,1\}", []),
        (rb"a\{300\}", []),
        (rb"a\{", []),
        (rb"\1", []),
        (rb"[[:foo:]]", []),
        (b"\\", []),
        (rb"*a", ["pcre"]),
        (rb"+", ["rx_extended"]),
        (rb"(*SKIP)", ["pcre"]),
        (rb"\Ka", ["pcre"]),
    ],
)
def test_malformed_patterns(pattern, words):
    with pytest.raises(RegexError):
        compile_regex(pattern, words)


@given(st.text("a*?\\[(.+{|", max_size=8).map(str.encode), st.sampled_from([[], ["rx_extended"], ["pcre"]]))
def test_any_pattern_compiles_or_is_refused(pattern, words):
    try:
        regex = compile_regex(pattern, words)
    except RegexError:
        return  # any other exception fails the test
    match = regex.first(b"aa*a?")
    assert match is None or match.group(0) in b"aa*a?"


def slow_wildcard(pattern: bytes, value: bytes) -> bool:
    if not pattern:
        return not value
    if pattern[:1] == b"*":
        return any(slow_wildcard(pattern[1:], value[at:]) for at in range(len(value) + 1))
    if pattern[:1] == b"\\" and len(pattern) > 1:
        return value[:1] == pattern[1:2] and slow_wildcard(pattern[2:], value[1:])
    return bool(value) and pattern[:1] in (b"?", value[:1]) and slow_wildcard(pattern[1:], value[1:])


@given(st.text("ab*?\\", max_size=8).map(str.encode), st.text("ab*?\\\n", max_size=8).map(str.encode))
def test_wildcards(pattern, value):
    assert wildcard(pattern, ignore_case=False)(value) == slow_wildcard(pattern, value)
    assert wildcard(pattern.upper(), ignore_case=True)(value) == slow_wildcard(pattern, value)


def test_many_stars_stay_fast():
    assert wildcard(b"*a" * 30 + b"*b", ignore_case=True)(b"a" * 3000) == 0
