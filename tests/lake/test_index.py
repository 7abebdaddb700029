"""The index: what looks have found comes back as it was, whatever happens to the process or the file."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ess
from ess.cli.app import run
from ess.errors import EssWarning, InitializationError
from ess.lake import index
from ess.lake.archive_index import known_contents, put_contents
from ess.lake.archives import Contents
from ess.lake.dates import NO_DATE
from ess.lake.entry import FileEntry
from ess.lake.index import ALL, Part, Span
from ess.lake.member import Member

DAY = timedelta(days=1)
ODD = (
    "a//b",
    "a/../b",
    ".",
    "a\nb",
    "A",
    "a",
    "\x01\x7f",
    "%2F+ ",
    "é\u2028",
    "\udcff\udc80",
    "\U0001f600",
    "x" * 1024,
    "a/",
)


def part(folder: Path, name: str = "logs", rules: str = "") -> Part:
    return Part(folder, name, rules, "s3://bucket/", "here")


def entry(key: str, day: int = 0, size: int = 1, number: int | None = None) -> FileEntry:
    return FileEntry("s3://bucket/" + key, size, 0.25, NO_DATE + day * DAY, "here", number, version=f"\xff{size}")


def in_order(found: list[FileEntry]) -> list[FileEntry]:
    return sorted(found, key=lambda each: each.order)


def the_file(folder: Path) -> Path:
    return folder / "index" / "index.sqlite"


KEYS = st.sampled_from(ODD) | st.text(st.characters(), min_size=1, max_size=8)
FILES = st.dictionaries(
    KEYS, st.tuples(st.integers(-3, 3), st.integers(0, 2), st.sampled_from([None, 0, 255, 256, 10**80])), max_size=8
)


@settings(max_examples=12)
@given(st.lists(st.tuples(FILES, st.none() | st.integers(-3, 3)), min_size=1, max_size=5))
def test_the_index_after_any_changes_is_what_a_fresh_look_finds(
    tmp_path_factory: pytest.TempPathFactory, looks: list[tuple[dict[str, tuple[int, int, int | None]], int | None]]
) -> None:
    mine = part(tmp_path_factory.mktemp("index"))
    expected: list[FileEntry] | None = None
    for began, (found, day) in enumerate(looks):
        entries = [entry(key, *values) for key, values in found.items()]
        span = ALL if day is None else Span(NO_DATE + day * DAY, NO_DATE + (day + 1) * DAY)
        index.refresh(mine, entries, began=began, span=span)
        if day is None:
            expected = in_order(entries)
        elif expected is not None:
            others = [each for each in expected if each.date != span.start]
            expected = in_order([*others, *(each for each in entries if each.date == span.start)])
        assert index.files(mine) == expected
        if expected is not None:
            known = index.known(mine)
            assert known is not None
            assert (known.count, known.size) == (len(expected), sum(each.size for each in expected))


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    mine = part(tmp_path)
    many = [entry(f"k{number:05}") for number in range(2000)]
    index.refresh(mine, many, began=1)
    with sqlite3.connect(the_file(tmp_path)) as database:
        database.execute("CREATE TABLE written (path BLOB)")
        for event in ("INSERT", "DELETE"):
            which = "new" if event == "INSERT" else "old"
            database.execute(
                f"CREATE TRIGGER on_{event} AFTER {event} ON file BEGIN INSERT INTO written VALUES ({which}.path); END"
            )
    database.close()
    changed = [*many[:10], many[10]._replace(size=7), *many[12:], entry("new")]
    index.refresh(mine, changed, began=2)
    with sqlite3.connect(the_file(tmp_path)) as database:
        assert {row[0] for row in database.execute("SELECT path FROM written")} == {b"k00010", b"k00011", b"new"}
    database.close()
    assert index.files(mine) == in_order(changed)


def test_categories_are_apart_and_other_rules_make_a_category_unknown(tmp_path: Path) -> None:
    index.refresh(part(tmp_path), [entry("a")], began=1)
    index.refresh(part(tmp_path, "other"), [entry("b")], began=1)
    assert index.files(part(tmp_path)) == [entry("a")]
    assert index.files(part(tmp_path, rules="new")) is None
    index.forget(tmp_path, "logs")
    assert index.files(part(tmp_path)) is None
    assert index.files(part(tmp_path, "other")) == [entry("b")]
    assert index.files(part(tmp_path / "nowhere")) is None
    assert not (tmp_path / "nowhere").exists()


def test_the_look_that_began_later_counts(tmp_path: Path) -> None:
    index.refresh(part(tmp_path), [entry("new")], began=2)
    index.refresh(part(tmp_path), [entry("old")], began=1)
    assert index.files(part(tmp_path)) == [entry("new")]


def test_a_look_that_began_in_the_future_gives_way(tmp_path: Path) -> None:
    index.refresh(part(tmp_path), [entry("old")], began=time.time() + 1e8)  # the clock was set back since
    index.refresh(part(tmp_path), [entry("new")], began=time.time())
    assert index.files(part(tmp_path)) == [entry("new")]


def test_what_is_in_an_archive_is_kept_for_one_version_of_it(tmp_path: Path) -> None:
    def archive(path: str, version: str) -> FileEntry:
        return FileEntry(path, 1, 0.0, version=version)

    found = Contents("zip", (Member("a\udcff", 1, form="zip"), Member("b", 2)), ("link",), ("b",), ("note",), "damage")
    first, empty, later = archive("x.zip", "1"), archive("empty.zip", "1"), archive("x.zip", "2")
    assert known_contents(tmp_path, [first]) == {}
    put_contents(tmp_path, [(first, found), (empty, Contents("tar"))])
    assert known_contents(tmp_path, [first, empty]) == {"x.zip": found, "empty.zip": Contents("tar")}
    put_contents(tmp_path, [(later, Contents("zip"))])
    assert known_contents(tmp_path, [first]) == {}
    assert known_contents(tmp_path, [later]) == {"x.zip": Contents("zip")}


def test_files_in_archives_come_back_as_they_were(tmp_path: Path) -> None:
    archive = FileEntry("s3://bucket/x.zip", 9, 1.5, datastore="here", version="1")
    inside = archive.inside(Member("../a\udcff", 3, datetime(2014, 9, 1), "zip", 7, stored=2, crc=5))
    assert (inside.path, inside.stored_path) == ("s3://bucket/x.zip/a\udcff", "s3://bucket/x.zip")
    index.refresh(part(tmp_path), [inside], began=1)
    assert index.files(part(tmp_path)) == [inside]


def test_the_index_is_its_owners_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        index.refresh(part(tmp_path), [entry("a")], began=1)
        held = sqlite3.connect(the_file(tmp_path))
        held.execute("BEGIN IMMEDIATE")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "index").iterdir()}
    finally:
        os.umask(before)
    held.close()
    assert len(modes) == 4  # the file, two of SQLite, and the lock
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("damage", ["words", "cut", "pages", "row"])
def test_a_damaged_index_is_made_again_and_told(tmp_path: Path, damage: str) -> None:
    mine = part(tmp_path)
    many = [entry(f"{number:0200}") for number in range(200)]
    index.refresh(mine, many, began=1)
    path = the_file(tmp_path)
    content = path.read_bytes()
    if damage == "words":
        path.write_bytes(b"this is not an index" * 100)
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "pages":
        path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    else:
        with sqlite3.connect(path) as database:
            database.execute("UPDATE file SET path = x'ff' WHERE path = ?", (b"0" * 200,))
        database.close()
    with pytest.warns(EssWarning, match="its index was damaged; it is made again"):
        assert index.files(mine) is None
    assert not path.exists()
    index.refresh(mine, many, began=2)
    assert index.files(mine) == many


def test_an_index_of_another_version_is_made_again(tmp_path: Path) -> None:
    index.refresh(part(tmp_path), [entry("a")], began=1)
    with sqlite3.connect(the_file(tmp_path)) as database:
        database.execute("DROP TABLE file")
        database.execute("PRAGMA user_version = 999")
    database.close()
    assert index.files(part(tmp_path)) is None
    index.refresh(part(tmp_path), [entry("a")], began=1)
    assert index.files(part(tmp_path)) == [entry("a")]


def test_a_place_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("no folder")
    index.refresh(part(tmp_path), [entry("a")], began=1)
    assert index.files(part(tmp_path)) is None


REFRESH = """
import sys
from pathlib import Path
from ess.lake import index
from ess.lake.entry import FileEntry
folder, tag, count, began = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
part = index.Part(folder, "logs", "", "s3://bucket/", "here")
entries = [FileEntry(f"s3://bucket/{number:0900}", 1, 0.0, datastore="here", version=tag) for number in range(count)]
if tag == "stops":
    differences = index._differences

    def until_half(old, new):
        put, gone = differences(old, new)
        for at, row in enumerate(put):
            if at == len(put) // 2:
                print("half", flush=True)
                sys.stdin.readline()
            yield row

    index._differences = lambda old, new: (until_half(old, new), ())
print("ready", flush=True)
sys.stdin.readline()
index.refresh(part, entries, began=began)
print("done", flush=True)
"""


def refreshing(folder: Path, tag: str, count: int, began: float) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", REFRESH, str(folder), tag, str(count), str(began)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_processes_refresh_at_once(tmp_path: Path) -> None:
    """Also the first time, when each makes the file."""
    processes = [refreshing(tmp_path, f"{number}", 300 + number, number) for number in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate()[0] == b"done\n"
    found = index.files(part(tmp_path))
    assert found is not None
    assert len(found) == 302
    assert {each.version for each in found} == {"2"}


def test_a_refresh_that_is_killed_leaves_the_index_whole(tmp_path: Path) -> None:
    index.refresh(part(tmp_path), [entry("a"), entry("b")], began=1)
    log = the_file(tmp_path).with_name("index.sqlite-wal")
    process = refreshing(tmp_path, "stops", 8000, 2)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"half\n"
    assert log.stat().st_size > 1 << 20  # a part is written already
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert index.files(part(tmp_path)) == [entry("a"), entry("b")]
    index.refresh(part(tmp_path), [entry("c")], began=3)
    assert index.files(part(tmp_path)) == [entry("c")]


def test_a_category_uses_its_index_until_it_is_damaged(places: dict[str, str], tmp_path: Path) -> None:
    del places
    ess.select("local")
    folder = tmp_path / "lögs\n"
    folder.mkdir()
    (folder / "a_20140901").write_bytes(b"a,b\n1,2\n")
    ess.category_add("logs", f"'{folder}'/a*", usecache=True)
    before = ess.files("logs")
    (folder / "a_20140902").write_bytes(b"a,b\n1,2\n")
    assert ess.files("logs") == before
    (path,) = Path(os.environ["ESS_CACHE_DIR"]).rglob("index.sqlite")
    path.write_bytes(b"x" * 5000)
    with pytest.warns(EssWarning, match="it is made again"):
        assert [each.date for each in ess.files("logs")] == [datetime(2014, 9, 1), datetime(2014, 9, 2)]
    (folder / "a_20140903").write_bytes(b"a,b\n1,2\n")
    assert len(ess.files("logs")) == 2
    ess.category_delete("logs")
    ess.category_add("logs", f"'{folder}'/a*", noprobe=True)
    assert len(ess.files("logs")) == 3


def test_a_listing_from_the_index_is_the_listing(
    places: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    del places
    ess.select("local")
    folder = tmp_path / "logs"
    folder.mkdir()
    for name in ("a_20140902", "a_20140901T1305", "a", "a_\udcff\n", "a_é"):
        (folder / name).write_bytes(b"x" * len(name))
    ess.category_add("logs", f"'{folder}'/a*", noprobe=True)
    assert ess.ls_index("logs") is None
    for more in (
        [],
        ["--nameonly"],
        ["--nosize"],
        ["--nodate"],
        ["--limit", "2"],
        ["--dates", "2014", "*"],
        ["--dates", "9", "*"],
    ):
        said = []
        for usecache in (False, True):
            ess.category_change_usecache("logs", usecache)
            said.append((run(["ls", "--cat", "logs", *more]), *capfd.readouterr()))
        assert said[0] == said[1]
    listed = ess.ls_index("logs", dates=("2014-09-01", "*"), limit=1)
    assert listed is not None
    assert [each.date for batch in listed for each in batch] == ["2014-09-01 13:05:00"]
    assert run(["ls", "--cat", "logs", "--dates", "2013", "2013"]) == 0
    assert capfd.readouterr() == ("", "ess: no file of the category 'logs' matches; see: ess summary logs\n")
    ess.category_change_dateregex("logs", "a_[:%f:{8,8}]")
    assert ess.ls_index("logs") is None


def test_an_index_that_is_damaged_while_it_is_listed_is_named(tmp_path: Path) -> None:
    mine = part(tmp_path)
    index.refresh(mine, [entry(f"{number:0900}") for number in range(3000)], began=1)
    listed = index.listed(mine)
    assert listed is not None
    assert len(next(listed)) == 1000
    path = the_file(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xa5" * (len(content) - 8192))
    with pytest.warns(EssWarning), pytest.raises(InitializationError, match="the index is damaged; try again"):
        list(listed)
    assert index.listed(mine) is None
