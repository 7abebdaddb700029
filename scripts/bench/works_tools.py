"""The works of the tools: the rows of the table."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from bench import programs
from bench.data import Data
from bench.equal import Columns
from bench.work import OUT, Contestant, Goal, Work, python, tool

#: The columns of the purchases for our tools.
PURCHASES = ("s:purchaseDate", "s:userID", "i:articleID", "f:price", "i:refID")
TEXT_REF = (*PURCHASES[:-1], "s:refID")
_CLEANED = Columns(("text", "text", "number", "number", "number", "number"))
_SORTED = Columns(("text", "text", "number", "number", "text"), sort_by=(1, 0))
_COUNTED = Columns(("text", "number", "sum", "sum", "deviation", "number", "number"), sort_by=tuple(range(7)))
_DIRECT = {"ESS_WARM": "0"}

_ACCESS = (
    *("s:host", "sep: ", "X", "sep: ", "X", "sep: [", "s:time", 'sep:] "', "X", "sep: ", "s:path", "sep: "),
    *("X", 'sep:" ', "i:status", "sep: ", "l:bytes", 'sep: "', "X", 'sep:" "', "X", 'sep:"'),
)


def _cleaning(source: Path | str, target: str = OUT) -> tuple[str, ...]:
    return (
        *(tool("aq_pp"), "-f,+1,eok,qui", str(source), "-d", *PURCHASES),
        *("-eval", "l:ptime", 'DateToTime(purchaseDate,"%Y-%m-%dT%H:%M:%S")', "-filt", "price >= 1.5", "-o", target),
    )


def clean(data: Data) -> Work:
    """Clean, convert a date, filter, write CSV."""
    source = data.purchases
    return Work(
        "clean",
        "clean (typed columns, `eok`), convert a date, filter, write CSV",
        (
            Contestant("aq_pp", _cleaning(source)),
            Contestant("Polars", python(programs.POLARS_CLEAN, source, OUT), "polars"),
            Contestant("DuckDB", python(programs.DUCKDB_CLEAN, source, OUT), "duckdb"),
            Contestant(
                "Miller", ("mlr", "--csv", "put", programs.MILLER_CLEAN, str(source)), peer="miller", stdout=True
            ),
        ),
        (
            Goal("at least 6 times as fast as Miller", {"Miller": 1 / 6}),
            Goal("within 1.5 times the time of the Polars program", {"Polars": 1.5}),
        ),
        _CLEANED,
        rows=data.rows,
    )


def dirty(data: Data) -> Work:
    """The same over dirty rows; what is right is told by the good rows alone."""
    return Work(
        "dirty",
        "the same, 2 % of the rows spoilt (short, stray quotes, no numbers, too large numbers)",
        (
            Contestant("aq_pp, dirty", _cleaning(data.dirty)),
            Contestant("aq_pp, clean", _cleaning(data.purchases), output=False),
            Contestant(
                "Polars, the good rows",
                python(programs.POLARS_CLEAN, data.dirty_kept, OUT),
                peer="polars",
                timed=False,
            ),
        ),
        (Goal("within 1.3 times its own clean time", {"aq_pp, clean": 1.3}),),
        _CLEANED,
        rows=data.rows,
    )


def not_utf8(data: Data) -> Work:
    """The same over text that is not UTF-8."""
    source = data.not_utf8
    miller = ("mlr", "--csv", "put", programs.MILLER_CLEAN, str(source))
    return Work(
        "not-utf8",
        "the same, 5 % of the names not UTF-8",
        (
            Contestant("aq_pp, Latin-1", _cleaning(source)),
            Contestant("aq_pp, clean", _cleaning(data.purchases), output=False),
            Contestant("Miller, once", miller, peer="miller", stdout=True, timed=False),
        ),
        (Goal("within 1.3 times its own clean time", {"aq_pp, clean": 1.3}),),
        _CLEANED,
        rows=data.rows,
    )


def compressed(data: Data) -> Work:
    """The same over a gzipped file."""
    return Work(
        "gzip",
        "the same, gzipped input",
        (
            Contestant("aq_pp, gzip", _cleaning(data.compressed)),
            Contestant("aq_pp, plain", _cleaning(data.purchases)),
            Contestant("bare ISA-L", python(programs.ISAL, data.compressed), peer="isal", output=False),
        ),
        (
            Goal(
                "within 1.3 times plain input plus a bare ISA-L decompression", {"aq_pp, plain": 1.3, "bare ISA-L": 1.0}
            ),
        ),
        _CLEANED,
        rows=data.rows,
    )


def access_log(data: Data) -> Work:
    """An access log, joined with a look-up table."""
    log, clients = str(data.access_log), str(data.clients)
    ours = (
        *(tool("aq_pp"), "-f,div,eok,qui", log, "-d", *_ACCESS),
        *("-eval", "l:t", 'DateToTime(time,"%d/%b/%Y:%H:%M:%S %z")', "-filt", 'PatCmp(path,"/shop/*")'),
        *("-cmb,+1,req", clients, "s:host", "s:customer", "s:segment"),
        *("-o", OUT, "-c", "host", "customer", "segment", "t", "path", "status", "bytes"),
    )
    miller = (
        *("mlr", "--inidx", "--ifs", " ", "--ocsv", "put", programs.MILLER_ACCESS),
        *("then", "join", "-i", "csv", "--ifs", ",", "-f", clients, "-j", "host", "-r", "1"),
        *("then", "cut", "-o", "-f", "host,customer,segment,t,7,9,10", log),
    )
    return Work(
        "access-log",
        "Apache log by `div`, `DateToTime`, `PatCmp` filter, `-cmb` with 100,000 rows",
        (
            Contestant("aq_pp", ours),
            Contestant("gawk", ("gawk", "-v", f"clients={clients}", programs.GAWK_ACCESS, log), "gawk", stdout=True),
            Contestant("Miller", miller, "miller", stdout=True),
        ),
        (
            Goal("at least 5 times as fast as Miller", {"Miller": 1 / 5}),
            Goal("or at least 5 times as fast as gawk", {"gawk": 1 / 5}),
        ),
        Columns(("text", "text", "text", "number", "text", "number", "number")),
        rows=data.log_lines,
    )


def access_log_by_name(data: Data) -> Work:
    """The same, with the columns that the format brings."""
    log, clients = str(data.access_log), str(data.clients)
    rest = (
        *("-filt", 'PatCmp(path,"/shop/*")', "-cmb,+1,req", clients, "s:host", "s:customer", "s:segment"),
        *("-o", OUT, "-c", "host", "customer", "segment", "t", "path", "status", "bytes"),
    )
    divided = ("-f,div,eok,qui", log, "-d", *_ACCESS, "-eval", "l:t", 'DateToTime(time,"%d/%b/%Y:%H:%M:%S %z")')
    named = ("-f,combined,eok,qui", log, "-d", "host", "l:t:epoch", "s:path:url", "status", "bytes")
    return Work(
        "access-log-by-name",
        "the same log by `-f,combined`, with its columns `epoch` and `url`",
        (
            Contestant("aq_pp", (tool("aq_pp"), *named, *rest)),
            Contestant("aq_pp, div", (tool("aq_pp"), *divided, *rest)),
            Contestant("gawk", ("gawk", "-v", f"clients={clients}", programs.GAWK_ACCESS, log), "gawk", stdout=True),
        ),
        (
            Goal("at least as fast as `div`", {"aq_pp, div": 1.0}),
            Goal("at least 3 times as fast as gawk", {"gawk": 1 / 3}),
        ),
        Columns(("text", "text", "text", "number", "text", "number", "number")),
        rows=data.log_lines,
    )


def count(data: Data) -> Work:
    """Counts and statistics for each key."""
    source = str(data.purchases)
    miller = ("mlr", "--csv", "stats1", "-a", "count,sum,mean,stddev,min,max", "-f", "price", "-g", "userID", source)
    return Work(
        "count",
        "`aq_cnt -kX` with `STATS:`",
        (
            Contestant(
                "aq_cnt",
                (tool("aq_cnt"), "-f,+1", source, "-d", *TEXT_REF, "-kX", OUT, "User", "userID", "STATS:price"),
            ),
            Contestant("Polars", python(programs.POLARS_COUNT, source, OUT), "polars"),
            Contestant("DuckDB", python(programs.DUCKDB_COUNT, source, OUT), "duckdb"),
            Contestant("Miller", miller, "miller", stdout=True),
        ),
        (
            Goal("within 1.5 times DuckDB's time", {"DuckDB": 1.5}),
            Goal("at least 5 times as fast as Miller", {"Miller": 1 / 5}),
        ),
        _COUNTED,
        rows=data.rows,
    )


def order(data: Data) -> Work:
    """A sort on two text columns."""
    source = str(data.purchases)
    ours = (tool("aq_ord"), "-f,+1", source, "-d", *TEXT_REF, "-sort", "userID", "purchaseDate", "-o", OUT)
    return Work(
        "order",
        "`aq_ord` on two columns (both text)",
        (
            Contestant("aq_ord", ours),
            Contestant("Polars", python(programs.POLARS_SORT, source, OUT), "polars"),
            Contestant("DuckDB", python(programs.DUCKDB_SORT, source, OUT), "duckdb"),
            Contestant(
                "Miller",
                ("mlr", "--csv", "sort", "-f", "userID", "-f", "purchaseDate", source),
                peer="miller",
                stdout=True,
            ),
        ),
        (
            Goal("within 1.5 times DuckDB's time", {"DuckDB": 1.5}),
            Goal("at least 5 times as fast as Miller", {"Miller": 1 / 5}),
        ),
        _SORTED,
        rows=data.rows,
    )


def stateful(data: Data) -> Work:
    """A program whose variables carry state from row to row, on the row engine."""
    source = str(data.purchases)
    ours = (
        *(tool("aq_pp"), "-f,+1,eok,qui", source, "-d", *TEXT_REF, "-var", "f:before", "0", "-var", "l:rises", "0"),
        *("-if", "-filt", "price > before", "-eval", "rises", "rises + 1", "-endif", "-eval", "before", "price"),
        *("-eval", "l:so_far", "rises", "-o", OUT, "-c", "purchaseDate", "articleID", "so_far"),
    )
    miller = ("mlr", "--csv", "put", programs.MILLER_STATE, "then", "cut", "-f", "purchaseDate,articleID,rises", source)
    return Work(
        "stateful",
        "a stateful program on the row engine, reading and writing included",
        (
            Contestant("aq_pp", ours, environment={"ESS_ENGINE": "row"}),
            Contestant("gawk", ("gawk", programs.GAWK_STATE, source), "gawk", stdout=True),
            Contestant("Miller", miller, "miller", stdout=True),
        ),
        (Goal("at least 500,000 rows/s", constant=data.rows / 500_000),),
        Columns(("text", "number", "number")),
        rows=data.rows,
    )


def memory(data: Data) -> Work:
    """The memory of a stream, of one and of eleven times the file."""
    command = shlex.join(_cleaning("-", "/dev/null"))

    def streamed(times: int) -> tuple[str, ...]:
        files = " ".join([shlex.quote(str(data.purchases))] * times)
        return ("bash", "-c", f"cat {files} | {command}")

    size = data.purchases.stat().st_size / 1e6
    short, long = f"aq_pp, {size:.0f} MB", f"aq_pp, {11 * size:,.0f} MB"
    return Work(
        "memory",
        "peak memory of a stream from a pipe",
        (
            Contestant(short, streamed(1), environment=_DIRECT, output=False),
            Contestant(long, streamed(11), environment=_DIRECT, output=False),
        ),
        (
            Goal(f"at most 400 MB for {size:.0f} MB", constant=400, memory=True),
            Goal(f"at most 400 MB for {11 * size:,.0f} MB", constant=400, memory=True, of=long),
            Goal("the same for both, within 10 %", {short: 1.1}, memory=True, of=long),
        ),
        runs=1,
    )


def small(data: Data) -> Work:
    """The start of a command."""
    ours = (tool("aq_pp"), "-f,+1,eok,qui", str(data.ten_rows), "-d", *PURCHASES, "-filt", "price >= 1.5", "-o", "-")
    return Work(
        "start",
        "`aq_pp` on a file of 10 rows, warm start",
        (
            Contestant("aq_pp", ours, stdout=True, loops=20, output=False),
            Contestant("python -c pass", (sys.executable, "-c", "pass"), "python", loops=20, output=False),
        ),
        (Goal("at most 4 times a bare `python -c pass`", {"python -c pass": 4.0}),),
    )


def loop(data: Data) -> Work:
    """A shell loop over small files."""
    ours = (tool("aq_pp"), "-f,+1,eok,qui", "@file", "-d", *TEXT_REF, "-filt", "price >= 1.5")
    chosen = ("-o,notitle", "-", "-c", "userID", "price")
    miller = ("mlr", "--csv", "--headerless-csv-output", "filter", "$price >= 1.5", "then", "cut", "-f", "userID,price")

    def looped(command: tuple[str, ...]) -> tuple[str, ...]:
        words = shlex.join(command).replace("@file", '"$file"')
        return (
            "bash",
            "-c",
            f"echo user,price; for file in {shlex.quote(str(data.small))}/*.csv; do {words} || exit; done",
        )

    return Work(
        "loop",
        f"a shell loop over {data.small_files:,} files of 10 KB, one `aq_pp` each",
        (
            Contestant("aq_pp", looped((*ours, *chosen)), stdout=True),
            Contestant("Miller", looped((*miller, "@file")), "miller", stdout=True),
        ),
        (Goal("at most 1.5 times the same loop with Miller", {"Miller": 1.5}),),
        Columns(("text", "number")),
        rows=data.small_files * 275,
    )


#: The rows of the table, in order. A row is made, and with it its data, when its turn comes.
WORKS = {
    "clean": clean,
    "dirty": dirty,
    "not-utf8": not_utf8,
    "gzip": compressed,
    "access-log": access_log,
    "access-log-by-name": access_log_by_name,
    "count": count,
    "order": order,
    "stateful": stateful,
    "memory": memory,
    "start": small,
    "loop": loop,
}
