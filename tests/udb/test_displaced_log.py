"""The log of a running server is removed, moved, replaced or damaged: nothing that would be lost is acknowledged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ess.errors import EssError, UdbRequestError
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.journal import log_file
from ess.udb.server import database
from ess.udb.server.server import UdbServer
from ess.udb.wire.access import read_server_access
from tests.udb.faults import operation, put

Restart = Callable[[], UdbServer]


@pytest.fixture
def restart(access: Any, tmp_path: Path) -> Iterator[Restart]:
    """Starts a server on the same folder and writes the spec; the one before is ended."""
    running: list[UdbServer] = []

    def again() -> UdbServer:
        for server in running:
            server.shutdown()
        running[:] = [UdbServer("127.0.0.1", 0, read_server_access(), folder=tmp_path / "data")]
        spec = f"@Server: 127.0.0.1:{running[0].port}\n@Table:log s,pkey:user i:n i:value\n"
        (tmp_path / "conf" / "db.spec").write_text(spec)
        return running[0]

    yield again
    for server in running:
        server.shutdown()


def fill(count: int) -> None:
    put("log", [(b"u%d" % (n % 7), n, 0) for n in range(count)])


def stored() -> int:
    return len(export_batch("db:log")[0].rows())


def remove_all(data: Path) -> None:
    shutil.rmtree(data)


def remove_database(data: Path) -> None:
    shutil.rmtree(data / "db")


def remove_log(data: Path) -> None:
    (data / "db" / "log-0").unlink()


def move_away(data: Path) -> None:
    data.rename(data.with_name("moved"))


def put_back_a_copy(data: Path) -> None:
    shutil.copytree(data, data.with_name("copy"))
    shutil.rmtree(data)
    data.with_name("copy").rename(data)


def cut_off(data: Path) -> None:
    log = data / "db" / "log-0"
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - 1)


def write_to_it(data: Path) -> None:
    with (data / "db" / "log-0").open("ab") as file:
        file.write(b"x")


DONE = {
    "was removed": (remove_all, remove_database, remove_log, move_away),
    "was replaced by another file": (put_back_a_copy,),
    "was cut off": (cut_off,),
    "was written to by another program": (write_to_it,),
}
CASES = [(said, do) for said, ways in DONE.items() for do in ways]


@pytest.mark.parametrize(("said", "do"), CASES, ids=[do.__name__ for _, do in CASES])
@pytest.mark.parametrize("large", [False, True])
def test_an_import_is_refused_and_the_advice_saves_what_there_is(
    restart: Restart,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    do: Callable[[Path], None],
    large: bool,
) -> None:
    if large:  # its rows have a file of their own
        monkeypatch.setattr(database, "LARGE_IMPORT", 100)
    restart()
    fill(20)
    do(tmp_path / "data")
    with pytest.raises(EssError) as refused:
        fill(10)
    if not (large and said == "was removed"):  # then the file of the rows is missed first
        assert isinstance(refused.value, UdbRequestError)
        assert said in str(refused.value)
    for change in (operation("-ord", "db:log", "n"), operation("-clr", "db:log")):
        with pytest.raises(EssError):
            perform(change)
    assert stored() == 20
    # The advice of the message, step by step.
    perform(operation("-save", "db", str(tmp_path / "saved")))
    restart()
    perform(operation("-clr", "db"))
    perform(operation("-load", "db", str(tmp_path / "saved")))
    assert stored() == 20
    fill(10)
    restart()
    assert stored() == 30


def test_a_log_that_is_removed_during_an_import_is_noticed_at_its_end(restart: Restart, tmp_path: Path) -> None:
    from ess.udb.client import two_phases

    restart()
    fill(20)
    expect = two_phases._expect
    words: list[str] = []

    def removing(stream: Any, word: str) -> bool:
        answer = expect(stream, word)
        words.append(word)
        if word == "prepared":
            shutil.rmtree(tmp_path / "data")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_phases, "_expect", removing)
        with pytest.raises(UdbRequestError, match="was removed while the server ran"):
            fill(10)
    assert words == ["prepared"]
    assert stored() == 20


def test_a_log_that_is_damaged_is_restored_from_a_copy_or_cleared(restart: Restart, tmp_path: Path) -> None:
    restart()
    fill(20)
    perform(operation("-save", "db", str(tmp_path / "saved")))
    fill(10)
    log = tmp_path / "data" / "db" / "log-0"
    copy = log.read_bytes()
    place = len(copy) // 3
    for is_restored in (True, False):
        log.write_bytes(copy[:place] + bytes([copy[place] ^ 4]) + copy[place + 1 :])
        restart()
        with pytest.raises(EssError, match=r"restore it from a copy, or clear the database \(aq_udb -clr\)"):
            stored()
        if is_restored:
            log.write_bytes(copy)
            restart()
            assert stored() == 30
    perform(operation("-clr", "db"))
    perform(operation("-load", "db", str(tmp_path / "saved")))
    assert stored() == 20


def test_a_log_that_grows_while_it_is_looked_at_is_not_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_file.LogFile(tmp_path / "log-0")
    look = os.fstat

    def grows_behind(file: int) -> os.stat_result:
        seen = look(file)
        monkeypatch.setattr(os, "fstat", look)
        log.append(b"of another import")
        return seen

    monkeypatch.setattr(os, "fstat", grows_behind)
    log.require_in_place()
    assert log.size == log.path.stat().st_size
