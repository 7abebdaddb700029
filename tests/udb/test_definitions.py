"""Databases whose definition changes while servers hold their rows: nothing is lost, and nothing locks them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.errors import UdbRequestError
from ess.udb.admin import admin
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.spec.target import spec_path
from tests.udb.fault_processes import Servers
from tests.udb.faults import operation, put


@pytest.fixture
def servers(places: dict[str, str], port_base: int) -> Iterator[Servers]:
    """Two servers of a database ``db`` with a table that has rows, and more."""
    found = Servers((port_base, port_base + 1))
    admin.create_database("db", ports=2)
    admin.create_table("log", ["s,pkey:user", "i:n"])
    try:
        found.start()
        put("log", [(b"u%d" % n, n) for n in range(10)])
        yield found
    finally:
        found.stop()


def rows() -> list[tuple[object, ...]]:
    return sorted(export_batch("db:log")[0].rows())


ROWS = sorted((b"u%d" % n, n) for n in range(10))


def test_what_is_dropped_is_dropped_on_the_servers_too(servers: Servers) -> None:
    admin.create_table("more", ["s,pkey:user", "f:x"])
    assert rows() == ROWS  # the servers get to know the new table
    admin.drop_table("more")
    admin.create_variable(["i:v"])
    assert rows() == ROWS
    admin.create_table("more", ["s,pkey:user", "s:other"])
    put("more", [(b"u1", b"x"), (b"new", b"y")])
    admin.drop_variable()
    admin.create_variable(["f:v"])
    assert rows() == ROWS
    servers.end(servers.ports[0])
    servers.start()  # the log tells the same
    assert rows() == ROWS
    assert sorted(export_batch("db:more")[0].rows()) == [(b"new", b"y"), (b"u1", b"x")]
    admin.drop_table("more")
    admin.drop_table("log")
    admin.create_table("log", ["i,pkey:number"])
    assert export_batch("db:log")[0].rows() == []


def test_specs_that_know_different_tables_are_used_beside_each_other(servers: Servers) -> None:
    spec = spec_path("db").read_text()
    admin.create_table("more", ["s,pkey:user", "f:x"])
    put("more", [(b"u1", 1.0)])
    spec_path("db").write_text(spec + "\n@Vector:other\n  s,pkey:user\n  i:z\n")
    put("other", [(b"u1", 7)])
    assert rows() == ROWS
    assert len(export_batch("db:other")[0].rows()) == 10
    spec_path("db").write_text(spec + "\n@Table:more\n  s,pkey:user\n  f:x\n")
    assert export_batch("db:more")[0].rows() == [(b"u1", 1.0)]


def test_another_var_vector_is_said_to_be_one_that_can_be_taken_over(servers: Servers, tmp_path: Path) -> None:
    admin.create_variable(["i:v"])
    put("var", [(5,)])
    path = spec_path("db")
    path.write_text(path.read_text().replace("i:v", "i:v\n  s:w"))
    with pytest.raises(UdbRequestError, match=r"another definition of @Var.*aq_udb -alt db"):
        rows()
    perform(operation("-alt", "db"))
    assert export_batch("db:var")[0].rows() == [(5, b"")]
    path.write_text(path.read_text().replace("i:n", "f:n"))
    with pytest.raises(UdbRequestError, match=r"another definition.*aq_udb -clr db"):
        rows()


def test_variables_that_change_their_type_keep_their_value_or_are_refused(servers: Servers) -> None:
    admin.create_variable(["is:v", "f:f", "s:s"])
    put("var", [(-5, 2.75, b"12")])
    path = spec_path("db")
    before = path.read_text()
    path.write_text(before.replace("is:v", "l:v").replace("f:f", "i:f"))
    perform(operation("-alt", "db"))
    assert export_batch("db:var")[0].rows() == [((1 << 64) - 5, 2, b"12")]  # as storing does
    path.write_text(path.read_text().replace("s:s", "i:s"))
    with pytest.raises(UdbRequestError, match=r"-alt: 's' has a value.*of type S"):
        perform(operation("-alt", "db"))
    path.write_text(before.replace("is:v", "l:v").replace("f:f", "i:f"))
    put("var", [(1, 2, b"")])
    path.write_text(path.read_text().replace("s:s", "i:s"))
    perform(operation("-alt", "db"))
    assert export_batch("db:var")[0].rows() == [(1, 2, 0)]
