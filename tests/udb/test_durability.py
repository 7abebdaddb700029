"""The rows that a server finds at its start, its errors about damaged files, and a full disk."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ess.errors import EssError, SystemFailure, UdbRequestError
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.journal import journal, log_file
from ess.udb.journal.log_file import LogFile, cut, read_body, read_records
from ess.udb.server import database
from ess.udb.server.server import UdbServer
from ess.udb.spec.spec import Server
from ess.udb.wire.access import read_server_access
from tests.udb.faults import operation, put

DEFINITION = """
@Table:log      s,pkey:user i:n i:value
@Vector:totals  s,pkey:user l,+add:count
@Var:           l,+add:seen
"""
Restart = Callable[[], UdbServer]


@pytest.fixture
def restart(access: Any, tmp_path: Path) -> Any:
    """Starts a server on the same folder and writes the spec; the one before is ended."""
    running: list[UdbServer] = []

    def again() -> UdbServer:
        for server in running:
            server.shutdown()
        running[:] = [UdbServer("127.0.0.1", 0, read_server_access(), folder=tmp_path / "data")]
        spec = f"@Server: 127.0.0.1:{running[0].port}{DEFINITION}"
        (tmp_path / "conf" / "db.spec").write_text(spec)
        return running[0]

    yield again
    for server in running:
        server.shutdown()


def everything() -> list[Any]:
    return [export_batch(f"db:{table}")[0].rows() for table in ("log", "totals", "var")]


def fill(count: int = 30) -> None:
    put("log", [(b"u%d" % (n % 7), n, 0) for n in range(count)])


def test_imports_changes_and_orders_are_there_after_a_restart(restart: Restart) -> None:
    restart()
    fill()
    put("totals", [(b"u1", 2), (b"u9", 3)])
    put("var", [(7,)])
    perform(operation("-scn", "db:log", filt="n > 10", change=True))
    perform(operation("-ord", "db:log", "value"))
    put("log", [(b"u1", 99, 5)])
    before = everything()
    restart()
    assert everything() == before
    perform(operation("-clr", "db:log"))
    restart()
    assert everything()[0] == []
    assert len(everything()[1]) == 8  # keys stay
    perform(operation("-clr", "db"))
    restart()
    with pytest.raises(UdbRequestError, match="not defined here yet"):
        everything()


def test_a_snapshot_replaces_the_log(restart: Restart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LARGE_IMPORT", 1000)
    server = restart()
    fill(500)
    fill(20)
    server.catalog.take_snapshots(wanted=False)
    fill(10)
    before = everything()
    folder = tmp_path / "data" / "db"
    assert sorted(path.name for path in folder.iterdir()) == ["log-1", "snapshot-1"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in [folder, *folder.rglob("*")])
    restart()
    assert everything() == before


def test_damage_is_an_error_that_names_file_and_byte(restart: Restart, tmp_path: Path) -> None:
    server = restart()
    fill()
    fill()
    log = tmp_path / "data" / "db" / "log-0"
    records, _ = read_records(log)
    server.shutdown()
    whole = log.read_bytes()
    middle = records[2].start + 5
    log.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    restart()
    with pytest.raises(UdbRequestError, match=r"log-0: the database could not be read .* damaged at byte \d+"):
        everything()
    with pytest.raises(UdbRequestError, match="damaged"):
        fill()
    perform(operation("-clr", "db"))  # the way out
    perform(operation("-crt", "db"))
    fill()
    assert len(everything()[0]) == 30


def test_a_full_disk_refuses_an_import_and_keeps_what_is_there(
    restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    restart()
    fill()

    def full(_file: int, *_parts: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(log_file, "_write", full)
        with pytest.raises(SystemFailure, match="cannot write to its disk .No space left on device"):
            fill()
        with pytest.raises(SystemFailure, match="No space left"):
            perform(operation("-scn", "db:log", filt="n > 1", change=True))
        assert len(everything()[0]) == 30
    fill()
    before = everything()
    restart()
    assert everything() == before
    assert len(before[0]) == 60


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6), st.data())
def test_a_log_that_was_cut_anywhere_gives_the_records_before(
    tmp_path: Path, bodies: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path / f"log-{secrets.token_hex(8)}"
    made = LogFile(path)
    ends = [made.append(body) for body in bodies]
    made.sync()
    size = data.draw(st.integers(0, ends[-1]))
    cut(path, size)
    records, end = read_records(path)
    whole = sum(place <= size for place in ends)
    assert [read_body(path, record) for record in records] == bodies[:whole]
    assert end <= size
    cut(path, end)
    again = LogFile(path, len(records))  # and it goes on from there
    again.append(b"more")
    assert [read_body(path, r) for r in read_records(path)[0]] == [*bodies[:whole], b"more"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), min_size=2, max_size=6), st.data())
def test_a_flipped_bit_never_gives_fewer_records_silently_but_at_the_end(
    tmp_path: Path, bodies: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path / f"log-{secrets.token_hex(8)}"
    made = LogFile(path)
    ends = [made.append(body) for body in bodies]
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, ends[-2] - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    with pytest.raises(EssError, match=r"damaged|another version"):
        read_records(path)


def test_a_log_of_another_format_is_refused_with_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(log_file, "_VERSION", b"UDBLOG9\n")
        LogFile(tmp_path / "log-0")
    with pytest.raises(SystemFailure, match=r"another version.*UDBLOG9.*UDBLOG1"):
        read_records(tmp_path / "log-0")


# Checkpoints ----------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_loaded_onto_a_pool_of_another_size(
    start_server: Any, write_spec: Callable[..., list[Server]], tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    write_spec(start_server(), start_server(), definition=DEFINITION)
    fill(100)
    put("totals", [(b"u1", 2), (b"\xff", 3)])
    put("var", [(7,)])
    perform(operation("-ord", "db:log", "n"))
    before = [sorted(rows) for rows in everything()]
    folder = tmp_path / "saved"
    perform(operation("-save", "db", str(folder)))
    perform(operation("-save", "db", str(folder)))  # takes the place of the first
    parts = list(folder.glob("data-*"))
    assert len(parts) == 1
    table = pq.read_table(sorted(parts[0].glob("log-*.parquet")))
    assert table.num_rows == 100
    assert table.schema.names == ["user", "n", "value"]
    assert str(table.schema.field("user").type) == "large_string"
    assert str(pq.read_schema(parts[0] / "totals-0.parquet").field("user").type) == "large_binary"

    with pytest.raises(EssError, match="not empty"):
        perform(operation("-load", "db", str(folder)))
    write_spec(start_server(), start_server(), start_server(), definition=DEFINITION)
    assert perform(operation("-load", "db", str(folder))) == 102
    assert [sorted(rows) for rows in everything()] == before


def test_a_checkpoint_is_for_its_owner_only(
    start_server: Any, write_spec: Callable[..., list[Server]], tmp_path: Path
) -> None:
    write_spec(start_server(), definition=DEFINITION)
    fill(10)
    saved = tmp_path / "new" / "saved"
    perform(operation("-save", "db", str(saved)))
    modes = {path.relative_to(saved.parent): path.stat().st_mode & 0o777 for path in [saved, *saved.rglob("*")]}
    assert len(modes) > 4
    assert set(modes.values()) == {0o600, 0o700}
    assert all((mode == 0o700) == (saved.parent / path).is_dir() for path, mode in modes.items())


def test_a_checkpoint_that_is_damaged_loads_nothing(
    start_server: Any, write_spec: Callable[..., list[Server]], tmp_path: Path
) -> None:
    write_spec(start_server(), start_server(), definition=DEFINITION)
    fill(100)
    folder = tmp_path / "saved"
    perform(operation("-save", "db", str(folder)))
    perform(operation("-clr", "db"))
    next(folder.glob("data-*/log-1.parquet")).write_bytes(b"PAR1 and no more")
    with pytest.raises(EssError, match="the file of the checkpoint is damaged"):
        perform(operation("-load", "db", str(folder)))
    assert everything()[0] == []
    with pytest.raises(EssError, match="no database was saved there"):
        perform(operation("-load", "db", str(tmp_path / "nothing")))
    with pytest.raises(EssError, match="no access to .ftp. stores"):
        perform(operation("-save", "db", "ftp://bucket/db"))


def test_large_imports_have_a_file_only_while_it_is_needed(
    restart: Restart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LARGE_IMPORT", 1000)
    restart()
    fill(500)
    folder = tmp_path / "data" / "db"
    named = [path for path in folder.iterdir() if path.name.startswith("rows-")]
    assert len(named) == 1
    assert named[0].stat().st_size > 1000
    before = everything()
    restart()
    assert everything() == before
    named[0].write_bytes(named[0].read_bytes()[:-3])
    restart()
    with pytest.raises(UdbRequestError, match="rows-.*damaged at byte"):
        everything()
    assert journal.LARGE_LOG > 0
