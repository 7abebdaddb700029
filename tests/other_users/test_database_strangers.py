"""A stranger to a database server, who has no certificate of its pool, gets no byte of a request in.

The transport holds a message of any size before the token is looked at: without this, anybody who reaches the
port could fill the server's memory.
"""

from __future__ import annotations

import dataclasses
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pyarrow.flight as flight
import pytest

from ess.certificates import issue, make_authority
from ess.udb.server.server import UdbServer
from ess.udb.wire.access import Access, make_access, read_access, read_server_access


@pytest.fixture
def server(places: dict[str, str]) -> Iterator[UdbServer]:
    make_access()
    made = UdbServer("127.0.0.1", 0, read_server_access())
    yield made
    made.shutdown()


def says_anything(port: int, access: Access, certificate: tuple[Path, Path] | None) -> bool:
    """True if the server speaks HTTP/2 with whoever has this certificate."""
    context = ssl.create_default_context(cadata=access.authority.decode())
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    if certificate is not None:
        context.load_cert_chain(*certificate)
    try:
        with socket.create_connection(("127.0.0.1", port)) as raw, context.wrap_socket(raw) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
            return bool(connection.recv(1))
    except (ssl.SSLError, ConnectionError):
        return False


def test_it_speaks_with_nobody_without_a_certificate_of_the_pool(server: UdbServer, tmp_path: Path) -> None:
    access = read_access()
    make_authority(tmp_path / "other", "other")
    others = issue(tmp_path / "other", "server")
    assert says_anything(server.port, access, (access.folder / "server.pem", access.folder / "server.key"))
    assert not says_anything(server.port, access, None)
    assert not says_anything(server.port, access, (others.certificate, others.key))


def test_the_token_alone_opens_nothing(server: UdbServer) -> None:
    access = read_access()
    options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {access.token}".encode())])
    client = flight.FlightClient(f"grpc+tls://127.0.0.1:{server.port}", disable_server_verification=True)
    with client, pytest.raises(flight.FlightUnavailableError):
        list(client.do_action(flight.Action("hello", b"{}"), options))


def test_the_files_are_not_shown_by_accident() -> None:
    access = Access(b"a", b"c", b"private", "sesame", Path("x"))
    assert "private" not in repr(access) and "sesame" not in repr(access)
    assert dataclasses.replace(access, token="other") != access
