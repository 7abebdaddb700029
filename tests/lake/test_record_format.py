"""Categories whose records have a format with a name: recognised, given, changed, shared and read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import ess
from ess.errors import OptionError
from ess.lake.categories import Category

LINE = '192.0.2.{n} - - [0{n}/Mar/2026:10:15:32 +0000] "GET /{n} HTTP/1.1" 200 {n} "-" "curl/8"\n'


@pytest.fixture
def logs(places: dict[str, str], tmp_path: Path) -> Path:
    ess.select("local")
    for day in (1, 2):
        (tmp_path / f"access_2026030{day}.log").write_text(LINE.format(n=day) * 3)
    return tmp_path


def test_an_access_log_is_recognised_and_read_by_its_columns(logs: Path) -> None:
    made = ess.category_add("web", f"{logs}/access*")
    assert (made.format, made.delimiter, made.header, made.remarks) == ("combined", "", False, ())
    assert made.columns[5:7] == ("I:status", "L:bytes")
    frame = ess.read("web")
    assert frame.select("host", "url", "bytes", "epoch").unique(maintain_order=True).rows() == [
        ("192.0.2.1", "/1", 1, 1772360132),
        ("192.0.2.2", "/2", 2, 1772446532),
    ]
    assert ess.probe("web").dialect.known == "combined"
    contents = ess.contents("web")
    assert (contents.rows, contents.rejected) == (6, 0)
    (taken,) = _shared("web", logs)
    assert taken == dataclasses.replace(made, stats=taken.stats, lines=(), remarks=())


def _shared(name: str, folder: Path) -> list[Category]:
    (folder / "shared.json").write_text(ess.category_export(name))
    ess.category_delete(name)
    return ess.category_import(str(folder / "shared.json"))


def test_a_format_is_given_with_some_of_its_columns(logs: Path) -> None:
    made = ess.category_add("some", f"{logs}/access*", format="COMBINED", columnspec="I:status S:page:url")
    assert (made.format, made.columns) == ("COMBINED", ("I:status", "S:page:url"))
    assert ess.read("some", limit=1).rows()[0] == (200, "/1")
    text = 'nginx=$remote_addr - $remote_user [$time_local] "$request" $status $n "$http_referer" "$http_user_agent"'
    made = ess.category_add("mine", f"{logs}/access*", format=text)
    assert ess.read("mine", limit=1)["n"].to_list()[0] == "1"
    with pytest.raises(OptionError, match="no column 'page'"):
        ess.category_add("bad", f"{logs}/access*", format="clf", columnspec="S:page")
    with pytest.raises(OptionError, match="'csv' does not bring its columns"):
        ess.category_add("bad", f"{logs}/access*", format="csv")


def test_none_and_a_delimiter_leave_the_guess(logs: Path) -> None:
    for options in ({"format": "none"}, {"delimiter": " "}, {"columnspec": "S:line"}):
        made = ess.category_add("plain", f"{logs}/access*", overwrite=True, **options)  # type: ignore[arg-type]
        assert (made.format, made.delimiter) == ("", " ")


def test_a_format_is_changed(logs: Path) -> None:
    ess.category_add("web", f"{logs}/access*", format="none")
    made = ess.category_change("web", "format", "combined")
    assert (made.format, made.delimiter, made.columns[0]) == ("combined", "", "S:host")
    assert ess.category_change("web", "columnspec", "url I:status").columns == ("url", "I:status")
    with pytest.raises(OptionError, match="no column 'nothing'"):
        ess.category_change("web", "columnspec", "S:nothing")
    assert ess.category_change("web", "format", "none").format == ""
