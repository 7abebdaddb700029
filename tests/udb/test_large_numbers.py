"""Numbers of options that no server can work with are mistakes of the command line; the largest ones are not."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from ess.errors import OptionError
from ess.tools import aq_udb
from ess.tools.process import exit_code
from ess.udb.client.importing import parse_import_attributes
from ess.udb.spec.spec import Server
from tests.udb.conftest import Starter

HUGE, LARGEST = "99999999999999999999", "9223372036854775807"
LARGEST_SEGMENT = str(2**31 - 1)
OPTIONS = ["-top", "-last", "-lim_rec", "-lim_key", "-key_rec", "-seed"]

Write = Callable[..., list[Server]]


def udb(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = exit_code("aq_udb", functools.partial(aq_udb.main, list(words)))
    return code, capfd.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["-exp", "db:log", option, number] for option in OPTIONS for number in (HUGE, "9" * 5000)]
    + [["-shf", "db:log", "-seed", HUGE], ["-exp", "db:log", "-top", f"2:{LARGEST}"]]
    + [
        [f"-exp,seg={segment}", "db:log"]
        for segment in (f"1/{HUGE}", f"1-{HUGE}/{HUGE}", f"1/3:{HUGE}", "1/" + "9" * 5000)
    ],
)
def test_too_large(
    words: list[str], start_server: Starter, write_spec: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    write_spec(start_server())
    code, says = udb(capfd, *words)
    assert (code, says.count("\n")) == (2, 1)
    largest = LARGEST_SEGMENT if "seg=" in words[0] else LARGEST
    assert "too large" in says
    assert f"the largest is {largest}\n" in says


def test_largest(start_server: Starter, write_spec: Write, capfd: pytest.CaptureFixture[str]) -> None:
    write_spec(start_server(), start_server())
    assert udb(capfd, "-crt", "db") == (0, "")
    for option in OPTIONS:
        assert udb(capfd, "-exp", "db:log", option, LARGEST, "-sort", "time") == (0, "")
    assert udb(capfd, f"-exp,seg=1/{LARGEST_SEGMENT}:{LARGEST_SEGMENT}", "db:log") == (0, "")


def test_one_segment_option(start_server: Starter, write_spec: Write, capfd: pytest.CaptureFixture[str]) -> None:
    write_spec(start_server())
    for operation in ("-exp", "-cnt", "-scn"):
        code, says = udb(capfd, f"{operation},seg=1/3,seg=2/3", "db:log")
        assert (code, "seg= is given twice" in says) == (2, True)
    with pytest.raises(OptionError, match="given twice"):
        parse_import_attributes(["seg=1/3", "seg=2/3"], where="-imp")
