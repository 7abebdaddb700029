"""RT patterns match a whole value and extract its parts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.language.mapping.escapes import unescape
from ess.language.mapping.pattern import PatternError, compile_pattern
from ess.language.mapping.template import parse_template


def extract(pattern: bytes, value: bytes, *, ignore_case: bool = False) -> dict[str, bytes] | None:
    compiled = compile_pattern(pattern, ignore_case=ignore_case)
    found = compiled.extract(value)
    return None if found is None else dict(zip(compiled.names, found, strict=True))


@pytest.mark.parametrize(
    ("pattern", "value", "found"),
    [
        (b"abc", b"abc", {}),
        (b"abc", b"abcd", None),
        (b"a%*d", b"abcd", {}),
        (b"a%?c", b"abc", {}),
        (b"a%?c", b"ac", None),
        (b"%%x%%", b"line\nline\xff", {"x": b"line\nline\xff"}),
        (b"%%a%%.%%b%%", b"1.2.3", {"a": b"1", "b": b"2.3"}),
        (b"%*=%%a%%", b"x=y=z", {"a": b"y=z"}),
        (b"%%a:@n%%%%b%%", b"123abc", {"a": b"123", "b": b"abc"}),
        (b"%%a:@nab:2-3%%%*", b"aB3xx", {"a": b"aB3"}),
        (b"%%a:[]xyz]%%", b"x]z", {"a": b"x]z"}),
        (b"%%a:[]xyz]%%", b"xa", None),
        (b"%%a:[:,]:2-2%%", b":,", {"a": b":,"}),
        (b"%%a:@n:[abcdef]%%", b"12fe", {"a": b"12fe"}),
        (b"%%a:3%%", b"ab", None),
        (b"%%a:3%%", b"abcd", {"a": b"abcd"}),
        (b"%%a,,;:%%%*", b"x y;z,", {"a": b"x y"}),
        (b"%%a,,;:%%%*", b"all", {"a": b"all"}),
        (b"%%a:@n,5%%%*", b"12567", {"a": b"12"}),
        (b"%%*:@n%%-%%b%%", b"12-x", {"*": b"12", "b": b"x"}),
        (rb"\%\%no\%\%%%a%%\\", rb"%%no%%x\\"[:-1], {"a": b"x"}),
        (rb"50% off\x21", b"50% off!", {}),
        (b"a.b+", b"axb", None),
    ],
)
def test_what_a_pattern_extracts(pattern: bytes, value: bytes, found: dict[str, bytes] | None) -> None:
    assert extract(pattern, value) == found


def test_names_compare_without_regard_to_case() -> None:
    assert extract(b"%%Year:@n%%-%%MONTH:@n%%", b"2014-09") == {"year": b"2014", "month": b"09"}
    assert extract(b"%%a%%-%%A%%", b"1-2") == {"a": b"2"}
    assert parse_template(b"%%YEAR%%/%%Month:1:1%%%%year:2%%").render({"year": b"2014", "month": b"09"}) == b"2014/920"


def test_case_is_toggled_for_literals_only() -> None:
    assert extract(b"ab%=cd%=ef", b"abCDef") == {}
    assert extract(b"ab%=cd%=ef", b"abCDEF") is None
    assert extract(b"ab%=cd", b"ABcd", ignore_case=True) == {}
    assert extract(b"ab%=cd", b"ABCD", ignore_case=True) is None
    assert extract(b"x%%a:@a%%", b"Xab", ignore_case=True) == {"a": b"ab"}
    assert extract(b"x%%a:@a%%", b"XAB", ignore_case=True) is None


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        (b"%%a", "no %% at its end"),
        (b"%%1a%%", "bad variable name"),
        (b"%%a:@z%%", "unknown character class 'z'"),
        (b"%%a:x%%", "neither @class"),
        (b"%%a:3-2%%", "maximum below"),
        (b"%%a:[ab%%", "without ']'"),
    ],
)
def test_a_malformed_pattern_is_explained(pattern: bytes, part: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern, ignore_case=False)
    assert part in str(caught.value)


@given(st.binary(max_size=20))
def test_a_literal_matches_itself_alone(value: bytes) -> None:
    escaped = value.replace(b"\\", b"\\\\").replace(b"%", b"\\%")
    assert unescape(escaped) == value
    assert extract(escaped, value) == {}
    assert extract(escaped, value + b"x") is None


@given(st.binary(max_size=10).filter(lambda v: b";" not in v), st.binary(max_size=10))
def test_the_first_separator_ends_an_unrestricted_variable(head: bytes, tail: bytes) -> None:
    assert extract(b"%%a%%;%%b%%", head + b";" + tail) == {"a": head, "b": tail}


#: Parts of patterns, and the plain expressions they stand for.
PARTS = {
    b"a": b"a",
    b"ab": b"ab",
    b"b": b"b",
    b"%?": b".",
    b"%*": b".*?",
    b"%%x%%": b"(.{0,}?)",
    b"%%x:1%%": b"(.{1,}?)",
    b"%%x:0-2%%": b"(.{0,2}?)",
    b"%%x:[ab]%%": b"([ab]{0,})",
    b"%%x,b%%": b"([^b]{0,})",
}


@given(st.lists(st.sampled_from(sorted(PARTS)), max_size=7), st.text("abc", max_size=9).map(str.encode))
def test_a_pattern_means_the_plain_expression(parts: list[bytes], value: bytes) -> None:
    plain = re.compile(b"".join(PARTS[part] for part in parts), re.DOTALL).fullmatch(value)
    found = compile_pattern(b"".join(parts), ignore_case=False).extract(value)
    assert found == (None if plain is None else plain.groups())


def test_a_line_that_does_not_match_costs_no_more_than_one_that_does() -> None:
    pattern = compile_pattern(b" ".join(b"%%%%v%d%%%%" % i for i in range(12)) + b"X", ignore_case=False)
    assert pattern.extract(b"word " * 500) is None
    assert pattern.extract(b"word " * 500 + b"X") is not None


PIECES = [
    b"%%",
    b"%",
    b":",
    b"@",
    b"n",
    b"[",
    b"]",
    b"-",
    b",",
    b"\\",
    b"x",
    b"3",
    b"%*",
    b"%?",
    b"%=",
    b"\xff",
    b"99999",
]


@given(st.lists(st.sampled_from(PIECES), max_size=10).map(b"".join) | st.binary(max_size=12), st.binary(max_size=10))
def test_any_bytes_are_a_pattern_or_an_error(source: bytes, value: bytes) -> None:
    try:
        found = compile_pattern(source, ignore_case=False).extract(value)
    except PatternError:
        return
    assert found is None or all(part in value for part in found)


@given(st.lists(st.sampled_from([*PIECES, b"url", b"b64"]), max_size=10).map(b"".join) | st.binary(max_size=12))
def test_any_bytes_are_a_template_or_an_error(source: bytes) -> None:
    try:
        template = parse_template(source)
    except PatternError:
        return
    assert isinstance(template.render(dict.fromkeys(template.names, b"a%20b,c")), bytes)
