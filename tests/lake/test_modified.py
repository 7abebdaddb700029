"""Ranges of the times at which files were last changed, and of dates in listings."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import ess
from ess.cli.app import run
from ess.errors import InputOpenError, OptionError
from ess.lake.ranges import DateRange, parse_modified


@pytest.fixture
def logs(places: dict[str, str], tmp_path: Path) -> Path:
    """Files of three days, each last changed ten years later."""
    del places
    ess.select("local")
    folder = tmp_path / "logs"
    folder.mkdir()
    for day in (1, 2, 3):
        path = folder / f"a_2014090{day}.csv"
        path.write_bytes(b"day,n\nx,%d\n" % day)
        moment = datetime(2024, 9, day, 23, 59, 59, 500_000, UTC).timestamp()
        os.utime(path, (moment, moment))
    ess.category_add("logs", f"'{folder}'/a*")
    return folder


def test_files_of_a_range_of_times(logs: Path) -> None:
    del logs
    days = [entry.date.day for entry in ess.files("logs", modified=("2024-09-02", "2024-09-02"))]
    assert days == [2]
    assert len(ess.files("logs", modified=(date(2024, 9, 2), "*"))) == 2
    assert len(ess.files("logs", "2014-09-03", "*", modified=("*", "2024-09-02"))) == 0
    assert [entry.date.day for entry in ess.files("logs", modified=("2024-09-02", "*"), limit=1)] == [2]
    assert ess.read("logs", modified=("2024-09-03 23:59:59", "2024"))["n"].to_list() == [3]
    assert [row["n"] for row in ess.rows("logs", modified=("2024-09-02", "*"))] == [2, 3]
    assert ess.stream("logs", command="tail -n 1", modified=("*", "2024-09-02")).lines == ["x,1", "x,2"]


def test_listings_of_ranges(logs: Path) -> None:
    pattern = f"'{logs}'/*"
    later, earlier = ("2014-09-02", "*"), ("*", "2024-09-02")
    for cat, chosen, recursive in (("logs", None, False), (None, pattern, False), (None, pattern, True)):

        def days(
            dates: tuple[str, str] | None = None,
            modified: tuple[str, str] | None = None,
            *,
            cat: str | None = cat,
            chosen: str | None = chosen,
            recursive: bool = recursive,
        ) -> list[int]:
            found = ess.ls(chosen, cat=cat, recursive=recursive, dates=dates, modified=modified)
            return [entry.date.day for entry in found.files]

        assert days(dates=later) == [2, 3]
        assert days(modified=earlier) == [1, 2]
        assert days(dates=later, modified=earlier) == [2]


def test_one_file_of_a_range_of_times(logs: Path) -> None:
    path = f"{logs}/a_20140901.csv"
    with ess.cat(path, modified=("2024-09-01", "2024-09-01")) as file:
        assert file.read() == b"day,n\nx,1\n"
    with pytest.raises(InputOpenError, match="it was last changed at 2024-09-01 23:59:59, which is not in the range"):
        ess.cat(path, modified=("2024-09-02", "*"))


def test_commands_take_ranges(logs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "--cat", "logs", "--nameonly", "--modified", "2024-09-02", "2024-09-02"]) == 0
    assert capfd.readouterr().out == f"{logs}/a_20140902.csv\n"
    assert run(["ls", "--cat", "logs", "--nameonly", "--dates", "2014-09-03", "*", "--explain"]) == 0
    assert capfd.readouterr() == (f"{logs}/a_20140903.csv\n", f"ess: disk: folders below {logs}/: 1 read\n")
    assert run(["stream", "logs", "*", "*", "tail -n 1", "--modified", "*", "2024-09-01"]) == 0
    assert capfd.readouterr().out == "x,1\n"
    assert run(["cat", f"{logs}/a_20140903.csv", "--modified", "*", "2024-09-02"]) == InputOpenError.exit_code
    assert "which is not in the range of --modified" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (("x", "*"), r"modified, lower bound: 'x' is not a date"),
        (("2024", "2023"), "modified, range '2024' to '2023': the range ends before it begins"),
        (("2024",), r"modified: \('2024',\) is not two bounds"),
        ("2024", "modified: '2024' is not two bounds"),
        ((5, "*"), "modified, lower bound: 5 is not a date"),
    ],
)
def test_wrong_ranges_are_named(logs: Path, bounds: tuple[str, str], said: str) -> None:
    del logs
    with pytest.raises(OptionError, match=said):
        ess.files("logs", modified=bounds)


def test_times_beyond_all_dates() -> None:
    wanted = parse_modified(("2024", "2024"))
    assert wanted is not None
    assert not wanted.covers_time(1e15)
    assert not wanted.covers_time(-1e15)
    assert DateRange(None, None).covers_time(1e15)


def test_a_category_with_numbers_is_listed_by_numbers(logs: Path) -> None:
    ess.category_add("numbered", f"'{logs}'/a*", dateregex="a_[:%f:{8,8}]", overwrite=True)
    assert [entry.number for entry in ess.ls(cat="numbered", dates=("20140902", "*")).files] == [20140902, 20140903]
