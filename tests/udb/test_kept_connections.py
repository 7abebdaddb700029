"""Connections that outlive a command: which are kept, and what happens to them meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.flight as flight
import pytest

from ess.errors import UdbConnectError, UdbRequestError
from ess.udb.admin import processes
from ess.udb.client.pool import Pool
from ess.udb.server.server import UdbServer
from ess.udb.spec.spec import Server
from ess.udb.spec.spec_file import format_definition
from ess.udb.spec.target import find_target
from ess.udb.wire import connection, kept
from ess.udb.wire.access import Access, access_folder, make_access, read_access, read_server_access
from ess.udb.wire.connection import Connection
from ess.udb.wire.protocol import DatabaseRequest, ScanRequest
from tests.waiting import stop


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[flight.FlightClient]]:
    """This process keeps connections; those that were opened anew."""
    clients: list[flight.FlightClient] = []
    really = connection._open

    def noted(server: Server, access: Access) -> flight.FlightClient:
        clients.append(really(server, access))
        return clients[-1]

    monkeypatch.setattr(connection, "_open", noted)
    kept.allow(allowed=True)
    yield clients
    kept.allow(allowed=False)
    for client in clients:
        client.close()
    kept._clients.clear()


def _say_hello(port: int) -> None:
    used = Connection(Server("127.0.0.1", port), read_access())
    try:
        used.hello()
    finally:
        used.close()


def _descriptors(port: int) -> int:
    """The number of descriptors of this process that are kept connections to a server."""
    held = [int(name) for name in os.listdir("/proc/self/fd") if kept.holds(int(name))]  # noqa: PTH208
    assert port or not held
    return len(held)


def test_one_connection_serves_command_after_command(
    start_server: Callable[[], UdbServer], opened: list[flight.FlightClient]
) -> None:
    port = start_server().port
    for _ in range(3):
        _say_hello(port)
    assert len(opened) == 1
    assert _descriptors(port) >= 1


def test_none_is_kept_where_that_is_not_allowed(
    start_server: Callable[[], UdbServer], opened: list[flight.FlightClient]
) -> None:
    port = start_server().port
    kept.allow(allowed=False)
    _say_hello(port)
    _say_hello(port)
    assert len(opened) == 2
    assert _descriptors(0) == 0


def test_each_server_has_its_own(start_server: Callable[[], UdbServer], opened: list[flight.FlightClient]) -> None:
    ports = [start_server().port, start_server().port]
    for port in [*ports, *ports]:
        _say_hello(port)
    assert len(opened) == 2


def test_other_access_has_another_connection(
    access: Access, opened: list[flight.FlightClient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = UdbServer("127.0.0.1", 0, read_server_access())
    port = server.port
    _say_hello(port)
    server.shutdown()
    shutil.rmtree(access_folder())
    make_access()
    server = UdbServer("127.0.0.1", port, read_server_access())
    try:
        _say_hello(port)
        assert len(opened) == 2
        # Another working folder does not get in, though a connection is there.
        monkeypatch.setenv("ESS_WORK_DIR", str(tmp_path / "other"))
        make_access()
        with pytest.raises(Exception, match="another working folder"):
            _say_hello(port)
    finally:
        server.shutdown()


def test_a_changed_token_is_seen(start_server: Callable[[], UdbServer], opened: list[flight.FlightClient]) -> None:
    port = start_server().port
    _say_hello(port)
    (access_folder() / "token").write_text("another")
    with pytest.raises(Exception, match="does not take the token"):
        _say_hello(port)


def test_a_server_that_was_started_again_is_reached(access: Access, opened: list[flight.FlightClient]) -> None:
    server = UdbServer("127.0.0.1", 0, read_server_access())
    port = server.port
    _say_hello(port)
    server.shutdown()
    with pytest.raises(UdbConnectError, match="the server cannot be reached; start it with: ess udbd start"):
        _say_hello(port)
    server = UdbServer("127.0.0.1", port, read_server_access())
    try:
        _say_hello(port)
        server.shutdown()
        server = UdbServer("127.0.0.1", port, read_server_access())
        _say_hello(port)
    finally:
        server.shutdown()


def test_a_stopped_server_is_told_as_without(
    places: dict[str, str],
    port_base: int,
    opened: list[flight.FlightClient],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [server] = processes.start(tmp_path / "run", [port_base], processes.StartOptions(volatile=True))
    try:
        _say_hello(port_base)
        monkeypatch.setenv("ESS_ANSWER_TIMEOUT", "1")
        stop(server.pid)
        with pytest.raises(UdbConnectError, match=rf"\(process {server.pid}\) is stopped and does not answer"):
            _say_hello(port_base)
        os.kill(server.pid, signal.SIGCONT)
        monkeypatch.delenv("ESS_ANSWER_TIMEOUT")
        _say_hello(port_base)
    finally:
        os.kill(server.pid, signal.SIGCONT)
        processes.stop(tmp_path / "run", port_base)


def test_a_connection_is_not_kept_after_a_failure(
    start_server: Callable[[], UdbServer], opened: list[flight.FlightClient]
) -> None:
    port = start_server().port
    used = Connection(Server("127.0.0.1", port), read_access())
    used.hello()
    with pytest.raises(UdbRequestError):
        used.call("counts", DatabaseRequest("none", ""))
    used.close()
    _say_hello(port)
    assert len(opened) == 2


def test_a_connection_is_not_kept_with_an_answer_that_nobody_has_read(
    start_server: Callable[[], UdbServer], write_spec: Callable[..., list[Server]], opened: list[flight.FlightClient]
) -> None:
    server = start_server()
    servers = write_spec(server)
    spec = find_target("db:log", where="-exp").spec
    definition = format_definition(spec.definition, key_apart=spec.key_apart)
    with Pool(servers) as pool:
        pool.hello()
        pool.define("db", definition)
        rows = pool.connections[0].scan(ScanRequest("db", definition, "log", outputs=("user",)))
        next(rows)
    _say_hello(server.port)
    assert len(opened) == 2


def test_a_fork_has_none(
    start_server: Callable[[], UdbServer], opened: list[flight.FlightClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = start_server().port
    _say_hello(port)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        assert kept.take(Server("127.0.0.1", port), read_access()) is None
    assert kept.take(Server("127.0.0.1", port), read_access()) is opened[0]
