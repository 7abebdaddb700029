"""Rows of a category as frames and as dictionaries, and commands over its files."""

from __future__ import annotations

import datetime
import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import ess
from ess.errors import InputDataError, OptionError


@pytest.fixture
def logs(places: dict[str, str], tmp_path: Path) -> Path:
    ess.select("local")
    for day in (1, 2):
        rows = f'day,who,ip,n\r\n2014-09-0{day},bob,10.0.0.{day},{day}\r\n2014-09-0{day},"a, b",,\r\n'
        (tmp_path / f"log_2014090{day}.gz").write_bytes(gzip.compress(rows.encode()))
    ess.category_add("log", f"{tmp_path}/log*")
    return tmp_path


def test_a_frame_has_the_users_names_and_types(logs: Path) -> None:
    frame = ess.read("log")
    assert frame.schema == {"day": pl.String, "who": pl.String, "ip": pl.String, "n": pl.UInt32}
    assert frame.rows() == [
        ("2014-09-01", "bob", "10.0.0.1", 1),
        ("2014-09-01", "a, b", "", 0),
        ("2014-09-02", "bob", "10.0.0.2", 2),
        ("2014-09-02", "a, b", "", 0),
    ]
    assert ess.read("log", "2014-09-02", "2014-09-02").height == 2


def test_rows_come_one_by_one(logs: Path) -> None:
    assert next(iter(ess.rows("log"))) == {"day": "2014-09-01", "who": "bob", "ip": "10.0.0.1", "n": 1}
    assert len(list(ess.rows("log", limit=1))) == 2
    assert list(ess.rows("log", "2013", "2013")) == []


def test_unwanted_columns_are_left_out(logs: Path) -> None:
    ess.category_change_columnspec("log", "X S:Who X l:Count")
    assert ess.read("log", limit=1).rows() == [("bob", 1), ("a, b", 0)]
    assert ess.read("log").columns == ["Who", "Count"]


def test_a_bad_record_is_an_error_or_left_out(logs: Path) -> None:
    ess.category_change_columnspec("log", "S:day I:who S:ip I:n")
    with pytest.raises(InputDataError, match=r"record 1, column who.*eok=True"):
        ess.read("log")
    assert ess.read("log", eok=True).height == 0


def test_bytes_that_are_not_text_stay_bytes(logs: Path) -> None:
    (logs / "odd.csv").write_bytes(b"a|b\n\xff|1\nx|2\n")
    ess.category_add("odd", f"{logs}/odd.csv", delimiter="|")
    assert ess.read("odd").rows() == [(b"\xff", 1), (b"x", 2)]


def test_lines_of_prose_are_one_column(logs: Path) -> None:
    (logs / "prose.txt").write_text("It was, it was\nthe best. Of, times, of\nall\n")
    ess.category_add("prose", f"{logs}/prose.txt")
    assert ess.read("prose")["col_1"].to_list() == ["It was, it was", "the best. Of, times, of", "all"]


def test_what_cannot_be_read_is_said(logs: Path) -> None:
    ess.category_add("raw", f"{logs}/log*", noprobe=True)
    ess.category_add("pre", f"{logs}/log*", preprocess="cat")
    ess.category_add("none", f"{logs}/log*", compression="none", columnspec="S:a")
    for name, words in (
        ("raw", "columns are not known"),
        ("pre", "preprocess command is not available yet"),
    ):
        with pytest.raises(OptionError, match=words):
            ess.read(name)
    with pytest.raises(InputDataError, match=r"log_20140901\.gz: record 1, column a"):  # its bytes as they are
        ess.read("none")
    with pytest.raises(OptionError, match="no row is in the range"):
        ess.read("log", "2013", "2013")


def test_a_stream_gives_its_output_and_counts(logs: Path, tmp_path: Path) -> None:
    found = ess.stream("log", "*", "*", "wc -l; echo oh >&2")
    assert found.lines == ["3", "3"]
    assert [line.split()[-1] for line in found.messages.splitlines()] == [b"oh", b"oh"]
    assert (found.result.exit_code, found.result.files) == (0, 2)
    with (tmp_path / "out").open("wb") as file:
        assert ess.stream("log", "2014-09-02", "*", "head -1", stdout=file).output == b""
    assert (tmp_path / "out").read_bytes() == b"day,who,ip,n\r\n"
    assert ess.stream("log", "*", "*", "false").result.exit_code == 1
    assert ess.exec("echo hi").lines == ["hi"]


def test_importing_the_package_loads_nothing_heavy(places: dict[str, str]) -> None:
    code = "import sys, ess; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env=places, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"polars", "pyarrow", "distributed", "dask", "cryptography", "typer", "rich", "numpy"}


def test_bounds_may_be_dates(logs: Path) -> None:
    day = datetime.date(2014, 9, 2)
    assert ess.read("log", day, day).height == 2
    assert len(list(ess.rows("log", day))) == 2
    assert len(ess.files("log", datetime.datetime(2014, 9, 2), "*")) == 1
    assert ess.stream("log", day, day, "wc -l").lines == ["3"]


@pytest.mark.parametrize("bound", [20140901, None, 1.5, True, datetime.datetime(2014, 9, 1, tzinfo=datetime.UTC)])
@pytest.mark.parametrize("call", [ess.read, ess.files, ess.stream, lambda *given: list(ess.rows(*given))])
def test_other_bounds_are_refused(logs: Path, call: Callable[..., object], bound: object) -> None:
    with pytest.raises(OptionError, match="is not a date"):
        call("log", bound)
    with pytest.raises(OptionError):
        call(7)
    with pytest.raises(OptionError, match="limit"):
        ess.files("log", limit="3")  # type: ignore[arg-type]
