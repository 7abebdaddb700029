"""Regular expressions of three syntaxes."""

from __future__ import annotations

import ctypes
import platform
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.language.functions.comparison import wildcard
from ess.language.regex import RegexError, SlowPatternError, Template, compile_regex, search


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
        (rb"a\|ab", [], b"abc", b"ab"),
        (rb"(a|ab)(c|bcd)", ["rx_extended"], b"abcd", b"abcd"),
        (rb"(a?)(ab)?", ["rx_extended"], b"ab", b"ab"),
        (rb"(ab)*?", ["rx_extended"], b"abab", b"abab"),
        (rb"(ab)*+", ["rx_extended"], b"abab", b"abab"),
        (rb"a|ab", ["pcre"], b"abc", b"a"),
        (rb"a*?", ["notempty"], b"ba", b"a"),
        (rb"a?", ["notempty_atstart"], b"ba", b"a"),
        (rb"[]", ["allow_empty_class"], b"]", None),
        (rb"[^]x", ["allow_empty_class"], b"\nx", b"\nx"),
        (rb"\x41\u0042\U", ["alt_bsux"], b"ABU", b"ABU"),
        (rb"^$", ["multiline"], b"a\n", None),
        (rb"a\n^", ["multiline", "alt_circumflex"], b"a\n", b"a\n"),
        (rb"(?<n>a)|(?<n>b)", ["dupnames"], b"b", b"b"),
        (rb"(?|(a)|x(b))\1(c)\2", ["pcre"], b"xbbcc", b"xbbcc"),
        (rb"(?:(?<n>a)|(?<n>b))\k<n>", ["dupnames"], b"abb", b"bb"),
        (rb"b", ["firstline"], b"a\nb", None),
        (rb"b", ["firstline"], b"ab\nb", b"b"),
        (rb"(a)?\1b", ["match_unset_backref"], b"b", b"b"),
        (rb"(a)?\1b", ["pcre"], b"b", None),
        (rb"^a|b$", ["notbol"], b"ab", b"b"),
        (rb"a$|b", ["noteol"], b"ba", b"b"),
        (rb"a$", ["noteol", "multiline"], b"a\na", b"a"),
        (rb"a+?b?", ["ungreedy"], b"aab", b"aa"),
        (rb"A(?i)B|c", ["pcre"], b"C", b"C"),
        (rb"a(?i:b)c", ["pcre"], b"aBc", b"aBc"),
        (rb"a (?x) b # note", ["pcre"], b"a b", b"a b"),
        (rb"a\Kb", ["pcre"], b"ab", b"b"),
        (rb"\((?:[^()]|(?R))*\)", ["pcre"], b"((a)(b", b"(a)"),
        (rb"(?<=a|bc)d", ["pcre"], b"bcd", b"d"),
        (rb"(x)?(?(1)a|b)", ["pcre"], b"xa", b"xa"),
        (rb"a++a|b", ["pcre"], b"aab", b"b"),
        (rb"\R\d", ["pcre"], b"\r\n1", b"\r\n1"),
        (rb"[[:^alpha:]]+", ["pcre"], b"ab1-\xff", b"1-\xff"),
        (b"\xc3\x89", ["utf", "ncas"], b"\xc3\xa9", b"\xc3\xa9"),
        (rb"\w\b\W[\W]", ["utf"], b"a\xc3\xa9\xc3\xa9", b"a\xc3\xa9\xc3\xa9"),
        (rb"\p{Lu}+", ["utf"], b"a\xc3\x89", b"\xc3\x89"),
    ],
)
def test_matches(pattern: bytes, words: list[str], value: bytes, matched: bytes | None) -> None:
    match = compile_regex(pattern, words).search()(value)
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
        (rb"a\{40000\}", []),
        (rb"a\{", []),
        (rb"\1", []),
        (rb"[[:foo:]]", []),
        (b"\\", []),
        (rb"*a", ["pcre"]),
        (rb"+", ["rx_extended"]),
        (rb"(*COMMIT)", ["pcre"]),
        (rb"a**", ["pcre"]),
        (rb"^*", ["pcre"]),
        (rb"(?<n>a)(?<n>b)", ["pcre"]),
        (rb"\p{L}", ["pcre"]),
        (rb"\C", ["never_backslash_c"]),
        (rb"\2(a)", ["pcre"]),
        (rb"[z-a]", ["pcre"]),
        (rb"a{70000}", ["pcre"]),
    ],
)
def test_malformed_patterns(pattern: bytes, words: list[str]) -> None:
    with pytest.raises(RegexError):
        compile_regex(pattern, words)


OPERATORS = r"a b * + ? . | ( ) [ ] { } {2} {1,2} ^ $ \ \( \) \| \1 (?: (?= (?<n> (?i) (?s: (?1) (?R) (?(1) ++ *?"
OTHERS = r"\Q \E \x \x{ [: :] [^ - # (?# (* \k<n> \g \p{L} \u0041 \c é"
PIECES = st.sampled_from(OPERATORS.split() + OTHERS.split())
WORDS = st.sampled_from([[], ["rx_extended"], ["pcre"], ["utf", "ungreedy"], ["notempty", "alt_bsux", "extended"]])


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join).map(str.encode) | st.binary(max_size=8), WORDS)
def test_any_pattern_compiles_or_is_refused(pattern: bytes, words: list[str]) -> None:
    try:
        found = compile_regex(pattern, words).search()(b"aa*ab?")
    except (RegexError, SlowPatternError):
        return  # any other exception fails the test
    assert found is None or 0 <= found.start() <= 6


@pytest.mark.parametrize(
    ("pattern", "words", "value"),
    [
        (rb"(a+)+$", ["pcre"], b"a" * 200 + b"b"),
        (rb"(a|a)*b", ["pcre"], b"a" * 2000),
        (rb"^(([a-z])+.)+[A-Z]([a-z])+$", ["pcre"], b"a" * 200),
        (rb"a?" * 20 + rb"a" * 20 + b"$", ["pcre"], b"a" * 19 + b"b" * 20),
    ],
)
def test_patterns_that_could_take_for_ever_end(pattern: bytes, words: list[str], value: bytes) -> None:
    assert compile_regex(pattern, words).search()(value) is None


def test_a_search_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LIMIT", 0.02)
    regex = compile_regex(rb"(a+)+$", ["rx_extended"])
    value = b"a" * 2000 + b"b"
    with pytest.raises(
        SlowPatternError, match=r"takes more than 0.02 s, or too much memory, for a value of 2001 bytes"
    ):
        regex.search()(value)
    with pytest.raises(SlowPatternError):
        list(regex.matches(value))


@pytest.mark.parametrize(
    "pattern", ["(?R)?", "(a*(?1))", "(?:a|b?)(?R)", "(?=a)(?R)", "(?1)(a)", r"(a)?\1(?R)", "((?2)(b)|c)"]
)
def test_recursion_without_end_is_refused(pattern: str) -> None:
    with pytest.raises(RegexError, match="a recursion before anything is matched"):
        compile_regex(pattern.encode(), ["pcre"])


@pytest.mark.parametrize("pattern", ["a(?R)?", "(a|b(?1))", r"(a)(?1)?", r"(?<p>\((?:[^()]|(?&p))*\))"])
def test_recursion_with_an_end(pattern: str) -> None:
    assert compile_regex(pattern.encode(), ["pcre"]).search()(b"xab(a)")


def test_names_that_come_twice() -> None:
    regex = compile_regex(b"(?<n>a)|(?<n>b)", ["dupnames"])
    assert [Template(b"<%%n%%>", regex).render(match) for match in regex.matches(b"ba")] == [b"<b>", b"<a>"]


def test_numbers_that_come_twice() -> None:
    regex = compile_regex(b"(?|(a)|x(b)(c))(d)", ["pcre"])
    template = Template(b"%%1%%,%%2%%,%%3%%", regex)
    assert [template.render(found) for value in (b"ad", b"xbcd") if (found := regex.search()(value))] == [
        b"a,,d",
        b"b,c,d",
    ]
    with pytest.raises(RegexError, match="the expression has 3 groups"):
        Template(b"%%4%%", regex)


class Span(ctypes.Structure):
    _fields_ = (("start", ctypes.c_int), ("end", ctypes.c_int))


Posix = Callable[[bytes, bytes], list[tuple[int, int]] | None]


@pytest.fixture(scope="module")
def posix() -> Posix:
    """The C library's own answer: the spans of the match and its groups, None if there is no match."""
    libc = ctypes.CDLL(None)

    def answer(pattern: bytes, value: bytes) -> list[tuple[int, int]] | None:
        compiled = ctypes.create_string_buffer(256)
        assert libc.regcomp(compiled, pattern, 1) == 0
        spans = (Span * 10)()
        code = libc.regexec(compiled, value, 10, spans, 0)
        libc.regfree(compiled)
        return None if code else [(span.start, span.end) for span in spans]

    return answer


ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]"])
REPEATED = st.sampled_from(["", "", "", "*", "+", "?", "{1,2}", "{2}"])


def branches(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pieces = st.tuples(inner, REPEATED).map("".join)
    return st.lists(st.lists(pieces, min_size=1, max_size=3).map("".join), min_size=1, max_size=2).map("|".join)


PATTERNS = branches(st.recursive(ATOMS, lambda inner: branches(inner).map("({})".format), max_leaves=4))


#: What matches nothing, alone and next to each other, and values with and without the ends of words and lines.
NOTHING = [
    r"\B",
    "^",
    "$",
    r"\A",
    r"\Z",
    r"\z",
    r"(?!\w)",
    r"(?<!\w)",
    r"(?=\B)",
    r"(?!\B)",
    r"(?<=\B)",
    r"(\B)",
    r"a|\B",
]
EMPTY = ["", "\n", "a", "a\n", "\na", "\n\n", " ", "a b", " a "]


@pytest.mark.parametrize("words", [[], ["multiline"], ["ucp"]])
def test_what_matches_nothing_is_found_where_perl_finds_it(words: list[str]) -> None:
    cases = [(one + two, value) for one in NOTHING for two in ["", *NOTHING] for value in EMPTY]
    mode = "m" if "multiline" in words else ""
    script = (
        'while (<>) { chomp; my ($p, $v) = map { pack "H*", $_ } split /,/, $_, -1;'
        f' print $v =~ /(?{mode}:$p)/ ? "$-[0]\\n" : "no\\n" }}'
    )
    given_to_perl = "".join(f"{pattern.encode().hex()},{value.encode().hex()}\n" for pattern, value in cases)
    said = subprocess.run(["perl", "-e", script], input=given_to_perl, capture_output=True, text=True, check=True)
    found = []
    for pattern, value in cases:
        match = compile_regex(pattern.encode(), ["pcre", *words]).search()(value.encode())
        found.append("no" if match is None else str(match.start()))
    assert [case for case in zip(cases, found, said.stdout.split(), strict=True) if case[1] != case[2]] == []


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="compares with glibc")
@pytest.mark.parametrize("pattern", [r"\B", r"\B$", r"^\B", r"(a|\B)", r"\Ba", r"\Bb*", r"\<", r"\>", r"\`", r"\'"])
@pytest.mark.parametrize("value", EMPTY)
def test_what_matches_nothing_is_found_where_the_c_library_finds_it(posix: Posix, pattern: str, value: str) -> None:
    match = compile_regex(pattern.encode(), ["rx_extended"]).search()(value.encode())
    expected = posix(pattern.encode(), value.encode())
    assert (None if match is None else (match.start(), match.end())) == (None if expected is None else expected[0])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="compares with glibc")
@settings(max_examples=150, deadline=None)
@given(PATTERNS, st.text("abc", max_size=6))
def test_the_longest_match_is_that_of_the_c_library(posix: Posix, pattern: str, value: str) -> None:
    regex = compile_regex(pattern.encode(), ["rx_extended"])
    match = regex.search()(value.encode())
    expected = posix(pattern.encode(), value.encode())
    assert (None if match is None else (match.start(), match.end())) == (None if expected is None else expected[0])
    if match is not None and expected is not None and not regex.engine.longest:
        groups = [match.group(number) for number in range(len(regex.groups) + 1)]
        assert groups == [value[start:end].encode() for start, end in expected[: len(regex.groups) + 1]]
    assert bool(match) == bool(
        compile_regex(pattern.encode(), ["rx_extended"], only_whether=True).search()(value.encode())
    )


def slow_wildcard(pattern: bytes, value: bytes) -> bool:
    if not pattern:
        return not value
    if pattern[:1] == b"*":
        return any(slow_wildcard(pattern[1:], value[at:]) for at in range(len(value) + 1))
    if pattern[:1] == b"\\" and len(pattern) > 1:
        return value[:1] == pattern[1:2] and slow_wildcard(pattern[2:], value[1:])
    return bool(value) and pattern[:1] in (b"?", value[:1]) and slow_wildcard(pattern[1:], value[1:])


@given(st.text("ab*?\\", max_size=8).map(str.encode), st.text("ab*?\\\n", max_size=8).map(str.encode))
def test_wildcards(pattern: bytes, value: bytes) -> None:
    assert wildcard(pattern, ignore_case=False)(value) == slow_wildcard(pattern, value)
    assert wildcard(pattern.upper(), ignore_case=True)(value) == slow_wildcard(pattern, value)


def test_many_stars_stay_fast() -> None:
    assert wildcard(b"*a" * 30 + b"*b", ignore_case=True)(b"a" * 3000) == 0
