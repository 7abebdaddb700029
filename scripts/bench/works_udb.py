"""The works of the database: what comes in. What is asked of it is in `bench.works_udb_asked`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from bench import clients, programs
from bench.data import Data
from bench.equal import Columns
from bench.servers import Servers
from bench.work import OUT, Contestant, Goal, Work, python, tool
from bench.works_tools import TEXT_REF

_TABLE = ("table", "sales", "s:purchaseDate", "s,pkey:userID", "i:articleID", "f:price", "s:refID")
_VECTOR = ("vector", "sums", "s,pkey:userID", "f,+add:price", "l,+add:bought")
_CLEAR = (tool("aq_udb"), "-clr", "shop:sales")


def _filling(source: Path | str) -> tuple[str, ...]:
    return (tool("aq_pp"), "-f,+1", str(source), "-d", *TEXT_REF, "-imp", "shop:sales")


def _import(data: Data, source: Path, key: str, keys: str) -> Work:
    servers = Servers(data.folder / key, (_TABLE,))
    count = f"{tool('aq_udb')} -exp shop -sort userID -top 100 -o {OUT}"
    return Work(
        key,
        f"CSV into a table of a database, {keys} keys, committed, and the first 100 keys out",
        (
            Contestant(
                "two servers",
                ("bash", "-c", f"{shlex.join(_filling(source))} && {count}"),
                environment=servers.environment,
                before=_CLEAR,
                held=servers.held,
            ),
            Contestant("DuckDB", python(programs.DUCKDB_LOAD, source, OUT), "duckdb"),
        ),
        (Goal("within 2 times the time of DuckDB's CREATE TABLE ... ORDER BY key", {"DuckDB": 2}),),
        Columns(("text",)),
        rows=data.rows,
        begin=servers.begin,
        end=servers.end,
    )


def import_few(data: Data) -> Work:
    """Ten thousand keys."""
    return _import(data, data.keyed_purchases(10_000), "udb-import", "10,000")


def import_many(data: Data) -> Work:
    """A million keys."""
    return _import(data, data.keyed_purchases(1_000_000), "udb-import-many", "1,000,000")


def add(data: Data) -> Work:
    """Sums by key in a vector."""
    source = data.keyed_purchases(1_000_000)
    servers = Servers(data.folder / "udb-add", (_VECTOR,))
    fill = f"{tool('aq_pp')} -f,+1 {source} -d {' '.join(TEXT_REF)} -eval l:bought 1 -imp shop:sums"
    show = f"{tool('aq_udb')} -exp shop:sums -sort userID -o {OUT}"
    return Work(
        "udb-add",
        "CSV into a vector with `+add`, 1,000,000 keys, and all sums out, sorted",
        (
            Contestant(
                "two servers",
                ("bash", "-c", f"{fill} && {show}"),
                environment=servers.environment,
                before=(tool("aq_udb"), "-clr", "shop:sums"),
                held=servers.held,
            ),
            Contestant("DuckDB", python(programs.DUCKDB_ADD, source, OUT), "duckdb"),
        ),
        (Goal("within 1.5 times the time of DuckDB's GROUP BY", {"DuckDB": 1.5}),),
        Columns(("text", "sum", "number")),
        rows=data.rows,
        begin=servers.begin,
        end=servers.end,
    )


def memory(data: Data) -> Work:
    """The memory of the servers for each byte of rows."""
    source = data.keyed_purchases(10_000)
    servers = Servers(data.folder / "udb-memory", (_TABLE,))
    size = data.folder / "udb-memory.size"

    def as_arrow() -> float:
        return float(size.read_text()) / 1e6

    def ours(label: str, command: tuple[str, ...], **more: object) -> Contestant:
        return Contestant(label, command, environment=servers.environment, output=False, **more)  # type: ignore[arg-type]

    first_look = "two servers, after a first count"
    goal = "at most 2 times the rows' size as Arrow"
    return Work(
        "udb-memory",
        "memory of the servers, without what they hold when empty, after some seconds of rest: rows of a CSV file "
        "with 10,000 keys committed, then counted; and the most at any moment",
        (
            ours(
                "two servers, after the commit",
                _filling(source),
                before=(tool("ess"), "server", "restart"),
                held=servers.held_for_rows,
            ),
            ours(first_look, (tool("aq_udb"), "-cnt", "shop:sales"), held=servers.held_for_rows),
            ours("the most", ("true",), held=servers.peak_for_rows),
            Contestant("as Arrow", python(programs.ARROW_SIZE, source, size), "arrow", output=False, held=as_arrow),
        ),
        (
            Goal(f"{goal} after the commit", {"as Arrow": 2}, memory=True),
            Goal(f"{goal} after a first count", {"as Arrow": 2}, memory=True, of=first_look),
        ),
        rows=data.rows,
        runs=3,
        begin=servers.begin,
        end=servers.end,
    )


def many_clients(data: Data) -> Work:
    """Many imports at the same time."""
    files = data.pieces(data.keyed_purchases(10_000), data.clients_at_once)
    servers = Servers(data.folder / "udb-clients", (_TABLE,))
    note = data.folder / "udb-clients.note"
    count = (tool("aq_udb"), "-cnt", "shop:sales", "-o,notitle", "-")
    asked = clients.command(_filling("@file"), files, count, data.rows, note)
    show = (tool("aq_udb"), "-exp", "shop:sales", "-o", OUT)
    label = f"{len(files)} clients"
    return Work(
        "udb-clients",
        f"{label} at once, one `aq_pp -imp` each, {data.rows // len(files):,} rows each; then the rows are counted",
        (
            Contestant(
                label,
                (sys.executable, clients.__file__, asked),
                environment=servers.environment,
                before=_CLEAR,
                output=False,
                note=note,
            ),
            Contestant("what is there", show, environment=servers.environment, timed=False),
            Contestant(
                "one client with all rows",
                _filling(data.keyed_purchases(10_000)),
                environment=servers.environment,
                before=_CLEAR,
                output=False,
            ),
            Contestant(
                "DuckDB", python(programs.DUCKDB_COPY, data.keyed_purchases(10_000), OUT), "duckdb", timed=False
            ),
        ),
        (Goal("all committed, none lost", equal=True),),
        Columns(("text", "text", "number", "number", "text"), sort_by=(0, 1, 2, 3, 4)),
        rows=data.rows,
        begin=servers.begin,
        end=servers.end,
    )


WORKS = {
    "udb-import": import_few,
    "udb-import-many": import_many,
    "udb-add": add,
    "udb-memory": memory,
    "udb-clients": many_clients,
}
