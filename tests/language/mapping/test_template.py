"""Templates render extracted values."""

from __future__ import annotations

import pytest

from ess.language.mapping.pattern import PatternError
from ess.language.mapping.template import parse_template


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        (b"plain", b"plain"),
        (b"", b""),
        (b"%%a%%", b"abc%2Fd"),
        (b"<%%a%%|%%n%%>", b"<abc%2Fd|0123>"),
        (b"%%n:2%%", b"01"),
        (b"%%n:1:2%%", b"12"),
        (b"%%n:3:9%%", b"3"),
        (b"%%a,c%%", b"ab"),
        (b"%%a:url%%", b"abc/d"),
        (b"%%w:url%%", b"%20"),
        (b"%%w:url2%%", b" "),
        (b"%%b:b64%%", b"hello"),
        (b"%%u:b64:url%%", b"hello?"),
        (rb"\%\%a\%\%\t\x41", b"%%a%%\tA"),
        (b"100%", b"100%"),
    ],
)
def test_what_a_template_renders(template: bytes, rendered: bytes) -> None:
    values = {"a": b"abc%2Fd", "n": b"0123", "w": b"%2520", "b": b"aGVsbG8=", "u": b"aGVsbG8%2F"}
    assert parse_template(template).render(values) == rendered


def test_its_names_come_once_each_in_order() -> None:
    assert parse_template(b"%%b%%%%a%%%%b:1%%").names == ("b", "a")


@pytest.mark.parametrize("template", [b"%%a", b"%%a:x%%", b"%%a:1:2:3%%", b"%%%%", b"%%a b%%", b"%%a:url0%%"])
def test_a_malformed_template_is_explained(template: bytes) -> None:
    with pytest.raises(PatternError):
        parse_template(template)
