"""Hosts for tests that are reached by SSH, and a machine to reach them from.

A host has an address, a file tree, a process table, a home folder and a temporary folder of its own. It does not see
this checkout. It ends with the test, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hosts.machines import Machine, inside, machines, need_namespaces
from tests.waiting import PATIENCE, until

#: The home folder of the user of every host, as the host sees it.
HOME = "/home/node"

_ROOT = Path(__file__).resolve().parent.parent.parent
SSHD = "/usr/sbin/sshd"


def need_hosts() -> None:
    """Skip a test where there can be no hosts."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make hosts with file trees of their own")
    need_namespaces()
    if not Path(SSHD).exists() or shutil.which("ssh") is None:
        pytest.skip("needs sshd and ssh (openssh-server, openssh-client); .ci/run installs them")


class SshHost:
    """A host.

    Attributes:
        name: The alias that the user has for it.
        address: Its address.
        folder: Its home folder, as this machine sees it.
    """

    def __init__(self, machine: Machine, name: str) -> None:
        self._machine = machine
        self._process: subprocess.Popen[bytes] | None = None
        self.name = name
        self.address = machine.address
        self.folder = machine.folder

    def start(self) -> None:
        """Switch it on; return when it can be reached."""
        python = os.path.realpath(sys.executable)
        script = str(Path(__file__).with_name("init.py"))
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", python, "-I", script]
        self._process = subprocess.Popen(
            [*inside(self._machine.holder), *words, str(self.folder), str(_ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"\n"
        until(lambda: b"Server listening" in (self.folder / ".host" / "log").read_bytes())

    def kill(self) -> None:
        """Switch it off without a warning: all its processes are gone at once."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait(PATIENCE)
            process.stdout.close()
            (self.folder / ".host" / "log").write_bytes(b"")

    def cut_off(self) -> None:
        """Pull its network cable; it runs on."""
        self._machine.run("ip", "link", "set", "wire", "down")

    def join(self) -> None:
        """Put the cable back."""
        self._machine.run("ip", "link", "set", "wire", "up")
        gate = self.address.rpartition(".")[0] + ".1"
        self._machine.run("ip", "route", "replace", "default", "via", gate)

    @property
    def holder(self) -> int:
        """The process that keeps its network namespace."""
        return self._machine.holder

    def processes(self) -> list[str]:
        """The command lines of what runs there, but for ``sshd`` and its like."""
        return [*self._processes().values()]

    def pid_of(self, word: str) -> int:
        """The number that a process has on this machine, by a part of its command line."""
        return next(pid for pid, words in self._processes().items() if word in words)

    def _processes(self) -> dict[int, str]:
        if self._process is None:
            return {}
        child = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()[0]
        namespace = Path(f"/proc/{child}/ns/pid").readlink()
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "ns" / "pid").readlink() == namespace:
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    if words and "sshd" not in words and "init.py" not in words:
                        found[int(entry.name)] = words
        return found

    def change_key(self) -> None:
        """Give it another key, as somebody in its place would have."""
        make_key(self.folder / ".host" / "key", anew=True)


@dataclass(frozen=True)
class Site:
    """The user's machine and the hosts that it reaches."""

    own: Machine
    hosts: Sequence[SshHost]

    @property
    def names(self) -> list[str]:
        """Those of the hosts."""
        return [host.name for host in self.hosts]


@contextlib.contextmanager
def ssh_hosts(folder: Path, count: int) -> Iterator[Site]:
    """A user's machine and some hosts, which are switched on; the user's SSH configuration knows them."""
    with machines(folder, count) as (own, *others), contextlib.ExitStack() as running:
        key = own.folder / ".ssh" / "id"
        key.parent.mkdir(mode=0o700)
        make_key(key)
        hosts = []
        lines = []
        for number, machine in enumerate(others):
            host = SshHost(machine, f"node-{number}")
            _prepare(host, key.with_name("id.pub").read_text())
            running.callback(host.kill)
            host.start()
            hosts.append(host)
            lines.append(f"Host {host.name}\n  HostName {host.address}\n  User root\n")
        lines.append(f"Host 10.99.*\n  User root\nHost *\n  IdentityFile {key}\n  IdentitiesOnly yes\n")
        (own.folder / ".ssh" / "config").write_text("".join(lines))
        yield Site(own, hosts)


def _prepare(host: SshHost, public_key: str) -> None:
    place = host.folder / ".host"
    place.mkdir(mode=0o700)
    (place / "log").touch()
    (place / "authorized_keys").write_text(public_key)
    make_key(place / "key")
    entries = Path("/etc/passwd").read_text().splitlines()
    root = f"root:x:0:0:root:{HOME}:/bin/bash"
    (place / "passwd").write_text("\n".join([root, *(each for each in entries if not each.startswith("root:"))]) + "\n")
    (place / "passwd").chmod(0o644)
    path = f"/usr/local/bin:/usr/bin:/bin:{Path(os.path.realpath(sys.executable)).parent}"
    (place / "sshd_config").write_text(
        f"ListenAddress {host.address}\nHostKey {HOME}/.host/key\nAuthorizedKeysFile {HOME}/.host/authorized_keys\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        f"SetEnv PATH={path}\nMaxStartups 100\n"
    )


def make_key(path: Path, *, anew: bool = False) -> None:
    """Make a pair of keys for SSH."""
    if anew:
        path.unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, stdin=-3)
