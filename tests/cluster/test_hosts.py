"""Machines, hosts and daemons: what each must do, and a cluster of two machines that share no folder."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from ess import settings
from ess.cluster import host_processes, providers, state
from ess.cluster.cloud.nodes import CloudNodes
from ess.cluster.host import Host, Ran, ThisMachine
from ess.cluster.host_machines import HostMachines
from ess.cluster.lifecycle import Health
from ess.cluster.machines import PROVIDERS, LocalMachines, Machine, Machines, machines_of
from ess.cluster.processes import ProcessId
from ess.cluster.ssh_host import Place, SshHost
from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.errors import EssError, EssWarning, InitializationError
from tests.cluster.running import listening, make_files, marked, wait_until
from tests.hosts.sshd import sshd

__all__ = ["sshd"]  # a fixture


class OtherMachine(ThisMachine):
    """Stands for another machine: it has a folder of its own, and counts what it is asked to run."""

    def __init__(self, number: int, folder: Path) -> None:
        self.name = f"machine {number}"
        self._folder = folder
        self.programs: list[str] = []
        self.is_cut_off = False

    @property
    def folder(self) -> str:
        return str(self._folder / "cluster")

    def run(self, words: Sequence[str], *, environment: Mapping[str, str] | None = None, stdin: bytes = b"") -> Ran:
        if self.is_cut_off:
            raise InitializationError("it cannot be reached", where=self.name)
        self.programs.append(words[0])
        return super().run(words, environment=environment, stdin=stdin)


# What a host must do --------------------------------------------------------------------------------------------------


@pytest.fixture(params=["here", "another", "ssh"])
def host(request: pytest.FixtureRequest, places: dict[str, str], tmp_path: Path) -> Iterator[Host]:
    if request.param == "ssh":
        request.getfixturevalue("sshd")
        found = SshHost("odd", Place(str(tmp_path / "other"), sys.executable, {"PATH": os.defpath}))
        yield found
        found.let_go()
    else:
        yield ThisMachine() if request.param == "here" else OtherMachine(1, tmp_path / "other")


def test_a_host_runs_programs(host: Host) -> None:
    ran = host.run([host.python, "-c", "import sys; print(sys.stdin.read()); sys.exit('bad')"], stdin=b"given")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (1, b"given\n", b"bad\n")
    odd = "a b'\"$(false)\n*"
    assert host.run(["/bin/sh", "-c", 'printf %s "$0"', odd]).stdout == odd.encode()
    assert host.run(["printf", "%s.", "", "-n", "$HOME", "\\'", "`id`"]).stdout == b".-n.$HOME.\\'.`id`."
    assert host.run(["/bin/sh", "-c", "exit 255"]).exit_code == 255
    assert host.run(["/usr/bin/env"], environment={"ONE": "1"}).stdout == b"ONE=1\n"
    assert host.run(["pwd"]).stdout == b"/\n"
    with pytest.raises(EssError, match="cannot start it"):
        host.run(["/no/such/program"])


def test_a_host_takes_and_gives_files(host: Host, tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "folder" / "file")
    assert host.get(path) is None
    host.put(path, b"\0\xff")
    assert host.get(path) == b"\0\xff"
    assert [Path(each).stat().st_mode & 0o077 for each in (path, Path(path).parent)] == [0, 0]
    host.put(path, b"other")
    assert host.get(path) == b"other"
    assert host.get(path + "/below") is None
    assert [each.name for each in Path(path).parent.iterdir()] == ["file"]
    large = os.urandom(3 << 20)
    host.put(path, large)
    assert host.get(path) == large


def test_processes_of_a_host_are_found_and_ended(host: Host, tmp_path: Path) -> None:
    mark = f"--cluster={tmp_path}"
    script = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    stubborn = subprocess.Popen([sys.executable, "-c", script, "module", "worker", "1", mark], stdout=subprocess.PIPE)
    others = [
        subprocess.Popen(["/bin/sh", "-c", "read x", "module", "worker", "1", other], stdin=subprocess.PIPE)
        for other in (f"{mark}/x", mark)
    ]
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    found = host_processes.find(host, ["module", "worker", "1"], mark)
    assert {process.pid for process in found} == {stubborn.pid, others[1].pid}
    assert host_processes.find(host, ["module", "worker", "2"], mark) == []
    assert all(host_processes.alive(host, process) for process in found)
    assert host_processes.resident_megabytes(host, stubborn.pid) is not None
    host_processes.end(host, [ProcessId(others[0].pid, 1), *found], grace=0.2)
    assert [stubborn.wait(), others[1].wait()] == [-9, -15]
    assert others[0].poll() is None  # it has that number, but is another process
    assert host_processes.identify(host, stubborn.pid) is None
    assert host_processes.resident_megabytes(host, stubborn.pid) is None
    others[0].communicate(b"\n")


# What a provider must do ----------------------------------------------------------------------------------------------


class TwoMachines:
    """Two machines with addresses and folders of their own, beside the master."""

    most = 2
    master = Machine("master", 0, "127.0.0.1")

    def __init__(self, folder: Path) -> None:
        self._made: dict[str, set[int]] = {}
        self.hosts = {number: OtherMachine(number, folder / f"machine-{number}") for number in range(self.most)}

    def list(self, tag: str) -> Sequence[Machine]:
        return [Machine(f"m{number}", number, f"127.0.0.{number + 2}") for number in sorted(self._made.get(tag, ()))]

    def make(self, tag: str, numbers: Sequence[int]) -> None:
        self._made.setdefault(tag, set()).update(numbers)

    def start(self, tag: str) -> None:
        pass

    def stop(self, tag: str) -> None:
        pass

    def end(self, tag: str) -> None:
        self._made.pop(tag, None)

    def host(self, machine: Machine) -> Host:
        return ThisMachine() if machine.id == self.master.id else self.hosts[machine.number]


@pytest.mark.parametrize("kind", ["local", "two"])
def test_machines_are_made_listed_and_ended_by_tag(kind: str, places: dict[str, str], tmp_path: Path) -> None:
    source: Machines = LocalMachines() if kind == "local" else TwoMachines(tmp_path)
    settings.make_private_folder(settings.cache_dir())
    assert source.list("a") == []
    source.make("a", range(2))
    source.make("a", range(1))  # one that exists already is left alone
    assert [machine.number for machine in source.list("a")] == [0, 1]
    assert source.list("b") == []
    for machine in source.list("a"):
        assert source.host(machine).run(["true"]).exit_code == 0
        assert machine.address
    source.end("a")
    source.end("a")
    assert source.list("a") == []


def test_every_provider_that_can_be_chosen_is_there() -> None:
    assert set(PROVIDERS) == set(state.MODES)
    assert isinstance(machines_of("local"), LocalMachines)
    assert isinstance(machines_of("custom"), HostMachines)
    assert isinstance(machines_of("cloud"), CloudNodes)


# A cluster of machines that share nothing -----------------------------------------------------------------------------


@pytest.fixture
def two(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoMachines]:
    source = TwoMachines(tmp_path)
    monkeypatch.setitem(PROVIDERS, "local", lambda: source)
    yield source
    providers.terminate(everything=True)
    wait_until(lambda: not marked(f"{tmp_path}/machine-"))


def test_a_machine_of_the_cloud_that_has_stopped_by_itself_is_no_riddle(
    two: TwoMachines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROVIDERS, "cloud", lambda: two)
    providers.set_mode("cloud")
    assert providers.create(1) == []
    answers = OtherMachine.run

    def off(host: OtherMachine, *_: object, **__: object) -> Ran:
        raise InitializationError("it cannot be reached", where=host.name)

    monkeypatch.setattr(OtherMachine, "run", off)
    made = two.list(str(state.read_cluster().id))
    monkeypatch.setattr(two, "make", lambda *_: pytest.fail("a machine is made without being asked for"))
    with pytest.raises(EssError, match="its machine may have stopped by itself, or is gone; run: ess cluster start"):
        providers.ensure_running()
    monkeypatch.setattr(OtherMachine, "run", answers)
    monkeypatch.setattr(two, "make", lambda *_: None)
    assert providers.start() == []
    assert two.list(str(state.read_cluster().id)) == made


def test_a_node_without_a_machine_gets_one_at_the_start(two: TwoMachines, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = two.make
    monkeypatch.setattr(two, "make", lambda tag, numbers: whole(tag, [0]))
    problems = providers.create(2)
    assert [str(each) for each in problems] == ["worker-1: it has no machine; make one with: ess cluster start"]
    assert [node.id for node in providers.nodes()] == [0]
    monkeypatch.setattr(two, "make", whole)
    assert providers.start() == []
    assert [node.health for node in providers.status().nodes] == [Health.RUNNING] * 3


def test_a_stream_over_machines_that_share_no_folder(two: TwoMachines, tmp_path: Path) -> None:
    assert providers.create(2) == []
    shown = providers.status().nodes
    assert [(line.name, line.health, line.host) for line in shown] == [
        ("scheduler", Health.RUNNING, "127.0.0.1"),
        ("worker-0", Health.RUNNING, "127.0.0.2"),
        ("worker-1", Health.RUNNING, "127.0.0.3"),
    ]
    assert all(line.megabytes for line in shown)
    here = {path.name for path in state.cluster_folder().iterdir()}
    assert not here & {"worker-0.json", "worker-1.json", "output"}
    logs = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("machine-*/cluster/logs/*")}
    assert logs == {"machine-0/cluster/logs/worker-0.log", "machine-1/cluster/logs/worker-1.log"}
    pids = [line.pid for line in shown[1:] if line.pid]
    assert {address.split(":")[0] for address in listening(pids)} == {"0200007F", "0300007F"}

    entries = make_files(tmp_path, [b"%d\n" % number for number in range(8)])
    out, err = io.BytesIO(), io.BytesIO()
    result = stream_source(
        Source(entries), "cat; echo %node_id >&2; sleep 0.1", stdout=out, stderr=err, options=StreamOptions()
    )
    assert (result.exit_code, out.getvalue()) == (0, b"0\n1\n2\n3\n4\n5\n6\n7\n")
    assert {line.split()[-1] for line in err.getvalue().splitlines()} == {b"0", b"1"}

    providers.stop()
    assert not marked(f"{tmp_path}/machine-")
    assert providers.start() == []
    out = io.BytesIO()
    assert stream_source(Source(entries), "cat", stdout=out, stderr=err, options=StreamOptions()).exit_code == 0
    assert out.getvalue() == b"0\n1\n2\n3\n4\n5\n6\n7\n"


def test_a_machine_that_cannot_be_reached_holds_no_other_up(two: TwoMachines, tmp_path: Path) -> None:
    assert providers.create(2) == []
    two.hosts[1].is_cut_off, two.hosts[1].shares_files = True, False
    assert [line.health for line in providers.status().nodes] == [Health.RUNNING, Health.RUNNING, Health.LOST]
    with pytest.raises(InitializationError, match="^machine 1: it cannot be reached$"):
        providers.ensure_running()
    with pytest.warns(EssWarning, match="^machine 1: it cannot be reached$"):
        providers.stop()
    assert not marked(f"{tmp_path}/machine-0")
    with pytest.warns(EssWarning, match="^machine 1: it cannot be reached$"):
        assert providers.terminate()
    assert state.read_cluster().id is None
    # Its worker ends by itself: it has no scheduler any more.
    wait_until(lambda: not marked(f"{tmp_path}/machine-1"))
