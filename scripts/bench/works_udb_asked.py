"""The works of the database: what is asked of it when the rows are in."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from bench import programs
from bench.data import Data
from bench.equal import Columns
from bench.servers import Servers
from bench.work import OUT, Contestant, Goal, Work, python, tool
from bench.works_tools import TEXT_REF

_KEYS = 10_000
_TABLE = ("table", "sales", "s,pkey:userID", "i,tkey:time", "i:articleID", "f:price", "s:refID", "i:session")
_VAR = ("variable", "i:last", "i:number")
_SALES = ("userID", "time", "articleID", "price", "refID")
#: Seconds without a purchase that end a session: a third of the purchases come sooner after the one before.
_GAP = 259_200


def _filling(source: Path) -> str:
    time = ("-eval", "i:time", 'DateToTime(purchaseDate,"%Y-%m-%dT%H:%M:%S")')
    return shlex.join((tool("aq_pp"), "-f,+1", str(source), "-d", *TEXT_REF, *time, "-imp,ddef", "shop:sales"))


def order(data: Data) -> Work:
    """Sort the rows of each key, and write all of them."""
    source = data.shuffled_purchases(_KEYS)
    servers = Servers(data.folder / "udb-order", (_TABLE, _VAR))
    sort, table = f"{tool('aq_udb')} -ord shop:sales", data.folder / "udb-order.duckdb"
    show = shlex.join((tool("aq_udb"), "-exp", "shop:sales", "-o", OUT, "-c", *_SALES))
    return Work(
        "udb-order",
        "`-ord` by time of a table that came in another order, 10,000 keys, then all of it exported to CSV",
        (
            Contestant(
                "two servers",
                ("bash", "-c", f"{sort} && {show}"),
                environment=servers.environment,
                before=("bash", "-c", f"{tool('aq_udb')} -clr shop:sales && {_filling(source)}"),
                held=servers.held,
            ),
            Contestant(
                "DuckDB",
                python(programs.DUCKDB_ORDER, table, OUT),
                "duckdb",
                before=python(programs.DUCKDB_TABLE, source, table),
            ),
        ),
        (Goal("within 2 times the time of DuckDB's sort and `COPY`", {"DuckDB": 2}),),
        Columns(("text", "number", "number", "number", "text"), sort_by=(0, 1), groups=(0,)),
        rows=data.rows,
        begin=servers.begin,
        end=servers.end,
    )


def _short(data: Data, key: str, title: str, words: tuple[str, ...], oracle: str, columns: Columns) -> Work:
    source = data.keyed_purchases(_KEYS)
    servers = Servers(data.folder / key, (_TABLE, _VAR), _filling(source))
    return Work(
        key,
        f"{title} on a database of {data.rows:,} rows, warm start",
        (
            Contestant(
                " ".join(words[:1]), (tool("aq_udb"), *words, "-o", OUT), loops=20, environment=servers.environment
            ),
            Contestant("python -c pass", (sys.executable, "-c", "pass"), "python", loops=20, output=False),
            Contestant("DuckDB", python(oracle, source, OUT), "duckdb", timed=False),
        ),
        (Goal("at most 4 times a bare `python -c pass`", {"python -c pass": 4.0}),),
        columns,
        begin=servers.begin,
        end=servers.end,
    )


def count(data: Data) -> Work:
    """The number of keys and of rows."""
    words = ("-cnt", "shop:sales")
    return _short(data, "udb-count", "`aq_udb -cnt`", words, programs.DUCKDB_CNT, Columns(("text", "number")))


def information(data: Data) -> Work:
    """The number of rows of each table."""
    columns = Columns(("number", "number", "number"))
    return _short(data, "udb-info", "`aq_udb -inf`", ("-inf", "shop"), programs.DUCKDB_INF, columns)


def sessions(data: Data) -> Work:
    """Sessions: a program whose variables carry state from row to row, on the servers."""
    source, table = data.keyed_purchases(_KEYS), data.folder / "udb-sessions.duckdb"
    fill = f"{_filling(source)} && {tool('aq_udb')} -ord shop:sales"
    servers = Servers(data.folder / "udb-sessions", (_TABLE, _VAR), fill)
    scan = (
        *(tool("aq_udb"), "-scn", "shop", "-pp", "sales", "-bvar", "number", "0"),
        *("-if", "-filt", f"number == 0 || time - last > {_GAP}", "-eval", "number", "number + 1", "-endif"),
        *("-eval", "last", "time", "-eval", "session", "number", "-endpp"),
    )
    show = (tool("aq_udb"), "-exp", "shop:sales", "-o", OUT, "-c", "userID", "time", "session")
    return Work(
        "udb-sessions",
        "sessions numbered by a `-pp` program with state in Var columns, stored in each row",
        (
            Contestant(
                "two servers",
                scan,
                environment=servers.environment,
                before=(tool("aq_udb"), "-scn", "shop:sales", "-eval", "session", "0"),
                output=False,
            ),
            Contestant("what is there", show, environment=servers.environment, timed=False),
            Contestant(
                "DuckDB, written to CSV",
                python(programs.DUCKDB_SESSIONS, table, OUT, _GAP),
                "duckdb",
                before=python(programs.DUCKDB_TABLE, source, table),
            ),
        ),
        (Goal("at least 400,000 rows/s a server", constant=data.rows / 2 / 400_000),),
        Columns(("text", "number", "number"), sort_by=(0, 1, 2)),
        rows=data.rows,
        begin=servers.begin,
        end=servers.end,
    )


WORKS = {"udb-order": order, "udb-count": count, "udb-info": information, "udb-sessions": sessions}
