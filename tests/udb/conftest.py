"""Servers for the tests: in this process, on free ports, with the access files of a temporary folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ess.udb.server.memory import MemoryLimit
from ess.udb.server.server import UdbServer
from ess.udb.spec.spec import Server
from ess.udb.wire.access import Access, make_access, read_access, read_server_access


@pytest.fixture
def access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Access:
    """A working folder of its own, with access files."""
    monkeypatch.setenv("ESS_WORK_DIR", str(tmp_path / "conf"))
    for variable in ("ESS_IMPORT_ID", "ESS_IMPORT_SEQ", "ESS_UDB_NODE", "ESS_UDB_PORT", "ESS_COUNTS"):
        monkeypatch.delenv(variable, raising=False)
    make_access()
    return read_access()


Starter = Callable[..., UdbServer]


@pytest.fixture
def start_server(access: Access) -> Iterator[Starter]:
    """Starts servers in threads of this process."""
    servers: list[UdbServer] = []

    def start(memory: MemoryLimit | None = None) -> UdbServer:
        servers.append(UdbServer("127.0.0.1", 0, read_server_access(), memory=memory))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture
def four_servers(start_server: Starter) -> list[UdbServer]:
    """For tests that make many databases in turn."""
    return [start_server() for _ in range(4)]


DEFINITION = """
@Table:log      s,pkey:user i,tkey:time is:n f:price ip:from
@Table:days     s,pkey:user i,+key:day is,+add:n
@Vector:totals  s,pkey:user l,+add:count f,+add:price s:latest
@Var:           l,+add:seen s:word
"""


@pytest.fixture
def write_spec(access: Access, tmp_path: Path) -> Callable[..., list[Server]]:
    """Writes the spec of a database for servers; one @Server section each."""

    def write(*servers: UdbServer, name: str = "db", definition: str = DEFINITION) -> list[Server]:
        lines = [f"@Server: 127.0.0.1:{server.port}" for server in servers]
        (tmp_path / "conf" / f"{name}.spec").write_text("\n".join([*lines, definition]))
        return [Server("127.0.0.1", server.port, node=node) for node, server in enumerate(servers)]

    return write
