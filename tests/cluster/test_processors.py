"""The number of files at a time, if nobody says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ess.cluster.processors import usable_processors


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2, 5})


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(
    ("limit", "number"),
    [("max 100000", 4), ("150000 100000", 2), ("20000 100000", 1), ("900000 100000", 4), ("", 4), ("nonsense", 4)],
)
def test_a_container_may_have_less(tmp_path: Path, limit: str, number: int) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    assert usable_processors(tmp_path) == number


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("quota", "number"), [("-1", 4), ("200000", 2), ("250000", 3)])
def test_a_container_of_the_first_version(tmp_path: Path, quota: str, number: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert usable_processors(tmp_path) == number


@pytest.mark.usefixtures("four")
def test_without_a_limit_it_is_the_processors_of_this_process(tmp_path: Path) -> None:
    assert usable_processors(tmp_path) == 4
