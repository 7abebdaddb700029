"""The works of ``ess stream``: many files, each through a command."""

from __future__ import annotations

import shlex
from collections import ChainMap
from pathlib import Path

from bench import programs
from bench.data import Data
from bench.equal import Columns
from bench.lake import Lake, sales
from bench.servers import Servers
from bench.work import OUT, Contestant, Goal, Work, python, tool
from bench.works_tools import TEXT_REF

_VECTOR = ("vector", "bought", "s,pkey:userID", "l,+add:articles", "l,+add:purchases")


def _lake(data: Data, files: Path) -> Lake:
    return sales(data.folder / f"lake-{files.name}", files, TEXT_REF)


def _ours(*command: str) -> str:
    return shlex.join((tool("ess"), "stream", "sales", "*", "*", shlex.join(command)))


def _bash(titles: str, command: str) -> tuple[str, ...]:
    return ("bash", "-c", f"echo {titles}; {command}")


def _lines(data: Data, key: str, title: str, folder: Path, loop: str) -> Work:
    lake = _lake(data, folder)
    files = shlex.quote(str(folder))
    return Work(
        key,
        f"`ess stream` of {title}, each through `wc -l`",
        (
            Contestant("ess stream", _bash("lines", _ours("wc", "-l")), stdout=True, environment=lake.environment),
            Contestant("shell loop", _bash("lines", loop.replace("@files", files)), "bash", stdout=True),
        ),
        (Goal("at most 0.7 times the shell loop", {"shell loop": 0.7}),),
        Columns(("number",)),
        begin=lake.begin,
        end=lake.end,
    )


def lines(data: Data) -> Work:
    """The lines of large files."""
    title = f"{data.stream_files} gzip files ({data.stream_rows:,} rows)"
    return _lines(data, "stream-wc", title, data.stream, 'for f in @files/*; do zcat "$f" | wc -l; done')


def lines_of_small(data: Data) -> Work:
    """The lines of small files."""
    title = f"{data.small_files:,} files of 2 KB"
    return _lines(data, "stream-small-wc", title, data.tiny, 'for f in @files/*; do wc -l < "$f"; done')


def lines_of_small_compressed(data: Data) -> Work:
    """The lines of small files that are compressed."""
    title = f"{data.small_files:,} gzip files of 2 KB"
    return _lines(data, "stream-gz-wc", title, data.tiny_compressed, 'for f in @files/*; do zcat "$f" | wc -l; done')


def small(data: Data) -> Work:
    """Small files through our own tool."""
    return _small(data, "stream-small", data.tiny, data.small_files)


def many(data: Data) -> Work:
    """Many of them."""
    return _small(data, "stream-many", data.many, data.many_files)


def _small(data: Data, key: str, files: Path, count: int) -> Work:
    lake = _lake(data, files)
    ours = ("aq_pp", "-f,+1,eok,qui", "-", "-d", "%cols", "-filt", "price >= 4", "-o,notitle", "-", "-c")
    miller = ("mlr", "--csv", "--headerless-csv-output", "filter", "$price >= 4", "then", "cut", "-f", "userID,price")
    loop = f'for f in {shlex.quote(str(files))}/*; do {shlex.join(miller)} "$f" || exit; done'
    return Work(
        key,
        f"`ess stream` of {count:,} files of 2 KB, each through `aq_pp` with a filter and two columns",
        (
            Contestant(
                "ess stream",
                _bash("userID,price", _ours(*ours, "userID", "price")),
                stdout=True,
                environment=lake.environment,
            ),
            Contestant("Miller", _bash("userID,price", loop), "miller", stdout=True),
        ),
        (Goal("at most 0.7 times a shell loop over Miller", {"Miller": 0.7}),),
        Columns(("text", "number")),
        rows=count * 55,
        begin=lake.begin,
        end=lake.end,
    )


def select(data: Data) -> Work:
    """Large files through our own tool."""
    lake, files = _lake(data, data.stream), data.stream
    ours = ("aq_pp", "-f,+1,eok,qui", "-", "-d", "%cols", "-filt", "price >= 4", "-o,notitle", "-", "-c")
    return Work(
        "stream-select",
        f"`ess stream` of {data.stream_files} gzip files ({data.stream_rows:,} rows), each through `aq_pp` with a "
        "filter and two columns",
        (
            Contestant(
                "ess stream",
                _bash("userID,price", _ours(*ours, "userID", "price")),
                stdout=True,
                environment=lake.environment,
            ),
            Contestant("DuckDB", python(programs.DUCKDB_FILES, files, OUT), "duckdb"),
            Contestant("Polars", python(programs.POLARS_FILES, files, OUT), "polars"),
        ),
        (
            Goal("at most the time of DuckDB's `read_csv('*.gz')`", {"DuckDB": 1}),
            Goal("at most the time of a Polars scan", {"Polars": 1}),
        ),
        Columns(("text", "number"), sort_by=(0, 1)),
        rows=data.stream_rows,
        begin=lake.begin,
        end=lake.end,
    )


def top(data: Data) -> Work:
    """From files to an answer of the database, also from a bucket."""
    servers = Servers(data.folder / "stream-top", (_VECTOR,))
    disk, files = _lake(data, data.stream), data.stream
    bucket = sales(data.folder / "lake-bucket", files, TEXT_REF, bucket=True)
    fill = _ours(
        *("aq_pp", "-f,+1,eok,qui", "-", "-d", "%cols", "-eval", "l:articles", "articleID"),
        *("-eval", "l:purchases", "1", "-imp", "shop:bought"),
    )
    ask = shlex.join(
        (tool("aq_udb"), "-exp", "shop:bought", "-sort,dec", "articles", "userID", "-top", "10", "-o", OUT)
    )
    clear = (tool("aq_udb"), "-clr", "shop:bought")

    def ours(label: str, lake: Lake) -> Contestant:
        return Contestant(
            label,
            ("bash", "-c", f"{fill} && {ask}"),
            environment=ChainMap(lake.environment, dict(servers.environment)),
            before=clear,
        )

    def begin() -> None:
        servers.begin()
        disk.begin()
        bucket.begin()

    def end() -> None:
        bucket.end()
        disk.end()
        servers.end()

    return Work(
        "stream-top",
        f"{data.stream_files} gzip files ({data.stream_rows:,} rows) into the sums of a database by `ess stream`, "
        "and its top ten",
        (
            ours("ess stream", disk),
            ours("ess stream, from S3", bucket),
            Contestant("DuckDB", python(programs.DUCKDB_TOP, files, OUT), "duckdb"),
        ),
        (
            Goal("within 1.5 times one statement of DuckDB", {"DuckDB": 1.5}),
            Goal("from S3 within 1.2 times local", {"ess stream": 1.2}, of="ess stream, from S3"),
        ),
        Columns(("text", "number", "number")),
        rows=data.stream_rows,
        begin=begin,
        end=end,
    )


#: The rows of the table, in order.
WORKS = {
    "stream-wc": lines,
    "stream-small-wc": lines_of_small,
    "stream-gz-wc": lines_of_small_compressed,
    "stream-small": small,
    "stream-many": many,
    "stream-select": select,
    "stream-top": top,
}
