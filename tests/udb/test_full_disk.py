"""A disk that is full, for a while: refused with one line, what was there stays readable, and then it goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ess.errors import EssError
from ess.language.tree import Slot
from ess.schema.batch import PHYSICAL
from ess.schema.types import ColumnType
from ess.udb.client.import_claims import ImportIdentity
from ess.udb.client.importing import Import, ImportOptions
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.spec.target import find_target
from ess.udb.wire.access import udb_folder
from tests.udb.fault_processes import Command, Servers
from tests.udb.faults import operation, put
from tests.waiting import stop

DEFINITION = "\n@Table:log s,pkey:user i:n i:value\n"


@pytest.fixture(params=[1, 2], ids=["one", "pool"])
def servers(
    places: dict[str, str], tmp_path: Path, port_base: int, request: pytest.FixtureRequest
) -> Iterator[Servers]:
    found = Servers(tuple(range(port_base, port_base + request.param)))
    (tmp_path / "conf").mkdir()
    lines = "".join(f"@Server: 127.0.0.1:{port}\n" for port in found.ports)
    (tmp_path / "conf" / "db.spec").write_text(lines + DEFINITION)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@contextlib.contextmanager
def full(pid: int, size: int) -> Iterator[None]:
    """No file of a process can get larger than so many bytes, as on a full disk; after that there is space again."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def log_bytes(port: int) -> int:
    return max(path.stat().st_size for path in (udb_folder() / f"udbd-{port}.data" / "db").glob("log-*"))


def rows() -> list[Any]:
    return sorted(export_batch("db:log")[0].rows())


def refused(what: Any) -> None:
    with pytest.raises(EssError, match="cannot write") as caught:
        what()
    assert "\n" not in str(caught.value)


def numbered(first: int, count: int) -> list[tuple[Any, ...]]:
    return [(b"u%d" % (n % 97), n, 0) for n in range(first, first + count)]


def put_of_job(sequence: int) -> None:
    """An import of a task: when it is worked in decides about the order of rows, so that is noted in the log."""
    target = find_target("db:log", where="test")
    assert target.table is not None
    slots = [Slot(c.key, c.name, c.type) for c in target.table.columns]
    identity = ImportIdentity(f"job:{sequence}", "job", sequence)
    sink = Import(target, target.spec.servers, slots, ImportOptions(), identity, where="test")
    number = pl.Series([sequence] * 20, dtype=PHYSICAL[ColumnType.I])
    sink.write(pl.DataFrame({"user": [b"u%d" % n for n in range(20)], "n": number, "value": number}))
    sink.commit()


def test_an_import_and_a_change_are_refused_and_what_was_there_is_read(servers: Servers) -> None:
    put("log", numbered(0, 100))
    before = rows()
    port = servers.ports[-1]
    with full(servers.pid(port), log_bytes(port)):
        refused(lambda: put("log", numbered(100, 100)))
        assert rows() == before
        refused(lambda: put("log", numbered(100, 20_000)))  # into a file of its own
        refused(lambda: perform(operation("-scn", "db:log", filt="n > 3", change=True)))
        assert rows() == before
    put("log", numbered(100, 100))
    perform(operation("-scn", "db:log", filt="n >= 100", change=True))
    after = rows()
    assert after == sorted([*before, *((user, n, 1) for user, n, _ in numbered(100, 100))])
    servers.end(port)
    servers.start()
    assert rows() == after


def test_imports_of_a_job_are_read_and_counted_when_nothing_can_be_logged(servers: Servers) -> None:
    put_of_job(2)
    with contextlib.ExitStack() as stack:
        for port in servers.ports:
            stack.enter_context(full(servers.pid(port), log_bytes(port)))
        assert len(rows()) == 20
        refused(lambda: perform(operation("-scn", "db:log", filt="n > 0", change=True)))
        assert len(rows()) == 20
    put_of_job(1)
    perform(operation("-scn", "db:log", filt="n > 0", change=True))
    seen = export_batch("db:log")[0].rows()
    assert len(seen) == 40
    for port in servers.ports:
        servers.end(port)
    servers.start()
    assert export_batch("db:log")[0].rows() == seen


def test_snapshots_that_cannot_be_written_lose_nothing(servers: Servers) -> None:
    put("log", numbered(0, 100))
    port, count = servers.ports[-1], 100
    with full(servers.pid(port), 40_000):
        # Whether a log becomes too long depends on when new ones are begun for snapshots that then fail.
        refused = ""
        while count < 40_000 and not refused:
            try:
                put("log", numbered(count, 400))
                count += 400
                time.sleep(0.02)
            except EssError as error:
                refused = str(error)
        assert not refused or "cannot write" in refused
        expected = sorted(numbered(0, count))
        assert count > 1000
        assert rows() == expected
    servers.end(port)
    servers.start()
    assert rows() == expected
    put("log", numbered(count, 400))
    assert rows() == sorted(numbered(0, count + 400))


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(servers: Servers, tmp_path: Path) -> None:
    put("log", numbered(0, 100))
    folder = tmp_path / "saved"
    perform(operation("-save", "db", str(folder)))
    put("log", [(b"%d" % (n * 7919 % 1_000_003), n, n) for n in range(5000)])
    with full(os.getpid(), 4000):
        refused_save = operation("-save", "db", str(folder))
        with pytest.raises(EssError, match=f"{folder}: cannot save the database .*") as caught:
            perform(refused_save)
        assert "\n" not in str(caught.value)
    assert len(list(folder.glob("data-*"))) == 1
    perform(operation("-clr", "db"))
    assert perform(operation("-load", "db", str(folder))) == 100
    perform(operation("-save", "db", str(folder)))


@pytest.mark.parametrize("servers", [1], indirect=True)
def test_two_at_once_cannot_save_into_one_folder(servers: Servers, tmp_path: Path) -> None:
    put("log", [(b"%d" % n, n, n) for n in range(200_000)])
    folder = tmp_path / "saved"

    def stopped_in_the_middle(said: str) -> tuple[Command, int]:
        before = set(folder.glob("data-*"))
        command = Command(["aq_udb", "-save", "db", str(folder)], tmp_path / said)
        while not set(folder.glob("data-*")) - before:
            time.sleep(0.001)
        pid = command._forked.pid
        stop(pid)
        return command, pid

    first, pid = stopped_in_the_middle("first")
    second = Command(["aq_udb", "-save", "db", str(folder)], tmp_path / "second")
    assert second.wait() != 0
    assert "another -save into this folder is under way" in second.said()
    assert second.said().count("\n") == 1
    os.kill(pid, signal.SIGCONT)
    assert first.wait() == 0, first.said()
    # One that is killed keeps nobody from saving.
    third, _ = stopped_in_the_middle("third")
    third.kill()
    third.wait()
    perform(operation("-save", "db", str(folder)))
    assert len(list(folder.glob("data-*"))) == 1
    perform(operation("-clr", "db"))
    assert perform(operation("-load", "db", str(folder))) == 200_000


@pytest.mark.parametrize("servers", [2], indirect=True)
def test_a_disk_that_gets_full_between_prepare_and_commit_is_named(servers: Servers) -> None:
    """If one server cannot note what the decider has committed, nobody is shown half of it until it can."""
    put("log", numbered(0, 100))
    before = rows()
    port = servers.ports[1]
    sink = open_import()
    sink.write(frame_of(numbered(100, 100)))
    for stream in sink._streams:
        stream.say("prepare")
    for stream in sink._streams:
        assert stream.wait()["prepared"]
    with full(servers.pid(port), log_bytes(port)):
        sink._streams[0].say("commit")
        assert sink._streams[0].wait()["committed"]
        sink.abort()
        for work in (rows, lambda: perform(operation("-scn", "db:log", filt="n > 3", change=True))):
            with pytest.raises(EssError, match="committed cannot be noted here: the server cannot write") as caught:
                work()
            assert str(caught.value).startswith(f"server 127.0.0.1:{port}: {udb_folder()}/udbd-{port}.data/db/log-")
            assert "make room" in str(caught.value)
    after = sorted([*before, *numbered(100, 100)])
    assert rows() == after
    servers.end(port)
    servers.start()
    assert rows() == after


def open_import() -> Import:
    target = find_target("db:log", where="test")
    assert target.table is not None
    slots = [Slot(c.key, c.name, c.type) for c in target.table.columns]
    sink = Import(target, target.spec.servers, slots, ImportOptions(), ImportIdentity("once:1"), where="test")
    sink.connect()
    return sink


def frame_of(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    users, numbers, values = zip(*rows, strict=True)
    kind = PHYSICAL[ColumnType.I]
    return pl.DataFrame({"user": users, "n": pl.Series(numbers, dtype=kind), "value": pl.Series(values, dtype=kind)})
