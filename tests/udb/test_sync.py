"""A disk that does not say whether what was written is safe: nothing is acknowledged, and a restart finds out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ess.errors import EssError, UdbRequestError
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from tests.udb.fault_processes import Servers, sync_fails
from tests.udb.faults import operation, put

DEFINITION = "\n@Table:log s,pkey:user i:n i:value\n"


@pytest.fixture
def servers(places: dict[str, str], tmp_path: Path, port_base: int) -> Iterator[Servers]:
    """Two with fifty rows."""
    found = Servers((port_base, port_base + 1))
    (tmp_path / "conf").mkdir()
    lines = "".join(f"@Server: 127.0.0.1:{port}\n" for port in found.ports)
    (tmp_path / "conf" / "db.spec").write_text(lines + DEFINITION)
    try:
        found.start()
        put("log", numbered(0, 50))
        yield found
    finally:
        found.stop()


@contextlib.contextmanager
def failing(port: int) -> Iterator[None]:
    path = sync_fails(port)
    path.touch()
    try:
        yield
    finally:
        path.unlink()


def restart(servers: Servers) -> None:
    for port in servers.ports:
        servers.end(port)
    servers.start()


def numbered(first: int, count: int) -> list[tuple[Any, ...]]:
    return [(b"u%d" % (n % 97), n, 0) for n in range(first, first + count)]


def rows() -> list[Any]:
    return sorted(export_batch("db:log")[0].rows())


def change() -> None:
    perform(operation("-scn", "db:log", filt="n >= 0", change=True))


@pytest.mark.parametrize("what", ["import", "change"])
def test_what_the_decider_cannot_make_safe_is_not_acknowledged_and_not_shown(servers: Servers, what: str) -> None:
    before = rows()
    decider = servers.ports[0]
    with failing(decider):
        with pytest.raises(UdbRequestError, match=r"Input/output error\) before it was known whether") as caught:
            put("log", numbered(50, 50)) if what == "import" else change()
        assert str(caught.value).isprintable()
        assert f"server 127.0.0.1:{decider}" in str(caught.value)
        for refused in (rows, change, lambda: put("log", numbered(100, 1))):
            with pytest.raises(EssError, match="cannot be written"):
                refused()
    # What the system has dropped from memory it does not write at a second try either.
    with pytest.raises(EssError, match="restart the server"):
        rows()
    restart(servers)
    after = [*before, *numbered(50, 50)] if what == "import" else [(user, n, value + 1) for user, n, value in before]
    found = rows()
    assert found in (before, sorted(after))
    restart(servers)
    assert rows() == found
    put("log", numbered(200, 1))
    assert len(rows()) == len(found) + 1


@pytest.mark.parametrize("count", [50, 5000])
def test_what_another_server_cannot_make_safe_is_on_none(servers: Servers, count: int) -> None:
    before = rows()
    with failing(servers.ports[1]), pytest.raises(EssError, match="Input/output error"):
        put("log", numbered(50, count))  # of 5000, in a file of their own
    restart(servers)
    assert rows() == before
    put("log", numbered(50, count))
    assert len(rows()) == 50 + count
