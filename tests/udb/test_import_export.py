"""Imports and exports through real servers, in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ess.errors import (
    InitializationError,
    OptionError,
    OutOfMemory,
    UdbAuthenticationError,
    UdbCommunicationError,
    UdbConnectError,
    UdbRequestError,
)
from ess.language.tree import Slot
from ess.pipeline.old_spellings import parse_command_line
from ess.schema.batch import make_batch
from ess.schema.types import ColumnType
from ess.tools import aq_pp
from ess.tools.aq_udb import OPTIONS
from ess.udb.client import importing
from ess.udb.client.export import export, export_variables
from ess.udb.client.import_claims import ImportIdentity, identity_from_environment
from ess.udb.client.importing import Import, ImportOptions
from ess.udb.client.limits import Cut
from ess.udb.client.pool import Pool
from ess.udb.command.operations import plan
from ess.udb.command.perform import perform
from ess.udb.server.database import Database
from ess.udb.server.memory import MemoryLimit
from ess.udb.spec.import_attributes import IMPORT_ATTRIBUTES
from ess.udb.spec.spec import Server
from ess.udb.spec.spec_file import format_definition
from ess.udb.spec.table_scope import TableScope
from ess.udb.spec.target import Target, find_target
from ess.udb.wire import connection, protocol
from ess.udb.wire.access import Access
from ess.udb.wire.protocol import DatabaseRequest, OrderRequest, ScanRequest
from tests.udb.shards import portable, portable_variables
from tests.waiting import PATIENCE, eventually, until

Row = tuple[Any, ...]


def put(servers: Sequence[Server], table: str, rows: Sequence[Row], *, identity: str = "", seq: int = 0) -> int:
    sink, batch = prepared(servers, table, rows, identity=identity, seq=seq)
    sink.write(batch)
    return sink.commit()


def prepared(
    servers: Sequence[Server], table: str, rows: Sequence[Row], *, identity: str = "", seq: int = 0
) -> tuple[Import, pl.DataFrame]:
    target = find_target(f"db:{table}", where="-imp")
    columns = target.table.columns if target.table else target.spec.definition.key
    slots = [Slot(column.key, column.name, column.type) for column in columns]
    name = ImportIdentity(identity, "job", seq) if identity else identity_from_environment(0)
    sink = Import(target, servers, slots, ImportOptions(), name, where="-imp")
    batch = make_batch([(c.key, c.type, [row[i] for row in rows]) for i, c in enumerate(columns)], len(rows))
    return sink, batch


def text_of(target: Target) -> str:
    return format_definition(target.spec.definition, key_apart=target.spec.key_apart)


def get(servers: Sequence[Server], table: str, *, cut: Cut | None = None, **request: Any) -> list[Row]:
    target = find_target(f"db:{table}", where="-exp")
    scope = TableScope(target.spec.definition, target.table)
    outputs = request.pop("outputs", tuple(slot.name for slot in scope.target))
    definition = target.spec.definition
    request["rules"] = portable(definition, target.table_name, request.get("rules", ()))
    request["variables"] = portable_variables(definition, request.get("variables", ()))
    asked = ScanRequest("db", text_of(target), target.table_name, outputs=outputs, **request)
    with Pool(servers) as pool:
        sort = [scope.get(name, where="-sort") for name in asked.sort]
        return [row for batch in export(pool, asked, sort, cut) for row in batch.rows()]


LOG: list[Row] = [
    (b"b", 3, 1, 0.5, b""),
    (b"a", 1, 2, 0.25, b"\x7f\0\0\1"),
    (b"b", 1, 3, 2.0, b""),
    (b"c", 2, 4, 1.0, b""),
    (b"a", 1, 5, 3.0, b""),
]


def test_one_server_gives_keys_as_first_seen_and_rows_as_they_came(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server())
    assert put(servers, "log", LOG) == 5
    assert [row[2] for row in get(servers, "log")] == [1, 3, 2, 5, 4]
    assert get(servers, "") == [(b"b",), (b"a",), (b"c",)]


def test_several_servers_hold_whole_keys_and_the_same_rows(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), start_server(), start_server())
    rows: list[Row] = [(b"user%d" % (n % 40), n, n, n / 7, b"") for n in range(400)]
    put(servers, "log", rows)
    found = get(servers, "log")
    assert sorted(found) == sorted(rows)
    users = [row[0] for row in found]
    assert [user for i, user in enumerate(users) if i == 0 or users[i - 1] != user] == list(dict.fromkeys(users))
    times = [row[1] for row in found if row[0] == b"user7"]
    assert times == sorted(times)
    with Pool(servers) as pool:
        shares = [answer["counts"]["log"] for answer in pool.call("counts", DatabaseRequest("db", ""))]
    assert all(share > 40 for share in shares), shares


sorts = st.sampled_from([("n",), ("time", "n"), ("user",), ("price",), ("totals.count", "user")])


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_sorted_and_cut_results_do_not_depend_on_the_number_of_servers(
    four_servers: list[Any], write_spec: Any, data: st.DataObject
) -> None:
    keys = st.sampled_from([b"a", b"B", b"c", b"d", b"e", b"\xff"])
    row = st.tuples(keys, st.integers(0, 3), st.integers(-2, 2), st.sampled_from([0.5, -1.0]), st.just(b""))
    rows = data.draw(st.lists(row, max_size=20, unique_by=lambda r: (r[1], r[2])))
    sort = data.draw(sorts)
    asked: dict[str, Any] = {"sort": sort, "descending": data.draw(st.booleans())}
    cut = data.draw(st.sampled_from([None, Cut(1, 3), Cut(2, 4), Cut(1, 3, True), Cut(3, 2, True)]))
    names = ("user", "time", "n", "price", "totals.count")
    results = []
    for started in (four_servers[:1], four_servers[1:]):
        servers = write_spec(*started)
        with Pool(servers) as pool:
            pool.call("remove", DatabaseRequest("db", ""))
        put(servers, "log", rows)
        put(servers, "totals", [(r[0], 1, 0.0, b"") for r in rows])
        found = get(servers, "log", cut=cut, outputs=names, **asked)
        results.append([tuple(r[names.index(name)] for name in sort) for r in found])
        # Where the servers sort for a cut, and where the client sorts all rows, equal rows stand alike.
        whole = get(servers, "log", outputs=names, **asked)
        assert whole == get(servers, "log", cut=Cut(1, 100), outputs=names, **asked)
        assert found == whole[cut.places(len(whole)) if cut is not None else slice(None)]
    assert results[0] == results[1]


def test_filters_changes_and_variables(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server())
    put(servers, "log", LOG)
    put(servers, "totals", [(b"a", 7, 1.5, b"x"), (b"b", 9, 2.5, b"y")])
    rules: tuple[tuple[str, ...], ...] = (("-filt", "totals.count > 8 || n == 4"),)
    assert [row[2] for row in get(servers, "log", rules=rules)] == [1, 3, 4]
    # A filter behind a change hides rows, but the change is stored for them too.
    rules = (("-eval", "n", "n * 10"), ("-filt", "time == 1"), ("-eval", "price", "0"), ("-eval", "seen", "seen + 1"))
    found = get(servers, "log", rules=rules, variables=(("seen", "100"),), outputs=("user", "n", "seen"))
    assert found == [(b"b", 30, 101), (b"a", 20, 102), (b"a", 50, 103)]
    assert [row[2:4] for row in get(servers, "log")] == [(10, 0.5), (30, 0.0), (20, 0.0), (50, 0.0), (40, 1.0)]
    assert get(servers, "var") == [(103, b"")]
    rules = (
        ("-if",),
        ("-filt", "n > 20"),
        ("-filt", "n > 45"),
        ("-eval", "n", "1"),
        ("-endif",),
        ("-eval", "time", "9"),
    )
    assert [row[1:3] for row in get(servers, "log", rules=rules)] == [(9, 10), (9, 20), (9, 1)]
    assert [row[1] for row in get(servers, "log")] == [9, 1, 9, 9, 2]


def test_limits(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server())
    put(servers, "log", LOG)
    assert [row[2] for row in get(servers, "log", keys=2)] == [1, 3, 2, 5]
    assert [row[2] for row in get(servers, "log", key_rows=1)] == [1, 2, 4]
    assert [row[2] for row in get(servers, "log", rows=2)] == [1, 3]
    assert [row[2] for row in get(servers, "log", cut=Cut(2, 2))] == [3, 2]
    assert [row[2] for row in get(servers, "log", cut=Cut(2, 2, True))] == [2, 5]
    parts = [get(servers, "", segments=(n, n, 3, 0)) for n in (1, 2, 3)]
    assert sorted(key for part in parts for key in part) == [(b"a",), (b"b",), (b"c",)]


def test_rows_are_sorted_in_the_database(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server())
    put(servers, "log", LOG)
    definition = text_of(find_target("db", where=""))
    with Pool(servers) as pool:
        pool.call("order", OrderRequest("db", definition, "", (), False, False))
        assert [row[2] for row in get(servers, "log")] == [3, 1, 2, 5, 4]
        pool.call("order", OrderRequest("db", definition, "", ("user",), False, False))
        assert [row[2] for row in get(servers, "log")] == [2, 5, 3, 1, 4]
        with pytest.raises(OptionError, match="no tkey"):
            pool.call("order", OrderRequest("db", definition, "days", (), False, False))
        pool.call("clear", DatabaseRequest("db", definition, "log"))
        assert get(servers, "log") == []
        pool.call("clear", DatabaseRequest("db", definition))
        with pytest.raises(UdbRequestError, match="not defined here"):
            get(servers, "log")


def test_variables_are_held_by_each_server_and_merged_at_export(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), start_server())
    put(servers, "log", LOG)
    target = find_target("db:var", where="")
    assert target.table is not None
    asked = ScanRequest("db", text_of(target), "var", outputs=("seen", "word"))
    with Pool(servers) as pool:
        assert export_variables(pool, asked, target.table, separately=False).rows() == [(0, b"")]
        get(servers, "log", rules=(("-eval", "seen", "seen + 1"),))
        assert export_variables(pool, asked, target.table, separately=False).rows() == [(5, b"")]
        shares = export_variables(pool, asked, target.table, separately=True)["seen"].to_list()
        assert sum(shares) == 5
        assert len(shares) == 2
    get(servers, "var", variables=(("seen", "1"),), rules=(("-eval", "word", '"v" + ToS(seen)'),))
    with Pool(servers) as pool:
        assert export_variables(pool, asked, target.table, separately=True).rows() == [(1, b"v1"), (1, b"v1")]
    get(servers, "var", variables=(("word", '"x"'), ("seen", "3")))
    with Pool(servers) as pool:
        assert export_variables(pool, asked, target.table, separately=False).rows() == [(6, b"x")]
    put(servers, "var", [(2, b"w")])
    with Pool(servers) as pool:
        assert export_variables(pool, asked, target.table, separately=False).rows() == [(10, b"w")]


def test_keys_alone_can_be_imported(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), start_server())
    assert put(servers, "", [(b"b",), (b"a",), (b"b",)]) == 3
    assert sorted(get(servers, "")) == [(b"a",), (b"b",)]
    assert sorted(get(servers, "totals")) == [(b"a", 0, 0.0, b""), (b"b", 0, 0.0, b"")]


def test_columns_are_converted_as_storing_does(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server())
    target = find_target("db:log", where="-imp")
    slots = [Slot("u", "USER", ColumnType.S), Slot("t", "Time", ColumnType.LS), Slot("x", "n", ColumnType.F)]
    with pytest.raises(OptionError, match="no column 'price'"):
        Import(target, servers, slots, ImportOptions(), ImportIdentity("x"), where="-imp")
    with pytest.raises(OptionError, match="'user' is of type S, what is imported is of type I"):
        Import(target, servers, [Slot("u", "user", ColumnType.I)], ImportOptions(), ImportIdentity("x"), where="-imp")
    sink = Import(target, servers, slots, ImportOptions(fill_missing=True), ImportIdentity("x"), where="-imp")
    assert [slot.key for slot in sink.slots] == ["u", "t", "x"]
    values = [-1.9, 2.0**33 + 5, float("nan")]
    sink.write(
        make_batch([("u", ColumnType.S, [b"a"] * 3), ("t", ColumnType.LS, [-1, 1, 2]), ("x", ColumnType.F, values)], 3)
    )
    assert sink.commit() == 3
    assert get(servers, "log") == [(b"a", 2**32 - 1, -1, 0.0, b""), (b"a", 1, 5, 0.0, b""), (b"a", 2, 0, 0.0, b"")]


def test_every_attribute_of_the_help_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    examples = {"spec=UdbSpec": "spec=a.spec", "seg=N1[-N2]/N[:V]": "seg=1-2/3:4"}
    for name in IMPORT_ATTRIBUTES:
        made = importing.parse_import_attributes([examples.get(name, name)], where="-imp")
        assert (made == ImportOptions()) == (name == "nodelay")
    with pytest.raises(OptionError, match="did you mean 'nobnk'"):
        importing.parse_import_attributes(["nobnck"], where="-imp")
    assert aq_pp.main(["-h", "imp"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{name}: {meaning}" in shown for name, meaning in IMPORT_ATTRIBUTES.items())


def test_long_strings_travel(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), definition="@Table:t s,pkey:user s:text")
    rows = [(b"a", b"%d" % n + bytes(5_000_000)) for n in range(12)]
    assert put(servers, "t", rows) == 12
    assert get(servers, "t") == rows


def test_many_clients_at_once_lose_nothing(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), start_server())

    def work(number: int) -> int:
        return put(servers, "log", [(b"u%d" % (n % 5), number, n, 0.0, b"") for n in range(20)])

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(work, range(40))) == 800
    assert len(set(get(servers, "log"))) == 800


# Transactions ---------------------------------------------------------------------------------------------------------


def test_all_servers_work_imports_in_at_the_same_time(
    start_server: Any, write_spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = write_spec(start_server(), start_server())
    put(servers, "log", LOG)
    together = threading.Barrier(2, timeout=PATIENCE)
    settle = Database.settle

    def settle_together(database: Database) -> None:
        together.wait()
        settle(database)

    monkeypatch.setattr(Database, "settle", settle_together)
    assert len(get(servers, "log")) == len(LOG)
    assert len(get(servers, "log")) == len(LOG)  # nothing waits any more, so nobody is asked


def test_a_large_import_is_worked_in_before_somebody_looks(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server())

    def waiting() -> int:
        with Pool(servers) as pool:
            return int(pool.hello()[0]["databases"]["db"]["waiting"])

    def import_rows(count: int, *, identity: str = "") -> None:
        put(servers, "log", [(b"%d" % row, row, row, 0.5, b"") for row in range(count)], identity=identity)

    import_rows(1000)
    assert waiting() == 1000
    other, batch = prepared(servers, "log", LOG)
    other.write(batch)
    import_rows(150_000)
    time.sleep(0.5)
    assert waiting() == 151_000  # another import is under way
    other.commit()
    until(lambda: waiting() == 0)
    import_rows(100_000)  # not as much as there is
    import_rows(100_000, identity="task")  # now more, but it belongs to a job
    time.sleep(0.5)
    assert waiting() == 200_000
    assert len(get(servers, "log")) == 351_005


def test_nothing_is_visible_before_the_commit_and_nothing_after_an_abort(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), start_server())
    put(servers, "log", [])
    sink, batch = prepared(servers, "log", LOG)
    sink.write(batch)
    assert get(servers, "log") == []
    sink.abort()
    assert get(servers, "log") == []


def test_an_import_that_is_repeated_counts_once(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), start_server())
    for _ in range(3):
        assert put(servers, "log", LOG, identity="job:file") == 5
    assert put(servers, "log", LOG[:1], identity="job:other") == 1
    assert len(get(servers, "log")) == 6


def test_two_attempts_of_one_import_at_once_count_once(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), start_server())
    first, batch = prepared(servers, "log", LOG, identity="job:file")
    second, _ = prepared(servers, "log", LOG, identity="job:file")
    first.write(batch)
    second.write(batch)
    assert second.commit() == 5
    assert first.commit() == 5
    assert len(get(servers, "log")) == 5


def test_imports_of_a_job_are_put_in_order(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server())
    put(servers, "log", [(b"z", 2, 2, 0.0, b"")], identity="job:2", seq=2)
    put(servers, "log", [(b"y", 1, 1, 0.0, b""), (b"z", 1, 1, 0.0, b"")], identity="job:1", seq=1)
    assert [row[:2] for row in get(servers, "log")] == [(b"y", 1), (b"z", 1), (b"z", 2)]


@pytest.mark.parametrize("moment", ["staged", "prepared", "decided"])
def test_a_client_that_vanishes_leaves_all_or_nothing(start_server: Any, write_spec: Any, moment: str) -> None:
    servers = write_spec(start_server(), start_server())
    rows: list[Row] = [(b"user%d" % n, n, n, 0.0, b"") for n in range(50)]
    put(servers, "log", [])
    sink, batch = prepared(servers, "log", rows, identity="job:file")
    sink.write(batch)
    if moment != "staged":
        for stream in sink._streams:
            stream.say("prepare")
        for stream in sink._streams:
            assert "prepared" in stream.wait()
    if moment == "decided":
        sink._streams[0].say("commit")
        assert sink._streams[0].wait() == {"committed": True}
    sink._end()  # what a killed process looks like: the streams just end
    expected = 50 if moment == "decided" else 0
    eventually(lambda: len(get(servers, "log")), expected)
    assert put(servers, "log", rows, identity="job:file") == 50
    assert len(get(servers, "log")) == 50


def test_an_import_into_a_database_that_is_cleared_meanwhile_fails(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), start_server())
    sink, batch = prepared(servers, "log", LOG)
    sink.write(batch)
    with Pool(servers) as pool:
        pool.call("remove", DatabaseRequest("db", ""))
    with pytest.raises(UdbRequestError, match="was cleared meanwhile"):
        sink.commit()
    sink.abort()
    assert put(servers, "log", LOG) == 5
    assert len(get(servers, "log")) == 5


def test_a_wrong_row_count_is_refused(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server())
    sink, batch = prepared(servers, "log", LOG)
    sink.write(batch)
    sink._streams[0].rows += 1
    with pytest.raises(UdbRequestError, match="6 rows were sent, 5 arrived"):
        sink.commit()
    assert get(servers, "log") == []


# Refusals -------------------------------------------------------------------------------------------------------------


def test_a_missing_server_is_an_error_that_names_it(start_server: Any, write_spec: Any) -> None:
    alive, dead = start_server(), start_server()
    servers = write_spec(alive, dead)
    put(servers, "log", LOG)
    dead.shutdown()
    with pytest.raises((UdbConnectError, UdbCommunicationError), match=f"127.0.0.1:{servers[1].port}: the server"):
        get(servers, "log")
    with pytest.raises(UdbConnectError, match=f":{servers[1].port}: .* its rows are lost: start it"):
        put(servers, "log", LOG)


def test_all_missing_servers_are_named_at_once(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), first := start_server(), second := start_server())
    put(servers, "log", LOG)
    first.shutdown()
    second.shutdown()
    with pytest.raises(UdbConnectError, match=f":{servers[1].port}, server 127.0.0.1:{servers[2].port}: the server"):
        put(servers, "log", LOG)


def test_a_server_without_its_part_of_a_database_is_refused(start_server: Any, write_spec: Any) -> None:
    first, second = start_server(), start_server()
    put(write_spec(first), "log", LOG)
    servers = write_spec(first, second)
    lacks = f":{servers[1].port}: the server does not have its part of database 'db'"
    with pytest.raises(UdbRequestError, match=lacks):
        put(servers, "log", LOG)
    with pytest.raises(UdbRequestError, match=lacks), Pool(servers) as pool:
        pool.reach("db")


def test_who_defined_a_database_and_died_on_the_way_leaves_an_empty_one(start_server: Any, write_spec: Any) -> None:
    servers = write_spec(start_server(), start_server())
    with Pool(servers[:1]) as pool:
        pool.define("db", "@Table:log s,pkey:user i,tkey:time is:n f:price ip:from")
    put(servers, "log", LOG)
    assert len(get(servers, "log")) == 5


def test_a_foreign_token_or_authority_opens_nothing(
    start_server: Any, write_spec: Any, access: Access, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server()
    servers = write_spec(server)
    put(servers, "log", LOG)
    forged = replace(access, token="guess")
    with pytest.raises(UdbAuthenticationError, match="token"), Pool(servers, forged) as pool:
        pool.hello()
    with pytest.raises(UdbAuthenticationError, match="token"), Pool(servers, forged) as pool:
        pool.call("remove", DatabaseRequest("db", ""))
    from ess.udb.wire.access import make_access, read_access

    token = tmp_path / "conf" / "udb" / "access" / "token"
    token.write_text(f"{access.token}\n")
    assert read_access() == access
    token.write_text("one\ntwo")
    with pytest.raises(InitializationError, match="no single word"):
        read_access()

    monkeypatch.setenv("ESS_WORK_DIR", str(tmp_path / "other"))
    make_access()
    with pytest.raises(UdbAuthenticationError, match="certificate"), Pool(servers, read_access()) as pool:
        pool.hello()


def test_another_version_is_refused_with_both_named(
    start_server: Any, write_spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = write_spec(start_server())
    monkeypatch.setattr(connection, "PROTOCOL", protocol.PROTOCOL + 1)
    versions = rf"speaks version {protocol.PROTOCOL} .* the client version {protocol.PROTOCOL + 1}"
    with pytest.raises(UdbRequestError, match=versions), Pool(servers) as pool:
        pool.hello()


def test_another_definition_is_refused_but_a_longer_one_is_taken(start_server: Any, write_spec: Any) -> None:
    server = start_server()
    servers = write_spec(server, definition="@Table:log s,pkey:user i:n")
    put(servers, "log", [(b"a", 1)])
    servers = write_spec(server, definition="@Table:log s,pkey:user i:n @Vector:v s,pkey:user i:m")
    put(servers, "v", [(b"b", 2)])
    assert get(servers, "v") == [(b"a", 0), (b"b", 2)]
    servers = write_spec(server, definition="@Table:log s,pkey:user s:n")
    with pytest.raises(UdbRequestError, match="another definition"):
        put(servers, "log", [(b"a", b"1")])


def test_a_full_server_refuses_an_import_and_keeps_what_it_has(start_server: Any, write_spec: Any) -> None:
    limit = MemoryLimit()
    servers = write_spec(start_server(limit))
    put(servers, "log", LOG)
    limit._limit = 1 << 20
    with pytest.raises(OutOfMemory, match="limit of 1 MB"):
        put(servers, "log", LOG)
    assert len(get(servers, "log")) == 5


class Nothing(MemoryLimit):
    """Of a server that seems to hold nothing: what the process of these tests holds depends on all of them."""

    def used(self) -> int:
        return 0


def test_a_change_that_does_not_fit_is_refused_and_one_that_needs_no_more_is_done(
    start_server: Any, write_spec: Any
) -> None:
    limit = Nothing()
    servers = write_spec(start_server(limit), definition="@Table:log s,pkey:user s:text i:n")
    put(servers, "log", [(b"u%d" % n, b"x" * 2000, n) for n in range(5000)])
    before = get(servers, "log")
    limit._limit = 4 << 20  # ten million bytes would have to come

    def aq_udb(*words: str) -> None:
        perform(plan(parse_command_line(OPTIONS, words)))

    double = ("-eval", "text", "text + text")
    for command in (("-scn", "db:log", *double), ("-scn", "db", "-pp", "log", *double, "-endpp")):
        with pytest.raises(OutOfMemory, match="limit of"):
            aq_udb(*command)
    assert get(servers, "log") == before
    aq_udb("-scn", "db:log", "-eval", "n", "n + 1")
    aq_udb("-ord", "db:log", "n")
    assert sum(row[2] for row in get(servers, "log")) == sum(row[2] for row in before) + 5000


def test_malformed_requests_are_refused_in_one_line(start_server: Any, write_spec: Any, access: Access) -> None:
    servers = write_spec(start_server())
    good = protocol.encode(DatabaseRequest("db", ""))
    from pyarrow import flight

    with Pool(servers) as pool:
        one = pool.connections[0]
        for body in (b"", b"[]", b"\x80\x04", b"{}", good[:-1], good.replace(b'"db"', b"7"), b'{"protocol":2}'):
            with pytest.raises(UdbRequestError) as caught, one._translated():
                list(one._client.do_action(flight.Action("counts", body), one._options()))
            assert "Traceback" not in str(caught.value)
        with pytest.raises(UdbRequestError, match="does not know"):
            one.call("eval", DatabaseRequest("db", ""))
    put(servers, "log", [])
    with pytest.raises(OptionError, match="unknown column 'nothing'"):
        get(servers, "log", rules=(("-filt", "nothing == 1"),))
