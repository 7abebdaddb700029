"""Disks that are full, and files that are not what was written: servers' logs and snapshots, and checkpoints."""

from __future__ import annotations

import contextlib
import gc
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ess.errors import EssError, UdbRequestError
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.journal import log_file
from ess.udb.journal.log_file import HEAD_BYTES, read_records
from ess.udb.server.server import UdbServer
from ess.udb.wire.access import read_server_access
from tests.udb.faults import operation, put

DEFINITION = """
@Table:log      s,pkey:user i:n i:value
@Vector:totals  s,pkey:user l,+add:count
"""
Restart = Callable[[], UdbServer]


@pytest.fixture
def restart(access: Any, tmp_path: Path) -> Iterator[Restart]:
    """Starts a server on the same folder and writes the spec; the one before is ended."""
    running: list[UdbServer] = []

    def again() -> UdbServer:
        for server in running:
            server.shutdown()
        running[:] = [UdbServer("127.0.0.1", 0, read_server_access(), folder=tmp_path / "data")]
        (tmp_path / "conf" / "db.spec").write_text(f"@Server: 127.0.0.1:{running[0].port}{DEFINITION}")
        return running[0]

    yield again
    for server in running:
        server.shutdown()


def fill(count: int = 30) -> None:
    put("log", [(b"u%d" % (n % 7), n, 0) for n in range(count)])


def rows() -> list[Any]:
    return export_batch("db:log")[0].rows()


# Damage ---------------------------------------------------------------------------------------------------------------


def test_a_torn_or_changed_end_of_a_log_is_cut_off_and_the_middle_is_an_error(restart: Restart, tmp_path: Path) -> None:
    server = restart()
    fill(10)
    before = rows()
    ends = (tmp_path / "data" / "db" / "log-0").stat().st_size
    fill(20)
    server.shutdown()
    log = tmp_path / "data" / "db" / "log-0"
    whole = log.read_bytes()
    records, _ = read_records(log)
    last = [record for record in records if record.start > ends]
    generator = random.Random(1)
    for cut in [ends + 1, *(generator.randrange(ends + 1, last[0].start + last[0].length) for _ in range(4))]:
        log.write_bytes(whole[:cut])
        restart()
        assert rows() == before, cut
    # The import counts by its last record, "committed": changed, it is as if it had not been written.
    log.write_bytes(whole[:-1] + bytes([whole[-1] ^ 4]))
    restart()
    assert rows() == before
    for record in records[:-1]:
        place = record.start - generator.randrange(HEAD_BYTES) - 1
        log.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        restart()
        with pytest.raises(UdbRequestError, match=rf"{log}: .* damaged at byte {record.start - HEAD_BYTES}"):
            rows()
    log.write_bytes(whole)
    restart()
    assert len(rows()) == 30


@pytest.mark.parametrize("left", [0, 7, 15, 16, 60])
def test_a_log_that_has_lost_its_beginning_is_an_error_and_not_an_empty_database(
    restart: Restart, tmp_path: Path, left: int
) -> None:
    restart()
    fill()
    log = tmp_path / "data" / "db" / "log-0"
    whole = log.read_bytes()
    log.write_bytes(whole[:left])
    restart()
    with pytest.raises(UdbRequestError, match=f"{log}: .* damaged at byte"):
        rows()
    with pytest.raises(UdbRequestError, match="damaged"):
        fill()
    log.write_bytes(whole)
    restart()
    assert len(rows()) == 30


@pytest.mark.parametrize("name", ["snapshot-1/keys.arrow", "snapshot-1/table-0.arrow", "snapshot-1/snapshot.json"])
def test_any_changed_byte_of_a_snapshot_is_an_error_that_names_the_file(
    restart: Restart, tmp_path: Path, name: str
) -> None:
    restart()
    fill()
    restart().catalog.take_snapshots(wanted=False)
    path = tmp_path / "data" / "db" / name
    whole = path.read_bytes()
    generator = random.Random(name)
    for _ in range(12):
        place = generator.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << generator.randrange(8))]) + whole[place + 1 :])
        restart()
        with pytest.raises(UdbRequestError, match=r"snapshot-1/.*(the file is damaged;|format)"):
            rows()
    for size in (0, len(whole) // 2):
        path.write_bytes(whole[:size])
        restart()
        with pytest.raises(UdbRequestError, match=r"snapshot-1/.*the file is damaged( at byte \d+)?;"):
            rows()
    path.unlink()
    restart()
    with pytest.raises(UdbRequestError, match=r"snapshot-1.*(cannot read|damaged)"):
        rows()
    path.write_bytes(whole)
    restart()
    assert len(rows()) == 30


def test_a_database_that_is_cleared_takes_no_room_on_the_disk_any_more(restart: Restart, tmp_path: Path) -> None:
    restart()
    fill()
    data = f"{tmp_path / 'data'}/"
    collected = gc.isenabled()
    gc.disable()
    try:
        perform(operation("-clr", "db"))
        removed = [path for path in _opened() if path.startswith(data)]
    finally:
        if collected:
            gc.enable()
    assert not removed


def _opened() -> list[str]:
    """The files that this process has open, also those that are removed."""
    found: list[str] = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one of the listing itself
            found.append(str(path.readlink()))
    return found


def test_a_log_that_could_not_be_begun_is_no_damage(
    restart: Restart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when a snapshot begins a new log; then the server is killed in the middle of a record."""
    server = restart()
    fill()
    before = rows()

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(log_file, "_write", full)
        server.catalog.take_snapshots(wanted=False)
    log = tmp_path / "data" / "db" / "log-0"
    end = log.stat().st_size
    fill()
    log.write_bytes(log.read_bytes()[: end + 9])
    restart()
    assert rows() == before
    assert sorted(path.name for path in log.parent.iterdir()) == ["log-0"]


def test_any_changed_byte_of_a_checkpoint_is_an_error_and_nothing_is_loaded(restart: Restart, tmp_path: Path) -> None:
    restart()
    put("log", [(b"u%d" % (n % 7), n * 7919 % 1000003, n) for n in range(3000)])
    folder = tmp_path / "saved"
    perform(operation("-save", "db", str(folder)))
    perform(operation("-clr", "db:log"))
    perform(operation("-clr", "db"))
    path = next(folder.glob("data-*/log-0.parquet"))
    whole = path.read_bytes()
    generator = random.Random(3)
    for _ in range(30):
        place = generator.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << generator.randrange(8))]) + whole[place + 1 :])
        with pytest.raises(EssError, match=str(path)):
            perform(operation("-load", "db", str(folder)))
        assert rows() == []
    path.write_bytes(whole)
    assert perform(operation("-load", "db", str(folder))) == 3000
