"""Inputs of the next files are fetched while the commands of the current ones run."""

from __future__ import annotations

import io
import os
import threading
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from ess.cluster import prefetch
from ess.cluster.commands import Setting
from ess.cluster.dispatch import Slot
from ess.cluster.embedded import EmbeddedRuntime
from ess.cluster.held_input import HeldInput, held_file
from ess.cluster.prefetch import Prefetch
from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.cluster.work import Job, Task
from ess.errors import InputOpenError
from ess.lake.entry import FileEntry
from tests.cluster.running import make_files, wait_until

pytestmark = pytest.mark.usefixtures("places")

JOB = Job("job", "cat", Setting({}, "/", 0o22))


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "_SMALL", 0)


def read(found: HeldInput | None) -> bytes:
    assert found is not None
    with found:
        return found.read()


@pytest.mark.parametrize("command", ["cat", "cat; : ", "aq_cat -f - -d s:a -o,notitle -"])
def test_the_next_file_is_opened_while_the_first_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    entries = make_files(tmp_path, [b"%d\n" % number for number in range(3)])
    opened = tmp_path / "opened"

    def noting(entry: FileEntry, *rest: object) -> HeldInput | None:
        if entry == entries[1]:
            opened.touch()
        return held_file(entry, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(prefetch, "held_file", noting)
    stdout, stderr = io.BytesIO(), io.BytesIO()
    wait = f"until [ -e {opened} ]; do sleep 0.01; done; cat"
    waiting = Source(entries, name=command, columns=("s:a",), preprocess=wait)
    result = stream_source(waiting, command, stdout=stdout, stderr=stderr, options=StreamOptions(threads=1))
    assert (result.exit_code, stderr.getvalue()) == (0, b"")
    assert stdout.getvalue().replace(b'"', b"") == b"0\n1\n2\n"


def test_what_waits_does_not_change_while_a_thread_goes_through_it(tmp_path: Path) -> None:
    runtime = EmbeddedRuntime(tmp_path, 1)
    free: list[bool] = []

    class Waiting(deque[Any]):
        def append(self, bundle: object, /) -> None:
            free.append(not runtime._lock.locked())
            super().append(bundle)

    runtime._waiting = Waiting()
    try:
        [entry] = make_files(tmp_path, [b"1\n"])
        runtime.start(Slot(0, 0), 0, 1, JOB, [Task(0, entry)])
        wait_until(lambda: bool(runtime.wait(1)))
    finally:
        runtime.close()
    assert free == [False]


def test_no_more_wait_than_allowed_and_all_are_closed(tmp_path: Path) -> None:
    tasks = [Task(number, entry) for number, entry in enumerate(make_files(tmp_path, [b"a", b"b", b"c", b"d"]))]
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    ahead = Prefetch(2)
    ahead.expect(JOB, tasks)
    assert ahead.take(tasks[2]) is None
    wait_until(ahead._coming[1].done)
    assert read(ahead.take(tasks[1])) == b"b"
    assert ahead.take(tasks[1]) is None
    ahead.expect(JOB, tasks[2:])
    ahead.close()
    ahead.expect(JOB, tasks)
    assert ahead.take(tasks[0]) is None
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_file_that_a_thread_begins_with_now_keeps_no_other_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [Task(number, entry) for number, entry in enumerate(make_files(tmp_path, [b"a", b"b"]))]
    runtime = EmbeddedRuntime(tmp_path, 1)
    monkeypatch.setattr(runtime._threads[0], "start", lambda: None)  # a thread that is slow to begin
    for slot, task in zip(runtime.slots(), tasks, strict=False):
        runtime.start(slot, task.index, 1, JOB, [task])
    assert list(runtime._prefetch._coming) == [1]
    runtime._begun = 0
    runtime.close()


def test_a_file_that_cannot_be_opened_fails_when_it_is_its_turn(tmp_path: Path) -> None:
    task = Task(0, FileEntry(str(tmp_path / "missing"), 1, 0.0))
    ahead = Prefetch(1)
    ahead.expect(JOB, [task])
    with pytest.raises(InputOpenError):
        ahead.take(task)
    ahead.close()


def test_closing_ends_what_is_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.BytesIO):
        """Gives byte after byte."""

        def read(self, size: int | None = -1) -> bytes:
            reading.set()
            return b"x"

    reading = threading.Event()
    monkeypatch.setattr(prefetch, "held_file", lambda *_: None)
    monkeypatch.setattr(prefetch, "open_data", lambda *_: Endless())
    ahead = Prefetch(1)
    ahead.expect(JOB, [Task(0, make_files(tmp_path, [b"a"])[0])])
    wait_until(reading.is_set)
    ahead.close()
