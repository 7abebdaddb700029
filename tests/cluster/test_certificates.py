"""Certificates: who trusts whom, for how long, and who can read the files."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from ess.certificates import Credentials, credentials, issue, make_authority
from ess.errors import InitializationError


def _handshake(server: Credentials, client: Credentials, name: str) -> None:
    """Connect ``client`` to ``server`` over a socket pair with mutual TLS; raises what the client's side raises."""
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(server.authority))
    server_context.load_cert_chain(server.certificate, server.key)
    server_context.verify_mode = ssl.CERT_REQUIRED
    client_context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(client.authority))
    client_context.load_cert_chain(client.certificate, client.key)
    left, right = socket.socketpair()

    def serve() -> None:
        try:
            with server_context.wrap_socket(left, server_side=True) as connection:
                connection.sendall(b"hello")
        except ssl.SSLError:
            left.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client_context.wrap_socket(right, server_hostname=name) as connection:
            # TLS 1.3 tells a refused client only when it reads.
            if connection.recv(5) != b"hello":
                raise ConnectionResetError
    finally:
        right.close()
        thread.join()


def test_parties_of_one_authority_trust_each_other(tmp_path: Path) -> None:
    make_authority(tmp_path, "one")
    server, client = issue(tmp_path, "server"), issue(tmp_path, "client")
    _handshake(server, client, "localhost")
    _handshake(server, client, "127.0.0.1")


def test_another_host_name_is_refused(tmp_path: Path) -> None:
    make_authority(tmp_path, "one")
    with pytest.raises(ssl.SSLError):
        _handshake(issue(tmp_path, "server"), issue(tmp_path, "client"), "example.org")


def test_parties_of_two_authorities_refuse_each_other(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        make_authority(tmp_path / folder, "same name")
    ours, theirs = issue(tmp_path / "a", "server"), issue(tmp_path / "b", "client")
    with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
        _handshake(ours, theirs, "localhost")
    stranger = Credentials(ours.authority, theirs.certificate, theirs.key)
    with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
        _handshake(ours, stranger, "localhost")


def test_validity_and_permissions(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "tls"
    make_authority(folder, "one")
    made = issue(folder, "server")
    assert made == credentials(folder, "server")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    now = datetime.datetime.now(tz=datetime.UTC)
    for path in (made.certificate, made.authority):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        assert now - certificate.not_valid_before_utc > datetime.timedelta(minutes=59)
        assert certificate.not_valid_after_utc - now > datetime.timedelta(days=700)


@pytest.mark.parametrize("party", ["../x", "", "a/b", "authority"])
def test_bad_party_names(tmp_path: Path, party: str) -> None:
    make_authority(tmp_path, "one")
    with pytest.raises(InitializationError, match="bad name"):
        issue(tmp_path, party)


def test_no_authority(tmp_path: Path) -> None:
    with pytest.raises(InitializationError, match="no usable certificate authority"):
        issue(tmp_path, "server")
    with pytest.raises(InitializationError, match="missing"):
        credentials(tmp_path, "server")
