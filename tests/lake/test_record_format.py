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
    assert (made.format, made.delimiter, made.header, made.remarks) == ("combined", " ", False, ())
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
    assert ess.probe("mine").dialect.columns == made.columns
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
    assert (made.format, made.delimiter, made.columns[0]) == ("combined", " ", "S:host")
    assert ess.category_change("web", "columnspec", "url I:status").columns == ("url", "I:status")
    with pytest.raises(OptionError, match="no column 'nothing'"):
        ess.category_change("web", "columnspec", "S:nothing")
    assert ess.category_change("web", "format", "none").format == ""


def test_files_with_other_titles_are_read_by_title(places: dict[str, str], tmp_path: Path) -> None:
    ess.select("local")
    for day, text in enumerate(("ts,user\n11,ann\n", "ts,user,ref\n21,bob,/a\n", "user,ts\n7,31\n", "ts\n41\n"), 1):
        (tmp_path / f"x-2026-11-0{day}.csv").write_text(text)
    made = ess.category_add("x", f"{tmp_path}/x*")
    assert "aq_pp -f,eok - -d,title %cols" in made.remarks[0]
    assert ess.read("x").rows() == [(11, "ann"), (21, "bob"), (31, "7"), (41, "")]
    assert (ess.contents("x").rows, ess.contents("x").rejected) == (4, 0)
    ess.category_change_columnspec("x", "S:when S:who")
    assert ess.read("x", "2026-11-03", "2026-11-03").rows() == [("7", "31")]


def test_w3c_logs_are_recognised_with_the_titles_of_all_samples(places: dict[str, str], tmp_path: Path) -> None:
    ess.select("local")
    for day, titles in enumerate(("date time sc-status", "date time sc-status sc-bytes"), 1):
        (tmp_path / f"u_2026110{day}.log").write_text(f"#Fields: {titles}\n2026-11-0{day} 10:00:00 200 7\n")
    made = ess.category_add("w", f"{tmp_path}/u*")
    assert (made.format, made.columns) == ("w3c", ("S:date", "S:time", "I:sc_status", "L:sc_bytes", "L:epoch"))
    assert "the titles of" in made.remarks[0]
    assert ess.read("w").select("sc_status", "sc_bytes", "epoch").rows() == [(200, 0, 1793527200), (200, 7, 1793613600)]
    (tmp_path / "v_20261101.log").write_text("a,b\n")
    with pytest.raises(OptionError, match="no titles of the format 'cloudfront' are found"):
        ess.category_add("bad", f"{tmp_path}/v*", format="cloudfront")


def test_keys_are_found_where_the_format_is_given(places: dict[str, str], tmp_path: Path) -> None:
    ess.select("local")
    (tmp_path / "b_20261101.log").write_text("level=info dur=5 retry\nlevel=warn dur=6\nretry level=info dur=7\n")
    assert ess.category_add("b", f"{tmp_path}/b*").format == ""
    made = ess.category_add("b", f"{tmp_path}/b*", format="logfmt", overwrite=True)
    assert (made.format, made.columns) == ("logfmt", ("S:level", "I:dur", "S:retry"))
    assert ess.read("b").rows() == [("info", 5, "true"), ("warn", 6, ""), ("info", 7, "true")]
