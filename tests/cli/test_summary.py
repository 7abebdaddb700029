"""``ess summary``: what is printed of categories, of their contents, and of their days."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pytest

import ess
from ess.cli.app import run
from ess.cli.contents import contents
from ess.cluster.scanning import ColumnContents, Contents, Rejection

pytestmark = pytest.mark.usefixtures("places")


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three days of visits, one day missing, and a category of files without dates."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for day, rows in ((1, "ann,7\nbob,TBD\nann,\n"), (2, "ann,9\n"), (4, "cy,1\nx\n")):
        (tmp_path / f"visits_2014090{day}.csv").write_text("who,pages\n" + rows)
    (tmp_path / "readme.txt").write_text("hello\n")
    ess.select("local")
    ess.category_add("visits", "visits*", columnspec="S:who I:pages")
    ess.category_add("notes", "*.txt", noprobe=True)
    return tmp_path


CONTENTS = """\
Contents of 3 files, 62 of data
6 records read = 4 rows + 2 rejected

Column  Type  Blank  Distinct  Values   Least  Most  Bytes
------  ----  -----  --------  -------  -----  ----  -----
who     S         0         2  text                    2-3
pages   I         1         3  integer      1     9    0-1

Rejected  Column  Reason, with one of the values
--------  ------  ---------------------------------------
       1  pages   'TBD' is not an unsigned 32-bit integer
       1  pages   the record has 1 of 2 fields
"""


def test_a_scan_prints_the_category_and_what_is_in_it(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["summary", "visits"]) == 0
    category = capsys.readouterr().out
    assert run(["summary", "visits", "--scan"]) == 0
    assert capsys.readouterr().out == f"{category}\n{CONTENTS}"


def column(name: str, kind: str, blank: int, integers: int, texts: int, samples: tuple[str, ...]) -> ColumnContents:
    return ColumnContents(name, kind, blank, 1234, integers, 0, 0, texts, 1, 9, 1, 3, samples)


FOUND = Contents(
    3,
    2048,
    2000,
    (Rejection("pages", "is not a number", "'T\x1bD'", 30), Rejection("", "other reasons", "", 1)),
    (column("who", "S", 0, 1, 1999, ("ann", "b\n")), column("pages", "I", 7, 1993, 0, ("7", "9"))),
)


def test_the_table_becomes_blocks_on_a_narrow_terminal_and_for_one_column() -> None:
    wide = contents(FOUND, width=80)
    assert wide[:2] == ["Contents of 3 files, 2.0K of data", "2,031 records read = 2,000 rows + 31 rejected"]
    assert wide[5] == "who     S         0    ~1,234  text 99.9%, integer <0.1%      1     9    1-3"
    assert wide[-2:] == ["      30  pages   'T\\x1bD' is not a number", "       1          other reasons"]
    narrow = contents(FOUND, width=40)
    assert narrow[3:7] == ["who (S)", "  Blank:    0", "  Distinct: ~1,234", "  Values:   text 99.9%, integer <0.1%"]
    assert max(map(len, narrow[3:-4])) <= 40
    assert contents(FOUND, details=True)[10] == r"  Samples:  ann  b\n"


def test_a_scan_for_numbers_of_files_reads_none(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "visits_20140905.csv").write_bytes(b"\x1f\x8b\x08damaged!!")
    assert run(["summary", "visits", "--scan", "--short"]) == 0
    assert run(["summary", "visits", "columnspec", "--scan"]) == 0
    assert capsys.readouterr().out == "4 74\nS:who I:pages\n"
    assert run(["summary", "visits", "--scan"]) != 0
    shown = capsys.readouterr()
    assert "Contents of 3 files (1 more failed), 62 of data" in shown.out
    assert len([line for line in shown.err.splitlines() if "visits_20140905.csv" in line]) == 1


def test_without_columns_lines_are_counted(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["summary", "notes", "--scan"]) == 0
    assert capsys.readouterr().out.endswith(
        "Contents of 1 file, 6 of data\n1 line read = 1 row + 0 rejected\n"
        "its columns are not known; give them: ess category change columnspec\n"
    )


def test_a_drawing_into_a_pipe_has_no_colour(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["summary", "visits", "--plot"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["visits: 3 files, 62", ""]
    assert lines[-1] == "4 days, 1 without files (\u00d7): 2014-09-03"
    assert "\x1b" not in "".join(lines)
    assert run(["summary", "--plot"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].startswith("visits ")
    assert not any(line.startswith("notes") for line in shown)


def test_a_terminal_has_colours_and_a_width_and_may_have_no_blocks(logs: Path, places: dict[str, str]) -> None:
    program = Path(sys.executable).with_name("ess")
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "LC_ALL", "LANG")}
    shown = []
    for more in ({}, {"NO_COLOR": "1"}, {"LC_ALL": "C"}):
        terminal = pexpect.spawn(
            str(program),
            ["summary", "--plot"],
            env={**environment, "TERM": "xterm", "LC_CTYPE": "C.UTF-8", **more},
            dimensions=(24, 40),
            encoding="utf-8",
        )
        terminal.expect(pexpect.EOF)
        shown.append(terminal.before.splitlines()[1])
    colours, plain, ascii_only = shown
    assert colours == "visits \x1b[36m█▄\x1b[0m\x1b[31m\u00d7\x1b[0m\x1b[36m▅\x1b[0m"
    assert plain == "visits █▄\u00d7▅"
    assert ascii_only == "visits \x1b[36m#:\x1b[0m\x1b[31mx\x1b[0m\x1b[36m:\x1b[0m"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--short"], "--short: it needs --scan; add --scan"),
        (["visits", "--plot", "pkey"], "--plot: it goes with neither --short nor a single field; leave these out"),
        (["--scan", "--column", "who"], "these are for reading the files of a category; write: ess summary CATEGORY"),
        (["visits", "--scan", "--column", "whom"], "no column 'whom'; its columns are: who pages"),
        (["notes", "--plot"], "no file has a date in its name; try: ess category change dateregex notes PATTERN"),
        (["visit"], "no category 'visit'; did you mean 'visits'?"),
        (["visits", "--scan", "--threads", "0"], "bad number of threads 0"),
    ],
)
def test_mistakes_are_one_line_with_the_next_step(
    logs: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run(["summary", *words]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
