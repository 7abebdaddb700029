"""A new job clears away what older ones have left, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ess.cluster import ledger


def job(folder: Path, *, output: bool = False, header: bool = True, done: bool = True) -> Path:
    folder.mkdir(parents=True)
    book = ledger.Ledger(folder.name, folder)
    if header:
        book.begin("wc", "name")
    if done:
        book.end(0)
    book.close()
    if output:
        (folder / "0.out").touch()
        (folder / "reports").mkdir()
    return folder


@pytest.mark.usefixtures("places")
def test_what_older_jobs_left_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = ledger.jobs_folder()
    monkeypatch.setattr("ess.cluster.ledger.alive", lambda owner: False)
    monkeypatch.setattr("ess.cluster.ledger.KEPT_JOBS", 4)
    oldest = job(jobs / "20140901T000000-0000-1")
    unreadable = job(jobs / "20140901T000001-0000-1", header=False)
    for path in (unreadable / "ledger.jsonl", unreadable):
        os.utime(path, (time.time() - 100, time.time() - 100))
    clean = job(jobs / "20140901T000002-0000-1")
    broken = job(jobs / "20140901T000003-0000-1", output=True, done=False)
    killed = job(jobs / "20140901T000004-0000-1", output=True)
    ledger.clear_leftovers()
    assert sorted(jobs.iterdir()) == [clean, broken, killed]
    assert [path.name for each in (clean, broken, killed) for path in each.iterdir()] == ["ledger.jsonl"] * 3
    assert not oldest.exists()


@pytest.mark.usefixtures("places")
def test_what_a_job_that_runs_writes_stays() -> None:
    folder = job(ledger.jobs_folder() / "20140901T000000-0000-1", output=True, done=False)
    ledger.clear_leftovers()
    assert sorted(path.name for path in folder.iterdir()) == ["0.out", "ledger.jsonl", "reports"]
