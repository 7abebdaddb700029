"""The attributes of -f and -o."""

from __future__ import annotations

import pytest

from ess.errors import OptionError
from ess.formats.attributes import (
    INPUT_ATTRIBUTES,
    Format,
    InputAttributes,
    OutputAttributes,
    parse_input_attributes,
    parse_output_attributes,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", InputAttributes()),
        ("csv", InputAttributes()),
        ("+1,eok,qui", InputAttributes(skip=1, errors_ok=True, quiet=True)),
        ("+20b,EOK=5/100", InputAttributes(skip=20, skip_unit="b", errors_ok=True, error_limit=5, error_window=100)),
        (
            "+3r,eok=0,qui=2",
            InputAttributes(skip=3, skip_unit="r", errors_ok=True, error_limit=0, quiet=True, messages=2),
        ),
        ("sep=|,nox", InputAttributes(separator=b"|", quoted=False, no_extra=True)),
        ("sep=,,esc", InputAttributes(separator=b",", quoted=False, escape=True)),
        ("sep=,", InputAttributes(separator=b",", quoted=False)),
        ("csv,sep=;", InputAttributes(separator=b";")),
        ("sep=\\x01", InputAttributes(separator=b"\x01", quoted=False)),
        ("tsv", InputAttributes(separator=b"\t", quoted=False)),
        ("sep=\\t", InputAttributes(separator=b"\t", quoted=False)),
        ("div,bz=100", InputAttributes(format=Format.DIVIDED, quoted=False, record_limit=100)),
        ("fix", InputAttributes(format=Format.FIXED, quoted=False)),
    ],
)
def test_input(text: str, expected: InputAttributes) -> None:
    assert parse_input_attributes(text.split(",") if text else [], where="-f") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", OutputAttributes()),
        (
            "notitle,fmt_g,esc,app,nodelay",
            OutputAttributes(title=False, short_floats=True, escape=True, append=True, nodelay=True),
        ),
        ("tsv", OutputAttributes(separator=b"\t", quoted=False)),
        ("sep=:,csv", OutputAttributes(separator=b":")),
        ("jsn", OutputAttributes(format=Format.JSON, quoted=False)),
        ("fvar", OutputAttributes(others=("fvar",))),
    ],
)
def test_output(text: str, expected: OutputAttributes) -> None:
    words = text.split(",") if text else []
    assert parse_output_attributes(words, where="-o", extra=frozenset({"fvar"})) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "unknown attribute 'nonsense'"),
        ("div,fix", "exclude each other"),
        ("div,sep=x", "exclude each other"),
        ("sep=ab", "a single byte"),
        ("sep=é", "a single byte"),
        ("sep=\\xZZ", "a single byte"),
        ('sep="', "cannot be a separator"),
        ("sep=\\x0a", "cannot be a separator"),
        ("bz=0", "positive number"),
        ("qui=x", "positive number"),
        ("eok=x", "unknown attribute"),
        ("+x", "unknown attribute"),
        ("notitle", "unknown attribute"),
    ],
)
def test_wrong_input_attributes_name_the_option(text: str, says: str) -> None:
    with pytest.raises(OptionError, match=says) as caught:
        parse_input_attributes(text.split(","), where="-f")
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith("-f: ")


def test_callers_may_add_attributes() -> None:
    assert parse_input_attributes(["all", "x=5"], where="-cmb", extra=frozenset({"all", "x="})).others == ("all", "x=5")
    with pytest.raises(OptionError):
        parse_input_attributes(["all"], where="-f")


def test_the_table_names_what_is_parsed() -> None:
    examples = {
        "sep=c": "sep=c",
        "+Num[b|r|l]": "+1",
        "eok[=Num[/Rows]]": "eok",
        "qui[=Num]": "qui",
        "bz=BufSize": "bz=1",
        "base=Key": "base=",
        "enc=Name": "enc=latin-1",
        "Name": "combined",
        "apache=LogFormat": "apache=%h %u",
        "nginx=log_format": "nginx=$status $host",
        "rx=Pattern": "rx=(?P<a>.*)",
        "vpcflow=Fields": "vpcflow=${version} ${start}",
    }
    for name in INPUT_ATTRIBUTES:
        assert isinstance(parse_input_attributes([examples.get(name, name)], where="-f"), InputAttributes)
