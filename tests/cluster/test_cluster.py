"""A real cluster of two workers on this machine: same results as without, also when things die."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ess.cluster import ledger, providers, state
from ess.cluster.execute import execute
from ess.cluster.lifecycle import Health
from ess.cluster.outputs import fetch
from ess.cluster.processes import alive
from ess.cluster.report import StreamResult
from ess.cluster.state import Daemon
from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.cluster.versions import code_hash, versions
from ess.errors import InitializationError, OptionError
from ess.lake.entry import FileEntry
from ess.udb.admin import admin
from tests.cluster.running import listening, make_files, marked, wait_until
from tests.places import own_places, ports_in_a_row
from tests.waiting import PATIENCE

DEFAULT = StreamOptions()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of two workers, with settings of its own; starting one takes seconds, so the tests share it."""
    folder = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch, ports_in_a_row() as port:
        for name, value in own_places(folder, port).items():
            patch.setenv(name, value)
        assert providers.create(2) == []
        yield folder
        assert providers.terminate()
        wait_until(lambda: marked(str(folder)) == [])


@pytest.fixture
def whole(cluster: Path) -> Path:
    """The cluster with both workers running."""
    assert providers.start() == []
    return cluster


def run(entries: list[FileEntry], command: str, options: StreamOptions = DEFAULT) -> tuple[StreamResult, bytes, str]:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    source = Source(entries, name=command, columns=("s:a", "i:b"))
    result = stream_source(source, command, stdout=stdout, stderr=stderr, options=options)
    return result, stdout.getvalue(), stderr.getvalue().decode()


def worker(number: int) -> Daemon:
    found = state.read_daemon(f"worker-{number}")
    assert found is not None
    return found


def test_the_output_is_that_of_one_machine(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SETTING", "seen")
    monkeypatch.setenv("MY_PASSWORD", "hidden")
    monkeypatch.chdir(tmp_path)
    entries = make_files(tmp_path, [b"line\n" * number for number in range(17)])
    command = (
        'wc -l; echo %file "%cols" $ESS_IMPORT_SEQ $MY_SETTING$MY_PASSWORD; pwd; umask; '
        "[ %FILE != file_03.gz ] || exit 9"
    )
    on_cluster, out, _ = run(entries, command)
    alone, out_alone, _ = run(entries, command, StreamOptions(master=True))
    assert out == out_alone
    assert (on_cluster.exit_code, on_cluster.files) == (9, 17)
    assert [failure.name for failure in on_cluster.failures] == [failure.name for failure in alone.failures]
    assert len([path for path in ledger.jobs_folder().rglob("*") if path.is_file()]) == 2  # the ledgers alone


def test_both_nodes_and_all_their_threads_work(whole: Path, tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"x"] * 8)
    # A command ends only when commands have begun on both threads of both nodes.
    meet = f": > {tmp_path}/at-%node_id-%thread_id; until [ $(ls {tmp_path} | grep -c at-) = 4 ]; do sleep 0.02; done"
    _, out, err = run(
        entries, f"echo %node_id/%num_nodes %thread_id/%num_threads; echo hello >&2; {meet}", StreamOptions(threads=2)
    )
    lines = out.decode().splitlines()
    assert {line.split()[0] for line in lines} == {"0/2", "1/2"}
    assert {line.split()[1] for line in lines} == {"0/2", "1/2"}
    assert err == "".join(f"file_{number:02}.gz: hello\n" for number in range(8))


def test_exec_runs_on_every_node_or_once_for_plain_udb_calls(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    command = (
        f"[ %node_id = 1 ] || until [ -e {tmp_path}/one ]; do sleep 0.02; done; "
        "echo %node_id $ESS_NODE_ID $ESS_UDB_NODE; "
        f"echo hello >&2; [ %node_id = 0 ] || {{ : > {tmp_path}/one; exit 6; }}"
    )
    result = execute(command, stdout=stdout, stderr=stderr)
    assert stdout.getvalue() == b"0 0 0/2\n1 1 1/2\n"
    assert stderr.getvalue() == b"node 0: hello\nnode 1: hello\n"
    assert (result.exit_code, result.nodes, [failure.node_id for failure in result.failures]) == (6, 2, [1])
    fake = tmp_path / "aq_udb"
    fake.write_text("#!/bin/sh\necho called ${ESS_UDB_NODE-everywhere} $@\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{sysconfig.get_path('scripts')}:{os.environ['PATH']}")
    for command, expected in (
        ("aq_udb -exp a:b", "called everywhere -exp a:b\n"),
        ("aq_udb -exp a:b | cat", "called 0/2 -exp a:b\ncalled 1/2 -exp a:b\n"),
    ):
        stdout = io.BytesIO()
        execute(command, stdout=stdout, stderr=stderr)
        assert stdout.getvalue().decode() == expected


def test_killing_a_worker_changes_no_result(whole: Path, tmp_path: Path) -> None:
    victim = 0
    marker = f"{tmp_path}/effects"
    entries = make_files(tmp_path, [b"x" * number for number in range(6)])
    # Each run of a command leaves its file's import identity, as an import would.
    until_killed = f"until [ -e {tmp_path}/killed ]; do sleep 0.02; done"
    command = f"wc -c; echo $ESS_IMPORT_ID >> {marker}; : > {tmp_path}/on_%node_id; {until_killed}; echo done"
    before = worker(victim)
    assert before.reaper is not None
    killed: list[int] = []

    def kill() -> None:
        wait_until((tmp_path / f"on_{victim}").exists)
        os.kill(before.process.pid, signal.SIGKILL)
        killed.append(before.process.pid)
        (tmp_path / "killed").touch()

    thread = threading.Thread(target=kill)
    thread.start()
    result, out, _ = run(entries, command)
    thread.join()
    assert killed
    assert result.exit_code == 0
    assert out == b"".join(b"%d\ndone\n" % number for number in range(6))
    identities = Path(marker).read_text().split()
    assert len(set(identities)) == 6  # an attempt that was cut off and its repetition count once
    assert not alive(before.reaper)
    wait_until(lambda: marked(f"{tmp_path}/on_") == [])
    wait_until(lambda: providers.status().nodes[victim + 1].health is Health.RUNNING)


def test_a_bundle_that_kills_its_workers_is_given_up(whole: Path, tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"x", b"y"])
    result, out, _ = run(entries, "[ %file = file_01 ] || kill -9 $(ps -o ppid= $$); cat; sleep 0.1")
    assert out == b"y"
    assert result.exit_code == 4
    assert "3 nodes were lost" in str(result.failures[0])
    assert entries[0].path in str(result.failures[0])


def test_a_lost_scheduler_is_an_error_and_the_next_job_mends_it(whole: Path, tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"x"] * 4)
    scheduler = state.read_daemon("scheduler")
    assert scheduler is not None

    def kill() -> None:
        wait_until((tmp_path / "begun").exists)
        os.kill(scheduler.process.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(InitializationError, match="the scheduler cannot be reached"):
        run(entries, f": > {tmp_path}/begun; sleep 300")
    thread.join()
    wait_until(lambda: not marked(f"{tmp_path}/begun"))
    result, out, _ = run(entries, "cat")
    assert (result.exit_code, out) == (0, b"xxxx")


PROGRAM = """
import sys
import sysconfig
from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.lake.entry import FileEntry
entries = [FileEntry(path, 1, 1.0) for path in sys.argv[2:]]
try:
    stream_source(Source(entries, name="p"), sys.argv[1], stdout=sys.stdout.buffer, stderr=sys.stderr.buffer,
                  options=StreamOptions())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_job_leaves_nothing_running(whole: Path, tmp_path: Path, number: signal.Signals) -> None:
    entries = make_files(tmp_path, [b"x"] * 4)
    command = (
        f"[ -e {tmp_path}/mended ] && exec cat; : > {tmp_path}/begun_%node_id; (sleep 300 | cat) & "
        f"sleep 300 | cat; : > {tmp_path}/ended"
    )
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, command, *(entry.path for entry in entries)])
    wait_until(lambda: len(list(tmp_path.glob("begun_*"))) == 2)
    program.send_signal(number)
    assert program.wait(PATIENCE) == (130 if number == signal.SIGINT else -9)
    wait_until(lambda: not marked(f"{tmp_path}/begun"))
    assert not (tmp_path / "ended").exists()
    # The workers are free again, also for the very same job.
    (tmp_path / "mended").touch()
    again = [FileEntry(entry.path, 1, 1.0) for entry in entries]
    out = io.BytesIO()
    stream_source(Source(again, name="p"), command, stdout=out, stderr=io.BytesIO(), options=StreamOptions(resume=True))
    assert out.getvalue() == b"xxxx"


def test_what_the_cluster_shows_to_strangers(whole: Path) -> None:
    daemons = [daemon for name in ("scheduler", "worker-0", "worker-1") if (daemon := state.read_daemon(name))]
    addresses = listening([daemon.process.pid for daemon in daemons])
    assert len(addresses) == 3  # no dashboard, no other port
    assert all(address.startswith("0100007F:") for address in addresses)  # 127.0.0.1
    modes = {path: path.stat().st_mode & 0o077 for path in state.cluster_folder().rglob("*")}
    assert set(modes.values()) == {0}
    # Without a certificate of the cluster there is no answer.
    host, _, port = daemons[0].address.removeprefix("tls://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(b"\0" * 64)
        try:
            answer = connection.recv(64)
        except ConnectionResetError:
            answer = b""
    assert answer[:1] in (b"", b"\x15")  # nothing, or a TLS alert


def test_another_version_is_refused(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = versions()
    monkeypatch.setattr("ess.cluster.asking.versions", lambda: dict(own) | {"distributed": "1.0"})
    with pytest.raises(InitializationError, match=r"scheduler runs distributed .*, this is 1\.0"):
        run(make_files(tmp_path, [b"x"]), "cat")


def test_the_program_is_told_by_the_content_of_its_files(tmp_path: Path) -> None:
    for machine in ("one", "two"):
        (tmp_path / machine / "part").mkdir(parents=True)
        (tmp_path / machine / "part" / "a.py").write_text("1")
        (tmp_path / machine / "b.py").write_text("2")
    os.utime(tmp_path / "two" / "b.py", (1, 1))
    assert code_hash(tmp_path / "one") == code_hash(tmp_path / "two")
    (tmp_path / "two" / "part" / "a.py").write_text("3")
    assert code_hash(tmp_path / "one") != code_hash(tmp_path / "two")


def test_stop_start_add_and_errors(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="already"):
        providers.create(1)
    providers.stop()
    assert marked(f"{whole}/ess/cluster") == []
    with pytest.raises(InitializationError, match="stopped"):
        run(make_files(tmp_path, [b"x"]), "cat")
    assert providers.start() == []
    assert [node.id for node in providers.nodes()] == [0, 1]
    assert run(make_files(tmp_path, [b"x"]), "cat")[1] == b"x"


def test_a_recycled_process_number_is_not_killed(whole: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    known = worker(1)
    try:
        forged = Daemon(
            type(known.process)(stranger.pid, known.process.started),
            known.address,
            None,
            known.scheduler,
        )
        state.write_daemon("worker-1", forged)
        assert providers.status().nodes[2].health is Health.LOST
        assert providers.start() == []
        assert stranger.poll() is None
        assert not alive(known.process)  # the worker that no file knew any more was found, too
    finally:
        stranger.kill()
        stranger.wait()


def test_nothing_is_left_of_a_cluster_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_CACHE_DIR", str(tmp_path / "ess"))
    monkeypatch.setattr("ess.cluster.daemons.START_SECONDS", 0.2)
    with pytest.raises(InitializationError, match=r"scheduler: not ready after .*; see .*scheduler\.log"):
        providers.create(1)
    assert marked(str(tmp_path)) == []
    assert providers.status().state.id is None
    assert [node.id for node in providers.nodes()] == [0]


def waiting_output() -> list[Path]:
    """The files on the nodes that nobody has fetched or dropped."""
    return [path for path in state.scratch_folder().glob("*/**/output/*") if path.is_dir()]


def test_large_output_travels_in_pieces_and_is_dropped_on_the_node(whole: Path, tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a", b"b", b"c"])
    _, out, err = run(entries, "read letter; yes $letter | head -c 5000001; echo said >&2; echo %FILE")
    expected = b"".join(
        (letter * 2500001)[:5000001] + f"{Path(entry.path).name}\n".encode()
        for letter, entry in zip((b"a\n", b"b\n", b"c\n"), entries, strict=True)
    )
    assert out == expected
    assert err.count("said") == 3
    wait_until(lambda: not waiting_output())


def test_a_node_that_is_lost_with_output_that_was_not_fetched_changes_no_result(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []

    def kill_first(client: Any, address: str, key: str, outcomes: Any, folder: Path) -> None:
        if not killed:
            [victim] = [worker(number) for number in (0, 1) if worker(number).address == address]
            killed.append(victim.process.pid)
            os.kill(victim.process.pid, signal.SIGKILL)
        fetch(client, address, key, outcomes, folder)

    monkeypatch.setattr("ess.cluster.runtime.fetch", kill_first)
    entries = make_files(tmp_path, [b"%d\n" % number for number in range(6)])
    result, out, _ = run(entries, "cat")
    assert killed
    assert (result.exit_code, out) == (0, b"0\n1\n2\n3\n4\n5\n")


def test_output_goes_when_the_job_is_gone(whole: Path, tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"x"])
    script = """
import io, sys
from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.lake.entry import FileEntry
stream_source(Source([FileEntry(sys.argv[1], 1, 1.0)]), sys.argv[2], stdout=io.BytesIO(), stderr=io.BytesIO(),
              options=StreamOptions())
"""
    command = f"echo some; : > {tmp_path}/begun; sleep 300"
    job = subprocess.Popen([sys.executable, "-c", script, entries[0].path, command])
    wait_until((tmp_path / "begun").exists)
    assert len(waiting_output()) == 1
    job.kill()
    job.wait()
    wait_until(lambda: not waiting_output())


ROWS = [[(f"key{row % 7}", 100 * number + row) for row in range(20)] for number in range(3)]


def rows(command: str) -> list[str]:
    out = io.BytesIO()
    assert execute(command, stdout=out, stderr=io.BytesIO()).exit_code == 0
    return sorted(out.getvalue().decode().splitlines())


def test_a_worker_that_is_killed_while_it_imports_changes_no_row(whole: Path, tmp_path: Path) -> None:
    """The servers of the database end with the cluster, in the end of this module."""
    admin.create_database("db", nodes=[node.host for node in providers.nodes()])
    admin.create_table("table", ["s,pkey:k", "i:v"])
    list(admin.udbd("start"))
    contents = ["".join(f"{key},{value}\n" for key, value in part) + "key1,TBD\n" for part in ROWS]
    entries = make_files(tmp_path, [content.encode() for content in contents])
    before = state.read_daemon("worker-0")
    assert before is not None

    def kill() -> None:
        wait_until((tmp_path / "begun_0").exists)
        os.kill(before.process.pid, signal.SIGKILL)
        (tmp_path / "killed").touch()

    thread = threading.Thread(target=kill)
    thread.start()
    # All rows are on their way, the input has not ended: the worst moment.
    wait = f"until [ -e {tmp_path}/killed ]; do sleep 0.02; done"
    command = f"(cat; : > {tmp_path}/begun_%node_id; {wait}) | aq_pp -f,eok,qui - -d %cols -imp db:table"
    source = Source(entries, columns=("s:k", "i:v"), name=command)
    result = stream_source(source, command, stdout=io.BytesIO(), stderr=io.BytesIO(), options=StreamOptions())
    thread.join()
    assert state.read_daemon("worker-0") != before
    assert result.exit_code == 0
    (stage,) = result.stages
    assert (stage.counts.read, stage.counts.imported, stage.counts.rejected) == (63, 60, 3)
    expected = sorted(f'"{key}",{value}' for part in ROWS for key, value in part)
    assert rows("aq_udb -exp db:table -o,notitle -") == expected
    # Each node has a share of the keys, and the shares add up.
    assert rows("aq_udb -exp db:table -o,notitle - | cat") == expected
    assert len(listening(marked(str(whole)))) == 5  # scheduler, two workers, two database servers
