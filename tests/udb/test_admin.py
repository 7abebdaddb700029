"""Spec files as the verbs of ``ess`` make them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ess.cli.app import run
from ess.cli.udb import summary_lines
from ess.errors import OptionError
from ess.udb.admin import admin
from ess.udb.spec.spec import Kind
from ess.udb.spec.spec_file import definition_text, format_definition, format_spec, parse_server, parse_spec
from ess.udb.spec.target import chosen_servers, load_spec


@pytest.fixture(autouse=True)
def _own_places(places: dict[str, str]) -> None:
    """Every test has a working folder of its own."""


def test_tables_vectors_and_variables_come_and_go(port_base: int) -> None:
    admin.create_database("wood", ports=2, nodes=["127.0.0.1", "127.0.0.1"])
    admin.create_table("sales", ["s,pkey:userid", "i,tkey:ptime", "f:price"])
    admin.create_vector("sums", ["s,pkey:userid f,+add:total"])
    admin.create_variable(["i:a s:b"])
    spec = load_spec("wood", where="")
    assert [(server.port - port_base, server.node) for server in spec.servers] == [(0, 0), (1, 0), (2, 1), (3, 1)]
    assert [table.kind for table in spec.definition.tables] == [Kind.TABLE, Kind.VECTOR, Kind.VAR]
    admin.drop_variable()
    admin.drop_vector("SUMS")
    assert summary_lines(admin.server_summary()) == [
        "DATABASE : wood (active)",
        "   TABLE : sales\ts,pkey:userid i,tkey:ptime f:price",
        "  VECTOR : (none)",
        "     VAR : (none)",
        "",
    ]
    admin.drop_database("wood")
    assert admin.server_summary() == []


def test_a_summary_is_sorted_and_shows_columns_as_they_were_given() -> None:
    admin.create_database("wood")
    admin.create_table("sales", ["S,hash:userid", "i,tkey:ptime", "F:price"])
    admin.create_vector("sums", ["s,pkey:userid i,+last:article f,+nozero,+add:total"])
    admin.create_vector("less", ["s,pkey:userid ip:from"])
    admin.create_table("more", ["s,pkey:userid"])
    admin.create_variable(["I:a s:b"])
    assert summary_lines(admin.server_summary()) == [
        "DATABASE : wood (active)",
        "   TABLE : more\ts,pkey:userid",
        "   TABLE : sales\tS,hash:userid i,tkey:ptime F:price",
        "  VECTOR : less\ts,pkey:userid ip:from",
        "  VECTOR : sums\ts,pkey:userid i,+last:article f,+nozero,+add:total",
        "     VAR : I:a s:b",
        "",
    ]
    spec = load_spec("wood", where="")
    assert [column.name for column in spec.definition.key] == ["userid"]
    # What servers are told of a database is in one form, however it was written.
    assert "  s,pkey:userid\n  i,tkey:ptime\n  f:price\n" in definition_text(spec.definition) + format_definition(
        spec.definition
    )


def test_no_number_of_servers_is_one() -> None:
    assert run(["create", "database", "wood", "--port", "0"]) == 0
    assert run(["create", "database", "more", "--ports=2"]) == 0
    assert [len(summary.servers) for summary in admin.server_summary()] == [2, 1]


def test_the_database_made_or_used_last_is_the_active_one() -> None:
    admin.create_database("a")
    admin.create_database("b")
    assert admin.active_database() == "b"
    admin.use("a")
    assert admin.active_database() == "a"
    admin.create_table("t", ["s,pkey:k"])
    assert [summary.tables for summary in admin.server_summary()] == [(("t", ("s,pkey:k",)),), ()]
    admin.drop_database("a")
    assert admin.active_database() == "b"


def test_a_table_that_exists_says_how_to_remove_it() -> None:
    admin.create_database("db")
    admin.create_vector("sums", ["s,pkey:user", "i,+add:n"])
    with pytest.raises(OptionError, match=r"exists in database 'db'.*ess drop vector sums"):
        admin.create_table("Sums", ["s,pkey:user"])


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["s:user"], "has no key column"),
        (["s,pkey:other", "i:n"], "the key of table new differs from that of the other tables"),
        (["i,pkey:user"], "differs"),
        (["s,pkey:user", "s:user"], "'user' is defined twice"),
        (["s,pkey:user", "s,+add:n"], "numeric"),
        (["s,pkey:user", "f,+bor:n"], "integer"),
        (["s,pkey:user", "i,+add,+max:n"], "more than one merge"),
        (["s,pkey:user", "q:n"], "unknown column type"),
        (["s,pkey:user", "i,+sum:n"], "unknown column attribute"),
        (["s,pkey,+add:user"], "a key column is never merged"),
        (["s,pkey:user", "i,tkey:a", "i,tkey:b"], "more than one tkey"),
        (["s,pkey:user", "foo"], "column 'foo' has no type; .*e.g. s:foo"),
        (["s,pkey:user", "foo,bar"], "column 'foo,bar' has no type; .*e.g. s:foo s:bar"),
        ([], "no columns"),
    ],
)
def test_wrong_tables_are_refused_and_leave_the_spec_as_it_was(columns: list[str], says: str) -> None:
    admin.create_database("db")
    admin.create_table("first", ["s,pkey:user"])
    before = load_spec("db", where="")
    with pytest.raises(OptionError, match=says):
        admin.create_table("new", columns)
    assert load_spec("db", where="") == before


def test_wrong_names_are_refused_with_what_there_is() -> None:
    with pytest.raises(OptionError, match="create one with: ess create database"):
        admin.create_table("t", ["s,pkey:k"])
    admin.create_database("wood")
    with pytest.raises(OptionError, match="exists"):
        admin.create_database("wood")
    with pytest.raises(OptionError, match="there is no database 'woot'; known: wood"):
        admin.use("woot")
    with pytest.raises(OptionError, match="bad name"):
        admin.create_database("../wood")
    with pytest.raises(OptionError, match="no table or vector 'x'"):
        admin.drop_table("x")
    with pytest.raises(OptionError, match="only a table has merge keys"):
        admin.create_vector("v", ["s,pkey:k", "i,+key:n"])


def test_a_node_takes_its_sections_of_the_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = parse_spec("@Server: a b @Server: c @Server: d @PKey: s:k @Table:t i:n", source="x")
    monkeypatch.delenv("ESS_UDB_NODE", raising=False)
    assert [server.host for server in chosen_servers(spec, own_node=True)] == ["a", "b", "c", "d"]
    shares = []
    for node in ("0/2", "1/2"):
        monkeypatch.setenv("ESS_UDB_NODE", node)
        shares.append([server.host for server in chosen_servers(spec, own_node=True)])
    assert shares == [["a", "b", "d"], ["c"]]
    assert len(chosen_servers(spec)) == 4
    assert [server.host for server in chosen_servers(spec, given=["e:1"], own_node=True)] == ["e"]


SAMPLE = """
# comment
@Server:   # the pool
  127.0.0.1
  [::1]|[fe80::2]:10012*3	# v6
  a.b.com|10.0.0.2:10013
@port:10020
@PKEY: s:KeyStr i:KeyNum
@Table:MyTable
  I,TKEY:Time s:Page
@Vector: Profile l,+BOR:flag
  f,+min,+nozero:low
@Var:
  s:word l,+add:sum
"""


def test_the_whole_format_is_read_and_written() -> None:
    spec = parse_spec(SAMPLE, source="sample")
    assert [server.address for server in spec.servers] == ["127.0.0.1:10020", "[::1]:10012", "a.b.com:10013"]
    assert [server.weight for server in spec.servers] == [1, 3, 1]
    assert [server.alternate for server in spec.servers] == ["", "fe80::2", "10.0.0.2"]
    assert [column.name for column in spec.definition.tables[0].columns] == ["KeyStr", "KeyNum", "Time", "Page"]
    assert parse_spec(format_spec(spec), source="again") == spec


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("@Server: x\n@Tabel:t", "line 2: unknown section"),
        ("s:a", "line 1: 's:a' comes before any section"),
        ("@Server: x\n@PKey:\n s:k\n@Table:t\n i:n\n q:m", "line 6: unknown column type"),
        ("@Server: x\n@Table:t\n s,pkey:k i:n\n i:n", "line 4: column 'n' is defined twice"),
        ("@Server: x:99999\n@PKey: s:k", "line 1: bad port"),
        ("@Server: x*0\n@PKey: s:k", "line 1: bad weight"),
        ("@Server: x\n y\n x\n@PKey: s:k", "line 3: server x:10010 is in the spec twice"),
        ("@Server: x\n@PKey: s:k\n@Table:t s:a\n@Vector:T s:b", "line 4: 'T' is defined twice"),
        ("@Server: x\n@Table:t s,pkey:a\n@Vector:v i,pkey:a", "line 3: the key of vector v differs"),
        ("@Server: x\n@Table:t s,pkey:a\n@Vector:v i:n", "line 3: vector v has no key column"),
        ("@Server: x\n@PKey: s:k\n@Vector:v\n s,up:a", "line 4: 's,up:a' has an attribute for reading files"),
        ("@Server: x\n@PKey: s:k\n@Var:names s:a", "line 3: '@Var:names': the Var vector has no name of its own"),
        ("@Server: x|a/b:1", "line 1: bad host name"),
        ("@Server: x|[zz]:1", "line 1: bad IPv6 address"),
        ("@PKey: s:k", "no server"),
        ("@Server: x\n@PKey: s:k\n@PKey: s:j", "line 3: a second @pkey"),
        ("@Server: x\n@Port:abc", "line 2: bad @Port"),
        ("@Server: x\n@PKey: s:k\n@Table:var i:n", "line 3: bad name"),
        ("@Server: x\n@PKey: s:k\n@Table:t s,pkey:k", "section of its own"),
        ("@Server: x\n@PKey: s:k\n@Var: i,tkey:a", "line 3: 'i,tkey:a': variables are one row; leave tkey out"),
        ("@Server: x\n@PKey: s:k\n@Table:t\n n", "line 4: column 'n' has no type"),
        ("@Server: x\n" + "#" * 3000, "line 2: the line is longer"),
    ],
)
def test_mistakes_are_named_with_file_and_line(text: str, where: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_spec(text, source="db.spec")
    assert where in str(caught.value)
    assert "db.spec" in str(caught.value)


def test_a_table_has_at_most_2048_columns_with_those_of_the_key() -> None:
    def spec(key: int, values: int) -> str:
        keys, others = ("\n".join(f"s:{name}{n}" for n in range(count)) for name, count in (("k", key), ("v", values)))
        return f"@Server: x\n@PKey:\n{keys}\n@Table:t\n{others}"

    assert len(parse_spec(spec(2, 2046), source="x").definition.tables[0].columns) == 2048
    with pytest.raises(OptionError, match="line 4: table t has 2049 columns with those of the key; 2048 is the most"):
        parse_spec(spec(1, 2048), source="x")
    with pytest.raises(OptionError, match="line 2: the key has more than 2048 columns"):
        parse_spec(spec(2049, 1), source="x")


@pytest.mark.parametrize("text", ["", ":1", "[::1", "[zz]:1", "a b", "a:-1", "a|b|c", "-x", "a/b"])
def test_bad_servers_are_refused(text: str) -> None:
    with pytest.raises(OptionError):
        parse_server(text, where="-server")


def test_a_spec_that_is_not_text_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "bad.spec").write_bytes(b"\xff\xfe")
    with pytest.raises(OptionError, match="not UTF-8"):
        load_spec("bad", where="")
