"""Another user holds connections to a scheduler or a database server, and says nothing, or begins a handshake."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed.comm import registry
from distributed.comm.core import connect, listen

from ess.certificates import issue, make_authority
from ess.cluster import providers, state, strangers
from ess.cluster.execute import execute
from ess.cluster.security import security
from ess.udb.admin.processes import StartOptions, log_file, start, stop
from ess.udb.server.strangers import Strangers
from ess.udb.spec.spec import Server
from ess.udb.wire.access import read_access, udb_folder
from ess.udb.wire.connection import Connection
from tests.other_users.users import ONLY_ROOT, silent_connections

#: The beginning of a ClientHello of TLS.
HELLO = bytes.fromhex("16030102000100 01fc0303".replace(" ", ""))

#: The daemons of these tests may open so many files; without a bound, one connection more would be too much.
FEW = 256


@pytest.fixture(autouse=True)
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip(ONLY_ROOT)


def descriptors(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


@pytest.fixture
def scheduler(places: dict[str, str]) -> Iterator[state.Daemon]:
    assert providers.create(1) == []
    try:
        known = state.read_daemon("scheduler")
        assert known is not None
        _, hard = resource.prlimit(known.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(known.process.pid, resource.RLIMIT_NOFILE, (FEW, hard))
        yield known
    finally:
        providers.terminate()


@pytest.mark.parametrize("first_bytes", [b"", HELLO])
def test_a_scheduler_stays_within_reach(scheduler: state.Daemon, first_bytes: bytes) -> None:
    port = int(scheduler.address.rpartition(":")[2])
    with silent_connections(port, 2 * FEW, first_bytes):
        output = io.BytesIO()
        assert execute("echo here", stdout=output, stderr=io.BytesIO()).exit_code == 0
        assert output.getvalue() == b"here\n"
        assert descriptors(scheduler.process.pid) < FEW / 2
    assert "Too many open files" not in state.log_path("scheduler").read_text()
    assert state.log_path("scheduler").read_text().count("no certificate") <= 1


def test_what_shows_no_certificate_is_closed_in_time_and_number(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_authority(state.certificates_folder(), "one")
    for party in ("scheduler", "client"):
        issue(state.certificates_folder(), party)
    monkeypatch.setitem(registry.backends, "tls", registry.backends.get("tls"))
    monkeypatch.setattr(strangers, "HANDSHAKE_SECONDS", 1000.0)
    monkeypatch.setattr(strangers, "MOST_STRANGERS", 3)
    # The library may have been told elsewhere in this process to log by itself.
    monkeypatch.setattr(strangers.log, "disabled", False)
    monkeypatch.setattr(strangers.log, "propagate", False)
    monkeypatch.setattr(strangers.log, "handlers", [caplog.handler])
    strangers.bound_strangers()
    met: list[Any] = []

    async def meet(comm: Any) -> None:
        met.append(comm)

    async def attack() -> None:
        server = security("scheduler").get_listen_args("scheduler")  # type: ignore[no-untyped-call]
        client = security("client").get_connection_args("client")  # type: ignore[no-untyped-call]
        async with listen("tls://127.0.0.1:0", meet, **server) as listener:  # type: ignore[no-untyped-call]
            port = int(listener.contact_address.rpartition(":")[2])
            streams = []

            async def say_nothing() -> None:
                streams.append(await asyncio.open_connection("127.0.0.1", port))
                if len(streams) % 2:
                    streams[-1][1].write(HELLO)

            for _ in range(5):
                await say_nothing()
            ended = [await reader.read() for reader, _ in streams[:2]]  # the oldest make room for the others
            comm = await connect(listener.contact_address, **client)  # type: ignore[no-untyped-call]
            monkeypatch.setattr(strangers, "HANDSHAKE_SECONDS", 0.1)
            await say_nothing()
            ended.append(await streams[5][0].read())  # this one has had its time
            await comm.write({"still": "here"})
            while not met:
                await asyncio.sleep(0)
            assert await met[0].read() == {"still": "here"}
            assert ended == [b""] * 3
            for _, writer in streams:
                writer.close()
            await comm.close()

    with caplog.at_level(logging.INFO, strangers.log.name):
        asyncio.run(attack())
    told = [record.getMessage() for record in caplog.records if "certificate" in record.getMessage()]
    assert told == ["1 connections were closed that showed no certificate of this cluster"]
    assert "handshake failed" not in caplog.text


@pytest.mark.parametrize("first_bytes", [b"", HELLO])
def test_a_database_server_stays_within_reach(places: dict[str, str], port_base: int, first_bytes: bytes) -> None:
    folder = udb_folder()
    (server,) = start(folder, [port_base], StartOptions())
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (FEW, hard))
    try:
        kept = Connection(Server("127.0.0.1", port_base), read_access())
        assert kept.hello()["pid"] == server.pid
        with silent_connections(port_base, 2 * FEW, first_bytes) as has_more:
            fresh = Connection(Server("127.0.0.1", port_base), read_access())
            assert fresh.hello()["pid"] == server.pid
            fresh.close()
            for _ in range(2 * FEW - FEW // 4):  # the rest have some seconds more
                assert has_more()
        assert kept.hello()["pid"] == server.pid
        kept.close()
        assert log_file(folder, port_base).stat().st_size < 1000
    finally:
        stop(folder, port_base)


class Listening:
    """A server that takes connections and holds them, as the transport does."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.taken: list[socket.socket] = []
        self.peers: list[socket.socket] = []

    def connect(self) -> str:
        """One connection more; its peer, as the transport names it."""
        self.peers.append(socket.create_connection(("127.0.0.1", self.port)))
        self.taken.append(self.socket.accept()[0])
        return "ipv4:{}:{}".format(*self.peers[-1].getsockname())

    def ended(self) -> list[int]:
        """The connections that have been shut down, in the order in which they were made."""
        found = []
        for number, peer in enumerate(self.peers):
            peer.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                assert peer.recv(1) == b""
                found.append(number)
        return found

    def close(self) -> None:
        for each in [self.socket, *self.taken, *self.peers]:
            each.close()


@pytest.fixture
def listening() -> Iterator[Listening]:
    made = Listening()
    yield made
    made.close()


def test_the_oldest_of_too_many_strangers_go(listening: Listening) -> None:
    guard = Strangers(listening.port, most=2)
    friend = listening.connect()
    guard.has_called(friend)
    guard.look()
    for _ in range(4):
        listening.connect()
        guard.look()
    assert listening.ended() == [1, 2]
    guard.look()
    assert (listening.ended(), guard.closed) == ([1, 2], 2)


def test_a_stranger_has_a_certain_time_and_a_friend_any(listening: Listening) -> None:
    guard = Strangers(listening.port, seconds=-1.0)
    guard.has_called(listening.connect())
    listening.connect()
    guard.look()
    guard.look()
    assert listening.ended() == [1]


def test_what_a_friend_has_left_is_no_strangers(listening: Listening) -> None:
    """A stranger does not inherit the trust in a port that he gets later."""
    guard = Strangers(listening.port, seconds=-1.0)
    guard.has_called("ipv4:127.0.0.1:1")
    guard.look()
    listening.connect()
    guard._known.clear()
    guard.look()
    assert listening.ended() == [0]


def test_without_a_free_descriptor_it_goes_on(listening: Listening) -> None:
    guard = Strangers(listening.port, most=1)
    for _ in range(3):
        listening.connect()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    held = []
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.dup(0))
        guard.look()
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert listening.ended() == [0, 1]


@pytest.mark.parametrize(
    ("peer", "known"),
    [
        ("ipv4:127.0.0.1:5004", {("127.0.0.1", 5004)}),
        ("ipv6:%5B::1%5D:5004", {("::1", 5004)}),
        ("ipv6:[::ffff:127.0.0.1]:80", {("127.0.0.1", 80)}),
        ("unix:/tmp/x", set()),
    ],
)
def test_peers_are_known_by_the_names_of_the_transport(peer: str, known: set[tuple[str, int]]) -> None:
    guard = Strangers(1)
    guard.has_called(peer)
    assert guard._called == known
