"""IConv: names of character sets, and which conversion is taken."""

from __future__ import annotations

import codecs

import pytest

from ess.errors import OptionError
from ess.language.checker import check_expression
from ess.language.function import RecordError
from ess.language.functions.character_sets import _ALIASES, codec_name
from ess.language.scope import Scope
from ess.language.tree import Call
from ess.schema import parse_column


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("utf8", "utf-8"),
        ("UTF-8", "utf-8"),
        ("euc-jp", "euc_jp"),
        ("sjis", "shift_jis"),
        ("WINDOWS-31J", "cp932"),
        ("ISO88592", "iso8859-2"),
        ("8859_1", "iso8859-1"),
        ("ISO_8859-15", "iso8859-15"),
        ("LATIN-9", "iso8859-15"),
        ("KOI8R", "koi8-r"),
        ("UCS-2BE", "utf-16-be"),
        ("BIG-5", "big5"),
        ("klingon", None),
        ("base64", None),
        ("idna", None),
        ("", None),
    ],
)
def test_names(name: str, codec: str | None) -> None:
    assert codec_name(name) == codec


def test_every_alias_is_a_codec() -> None:
    assert {codecs.lookup(codec).name == codec_name(name) for name, codec in _ALIASES.items()} == {True}


def convert(value: bytes, codes: str, to: str) -> bytes:
    scope = Scope()
    scope.add(parse_column("s:v", where="-d"))
    call = check_expression(f'IConv(v, "{codes}", "{to}")', scope, where="-eval")
    assert isinstance(call, Call)
    converted: bytes = call.function.bind(call.arguments)(value)
    return converted


SJIS, EUC = "日本".encode("shift_jis"), "日本".encode("euc_jp")


@pytest.mark.parametrize(
    ("value", "codes", "result"),
    [
        (SJIS, "sjis;euc-jp", "日本"),
        (EUC, "sjis;euc-jp", "日本"),
        (b"\xff", "sjis;euc-jp;-", ""),
        (SJIS + b"\xff", "sjis,eok;euc-jp", "日本"),
        (b"\xff\xff", "sjis,eok;euc-jp", ""),
        (b"", "utf8", ""),
    ],
)
def test_the_first_that_converts_all_is_taken_else_the_one_that_converts_most(
    value: bytes, codes: str, result: str
) -> None:
    assert convert(value, codes, "utf8") == result.encode()


def test_a_dot_keeps_the_value() -> None:
    assert convert(b"\xff", "sjis;euc-jp;.", "utf8") == b"\xff"


def test_a_record_that_no_set_fits_is_rejected() -> None:
    with pytest.raises(RecordError, match="IConv cannot convert from sjis;euc-jp"):
        convert(b"\xff", "sjis;euc-jp", "utf8")
    with pytest.raises(RecordError):
        convert("日".encode(), "utf8", "latin1")


def test_what_the_target_lacks_can_be_left_out() -> None:
    assert convert("a日b".encode(), "utf8", "latin1//IGNORE") == b"ab"
    with pytest.raises(OptionError, match="unknown suffix '//TRANSLIT' of a character set"):
        convert(b"", "utf8", "latin1//TRANSLIT")
