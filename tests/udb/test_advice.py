"""The advice of the database's errors, followed: afterwards there is what it says, once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ess.errors import EssError, UdbRequestError
from ess.language.tree import Slot
from ess.schema.batch import make_batch
from ess.udb.client.import_claims import ImportIdentity
from ess.udb.client.importing import Import, ImportOptions
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.server.server import UdbServer
from ess.udb.spec.spec import Server
from ess.udb.spec.target import find_target
from tests.udb.faults import operation, put

TABLE = "@Table:log s,pkey:user i:n\n"
ROWS = [(b"a", 1), (b"b", 2)]

Write = Callable[..., list[Server]]


@pytest.fixture
def servers(start_server: Callable[..., UdbServer], write_spec: Write) -> list[UdbServer]:
    """Two servers of a database ``db``."""
    pair = [start_server(), start_server()]
    write_spec(*pair, definition=TABLE)
    return pair


def stored(database: str = "db") -> list[Any]:
    return sorted(export_batch(f"{database}:log", columns=["user", "n"])[0].rows())


def clear(database: str = "db") -> None:
    perform(operation("-clr", database))


def begun(rows: list[tuple[bytes, int]] = ROWS) -> Import:
    """An import whose rows are with the servers, and do not count yet."""
    target = find_target("db:log", where="-imp")
    assert target.table is not None
    slots = [Slot(column.key, column.name, column.type) for column in target.table.columns]
    identity = ImportIdentity(f"once:{time.monotonic_ns()}")
    sink = Import(target, target.spec.servers, slots, ImportOptions(), identity, where="-imp")
    columns = zip(target.table.columns, zip(*rows, strict=True), strict=True)
    sink.write(make_batch([(column.key, column.type, list(values)) for column, values in columns], len(rows)))
    return sink


def refused(work: Callable[[], object], advice: str) -> None:
    with pytest.raises(EssError) as error:
        work()
    assert advice in str(error.value)


def test_another_definition(servers: list[UdbServer], write_spec: Write) -> None:
    put("log", ROWS)
    write_spec(*servers, definition="@Table:log s,pkey:user f:n\n")
    refused(lambda: put("log", ROWS), "to start anew with the present one: aq_udb -clr db")
    refused(lambda: perform(operation("-alt", "db")), "clear the database to change more: aq_udb -clr DbName")
    clear()
    put("log", [(b"c", 1.5)])
    assert stored() == [(b"c", 1.5)]


def test_servers_with_different_databases_of_one_name(servers: list[UdbServer], write_spec: Write) -> None:
    for server in servers:
        write_spec(server, definition=TABLE)
        put("log", ROWS)
    write_spec(*servers, definition=TABLE)
    refused(lambda: put("log", ROWS), "clear it everywhere with aq_udb -clr db, then import all files again")
    clear()
    put("log", ROWS)
    assert stored() == ROWS


def test_a_database_that_is_cleared_during_an_import(servers: list[UdbServer]) -> None:
    under_way = begun()
    clear()
    refused(under_way.commit, "run the command again")
    under_way.abort()
    put("log", ROWS)
    assert stored() == ROWS


def test_an_import_that_is_ended_because_it_said_nothing(servers: list[UdbServer]) -> None:
    under_way = begun()
    for server in servers:
        for database in server.catalog._all():
            assert len(database.drop_silent(time.monotonic() + 1)) == 1
    refused(under_way.commit, "run it again")
    under_way.abort()
    put("log", ROWS)
    assert stored() == ROWS


def test_an_import_of_which_not_all_has_arrived(servers: list[UdbServer]) -> None:
    under_way = begun()
    under_way._streams[0].rows += 1
    refused(under_way.commit, "run the import again")
    under_way.abort()
    put("log", ROWS)
    assert stored() == ROWS


def test_a_load_into_a_database_that_is_not_empty(servers: list[UdbServer], tmp_path: Path) -> None:
    put("log", ROWS)
    perform(operation("-save", "db", str(tmp_path / "saved")))
    load = operation("-load", "db", str(tmp_path / "saved"))
    refused(lambda: perform(load), "clear it first with: aq_udb -clr db")
    clear()
    perform(load)
    assert stored() == ROWS


def test_a_session_that_is_not_open_any_more(servers: list[UdbServer]) -> None:
    put("log", ROWS)
    (database,) = servers[0].catalog._all()
    with pytest.raises(UdbRequestError, match="run the command again"):
        database.find_session("gone")
    perform(operation("-ord", "db:log", "n"))
    assert stored() == ROWS
