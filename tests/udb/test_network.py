"""A server that is stopped, or a network that is cut: an error that names the server, in a bounded time."""

from __future__ import annotations

import functools
import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from ess.errors import EssError
from ess.language.tree import Slot
from ess.schema.batch import PHYSICAL
from ess.schema.types import ColumnType
from ess.udb.client.import_claims import ImportIdentity
from ess.udb.client.importing import Import, ImportOptions
from ess.udb.client.pool import Pool
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.spec.target import find_target
from ess.udb.wire import watch
from ess.udb.wire.protocol import DatabaseRequest, ScanRequest
from tests.places import own_places, ports_in_a_row
from tests.udb.fault_processes import Servers
from tests.udb.faults import operation, put
from tests.waiting import PATIENCE, stop

DEFINITION = "\n@Table:log s,pkey:user i:n\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Two servers that all tests share: each leaves them as they were, which is the point."""
    folder = tmp_path_factory.mktemp("network")
    with ports_in_a_row() as port, pytest.MonkeyPatch.context() as patch:
        for name, value in own_places(folder, port).items():
            patch.setenv(name, value)
        found = Servers((port, port + 1))
        (folder / "conf").mkdir()
        lines = "".join(f"@Server: 127.0.0.1:{each}\n" for each in found.ports)
        (folder / "conf" / "db.spec").write_text(lines + DEFINITION)
        try:
            found.start()
            yield found
        finally:
            found.stop()


@pytest.fixture
def servers(running: Servers, monkeypatch: pytest.MonkeyPatch) -> Servers:
    """The servers with ten rows; a silent one is given up after some seconds."""
    monkeypatch.setattr(watch, "ASK_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(watch, "ANSWER_SECONDS", 1.0)
    perform(operation("-clr", "db"))
    put("log", [(b"u%d" % n, n) for n in range(10)])
    return running


def open_import() -> Import:
    target = find_target("db:log", where="test")
    assert target.table is not None
    slots = [Slot(c.key, c.name, c.type) for c in target.table.columns]
    identity = ImportIdentity("job:1")
    return Import(target, target.spec.servers, slots, ImportOptions(), identity, where="test")


@functools.cache
def many_rows() -> pl.DataFrame:
    """More than fits on the way to a server that reads nothing."""
    user = pl.int_range(500_000).cast(pl.String).str.zfill(32).cast(pl.Binary)
    return pl.select(user=user, n=pl.int_range(500_000).cast(PHYSICAL[ColumnType.I]))


STEPS = ["call", "scan", "session", "write", "write much", "commit"]


def work_with_stopped(servers: Servers, step: str, place: int) -> None:
    """Stop a server, begin something, and expect the error that names it."""
    stopped = servers.ports[place]
    pool = Pool(find_target("db:log", where="test").spec.servers)
    pool.reach("db")
    sink = open_import()
    sink.connect()
    rows = many_rows()
    if step == "commit":
        sink.write(rows[:100])

    def work() -> None:
        match step:
            case "call":
                pool.call("counts", DatabaseRequest("db", ""))
            case "scan":
                request = ScanRequest("db", "", "log", outputs=("n",))
                for connection in pool.connections:
                    list(connection.scan(request))
            case "session":
                pool.change("counts", DatabaseRequest("db", ""))
            case "write":
                sink.write(rows[:100])
                sink.commit()
            case "write much":
                for _ in range(8):
                    sink.write(rows)
                sink.commit()
            case "commit":
                sink.commit()

    stop(servers.pid(stopped))
    try:
        with pytest.raises(EssError, match=f"server 127.0.0.1:{stopped}: the server does not answer any more"):
            work()
        sink.abort()
    finally:
        os.kill(servers.pid(stopped), signal.SIGCONT)
        pool.close()


@pytest.mark.parametrize(("step", "place"), [*((step, 1) for step in STEPS), ("call", 0), ("scan", 0)])
def test_a_server_that_is_stopped_is_given_up(
    servers: Servers, step: str, place: int, capfd: pytest.CaptureFixture[str]
) -> None:
    work_with_stopped(servers, step, place)
    # And it goes on when it answers again: nothing of all that has been done.
    assert export_batch("db:log")[0].height == 10
    perform(operation("-scn", "db:log", filt="n > 3"))
    put("log", [(b"after", 1)])
    assert export_batch("db:log")[0].height == 11
    gc.collect()
    assert "Close() failed" not in capfd.readouterr().err  # what the library says when it has to close a stream itself


def test_one_thread_watches_over_a_scan_of_any_length(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = open_import()
    sink.write(many_rows())
    sink.commit()
    watches: list[watch.Watch] = []
    made = watch.Watch.__init__

    def noted(self: watch.Watch, *arguments: Any) -> None:
        watches.append(self)
        made(self, *arguments)

    monkeypatch.setattr(watch.Watch, "__init__", noted)
    with Pool(find_target("db:log", where="test").spec.servers) as pool:
        request = ScanRequest("db", "", "log", outputs=("user", "n"))
        assert len(list(pool.connections[0].scan(request))) > 3
    assert len(watches) == 1


def test_waits_one_after_the_other_are_watched_by_one_thread_which_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = watch._Clock()
    monkeypatch.setattr(watch, "_clock", clock)
    monkeypatch.setattr(watch, "ASK_EVERY_SECONDS", 0.05)
    threads: set[threading.Thread | None] = set()
    for _ in range(5):
        with watch.watched(lambda _seconds: True, lambda: None) as watching, watching.waiting():
            threads.add(clock._thread)
            assert not watch.is_idle()
    [thread] = threads
    assert thread is not None
    thread.join(30)
    assert not thread.is_alive() and not watch.is_idle()
    asked = threading.Event()

    def answers(_seconds: float) -> bool:
        asked.set()
        return True

    with watch.watched(answers, lambda: None) as watching, watching.waiting():  # by another one
        assert asked.wait(30)
    assert not watching.is_lost


def test_a_server_is_not_asked_while_nothing_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "ASK_EVERY_SECONDS", 0.01)
    asked: list[float] = []
    given_up = threading.Event()

    def answers(seconds: float) -> bool:
        asked.append(seconds)
        return False

    with watch.watched(answers, given_up.set) as watching:
        time.sleep(0.1)
        assert not asked
        with watching.waiting():
            assert given_up.wait(30)
        assert watching.is_lost
    assert len(asked) == watch.QUESTIONS


def test_rows_of_another_schema_are_an_error_at_once_and_not_sent(servers: Servers) -> None:
    sink = open_import()
    sink.connect()
    with pytest.raises(TypeError, match="on a stream of"):
        sink.write(pl.DataFrame({"user": ["text, not bytes"], "n": pl.Series([1], dtype=PHYSICAL[ColumnType.I])}))
    sink.abort()
    assert export_batch("db:log")[0].height == 10


def test_a_server_that_is_only_slow_is_not_given_up(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    port = servers.ports[1]
    unanswered, asked = threading.Event(), watch.Patience.is_at_end
    monkeypatch.setattr(watch, "QUESTIONS", 1 << 30)  # however slow this machine is
    monkeypatch.setattr(watch, "ANSWER_SECONDS", 0.2)

    def noted(patience: watch.Patience) -> bool:
        at_end = asked(patience)
        if patience._unanswered > 1:
            unanswered.set()
        return at_end

    monkeypatch.setattr(watch.Patience, "is_at_end", noted)
    sink = open_import()
    sink.connect()
    stop(servers.pid(port))
    try:
        sink.write(pl.DataFrame({"user": [b"a"], "n": pl.Series([1], dtype=PHYSICAL[ColumnType.I])}))
        committed = threading.Thread(target=sink.commit)
        committed.start()
        assert unanswered.wait(PATIENCE)
    finally:
        os.kill(servers.pid(port), signal.SIGCONT)
    committed.join()
    assert export_batch("db:log")[0].height == 11
