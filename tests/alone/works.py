"""The works of the benchmark, at tiny sizes: all contestants give equal results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import works_lake, works_stream
from bench.__main__ import WORKS
from bench.contest import run_work
from bench.data import Data


@pytest.mark.parametrize("key", ["clean", "access-log", "count", "order", "stateful"])
def test_the_works_give_equal_results(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_WARM", "0")
    work = WORKS[key](Data(tmp_path, 2000, table_rows=300, small_files=2))
    outcome = run_work(
        work, folder=tmp_path / "out", runs=0, patience=60, environment={"TZ": "UTC"}, say=lambda text: None
    )
    assert outcome.trouble == ""


@pytest.mark.parametrize("key", list(works_stream.WORKS))
def test_the_works_of_streams_give_equal_results(
    key: str, tmp_path: Path, port_base: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_PORT", str(port_base))
    monkeypatch.setenv("ESS_RUNTIME_DIR", str(tmp_path / "server"))
    work = WORKS[key](Data(tmp_path, 2000, small_files=5, many_files=6, stream_files=5))
    outcome = run_work(
        work, folder=tmp_path / "out", runs=0, patience=60, environment={"TZ": "UTC"}, say=lambda text: None
    )
    assert outcome.trouble == ""


@pytest.mark.parametrize("key", list(works_lake.WORKS))
def test_the_works_of_the_lake_give_equal_results(key: str, tmp_path: Path) -> None:
    work = works_lake.WORKS[key](Data(tmp_path, 2000, keys=7000, names=2000))
    outcome = run_work(
        work, folder=tmp_path / "out", runs=0, patience=60, environment={"TZ": "UTC"}, say=lambda text: None
    )
    assert outcome.trouble == ""


@pytest.mark.parametrize("key", ["udb-order", "udb-count", "udb-info", "udb-sessions", "udb-memory", "udb-clients"])
def test_the_works_of_the_database_give_equal_results(
    key: str, tmp_path: Path, port_base: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_PORT", str(port_base))
    monkeypatch.setenv("ESS_RUNTIME_DIR", str(tmp_path / "server"))
    work = WORKS[key](Data(tmp_path, 2000, clients_at_once=5))
    once = tuple(replace(contestant, loops=1) for contestant in work.contestants)
    work = replace(work, contestants=once, runs=1)
    outcome = run_work(
        work, folder=tmp_path / "out", runs=1, patience=60, environment={"TZ": "UTC"}, say=lambda text: None
    )
    assert outcome.trouble == ""
    assert all(outcome.megabytes(contestant.label) for contestant in work.contestants if contestant.timed)
