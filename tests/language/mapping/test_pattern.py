"""RT patterns match a whole value and extract its parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.language.mapping.escapes import unescape
from ess.language.mapping.pattern import PatternError, compile_pattern


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
