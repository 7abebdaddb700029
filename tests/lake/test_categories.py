"""Categories: made by pattern and probing, changed, copied, deleted, and used."""

from __future__ import annotations

import gzip
import json
import os
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import ess
from ess import settings
from ess.errors import EssError, InitializationError, InputOpenError, InputReadError, OptionError
from ess.lake.categories import parse_columnspec, parse_delimiter


@pytest.fixture
def logs(places: dict[str, str], tmp_path: Path) -> Path:
    folder = tmp_path / "some logs"
    folder.mkdir()
    for day in range(1, 6):
        rows = f"eventDate,userID,articleID\r\n2014-09-0{day}T00:00:02,{day},23\r\n2014-09-0{day}T00:00:03,7,TBD\r\n"
        (folder / f"browse_2014090{day}.gz").write_bytes(gzip.compress(rows.encode()))
    (folder / "readme.txt").write_text("hello\n")
    ess.select("local")
    return folder


def state() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((settings.cache_dir() / "datastores" / "local" / "categories.json").read_text())
    return found


def test_adding_finds_files_dates_and_layout(logs: Path) -> None:
    made = ess.category_add("browse", f"'{logs}'/*browse*")
    assert made.columnspec == "S:eventDate I:userID S:articleID"
    assert (made.compression, made.found_compression, made.delimiter, made.header) == ("", "gzip", ",", True)
    assert (made.stats.count, made.stats.first, made.stats.last) == (5, "2014-09-01", "2014-09-05")
    assert ess.category("browse") == made
    assert state()["categories"]["browse"]["columns"] == ["S:eventDate", "I:userID", "S:articleID"]


def test_a_relative_pattern_keeps_its_meaning_in_another_folder(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(logs.parent)
    made = ess.category_add("browse", "'some logs'/br*")
    monkeypatch.chdir("/")
    assert made.patterns == (f"{logs}/br*",)
    assert len(ess.files("browse")) == 5


def test_a_range_gives_the_files_in_order(logs: Path) -> None:
    ess.category_add("browse", f"'{logs}'/*browse*")
    assert [Path(e.path).name for e in ess.files("browse", "2014-09-02", "2014-09-03")] == [
        "browse_20140902.gz",
        "browse_20140903.gz",
    ]
    assert [e.date.day for e in ess.files("browse", "*", "2014-09-04", exclude="*03.gz", limit=3)] == [1, 2, 4]
    assert ess.files("browse", "2013", "2013") == []


def test_new_and_deleted_files_are_seen_at_the_next_use(logs: Path) -> None:
    ess.category_add("browse", f"'{logs}'/*browse*")
    (logs / "browse_20140905.gz").unlink()
    (logs / "browse_20140910.gz").write_bytes(gzip.compress(b"x"))
    (logs / "browse_20140911.gz").write_bytes(gzip.compress(b"x"))
    assert ess.category("browse").stats.count == 5
    assert len(ess.files("browse")) == 6
    assert (ess.category("browse").stats.count, ess.category("browse").stats.last) == (6, "2014-09-11")


def test_a_cached_list_stays_until_it_is_scanned(logs: Path) -> None:
    made = ess.category_add("browse", f"'{logs}'/*browse*", usecache=True)
    before = ess.files("browse")
    (logs / "browse_20140910.gz").write_bytes(gzip.compress(b"x"))
    assert ess.files("browse") == before
    assert ess.category("browse", scan=True).stats.count == 6
    assert len(ess.files("browse")) == 6
    (logs / "browse_20140911.gz").write_bytes(gzip.compress(b"x"))
    ess.category_change_usecache("browse", False)
    assert len(ess.files("browse")) == 7
    assert made.usecache


def test_a_file_name_of_any_bytes_survives_the_cached_list(logs: Path) -> None:
    name = os.fsencode(logs) + b"/odd\n\"'\xff _20140930"
    Path(os.fsdecode(name)).write_bytes(b"a,b\n1,2\n")
    ess.category_add("odd", f"'{logs}'/odd*", usecache=True)
    (entry,) = ess.files("odd")
    assert os.fsencode(entry.path) == name
    assert entry.date == datetime(2014, 9, 30)
    assert ess.ls(cat="odd").files == (entry,)
    with ess.cat(entry.path) as file:
        assert file.read() == b"a,b\n1,2\n"


def test_options_in_place_of_what_probing_finds(logs: Path) -> None:
    pattern = f"'{logs}'/*browse*"
    assert ess.category_add("a", pattern, alls=True).columnspec == "S:eventDate S:userID S:articleID"
    assert ess.category_add("x", pattern, allx=True).columnspec == "X:eventDate X:userID X:articleID"
    assert ess.category_add("c", pattern, columnspec="S:day i:who X").columns == ("S:day", "i:who", "X")
    assert ess.category_add("d", pattern, delimiter="T").delimiter == "T"
    assert ess.category_add("e", pattern, exclude="*01.gz").stats.count == 4
    assert ess.category_add("k", pattern, pkey="userid", comment="mine").pkey == "userid"
    raw = ess.category_add("n", pattern, noprobe=True)
    assert (raw.columns, raw.compression, raw.stats.count, raw.probed) == ((), "", 5, False)


def test_a_preprocess_command_is_run_before_the_sample_is_looked_at(logs: Path) -> None:
    made = ess.category_add("p", f"'{logs}'/*browse*", preprocess="cut -d, -f2,3 | tr , '|'")
    assert (made.delimiter, made.columnspec) == ("|", "I:userID S:articleID")
    with pytest.raises(OptionError, match="--preprocess: the command fails with exit code 3: oh no"):
        ess.category_add("q", f"'{logs}'/*browse*", preprocess="echo oh no >&2; exit 3")


def test_commands_of_probing_see_what_those_of_streams_see(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "hidden")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    ess.category_add("browse", f"'{logs}'/*browse*")
    command = "pwd; umask; echo $WHO $MY_TOKEN; command -v aq_pp | wc -l"
    variables = {**os.environ, "WHO": "ann"}
    with ess.workspace(str(tmp_path), environment=variables, umask=0o77).entered():
        seen = ess.probe_output("browse", command).decode().splitlines()
        assert seen == ess.stream("browse", command=command, limit=1).lines == [str(tmp_path), "0077", "ann", "1"]


def test_nothing_of_a_command_of_probing_that_takes_too_long_goes_on(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ess.lake.probing._PREPROCESS_SECONDS", 0.5)
    monkeypatch.chdir(tmp_path)
    os.mkfifo("held")
    command = "exec 3>held; printf x >&3; sleep 1000 | cat"
    reader = os.open("held", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OptionError, match="--preprocess: the command ran for more than"):
        ess.category_add("q", f"'{logs}'/*browse*", preprocess=command)
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b"x"
    assert os.read(reader, 1) == b""  # the end comes when all who hold it have ended
    os.close(reader)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"archive": "'x"}, "--archive: cannot read the pattern"),
        ({"archive": "*x*"}, "--archive: no file in an archive matches '*x*'; 5 files are no archives"),
        ({"compression": "rar"}, "unknown compression 'rar'"),
        ({"delimiter": "ab"}, "bad delimiter 'ab'"),
        ({"columnspec": "Q:a"}, "unknown column type 'Q'"),
        ({"columnspec": "S:a I:A"}, "is given twice"),
        ({"alls": True, "allx": True}, "exclude each other"),
        ({"pkey": "nobody"}, "no column 'nobody'; the columns are eventDate"),
        ({"dateregex": "x"}, "no date class"),
        ({"exclude": "'x"}, "--exclude"),
    ],
)
def test_options_that_do_not_fit_are_option_errors_and_nothing_is_stored(
    logs: Path, options: dict[str, bool] | dict[str, str], words: str
) -> None:
    with pytest.raises(OptionError, match=words.replace("*", r"\*")):
        ess.category_add("browse", f"'{logs}'/*browse*", **options)
    assert ess.summary().categories == ()


def test_compression_none_takes_the_bytes_as_they_are(logs: Path) -> None:
    made = ess.category_add("raw", f"'{logs}'/*browse*", compression="none")
    assert (made.compression, made.columns) == ("none", ())


def test_each_files_first_bytes_decide_unless_the_compression_is_forced(logs: Path) -> None:
    (logs / "browse_20140906.csv").write_text("eventDate,userID,articleID\n2014-09-06T00:00:02,6,1\n")
    made = ess.category_add("mixed", f"'{logs}'/*browse*")
    assert (made.compression, made.found_compression) == ("", "mixed")
    assert ess.stream("mixed", "2014-09-05", "*", "wc -l").lines == ["3", "2"]
    with pytest.raises(InputReadError, match="its compression is gzip, not zip"):
        ess.category_add("zip", f"'{logs}'/*browse*", compression="zip")
    ess.category_add("forced", f"'{logs}'/*browse*", compression="gzip")
    assert ess.stream("forced", "2014-09-06", "*", "wc -l").result.exit_code != 0
    ess.category_add("raw", f"'{logs}'/*browse*", compression="none")
    packed = (logs / "browse_20140905.gz").read_bytes()
    assert ess.stream("raw", "2014-09-05", "2014-09-05", "cat").output == packed


def test_a_pattern_without_files_is_an_error_unless_nothing_is_probed(logs: Path) -> None:
    with pytest.raises(OptionError, match="no file matches") as caught:
        ess.category_add("none", f"{logs}/*browse*")  # the space in the folder's name is not quoted
    assert str(caught.value).endswith(
        f"""a space separates patterns; for a name with spaces use two kinds of quotes: "'{logs}/*browse*'\""""
    )
    assert ess.category_add("none", "/nosuch/*", noprobe=True).stats.count == 0
    assert ess.files("none") == []


def test_names(logs: Path) -> None:
    for bad in ("", "a b", "a/b", ".hidden", "a:b", "x" * 101, "a\n"):
        with pytest.raises(OptionError, match=r"category name"):
            ess.category_add(bad, "/x/*", noprobe=True)
    assert ess.category_add("日本_1.x-y", "/x/*", noprobe=True).name == "日本_1.x-y"
    with pytest.raises(OptionError, match="exists; add --overwrite"):
        ess.category_add("日本_1.x-y", "/x/*", noprobe=True)
    assert ess.category_add("日本_1.x-y", "/y/*", noprobe=True, overwrite=True).patterns == ("/y/*",)


def test_changing_copying_and_deleting(logs: Path) -> None:
    ess.category_add("browse", f"'{logs}'/*browse*")
    assert ess.category_change_columnspec("browse", "S:a  I:b").columnspec == "S:a I:b"
    assert ess.category_change_comment("browse", "two\nlines").comment == "two\nlines"
    assert ess.category_change_dateregex("browse", "none").stats.last == "1970-01-01"
    assert ess.category_change_dateregex("browse", "_[:%f:{4,4}]").stats.first == "2014"
    assert len(ess.files("browse", "2014", "2014")) == 5
    assert ess.category_change_dateformat("browse", "_YMD").stats.first == "2014-09-01"
    copied = ess.category_copy("browse", "other")
    assert (copied.name, copied.columns) == ("other", ("S:a", "I:b"))
    with pytest.raises(OptionError, match="exists"):
        ess.category_copy("browse", "other")
    ess.category_delete("browse")
    assert [item.name for item in ess.summary().categories] == ["other"]
    for action in (
        lambda: ess.category("browse"),
        lambda: ess.category_delete("browse"),
        lambda: ess.category_copy("browse", "x"),
        lambda: ess.category_change_comment("browse", "x"),
        lambda: ess.files("browse"),
        lambda: ess.probe("browse"),
    ):
        with pytest.raises(OptionError, match="no category 'browse'"):
            action()
    with pytest.raises(OptionError, match="did you mean 'other'"):
        ess.category("othr")


def test_probing_shows_and_stores_nothing(logs: Path) -> None:
    ess.category_add("browse", f"'{logs}'/*browse*", columnspec="S:a")
    found = ess.probe("browse")
    assert found.dialect.columns == ("S:eventDate", "I:userID", "S:articleID")
    assert ess.category("browse").columnspec == "S:a"
    chosen = ess.probe("browse", file=f"{logs}/browse_20140903.gz").file
    assert chosen is not None
    assert chosen.date.day == 3
    assert ess.probe("browse", size=40).dialect.columns == ("S:eventDate", "S:userID", "S:articleID")
    with pytest.raises(OptionError, match="no such file"):
        ess.probe("browse", file="/etc/passwd")
    with pytest.raises(OptionError, match="--size"):
        ess.probe("browse", size=0)


def test_a_last_line_without_a_line_end_counts(logs: Path) -> None:
    (logs / "short.csv").write_text("a,b\n1,2\n3,x")
    assert ess.category_add("short", f"'{logs}'/short.csv").columnspec == "I:a S:b"


def test_damaged_files(logs: Path) -> None:
    rows = random.Random(1)
    whole = gzip.compress(b"".join(b"%d,%d\n" % (rows.randrange(10**6), rows.randrange(10**6)) for _ in range(9999)))
    (logs / "cut_1.gz").write_bytes(whole[: len(whole) // 2])
    (logs / "bad_1.gz").write_bytes(b"\x1f\x8b\x08\x00damaged")
    assert ess.category_add("cut", f"'{logs}'/cut*").columns == ("I:col_1", "I:col_2")
    with pytest.raises(InputReadError):
        ess.category_add("bad", f"'{logs}'/bad*")
    assert ess.category_add("both", f"'{logs}'/bad* '{logs}'/cut*").columns == ("I:col_1", "I:col_2")


def test_a_folder_that_cannot_be_read_is_never_a_smaller_answer(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ess.category_add("browse", f"'{logs}'/*browse*")
    (logs / "secret").mkdir()
    scandir = os.scandir

    def refuse(folder: str) -> Any:
        if str(folder).endswith("secret/"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr("ess.stores.disk.os.scandir", refuse)
    with pytest.raises(InputOpenError, match="secret"):
        ess.files("browse")
    ess.category_add("cached", f"'{logs}'/*browse*", usecache=True)
    for _ in range(2):
        with pytest.raises(InputOpenError, match="secret"):
            ess.files("cached")
    ess.category_add("browse", f"'{logs}'/*browse*", exclude="secret", overwrite=True)
    assert len(ess.files("browse")) == 5


def test_settings_that_cannot_be_written_do_not_stop_reading(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ess.category_add("browse", f"'{logs}'/*browse*")
    (logs / "browse_20140910.gz").write_bytes(b"x")

    def refuse(*_: object) -> None:
        raise InitializationError("no")

    monkeypatch.setattr(settings, "write_private", refuse)
    assert len(ess.files("browse")) == 6


@pytest.mark.parametrize("content", ['{"version": 1, "categories": {"a": {}}}', '{"version": 1, "categories": 3}'])
def test_damaged_settings_are_named(logs: Path, content: str) -> None:
    ess.category_add("browse", f"'{logs}'/*browse*")
    (settings.cache_dir() / "datastores" / "local" / "categories.json").write_text(content)
    with pytest.raises(InitializationError, match=r"categories\.json: the settings file is damaged"):
        ess.summary()


def test_columnspecs_and_delimiters() -> None:
    assert parse_columnspec('ip:ip sep:" [" s,clf:a X', where="") == ("ip:ip", 'sep:" ["', "s,clf:a", "X")
    assert parse_columnspec("s:a:b.c", where="") == ("s:a:b.c",)
    for bad in ("", " ", 'sep:"', "S:1a"):
        with pytest.raises(OptionError):
            parse_columnspec(bad, where="x")
    assert [parse_delimiter(text) for text in (",", r"\t", "tab", r"\x01", "\t")] == [",", "\t", "\t", "\x01", "\t"]
    for bad in ('"', r"\xzz", "é", "\n"):
        with pytest.raises(OptionError):
            parse_delimiter(bad)


def test_every_error_is_one_line(logs: Path) -> None:
    with pytest.raises(EssError) as caught:
        ess.category_add("x", "/no\nsuch\x1b[31m/*")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_preprocess_command_gets_the_beginning_as_it_is(tmp_path: Path) -> None:
    ess.select("local")
    text = "id,name\n" + "".join(f"{n},\u010a\n" for n in range(1, 40_000))
    for name, size in (("short.csv", 100), ("long.csv", len(text))):
        (tmp_path / name).write_bytes(text[:size].encode("utf-16"))
        command = "iconv -f utf-16 -t utf-8"
        made = ess.category_add("wide", str(tmp_path / name), preprocess=command, overwrite=True)
        assert made.columnspec == "I:id S:name"


def test_files_with_another_title_line_are_named(tmp_path: Path) -> None:
    ess.select("local")
    for day in range(1, 10):
        titles = "ts,bytes,user" if day == 4 else "ts,user,bytes"
        (tmp_path / f"x-2026-11-0{day}.csv").write_text(f"{titles}\n11,5,100\n12,6,200\n")
    made = ess.category_add("x", f"{tmp_path}/*.csv")
    assert len(made.remarks) == 1
    assert f"1 of 9 sampled files do not begin with the title line of {tmp_path}/x-2026-11-01.csv" in made.remarks[0]
    assert f"{tmp_path}/x-2026-11-04.csv (ts,bytes,user); " in made.remarks[0]
    assert ess.probe("x").remarks == made.remarks
