"""Categories of Parquet files, and Parquet out of a stream."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import polars as pl
import pytest

import ess


@pytest.fixture
def logs(places: dict[str, str], warm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", warm["PATH"])
    for day in (1, 2):
        frame = pl.DataFrame({"user": ["ann", "bob"] * 50, "bytes": range(100), "by": [{"id": day}] * 100})
        frame.write_parquet(tmp_path / f"log_2026030{day}.parquet")
    (tmp_path / "log_20260303.parquet").write_bytes(b"PAR1 cut")
    ess.select("local")
    return tmp_path


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], env=os.environ, capture_output=True, text=True, check=False, cwd=folder
    )


def test_columns_are_found_and_rows_are_read(logs: Path) -> None:
    made = ess.category_add("logs", f"{logs}/log_2026030[12]*")
    assert (made.format, made.columns) == ("parquet", ("S:user:user", "LS:bytes:bytes", "LS:by_id:by.id"))
    frame = ess.read("logs", "2026-03-02", "2026-03-02")
    assert frame.rows() == [("ann" if n % 2 == 0 else "bob", n, 2) for n in range(100)]
    assert (
        ess.top("logs", "by_id,user", by="sum(bytes)", where="bytes < 98").sort("by_id", "user")["sum_bytes"].to_list()
        == [
            sum(range(0, 98, 2)),
            sum(range(1, 98, 2)),
        ]
        * 2
    )
    found = ess.contents("logs")
    assert (found.read, found.rejected, found.columns[1].distinct) == (200, 0, 100)


def test_a_column_has_a_type_that_takes_what_all_files_have(logs: Path) -> None:
    for day, values in enumerate((pl.Series([1, 2], dtype=pl.UInt8), pl.Series([-1, 2**40]), pl.Series(["x"])), 1):
        pl.DataFrame({"n": values}).write_parquet(logs / f"n_{day}.parquet")
    assert ess.category_add("two", f"{logs}/n_[12].parquet").columns == ("LS:n:n",)
    assert ess.read("two")["n"].to_list() == [1, 2, -1, 2**40]
    assert ess.category_add("all", f"{logs}/n_*.parquet").columns == ("S:n:n",)
    assert ess.read("all")["n"].to_list() == ["1", "2", "-1", str(2**40), "x"]


def test_a_stream_makes_parquet_of_parquet(logs: Path) -> None:
    ess.category_add("logs", f"{logs}/log_2026030[12]*")
    command = "aq_pp -f,parquet,eok - -d %cols -filt 'bytes >= 50' -o,parquet %file.out -c user bytes:size"
    done = run(f'ess stream logs "*" "*" "{command}"', logs)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "200 rows read = 100 out + 100 filtered + 0 rejected" in done.stderr
    written = pl.read_parquet([logs / f"log_2026030{day}.out" for day in (1, 2)])
    assert written.rows() == [("ann" if n % 2 == 0 else "bob", n) for n in range(50, 100)] * 2
    both = run(
        "aq_pp -f,parquet log_2026030[12].out -o,notitle,jsn - | wc -l; aq_cnt -f,parquet log_20260301.out", logs
    )
    assert both.stdout == '100\n"row"\n50\n'


def test_damage_is_told(logs: Path) -> None:
    with pytest.raises(ess.errors.InputReadError, match="log_20260303.parquet: it is no Parquet, or damaged"):
        ess.category_add("cut", f"{logs}/log_20260303*")
    done = run("aq_pp -f,parquet log_20260303.parquet", logs)
    assert (done.returncode, done.stdout) == (12, "")
    done = run("printf 'a,b\\n' | aq_pp -f,parquet - -d s:a", logs)
    assert done.returncode == 12
    assert "standard input: it is no Parquet" in done.stderr
