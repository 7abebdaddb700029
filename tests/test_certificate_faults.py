"""Certificates that are damaged, and clocks that are wrong, are named as the cause, with a way out that works."""

from __future__ import annotations

import datetime
import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ess import certificates
from ess.certificates import check, issue, make_authority
from ess.cluster import providers, state
from ess.cluster.execute import execute
from ess.errors import EssError, InitializationError, UdbAuthenticationError
from ess.udb.admin.processes import StartOptions, start
from ess.udb.spec.spec import Server
from ess.udb.wire.access import access_folder, make_access, read_access, udb_folder
from ess.udb.wire.connection import Connection


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garble(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"A", b"B"))


DAMAGES = [cut, empty, garble]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clock that certificates are made and checked by; so many days from now."""

    days = 0

    def turn(to: int) -> None:
        nonlocal days
        days = to

    now = certificates._now
    monkeypatch.setattr(certificates, "_now", lambda: now() + datetime.timedelta(days=days))
    return turn


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["authority.pem", "server.pem", "server.key"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    make_authority(tmp_path, "one")
    found = issue(tmp_path, "server")
    check(found, anew="this")
    damage(tmp_path / name)
    with pytest.raises(InitializationError, match=r"is damaged|is of another authority") as caught:
        check(found, anew="this")
    assert caught.value.where.endswith((name, "server.pem"))
    assert caught.value.hint == "have new ones made: this"


def test_files_that_do_not_belong_together_are_named(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        make_authority(folder, "same name")
        issue(folder, "server")
    found = certificates.credentials(tmp_path / "a", "server")
    shutil.copy(tmp_path / "b" / "server.key", tmp_path / "a" / "server.key")
    with pytest.raises(InitializationError, match=r"server\.key: the key is not that of the certificate"):
        check(found, anew="this")
    shutil.copy(tmp_path / "b" / "server.pem", tmp_path / "a" / "server.pem")
    with pytest.raises(InitializationError, match=r"server\.pem: the certificate is of another authority"):
        check(found, anew="this")
    found.key.unlink()
    with pytest.raises(InitializationError, match=r"server\.key: cannot read \(No such file"):
        check(found, anew="this")


def test_a_clock_that_is_wrong_is_named(tmp_path: Path, clock: Callable[[int], None]) -> None:
    make_authority(tmp_path, "one")
    found = issue(tmp_path, "server")
    clock(-30)
    with pytest.raises(
        InitializationError, match=r"is valid from 2.* on, and by the clock of this machine it is 2.*UTC"
    ):
        check(found, anew="this")
    clock(certificates.VALID_DAYS + 1)
    with pytest.raises(
        InitializationError, match=r"was valid until .*; set the clock right, or have new ones made: this"
    ):
        check(found, anew="this")
    clock(certificates.VALID_DAYS - 1)
    check(found, anew="this")


def shell(command: str) -> None:
    """Type a command."""
    path = f"PATH={Path(sys.executable).parent}:$PATH"
    subprocess.run(["sh", "-c", f"{path}; {command}"], check=True, stdout=subprocess.DEVNULL)


def advice(error: EssError) -> None:
    """Do what the error says."""
    command = error.hint.partition("have new ones made: ")[2].replace(", then: ess cluster create", "")
    assert command
    shell(command)


@pytest.mark.parametrize("days", [-3000, 3000])
def test_a_client_of_a_database_names_the_clock(
    places: dict[str, str], port_base: int, clock: Callable[[int], None], days: int
) -> None:
    clock(days)
    make_access()
    clock(0)
    with pytest.raises(InitializationError, match="by the clock of this machine") as caught:
        start(udb_folder(), [port_base], StartOptions())
    assert "server did not start" in str(caught.value)


def test_a_client_of_a_database_names_a_damaged_file_and_a_way_out(places: dict[str, str], port_base: int) -> None:
    shell("ess create database d; ess udbd start")
    try:
        garble(access_folder() / "trusted.pem")
        connection = Connection(Server("127.0.0.1", port_base), read_access())
        with pytest.raises(UdbAuthenticationError, match=r"trusted\.pem: the certificate is damaged") as caught:
            connection.hello()
        connection.close()
        advice(caught.value)
        connection = Connection(Server("127.0.0.1", port_base), read_access())
        assert connection.hello()["pid"]
        connection.close()
    finally:
        shell("ess udbd stop")


@pytest.mark.parametrize("name", ["trusted.pem", "server.pem", "server.key", "authority.pem"])
def test_a_server_with_a_damaged_file_does_not_start_and_says_so(
    places: dict[str, str], port_base: int, name: str
) -> None:
    cut(make_access() / name)
    with pytest.raises(InitializationError, match=rf"did not start .*{name}: the (certificate|key) is damaged"):
        start(udb_folder(), [port_base], StartOptions())


def test_a_cluster_names_a_damaged_file_a_wrong_clock_and_a_way_out(
    places: dict[str, str], clock: Callable[[int], None]
) -> None:
    assert providers.create(1) == []
    try:
        clock(-30)
        with pytest.raises(InitializationError, match="by the clock of this machine"):
            execute("true", stdout=io.BytesIO(), stderr=io.BytesIO())
        clock(0)
        cut(state.certificates_folder() / "client.pem")
        with pytest.raises(InitializationError, match=r"client\.pem: the certificate is damaged") as caught:
            execute("true", stdout=io.BytesIO(), stderr=io.BytesIO())
        assert caught.value.hint.endswith("ess cluster terminate, then: ess cluster create")
        advice(caught.value)
        assert providers.create(1) == []
        assert execute("true", stdout=io.BytesIO(), stderr=io.BytesIO()).exit_code == 0
    finally:
        providers.terminate()
