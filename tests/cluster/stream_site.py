"""A category, a database and streams of the installed commands, whose processes can be killed at chosen moments."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ess import api
from ess.cluster import providers, state
from ess.cluster.processes import status_of
from ess.udb.admin import admin, processes
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.wire.access import udb_folder
from tests.cluster.running import marked, wait_until
from tests.places import own_places, ports_in_a_row
from tests.udb.faults import operation

BIN = Path(sys.executable).parent

#: Longer than this nothing may take.
SECONDS = 120.0

#: A value that differs from run to run.
LOADED = '-eval s:loaded "\\"$(date +%s%N) %node_id $$\\""'


@dataclass
class Site:
    """Files ``log_*.csv`` of rows ``k,v``, and tables ``t`` and ``u`` of two servers that take them.

    Args:
        folder: The test's own; no other process has its name in its environment.
        files: How many files there are; each has two rows.
        nodes: Of the cluster; 0: none.
        served: Streams start on the user's tool server, where there is one, and not as processes of their own.
    """

    folder: Path
    files: int
    nodes: int = 0
    served: bool = False
    _gates: int = 0
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Site:
        logs = self.folder / "logs"
        logs.mkdir()
        for number in range(self.files):
            text = "".join(f"{key},{number}\n" for key in self._keys(number))
            (logs / f"log_2014-09-{number + 1:02}.csv.gz").write_bytes(gzip.compress(text.encode()))
        api.select("local")
        api.category_add("log", f"{logs}/log*", columnspec="s:k i:v")
        if self.nodes:
            assert providers.create(self.nodes) == []
        admin.create_database("shop", ports=2)
        for table in ("t", "u"):
            admin.create_table(table, ["s,pkey:k", "i:v", "s:loaded"])
        self.start_servers()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        with contextlib.suppress(Exception):
            providers.terminate(everything=True)
        for _line in admin.udbd("stop"):
            pass
        wait_until(lambda: not marked(str(self.folder)))

    @staticmethod
    def _keys(number: int) -> list[str]:
        return [f"a{number}", f"b{number}"]

    @property
    def keys(self) -> list[str]:
        """The keys of all rows, sorted."""
        return sorted(key for number in range(self.files) for key in self._keys(number))

    @property
    def rows(self) -> int:
        """The number of rows in the files."""
        return 2 * self.files

    def start_servers(self) -> None:
        """Start the database servers that do not run."""
        for _line in admin.udbd("start"):
            pass

    def server_pids(self) -> list[int]:
        """The processes of the database servers that run."""
        ports = [int(os.environ["ESS_UDB_PORT"]) + place for place in range(2)]
        return [pid for port in ports if (pid := processes.state(udb_folder(), port).pid)]

    def stored(self, table: str = "t") -> list[str]:
        """The keys of the rows that are in a table, sorted."""
        return sorted(row[0].decode() for row in export_batch(f"shop:{table}", columns=["k"])[0].rows())

    def clear(self) -> None:
        """Empty the tables."""
        for table in ("t", "u"):
            perform(operation("-clr", f"shop:{table}"))

    # Streams ------------------------------------------------------------------------------------------------------

    def gate(self) -> Gate:
        """A place in commands that they do not pass before it is opened."""
        self._gates += 1
        folder = self.folder / f"gate-{self._gates}"
        folder.mkdir()
        return Gate(folder)

    def start(self, command: str, *options: str, direct: bool = False) -> subprocess.Popen[str]:
        """Begin to stream all files through a command; ``direct``: as a process of its own, also if it is served."""
        process = subprocess.Popen(
            [BIN / ("ess" if self.served and not direct else "ess-main"), "stream", "log", "*", "*", command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> Told:
        """Wait for a stream to end."""
        out, err = process.communicate(timeout=SECONDS)
        return Told(process.returncode, out, err)

    def stream(self, command: str, *options: str) -> Told:
        """Stream all files through a command."""
        return self.end(self.start(command, *options))

    # Processes ----------------------------------------------------------------------------------------------------

    def pids(self, kind: str) -> list[int]:
        """The processes of a kind that run now, but for the client."""
        if kind in ("server", "one server"):
            return self.server_pids()[: None if kind == "server" else 1]
        if kind in ("worker", "workers", "scheduler"):
            numbers = range(self.nodes if kind == "workers" else 1)
            names = ["scheduler"] if kind == "scheduler" else [f"worker-{number}" for number in numbers]
            return [daemon.process.pid for name in names if (daemon := state.read_daemon(name)) is not None]
        if kind == "aq_pp":  # started directly, or by a server of the stream's own
            servers = self.pids("tool server")
            return [*self.pids("direct aq_pp"), *(each for each in servers if parent_of(each) in servers)]
        words = {"tool server": "ess.tools.warm.server", "reaper": "reaper.py"}
        found = []
        for pid in marked(str(self.folder)):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
                environment = Path(f"/proc/{pid}/environ").read_bytes()
                is_command = b"\0ESS_IMPORT_ID=" in environment
                is_import = b"\0ESS_IMPORT_PLACE=" in environment or environment.startswith(b"ESS_IMPORT_PLACE=")
                if kind in words:
                    is_wanted = words[kind] in line and not is_command
                else:
                    is_wanted = is_import if kind == "direct aq_pp" else is_command
                if is_wanted:
                    found.append(pid)
        return found

    def kill(self, kinds: Sequence[str], client: subprocess.Popen[str], how: signal.Signals = signal.SIGKILL) -> None:
        """Kill all processes of some kinds; the client (``client``) as told."""
        for kind in kinds:
            if kind == "client":
                client.send_signal(how)
            else:
                for pid in self.pids(kind):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)


def parent_of(pid: int) -> int:
    """The parent of a process; 0 if it has ended."""
    status = status_of(pid)
    return status.parent if status is not None else 0


@contextlib.contextmanager
def site_of_a_module(folders: pytest.TempPathFactory, files: int, *, served: bool = False) -> Iterator[Site]:
    """A site for all tests of a module, with settings and ports of its own."""
    folder = folders.mktemp("site")
    with pytest.MonkeyPatch.context() as patch, ports_in_a_row() as port:
        for name, value in own_places(folder, port).items():
            patch.setenv(name, value)
        with Site(folder, files, served=served) as made:
            yield made


@dataclass(frozen=True)
class Told:
    """The last words of a stream."""

    code: int
    out: str
    err: str


def told_rows(err: str) -> tuple[int, int, int]:
    """Rows read, imported, and imported before, of all the lines."""
    numbers = [
        [int(n.replace(",", "")) for n in re.findall(pattern, err)]
        for pattern in (r"([\d,]+) rows read", r"([\d,]+) imported(?! before)", r"([\d,]+) imported before")
    ]
    return sum(numbers[0]), sum(numbers[1]), sum(numbers[2])


@dataclass(frozen=True)
class Gate:
    """Commands that come to ``words`` say so, and wait until it is opened."""

    folder: Path
    seen: set[Path] = field(default_factory=set)

    @property
    def words(self) -> str:
        """For the text of a command."""
        return f": > {self.folder}/at.%FILE.$$; until [ -e {self.folder}/open ]; do sleep 0.05; done"

    def await_somebody(self) -> None:
        """Wait until a command has come that had not come when it was asked the last time."""
        wait_until(lambda: set(self.folder.glob("at.*")) - self.seen)
        self.seen.update(self.folder.glob("at.*"))

    def open(self) -> None:
        """Let all pass, now and later."""
        (self.folder / "open").touch()
