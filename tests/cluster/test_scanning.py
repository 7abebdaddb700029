"""The contents of a category: rows, values and rejected records, as other programs count them."""

from __future__ import annotations

import gzip
import random
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

import ess
from ess.cluster.scanning import Contents
from ess.errors import InputReadError, OptionError

pytestmark = pytest.mark.usefixtures("places")

ROWS = 1200


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three gzip files of sales, with words among numbers and short records."""
    folder = tmp_path_factory.mktemp("sales logs")
    chance = random.Random(5)
    for day in range(1, 4):
        rows = ["day,user,item,price"]
        for _ in range(ROWS // 3):
            item = "TBD" if chance.random() < 0.02 else str(chance.randint(1, 50))
            price = "" if chance.random() < 0.1 else f"{chance.randint(0, 600) / 100}"
            rows.append(f"2014-09-0{day},{chance.randint(1, 400)},{item},{price}")
        rows.append("short,1")
        (folder / f"sales_2014090{day}.csv.gz").write_bytes(gzip.compress(("\n".join(rows) + "\n").encode(), mtime=0))
    return folder


@pytest.fixture
def sales(logs: Path, places: dict[str, str]) -> str:
    ess.select("local")
    ess.category_add("sales", f"'{logs}'/sales*", columnspec="S:day I:user I:item F:price")
    return "sales"


def test_the_counts_are_those_of_other_programs(sales: str, logs: Path) -> None:
    found = ess.contents(sales)
    assert (found.files, found.failures, found.exit_code) == (3, (), 0)
    lines = subprocess.run(["sh", "-c", 'zcat "$0"/*.gz | wc -l', str(logs)], capture_output=True, check=True)
    assert found.read == int(lines.stdout) - 3 == ROWS + 3
    assert found.read == found.rows + found.rejected
    table = f"read_csv('{logs}/*.gz', all_varchar=true, header=true, null_padding=true)"
    query = f"select * from {table} where item <> 'TBD' and day <> 'short'"
    (expected,) = duckdb.execute(
        "select count(*), count(distinct user), min(user::int), max(user::int), count(distinct item),"
        " count(*) - count(price), min(price::double), max(price::double),"
        f" count(distinct price) from ({query})"
    ).fetchall()
    day, user, item, price = found.columns
    assert expected[:-1] == (
        *(found.rows, user.distinct, user.least, user.most, item.distinct),
        *(price.blank, price.least, price.most),
    )
    assert price.distinct == expected[-1]
    assert (day.kinds, day.distinct, day.shortest, day.longest) == ({"text": found.rows}, 3, 10, 10)
    assert item.kinds == {"integer": found.rows}
    assert sum(price.kinds.values()) + price.blank == found.rows
    (words,) = duckdb.execute(f"select count(*) from {table} where item = 'TBD'").fetchall()
    assert [(each.column, each.reason, each.value, each.count) for each in found.rejections] == [
        ("item", "is not an unsigned 32-bit integer", "'TBD'", words[0]),
        ("item", "the record has 2 of 4 fields", "", 3),
    ]


def test_a_column_over_all_files_and_a_stream_of_aq_pp_that_counts_the_same(sales: str) -> None:
    found = ess.contents(sales, "2014-09-02", "2014-09-02", columns=["ITEM"])
    (item,) = found.columns
    assert (item.name, item.type, len(item.samples)) == ("item", "I", 4)
    (stage,) = ess.stream(
        sales, "2014-09-02", "2014-09-02", "aq_pp -f,+1,eok,qui - -d %cols -o,notitle - -c item"
    ).result.stages
    counts = stage.counts
    assert (counts.read, counts.out, counts.rejected) == (found.read, found.rows, found.rejected)


def test_a_column_that_there_is_not(sales: str) -> None:
    with pytest.raises(OptionError, match="no column 'items'; its columns are: day user item price"):
        ess.contents(sales, columns=["items"])


def test_files_that_cannot_be_read_are_named_and_the_others_count(logs: Path, tmp_path: Path) -> None:
    for file in sorted(logs.iterdir())[:1]:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    damaged = tmp_path / "sales_20140909.csv.gz"
    damaged.write_bytes((tmp_path / "sales_20140901.csv.gz").read_bytes()[:-20])
    ess.select("local")
    ess.category_add("sales", f"{tmp_path}/sales*", columnspec="S:day I:user S:item F:price")
    found = ess.contents("sales")
    assert (found.files, found.read, found.rejected) == (1, ROWS // 3 + 1, 1)
    assert [failure.name for failure in found.failures] == [str(damaged)]
    assert found.exit_code == InputReadError.exit_code


def scanned(folder: Path, data: str, **options: Any) -> Contents:
    (folder / "log_20140901").write_text(data)
    ess.select("local")
    ess.category_add("log", f"{folder}/log*", overwrite=True, **options)
    return ess.contents("log")


def test_other_layouts(tmp_path: Path) -> None:
    piped = scanned(tmp_path, "a|1\nb|x\n", delimiter="|", columnspec="s:a i:b")
    assert (piped.rows, piped.rejected, piped.columns[1].integers) == (1, 1, 1)
    divided = scanned(tmp_path, "a [1]\nb 2\n", columnspec='s:a sep:" [" i:b sep:"]"')
    assert (divided.rows, divided.rejected, divided.columns[1].most) == (1, 1, 1)
    keys = scanned(tmp_path, '{"u":{"n":"ann"},"k":3}\n{"u":{"n":"bob"},"k":"x"}\n', columnspec="s:name:u.n i:k:k")
    assert (keys.rows, keys.rejected, keys.columns[0].samples) == (1, 1, ("ann",))
    through = scanned(tmp_path, "1\none;two\n;\n", preprocess="tr -d ';'", columnspec="s:line")
    assert (through.rows, through.columns[0].blank, through.columns[0].kinds) == (3, 1, {"integer": 1, "text": 1})


def test_without_columns_lines_are_counted(tmp_path: Path) -> None:
    (tmp_path / "log_20140901").write_text("{}\n" + "x" * 200_000 + "\n\n")
    ess.select("local")
    ess.category_add("log", f"{tmp_path}/log*", noprobe=True)
    found = ess.contents("log")
    assert (found.lines, found.rows, found.columns) == (True, 3, ())


def test_an_empty_range(sales: str) -> None:
    found = ess.contents(sales, "2013", "2013")
    assert (found.files, found.read, found.columns) == (0, 0, ())
