"""A server of SSH on this machine, for tests of the connection alone."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hosts.ssh_hosts import SSHD, make_key
from tests.waiting import PATIENCE, until


@dataclass
class Sshd:
    """The server.

    Attributes:
        folder: Its files: ``key`` and ``authorized_keys``.
        port: Its port on the loopback interface.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; return when it listens."""
        log = self.folder / "log"
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")], stdin=subprocess.DEVNULL, stderr=file
            )
        until(lambda: b"Server listening" in log.read_bytes())

    def stop(self) -> None:
        """Stop it, and let go of its connections."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.process = None


@pytest.fixture
def sshd(places: dict[str, str], port_base: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server that lets its user in as ``odd``, an alias of a configuration of its own."""
    if not Path(SSHD).exists() or shutil.which("ssh") is None:
        pytest.skip("needs sshd and ssh (openssh-server, openssh-client); .ci/run installs them")
    server = Sshd(tmp_path / "sshd", port_base + 11)
    server.folder.mkdir()
    Path("/run/sshd").mkdir(0o755, exist_ok=True)
    make_key(server.folder / "key")
    make_key(server.folder / "id")
    shutil.copy(server.folder / "id.pub", server.folder / "authorized_keys")
    (server.folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{server.port}\nHostKey {server.folder}/key\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {server.folder}/authorized_keys\nPermitRootLogin yes\nPasswordAuthentication no\n"
    )
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(
        f"Host odd\n  HostName 127.0.0.1\n  Port {server.port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {server.folder}/id\n  IdentitiesOnly yes\n"
    )
    monkeypatch.setenv("HOME", str(home))
    server.start()
    with tempfile.TemporaryDirectory(prefix="ess-") as folder:  # the path of a socket must be short
        monkeypatch.setenv("ESS_RUNTIME_DIR", folder)
        yield server
        server.stop()
