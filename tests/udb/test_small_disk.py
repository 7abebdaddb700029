"""A disk that is really full: a file system of one megabyte in memory, in a mount namespace of the test's own.

Only root may do that, where the system lets it; elsewhere this test is skipped, and ``test_full_disk`` has the same
errors from a limit on the size of files.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ess.errors import EssError
from ess.udb.admin.processes import state
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.wire.access import make_access, udb_folder
from tests.udb.faults import operation, put
from tests.waiting import PATIENCE, until

DEFINITION = "\n@Table:log s,pkey:user i:n i:value\n"
_UDBD = Path(sys.executable).parent / "udbd"


@dataclass(frozen=True)
class SmallDisk:
    """Two servers, the second with its data on a small disk, in a mount namespace that a process holds open."""

    ports: tuple[int, int]
    holder: int

    @property
    def disk(self) -> Path:
        """The path of the disk; only the servers see it."""
        return udb_folder() / f"udbd-{self.ports[1]}.data"

    def within(self, *words: str | Path) -> str:
        """Run a command in the namespace; what it prints."""
        command = ["nsenter", "--mount", f"--target={self.holder}", f"--wdns={Path.cwd()}", "--", *words]
        return subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True, text=True).stdout

    def start(self) -> None:
        """Start the servers that do not run."""
        self.within(_UDBD, "-q", "start", *(f"{port}" for port in self.ports))

    def end(self, how: signal.Signals) -> None:
        """End the server of the small disk."""
        self.within("kill", f"-{how.value}", f"{state(udb_folder(), self.ports[1]).pid}")
        until(lambda: not state(udb_folder(), self.ports[1]).pid)

    def resize(self, kilobytes: int) -> None:
        """Give the disk another size."""
        self.within("mount", "-o", f"remount,size={kilobytes}k", self.disk)


@pytest.fixture
def small_disk(places: dict[str, str], tmp_path: Path, port_base: int) -> Iterator[SmallDisk]:
    """Two servers that run; skips where there can be no such disk."""
    (tmp_path / "conf").mkdir()
    ports = (port_base, port_base + 1)
    lines = "".join(f"@Server: 127.0.0.1:{port}\n" for port in ports)
    (tmp_path / "conf" / "db.spec").write_text(lines + DEFINITION)
    make_access()
    disk = udb_folder() / f"udbd-{ports[1]}.data"
    disk.mkdir(mode=0o700)
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("needs unshare and nsenter (util-linux); .ci/run installs them")
    mounting = 'mount -t tmpfs -o size=1024k,mode=700 none "$0" && echo mounted && exec cat'
    words = ["unshare", "--mount", "sh", "-c", mounting, str(disk)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline().strip() != "mounted":
            pytest.skip("this machine lets its user mount nothing")
        made = SmallDisk(ports, holder.pid)
        try:
            made.start()
            yield made
        finally:
            made.within(_UDBD, "-q", "stop")
            assert holder.stdin is not None
            holder.stdin.close()


def numbered(first: int, count: int) -> list[tuple[Any, ...]]:
    return [(b"u%d" % (n % 97), n, 0) for n in range(first, first + count)]


def rows() -> list[Any]:
    return sorted(export_batch("db:log")[0].rows())


def refusal(work: Any) -> str:
    with pytest.raises(EssError) as caught:
        work()
    return str(caught.value)


def fill() -> tuple[int, str]:
    """Import until something is refused: how many rows are there, and what is said."""
    for count in range(0, 1_000_000, 1000):
        try:
            put("log", numbered(count, 1000))
        except EssError as error:
            return count, str(error)
    raise AssertionError("the disk is large")


def test_a_disk_that_is_full_refuses_keeps_goes_on_and_can_be_cleared(small_disk: SmallDisk) -> None:
    port = small_disk.ports[1]
    fill()
    perform(operation("-clr", "db"))
    put("log", numbered(0, 1000))
    assert rows() == sorted(numbered(0, 1000))
    perform(operation("-clr", "db"))

    count, said = fill()
    assert said.startswith(f"server 127.0.0.1:{port}: {small_disk.disk}/db/"), said
    assert "No space left on device" in said
    assert "make room" in said
    assert count > 3000
    expected = numbered(0, count)
    assert rows() == sorted(expected)
    for work in (
        lambda: put("log", numbered(count, 1000)),
        lambda: put("log", numbered(count, 200_000)),  # into a file of its own
        lambda: perform(operation("-scn", "db:log", filt="n >= 0", change=True)),
    ):
        assert "No space left on device" in refusal(work)
    assert rows() == sorted(expected)
    for how in (signal.SIGKILL, signal.SIGTERM):
        small_disk.end(how)
        small_disk.start()
        assert rows() == sorted(expected)
    small_disk.resize(16 << 10)
    put("log", numbered(count, 1000))
    perform(operation("-scn", "db:log", filt="n < 100", change=True))
    found = rows()
    assert len(found) == count + 1000
    assert sum(value for _, _, value in found) == 100
    small_disk.end(signal.SIGKILL)
    small_disk.start()
    assert rows() == found
    left = small_disk.within("ls", "-A", small_disk.disk / "db").split()
    assert not [name for name in left if name.startswith((".", "rows-"))], left
