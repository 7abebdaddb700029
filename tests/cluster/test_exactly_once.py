"""Imports of ``ess stream`` count exactly once, with the installed commands: what is read is stored, and told so."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.cluster import providers
from ess.udb.command.perform import perform
from tests.cluster.stream_site import LOADED, Site, site_of_a_module, told_rows
from tests.udb.faults import operation
from tests.waiting import stop, until

IMPORT = f"aq_pp -f - -d %cols {LOADED} -imp shop:t"
DDEF = "aq_pp -f - -d %cols -imp,ddef shop:t"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of_a_module(tmp_path_factory, files=2, served=True) as made:
        yield made


@pytest.fixture(autouse=True)
def empty(site: Site) -> None:
    site.start_servers()
    site.clear()


#: How the stream ends, and whether it and the one that resumes it use a tool server.
ENDS = [(signal.SIGKILL, "0", "1"), (signal.SIGTERM, "1", "0"), (signal.SIGINT, "1", "1")]


@pytest.mark.parametrize(("how", "before", "after"), ENDS)
def test_a_stream_that_is_killed_between_a_commit_and_the_end_of_its_command(
    site: Site, monkeypatch: pytest.MonkeyPatch, how: signal.Signals, before: str, after: str
) -> None:
    gate = site.gate()
    command = f"{IMPORT}; {gate.words}"
    monkeypatch.setenv("ESS_WARM", before)
    first = site.start(command, "--threads", "1", direct=True)
    gate.await_somebody()
    first.send_signal(how)
    assert site.end(first).code != 0
    assert len(site.stored()) == 2
    gate.open()
    monkeypatch.setenv("ESS_WARM", after)
    told = site.stream(command, "--resume")
    assert (told.code, site.stored()) == (0, site.keys)
    assert told_rows(told.err) == (site.rows, site.rows - 2, 2)
    again = site.stream(command, "--resume")
    assert (again.code, site.stored()) == (2, site.keys)
    assert "the latest run of this command has done all its files" in again.err


#: Commands, and how often they import each row.
COMMANDS = {
    f'while read -r x; do for y in a b; do echo "$x" | {DDEF} & done; wait; done': 2,
    f"tee >({DDEF}) | {DDEF}": 2,
    'split -l 1 --filter="aq_pp -f - -d %cols -imp,ddef,place=\\$FILE shop:t"': 1,
    "tr , ' ' | xargs -P 2 -L 1 sh -c 'echo $0,$1 | aq_pp -f - -d %cols -imp,ddef,place=$0 shop:t'": 1,
    "bash {folder}/one.sh": 1,
    "cat > {folder}/%file; f() ( time -p aq_pp -f $1 -d %cols -imp,ddef shop:t ); f {folder}/%file; f {folder}/%file; "
    "coproc aq_pp -d %cols -imp,ddef shop:t -f {folder}/%file; wait": 3,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_told_as_imported_is_stored(site: Site, command: str) -> None:
    (site.folder / "one.sh").write_text("aq_pp -f - -d s:k i:v -imp,ddef shop:t")
    told = site.stream(command.replace("{folder}", str(site.folder)))
    times = COMMANDS[command]
    assert told.code == 0, told.err
    assert site.stored() == sorted(site.keys * times)
    assert told_rows(told.err) == (times * site.rows, times * site.rows, 0)


REFUSED = [
    f'split -l 1 --filter="{DDEF}"',
    f"f() {{ {DDEF}; }}; f | cat; f <<< x,1 | cat",  # two shells that count for themselves
    "bash {folder}/two.sh",
]


@pytest.mark.parametrize("command", REFUSED)
def test_what_cannot_be_told_apart_is_refused(site: Site, command: str) -> None:
    (site.folder / "two.sh").write_text(
        "read -r x\necho $x | IMPORT\nIMPORT\n".replace("IMPORT", DDEF.replace("%cols", "s:k i:v"))
    )
    told = site.stream(command.replace("{folder}", str(site.folder)))
    assert told.code == 2, told.err
    assert "-imp,place=Name" in told.err
    assert told_rows(told.err)[1] == 0
    assert set(site.stored()) <= set(site.keys)
    assert len(site.stored()) == len(set(site.stored()))


def test_the_advice_about_two_imports_of_one_place(site: Site) -> None:
    """The rows that the refused job has imported are there once when the changed command has run."""
    two = site.folder / "two.sh"
    rows = DDEF.replace("%cols", "s:k i:v")
    two.write_text(f"read -r x\necho $x | {rows}\n{rows}\n")
    told = site.stream(f"bash {two}")
    assert told.code == 2
    assert "is another job, which imports it again: empty the database before, with aq_udb -clr shop" in told.err
    assert site.stored() != []
    perform(operation("-clr", "shop"))
    changed = two.with_name("changed.sh")
    changed.write_text(two.read_text().replace("-imp", "-imp,place=rest").replace("-imp,place=rest", "-imp,place=1", 1))
    assert site.stream(f"bash {changed}").code == 0
    assert site.stored() == site.keys


@pytest.mark.parametrize("shape", ["{}; true", "{} | cat"])
def test_an_import_that_is_killed_makes_its_file_fail(site: Site, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_WARM", "0")
    gate = site.gate()
    slow = f"(cat; {gate.words}) | {IMPORT}"
    command = shape.format(slow)
    stream = site.start(command, "--threads", "1")
    gate.await_somebody()
    until(lambda: bool(site.pids("aq_pp")))  # it starts beside the part that is at the gate
    site.kill(["aq_pp"], stream)
    gate.open()
    told = site.end(stream)
    assert told.code != 0
    assert told.err.count("an import ended before it was done") == 1, told.err
    assert len(site.stored()) == site.rows - 2
    monkeypatch.setenv("ESS_WARM", "1")
    assert site.stream(command, "--resume").code == 0
    assert site.stored() == site.keys


SECOND_TRIES = [
    "aq_pp -f {first} -d %cols -imp,ddef shop:t || aq_pp -f {input} -d %cols -imp,ddef shop:t",
    "for file in {first} {input}; do aq_pp -f $file -d %cols -imp,ddef shop:t && break; done",
    "file={first}; until aq_pp -f $file -d %cols -imp,ddef shop:t; do file={input}; done",
    "(cat {input}; [ -e {mended} ] || echo bad,row) | aq_pp -f - -d %cols -o,notitle - | " + DDEF,
]


@pytest.mark.parametrize("shape", SECOND_TRIES)
def test_what_comes_after_a_failure_does_not_count_and_the_file_is_done_again_as_a_whole(
    site: Site, tmp_path: Path, shape: str
) -> None:
    """A second try would be another place; the rest of a pipeline does not get all rows."""
    mended, given = tmp_path / "mended", f"{tmp_path}/%FILE"
    first = f"$([ -e {mended} ] && echo {given} || echo {given}.not_there)"
    command = f"cat > {given}; {shape.format(first=first, input=given, mended=mended)}"
    told = site.stream(command)
    assert told.code in (4, 11, 13), told.err
    assert site.stored() == []
    mended.touch()
    assert site.stream(command, "--resume").code == 0
    assert site.stored() == site.keys


# Advice of messages and of the manual ---------------------------------------------------------------------------------


def test_the_advice_after_a_database_server_was_killed(site: Site) -> None:
    gate = site.gate()
    command = f"{IMPORT}; {gate.words}"
    stream = site.start(command, "--threads", "1")  # the other file comes after the kill
    gate.await_somebody()
    os.kill(site.server_pids()[0], signal.SIGKILL)
    gate.open()
    told = site.end(stream)
    assert told.code in (31, 32)
    assert "run: ess udbd start, then the same command with --resume" in told.err
    site.start_servers()
    assert site.stream(command, "--resume").code == 0
    assert site.stored() == site.keys


def test_the_advice_about_a_database_server_that_is_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_ANSWER_TIMEOUT", "1")
    servers = site.server_pids()
    for server in servers:
        stop(server)
    try:
        told = site.stream(DDEF)
    finally:
        for server in servers:
            os.kill(server, signal.SIGCONT)
    assert told.code == 31
    for server in servers:
        assert f"the server (process {server}) is stopped and does not answer; " in told.err
        assert f"let it go on: kill -CONT {server}, or end it: ess udbd stop" in told.err
    one, other = sorted(servers)
    assert f"run: kill -CONT {one} {other}, then the same command with --resume" in told.err
    assert "ess udbd start" not in told.err
    assert site.stream(DDEF, "--resume").code == 0
    assert site.stored() == site.keys


def test_the_advice_after_quitonerror(site: Site) -> None:
    command = f"[ -e {site.folder}/mended ] && {DDEF}"
    told = site.stream(command, "--quitonerror")
    assert told.code == 1
    assert "not run because of --quitonerror; --resume continues" in told.err
    (site.folder / "mended").touch()
    assert site.stream(command, "--resume").code == 0
    assert site.stored() == site.keys


def test_terminate_keeps_the_rows_and_a_start_brings_them_back(site: Site) -> None:
    assert site.stream(DDEF).code == 0
    assert providers.create(1) == []
    assert providers.terminate()
    assert site.server_pids() == []
    site.start_servers()
    assert site.stored() == site.keys


def test_another_job_imports_again(site: Site) -> None:
    assert site.stream(DDEF).code == 0
    assert site.stream(DDEF).code == 0
    assert site.stored() == sorted(site.keys * 2)
    # A database that was cleared has seen no import, not even that of a job that is resumed.
    failing = f"{DDEF}; [ -e {site.folder}/cleared ]"
    assert site.stream(failing).code == 1
    perform(operation("-clr", "shop"))
    (site.folder / "cleared").touch()
    assert told_rows(site.stream(failing, "--resume").err) == (site.rows, site.rows, 0)
    assert site.stored() == site.keys


def test_a_file_that_has_changed_is_another_one(site: Site, tmp_path: Path) -> None:
    import gzip

    path = site.folder / "logs" / "log_2014-09-01.csv.gz"
    before = path.read_bytes()
    command = f"{DDEF}; [ -e {tmp_path}/mended ]"
    assert site.stream(command).code == 1
    (tmp_path / "mended").touch()
    path.write_bytes(gzip.compress(b"c0,1\n"))
    try:
        told = site.stream(command, "--resume")
    finally:
        path.write_bytes(before)
    assert told.code == 0
    assert site.stored() == sorted([*site.keys, "c0"])
    assert told_rows(told.err) == (site.rows - 1, 1, site.rows - 2)
