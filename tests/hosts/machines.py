"""Machines for tests: network namespaces, joined to one that stands for the user's own machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Machine:
    """A namespace, and the working folder of the user there.

    Args:
        holder: The process that keeps it.
        address: How others reach it.
        folder: The working folder.
    """

    holder: int
    address: str
    folder: Path

    def run(
        self, *command: str, stdin: str = "", check: bool = True, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        done = subprocess.run(
            [*inside(self.holder), *command],
            input=stdin,
            env=self.environment() | dict(variables or {}),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert not check or done.returncode == 0, (command, done.stdout, done.stderr)
        return done

    def environment(self) -> dict[str, str]:
        """The variables of commands there."""
        return {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "ESS_WORK_DIR": str(self.folder),
            "ESS_CACHE_DIR": str(self.folder / "cache"),
            "ESS_WARM": "0",
        }


def need_namespaces() -> None:
    """Skip a test where there can be none."""
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        pytest.skip("needs ip (iproute2) and nsenter (util-linux); .ci/run installs them")
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    if subprocess.run(["unshare", *user, "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets its user make no network namespaces")


@contextlib.contextmanager
def machines(folder: Path, count: int) -> Iterator[tuple[Machine, ...]]:
    """The user's own machine, and others that it reaches, and that reach each other by way of it."""
    with contextlib.ExitStack() as holders:
        own = holders.enter_context(_holder([] if os.geteuid() == 0 else ["--user", "--map-root-user"]))
        own_folder = folder / "own"
        own_folder.mkdir(mode=0o700)
        found = [Machine(own, "10.99.0.1", own_folder)]
        found[0].run("ip", "link", "set", "lo", "up")
        found[0].run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        for number in range(1, count + 1):
            other = holders.enter_context(_holder([], inside(own)))
            place = folder / f"machine-{number}"
            place.mkdir(mode=0o700)
            machine = Machine(other, f"10.99.{number}.2", place)
            gate = f"10.99.{number}.1"
            found[0].run(*f"ip link add cable-{number} type veth peer name wire netns {other}".split())
            found[0].run(*f"ip addr add {gate}/24 dev cable-{number}".split())
            found[0].run(*f"ip link set cable-{number} up".split())
            machine.run(*["ip", "link", "set", "lo", "up"])
            machine.run(*f"ip addr add {machine.address}/24 dev wire".split())
            machine.run(*["ip", "link", "set", "wire", "up"])
            machine.run(*f"ip route add default via {gate}".split())
            found.append(machine)
        yield tuple(found)


@contextlib.contextmanager
def _holder(more: list[str], inside: tuple[str, ...] = ()) -> Iterator[int]:
    """A process that does nothing, in a network namespace of its own."""
    program = "import sys; print(flush=True); sys.stdin.read()"
    command = [*inside, "unshare", *more, "--net", sys.executable, "-c", program]
    # Its end is that of its standard input, so that it ends with the test, whatever becomes of that.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield process.pid
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


def inside(holder: int) -> tuple[str, ...]:
    """The words before a command that runs in the network namespace of a process."""
    user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
    return ("nsenter", "--target", str(holder), *user, "--net")
