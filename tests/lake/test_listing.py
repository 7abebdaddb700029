"""Walking the disk: what is found, and what is not even looked at."""

from __future__ import annotations

import gzip
import os
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ess
from ess.errors import OptionError
from ess.lake.dates import NO_DATE, date_rule
from ess.lake.entry import FileEntry
from ess.lake.listing import in_order, list_files, list_level
from ess.lake.patterns import compile_exclude, parse_patterns
from ess.lake.select import files_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("logs/a_20140902.gz", "logs/a_20140901.gz", "logs/deep/er/a_20140903.gz", "other/a.txt", "logs/b"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))
    return root


def names(root: Path, text: str, *, level: bool = False, exclude: str | None = None) -> list[str]:
    walk = list_level if level else list_files
    found = walk(
        parse_patterns(text, folder=str(root), where="pattern"),
        label="local",
        exclude=compile_exclude(exclude, where="--exclude"),
    )
    return [entry.path.removeprefix(f"{root}/") for entry in found.files]


def test_files_come_by_date_and_path_with_size_and_date(tree: Path) -> None:
    found = list_files(parse_patterns("logs/*", folder=str(tree), where=""), label="here")
    assert [(Path(e.path).name, e.date.day, e.size) for e in found.files] == [
        ("b", 1, 6),
        ("a_20140901.gz", 1, 18),
        ("a_20140902.gz", 2, 18),
        ("a_20140903.gz", 3, 26),
    ]
    assert found.files[0].date == NO_DATE
    assert found.files[0].datastore == "here"
    assert found.size == 68
    assert found.files[0].modified == Path(found.files[0].path).stat().st_mtime


def test_a_star_crosses_folders_and_several_patterns_list_a_file_once(tree: Path) -> None:
    assert names(tree, "*a_*3.gz") == ["logs/deep/er/a_20140903.gz"]
    assert names(tree, "logs/b other/*.txt l*/b") == ["logs/b", "other/a.txt"]
    assert names(tree, "logs/deep") == ["logs/deep/er/a_20140903.gz"]
    assert names(tree, "nosuch/* logs/nosuch") == []


def test_excluded_files_and_folders_are_left_out(tree: Path) -> None:
    assert names(tree, "*", exclude="deep/* *.txt") == ["logs/b", "logs/a_20140901.gz", "logs/a_20140902.gz"]


def test_one_level_is_listed_like_a_shell_does(tree: Path) -> None:
    assert names(tree, "*", level=True) == ["logs/", "other/"]
    assert names(tree, "logs", level=True) == names(tree, "logs/*", level=True)
    assert set(names(tree, "logs/", level=True)) == {"logs/a_20140901.gz", "logs/a_20140902.gz", "logs/b", "logs/deep/"}
    assert names(tree, "*/a*t", level=True) == ["other/a.txt"]


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are read from now on."""
    read: list[str] = []
    scandir = os.scandir

    def noted(folder: str) -> Any:
        read.append(str(folder))
        return scandir(folder)

    monkeypatch.setattr("ess.stores.disk.os.scandir", noted)
    return read


def test_only_folders_that_can_match_are_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reads(monkeypatch)
    names(tree, "logs/d*er*")
    assert sorted(read) == [f"{tree}/logs/", f"{tree}/logs/deep/", f"{tree}/logs/deep/er/"]


def test_links_are_followed_but_not_in_circles(tree: Path) -> None:
    (tree / "logs" / "up").symlink_to(tree / "logs")
    (tree / "logs" / "side").symlink_to(tree / "other")
    (tree / "logs" / "gone").symlink_to(tree / "nothing")
    found = names(tree, "logs/*.txt")
    assert found == ["logs/side/a.txt", "logs/up/side/a.txt"]


def test_pipes_are_no_files(tree: Path) -> None:
    os.mkfifo(tree / "logs" / "pipe")
    assert names(tree, "logs/p*") == []


def test_a_folder_that_fails_is_reported(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(folder: str) -> Any:
        if str(folder).endswith("deep/"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr("ess.stores.disk.os.scandir", refuse)
    found = list_files(parse_patterns("logs/*", folder=str(tree), where=""), label="local")
    assert found.unreadable == (f"{tree}/logs/deep/",)
    assert len(found.files) == 3


NAME = st.binary(min_size=1, max_size=20).filter(lambda b: b"/" not in b and b"\0" not in b and b not in (b".", b".."))


@given(name=NAME)
def test_a_name_of_any_bytes_is_found_and_opens(tmp_path_factory: pytest.TempPathFactory, name: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / os.fsdecode(name)).write_bytes(name)
    for found in (
        list_files(parse_patterns("*", folder=str(folder), where=""), label="local"),
        list_level(parse_patterns("*", folder=str(folder), where=""), label="local"),
    ):
        assert [os.fsencode(entry.path) for entry in found.files] == [os.fsencode(folder) + b"/" + name]
        assert Path(found.files[0].path).read_bytes() == name


@given(text=st.text("ab*?[]!-' \"\\./\n", max_size=10))
def test_any_pattern_is_refused_or_lists(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "few"
    (folder / "a" / "b").mkdir(parents=True, exist_ok=True)
    (folder / "a" / "ab").touch()
    try:
        patterns = [p for p in parse_patterns(text, folder=str(folder), where="") if p.text.startswith(f"{folder}/")]
    except OptionError:
        return
    files = {entry.path for entry in list_files(patterns, label="local").files}
    level = {entry.path for entry in list_level(patterns, label="local").files if not entry.folder}
    assert level <= files <= {f"{folder}/a/ab"}


def test_of_many_files_each_folder_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in range(20):
        (tmp_path / f"d{folder}").mkdir()
        for number in range(250):
            (tmp_path / f"d{folder}" / f"log_{number}_20140901.gz").touch()
    read = reads(monkeypatch)
    found = list_files(parse_patterns("*", folder=str(tmp_path), where=""), label="local", rule=date_rule(None, None))
    assert len(found.files) == 5000
    assert sorted(read) == [f"{tmp_path}/", *sorted(f"{tmp_path}/d{folder}/" for folder in range(20))]


def test_links_to_nothing_and_empty_compressed_files_are_told_of(places: dict[str, str], tmp_path: Path) -> None:
    for day in (1, 2):
        (tmp_path / f"log_2014090{day}.csv.gz").write_bytes(gzip.compress(b"a\n") if day == 1 else b"")
        (tmp_path / f"log_2014100{day}.csv.gz").symlink_to(tmp_path / "nowhere")
    ess.select("local")
    ess.category_add("log", f"{tmp_path}/log_*")
    said: list[str] = []
    assert len(files_of("log", "2014-09-01", "2014-10-01", tell=said.append)) == 2
    assert said == [
        f"{tmp_path}/log_20141001.csv.gz: a link to something that is not there; it is left out",
        f"{tmp_path}/log_20140902.csv.gz: it is empty, which no compressed file is; nothing is read of it",
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 2), st.text("ab\udcff", max_size=2))))
def test_files_are_in_order(rows: list[tuple[int, int | None, str]]) -> None:
    """By date, number and path."""
    files = [FileEntry(path, 0, 0.0, datetime(2014, 9, 1 + day), number=number) for day, number, path in rows]
    assert in_order(files) == sorted(files, key=attrgetter("order"))
