"""``ess top``, ``hist``, ``days``, ``sessions``, ``head``, ``schema``: against Python's own counting, and the page."""

from __future__ import annotations

import csv
import doctest
import io
import os
import random
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import pytest

import ess
from ess import api
from ess.cli.tables import fitted
from ess.errors import EssWarning, OptionError, SystemFailure

#: Rows that are left out are told; one test looks at it.
pytestmark = pytest.mark.filterwarnings("ignore::ess.errors.EssWarning")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "questions.md"
START = 1772323200


@pytest.fixture
def commands(places: dict[str, str], warm: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which our commands are found, which this process has as well."""
    monkeypatch.setenv("PATH", warm["PATH"])
    return {**os.environ, **warm}


def _shop(folder: Path) -> None:
    """The access log of the page."""
    for day in (1, 2, 3):
        lines = []
        for event in range(12):
            url = ("/", "/tea", "/", "/cups?page=2", "/", "/tea", "/", "/old", "/", "/tea", "/", "/cups?page=2")[event]
            url = "/basket" if (event, url) == (10, "/") else url
            status = 404 if url == "/old" else 200
            size = {"/tea": 4500, "/cups?page=2": 3600 + 100 * day, "/": 300, "/old": 200, "/basket": 1100}[url]
            minute = event // 3 * 15 + event % 3 * 5
            method = "POST" if url == "/basket" else "GET"
            when = datetime.fromtimestamp(START + 9 * 3600 + 60 * minute, UTC).strftime("%H:%M:%S")
            lines.append(
                f'192.0.2.{1 + event % 3} - - [0{day}/Mar/2026:{when} +0000] "{method} {url} HTTP/1.1" {status} {size} '
                '"-" "curl/8"\n'
            )
        if day == 2:
            lines.append("something else\n")
        (folder / f"access-2026-03-0{day}.log").write_text("".join(lines))


def test_the_page(commands: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.chdir(data)
    _shop(data)
    text = PAGE.read_text()
    steps = 0
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command], env=commands, capture_output=True, text=True, check=False, cwd=data
            )
            shown = done.stdout + "".join(sorted(done.stderr.splitlines(keepends=True), reverse=True))
            assert (shown, done.returncode) == (expected, 0), command
            steps += 1
    assert steps == 12
    (python,) = re.findall(r"```pycon\n(.*?)```", text, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(python, {}, "page", str(PAGE), 0)
    assert doctest.DocTestRunner().run(test).failed == 0


Row = tuple[str, str, int, float, int]


@pytest.fixture
def orders(commands: dict[str, str], tmp_path: Path) -> list[Row]:
    """A category of four files with titles in two orders, odd values and bad records; its good rows."""
    luck, rows = random.Random(7), list[Row]()
    users = ["ann", "b,ob", 'c"arl', "", "é", "x\ny", "%file", "$HOME"]
    for day in (1, 2, 3, 4):
        names = ["who", "count", "price", "at", "item"]
        if day % 2:
            names.reverse()
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for _ in range(60):
            row = {
                "who": luck.choice(users),
                "item": luck.choice("stuvw"),
                "count": luck.randrange(-5, 900),
                "price": luck.randrange(4000) / 4,
                "at": START + day * 86400 + luck.randrange(80_000),
            }
            rows.append((row["who"], row["item"], row["count"], row["price"], row["at"]))  # type: ignore[arg-type]
            writer.writerow([row[name] for name in names])
        writer.writerow(["many" if name == "count" else 1 for name in names])
        (tmp_path / f"orders 2026030{day}.csv").write_text(out.getvalue())
    ess.select("local")
    spec = "S:item LS:at F:price LS:count S:who"
    ess.category_add("orders", f"'{tmp_path}/orders*.csv'", columnspec=spec)
    return rows


def test_top_is_what_python_counts(orders: list[Row]) -> None:
    counted = Counter(row[0] for row in orders)
    expected = sorted(counted.items(), key=lambda each: (each[1], each[0].encode()), reverse=True)
    assert ess.top("orders", "who", n=100).rows() == expected
    assert ess.top("orders", "who,who", n=100).rows() == expected
    assert ess.top("orders", "who", n=2).rows() == expected[:2]
    assert ess.top("orders", "who", "2026-03-02", "2026-03-02", n=100)["count"].sum() == 60


@pytest.mark.parametrize("name", ["sum", "min", "max", "avg"])
def test_top_by_a_statistic(orders: list[Row], name: str) -> None:
    groups = defaultdict[str, list[int]](list)
    for row in orders:
        if row[3] >= 500:
            groups[row[0]].append(row[2])
    computations: dict[str, Callable[[list[int]], float]] = {"sum": sum, "min": min, "max": max, "avg": fmean}
    compute = computations[name]
    frame = ess.top("orders", "who", by=f"{name}(count)", where="price >= 500", n=100)
    assert frame.columns == ["who", f"{name}_count", "count"]
    found = {who: (value, count) for who, value, count in frame.iter_rows()}
    assert {who: count for who, (_, count) in found.items()} == {who: len(values) for who, values in groups.items()}
    assert {who: value for who, (value, _) in found.items()} == pytest.approx(
        {who: compute(values) for who, values in groups.items()}, rel=1e-12
    )
    assert frame[f"{name}_count"].is_sorted(descending=True)


def test_top_by_distinct_values_of_two_columns(orders: list[Row]) -> None:
    groups = defaultdict[tuple[str, str], set[int]](set)
    for row in orders:
        groups[row[0], row[1]].add(row[2])
    found = ess.top("orders", ["who", "item"], by="distinct(count)", n=1000)
    assert {(who, item): many for who, item, many in found.iter_rows()} == {
        key: len(values) for key, values in groups.items()
    }


def test_a_key_may_be_called_as_a_result_is(orders: list[Row]) -> None:
    assert ess.top("orders", "count", n=1).columns == ["count", "count_"]
    assert dict(ess.top("orders", "count", n=2000).iter_rows()) == Counter(row[2] for row in orders)


def test_hist_counts_ranges_and_values(orders: list[Row]) -> None:
    assert ess.hist("orders", "count", bin=100).rows() == sorted(Counter(row[2] // 100 * 100 for row in orders).items())
    assert ess.hist("orders", "price", bin=62.5).rows() == sorted(
        Counter(row[3] // 62.5 * 62.5 for row in orders).items()
    )
    by_itself = ess.hist("orders", "count")
    assert by_itself.rows() == sorted(Counter(row[2] // 50 * 50 for row in orders).items())
    assert ess.hist("orders", "item").rows() == sorted(Counter(row[1] for row in orders).items())
    assert ess.hist("orders", "count", "2027", "2028").rows() == []


def test_days_are_those_of_the_rows(orders: list[Row]) -> None:
    days = Counter(datetime.fromtimestamp(row[4], UTC).strftime("%Y-%m-%d") for row in orders)
    assert ess.per_day("orders", time="at").rows() == sorted(days.items())
    sums = Counter[str]()
    for row in orders:
        sums[datetime.fromtimestamp(row[4] + 3600, UTC).strftime("%Y-%m-%d")] += row[2]
    found = ess.per_day("orders", time="at + 3600", by="sum(count)")
    assert [(day, total) for day, total, _ in found.iter_rows()] == sorted(sums.items())
    with pytest.raises(OptionError, match="known to hold the time.*--time"):
        ess.per_day("orders")


def test_sessions_are_rows_without_a_pause(orders: list[Row]) -> None:
    expected = []
    for who in {row[0] for row in orders}:
        times = sorted(row[4] for row in orders if row[0] == who)
        session = [times[0]]
        for when in times[1:]:
            if when - session[-1] > 3600:
                expected.append((who, session[0], session[-1] - session[0], len(session)))
                session = []
            session.append(when)
        expected.append((who, session[0], session[-1] - session[0], len(session)))
    found = [
        (who, int(datetime.strptime(f"{start}+0000", "%Y-%m-%d %H:%M:%S%z").timestamp()), duration, events)
        for who, start, duration, events in ess.sessions("orders", user="who", gap="1h", time="at").iter_rows()
    ]
    assert sorted(found) == sorted(expected)


def test_columns_may_be_computed(orders: list[Row]) -> None:
    let = ["large=price/100", "size=SLeng(who)", "both=who + item"]
    found = ess.top("orders", "size,both", by="max(large)", let=let, where="size > 0", n=1000)
    expected = defaultdict[tuple[int, str], float](float)
    for row in orders:
        if row[0]:
            key = len(row[0].encode()), row[0] + row[1]
            expected[key] = max(expected[key], row[3] / 100)
    assert {(size, both): value for size, both, value, _ in found.iter_rows()} == expected
    assert ess.hist("orders", "size", let=let).rows() == sorted(Counter(len(row[0].encode()) for row in orders).items())


def test_head_stops_when_it_has_enough(orders: list[Row], commands: dict[str, str]) -> None:
    assert ess.head("orders", columns="who,count", n=70).rows() == [(row[0], row[2]) for row in orders[:70]]
    assert ess.head("orders", n=1).columns == ["item", "at", "price", "count", "who"]
    done = subprocess.run(
        ["ess", "head", "orders", "-n", "2", "-c", "item"], env=commands, capture_output=True, check=False
    )
    assert done.stdout.decode() == f'"item"\n"{orders[0][1]}"\n"{orders[1][1]}"\n'
    assert done.returncode == 0


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_quotes_have_their_meaning_with_any_delimiter(commands: dict[str, str], tmp_path: Path, delimiter: str) -> None:
    rows = [["id", "note", "city"], *([str(n), f"a{delimiter}b", f"R{n % 2}me\nx"] for n in range(9))]
    with (tmp_path / "notes.csv").open("w", newline="") as out:
        csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    ess.select("local")
    ess.category_add("notes", f"{tmp_path}/notes*")
    assert ess.top("notes", "note,city").rows() == [(f"a{delimiter}b", "R0me\nx", 5), (f"a{delimiter}b", "R1me\nx", 4)]


def test_lines_with_blanks_and_quotes_are_read_as_they_were_probed(commands: dict[str, str], tmp_path: Path) -> None:
    line = '203.0.113.{n} [30/May/2026:00:00:0{n} +0200] "GET /p{n} HTTP/1.1" 200 0.{n}\n'
    (tmp_path / "mini.log").write_text("".join(line.format(n=n) for n in range(1, 9)))
    ess.select("local")
    ess.category_add("mini", f"{tmp_path}/mini*")
    name = ess.columns("mini")["column"][-1]
    assert ess.head("mini", columns=name)[name].to_list() == [n / 10 for n in range(1, 9)]


def test_bins_of_tenths_hold_their_bounds(commands: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("f\n" + "".join(f"{n / 100}\n" for n in range(-100, 100)))
    ess.select("local")
    ess.category_add("f", f"{tmp_path}/f.csv")
    assert ess.hist("f", "f", bin=0.1).rows() == [(n / 10, 10) for n in range(-10, 10)]
    assert ess.hist("f", "f", bin=0.3)["count"].sum() == 200
    assert ess.hist("f", "f", bin=1e-320)["count"].sum() == 200
    with pytest.raises(OptionError, match="must be a number"):
        ess.hist("f", "f", bin="x")  # type: ignore[arg-type]


def test_rejected_rows_are_a_warning_in_python(orders: list[Row]) -> None:
    with pytest.warns(EssWarning, match="ess.top: 4 files: 244 rows read = 240 out . 0 filtered . 4 rejected"):
        ess.top("orders", "item")


def test_each_file_gives_no_more_rows_than_are_wanted(orders: list[Row]) -> None:
    assert "-top 3 -o,notitle" in api.question("head", "orders", "*", "*", {"n": 3}).command


def test_the_shown_line_gives_the_same(orders: list[Row], commands: dict[str, str]) -> None:
    for words in (
        ["top", "orders", "who", "--by", "max(price)", "--where", "who != 'ann' && item != \"s\""],
        ["days", "orders", "--time", "at", "--limit", "3"],
    ):
        asked = subprocess.run(["ess", *words], env=commands, capture_output=True, check=True)
        line = subprocess.run(["ess", *words, "--show"], env=commands, capture_output=True, check=True).stdout.decode()
        shown = subprocess.run(["bash", "-c", line], env=commands, capture_output=True, check=True)
        assert shown.stdout == asked.stdout
        assert len(asked.stdout.splitlines()) > 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("top orders wo", "no column 'wo'; did you mean 'who'?"),
        ("top orders who --by sum(item)", "column item does not hold numbers"),
        (
            "top orders who --by median(count)",
            "'median(count)' is nothing that can be computed; give count, sum(COLUMN)",
        ),
        ("top orders who -n 0", "0 rows are none"),
        ("hist orders count --bin 0", "a bin must be wider than 0"),
        ("sessions orders --user who --time at --gap soon", "'soon' is no duration; write it as 90s, 30m, 2h or 1d"),
        ("top orders who --where price=>1", "--where: "),
        ("top orders who --where cost==1", "unknown column 'cost'"),
        ("top orders x --let x", "'x' makes no column; write it as NAME=EXPRESSION"),
        ("top orders x --let who=1", "category orders has a column 'who'"),
        ("days orders --time who+item", "'who+item' gives no number"),
        ("days orders", "say how a row gives seconds: --time COLUMN"),
        ("top nothing who", "no category 'nothing'"),
        ("top orders ,", "no column is given"),
    ],
)
def test_a_mistake_is_told_before_a_file_is_read(
    orders: list[Row], commands: dict[str, str], words: str, said: str
) -> None:
    done = subprocess.run(["ess", *words.split(" ")], env=commands, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_failing_file_is_told_and_an_error_in_python(
    orders: list[Row], commands: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "orders 20260305.csv").write_bytes(b"\x1f\x8b\x08 damaged")
    done = subprocess.run(["ess", "top", "orders", "item"], env=commands, capture_output=True, text=True, check=False)
    assert done.returncode == 12
    assert "orders 20260305.csv" in done.stderr
    with pytest.raises(SystemFailure, match="orders 20260305.csv"):
        ess.top("orders", "item")
    done = subprocess.run(["ess", "hist", "orders", "count"], env=commands, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stdout.splitlines())) == (12, 20)


def test_tables_fit_the_terminal() -> None:
    rows = [["/a/very/long/path/to/a/page", "1200"], ["/b", "600"], ["/c", "0"]]
    lines = fitted(["url", "count"], rows, width=24, numbers=[False, True])
    assert lines == [
        "url                count",
        "-----------------  -----",
        "/a/very/long/pat…   1200",
        "/b                   600",
        "/c                     0",
    ]
    drawn = fitted(["day", "n"], [["1", "1200"], ["2", "600"], ["3", "0"]], width=25, numbers=[False, True], bars=True)
    assert drawn == ["day     n", "---  ----", "1    1200  ██████████████", "2     600  ███████", "3       0"]
    plain = fitted(["day", "n"], [["1", "2"], ["2", "1"]], width=20, numbers=[False, True], bars=True, blocks=False)
    assert plain == ["day  n", "---  -", "1    2  ############", "2    1  ######"]
    assert all(len(line) <= 30 for line in fitted(["a", "b"], [["x" * 50, "y" * 60]], width=30))


def test_schema_tells_what_a_format_says(commands: dict[str, str], tmp_path: Path) -> None:
    _shop(tmp_path)
    ess.select("local")
    ess.category_add("web", f"{tmp_path}/access*")
    frame = ess.columns("web")
    assert frame.filter(frame["column"] == "epoch").rows() == [("epoch", "L", "the time in seconds since 1970")]
    done = subprocess.run(
        [sys.executable, "-c", "import pty, sys; sys.exit(pty.spawn(['ess', 'schema', 'web']))"],
        env=commands,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"^status +I +the status of the response\r?$", done.stdout, re.MULTILINE)
