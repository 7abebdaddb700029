"""The works of the database: two servers, which log what is committed, on the same disk as everything else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import programs
from bench.data import Data
from bench.equal import Columns
from bench.process import BenchError
from bench.work import OUT, Contestant, Goal, Work
from bench.works_tools import TEXT_REF, python, tool

_PORT = 23710
_TABLE = ("s:purchaseDate", "s,pkey:userID", "i:articleID", "f:price", "s:refID")
_VECTOR = ("s,pkey:userID", "f,+add:price", "l,+add:bought")


@dataclass(frozen=True)
class _Servers:
    """Two servers with a database ``shop`` of their own."""

    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        return {"ESS_WORK_DIR": str(self.folder.absolute()), "ESS_UDB_PORT": str(_PORT)}

    def begin(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._ess("create", "database", "shop", "--ports", "2")
        self._ess("create", "table", "sales", *_TABLE)
        self._ess("create", "vector", "sums", *_VECTOR)
        self._ess("udbd", "start")

    def end(self) -> None:
        self._ess("udbd", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def held(self) -> float:
        pids = [int(path.read_text().split()[0]) for path in (self.folder / "udb").glob("*.pid")]
        return sum(float(psutil.Process(pid).memory_info().rss) for pid in pids) / 1e6

    def _ess(self, *words: str) -> None:
        done = subprocess.run(
            [tool("ess"), *words], env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"ess {' '.join(words)}: {done.stderr.strip()}")


def _import(data: Data, source: Path, key: str, keys: str) -> Work:
    servers = _Servers(data.folder / key)
    fill = f"{tool('aq_pp')} -f,+1 {source} -d {' '.join(TEXT_REF)} -imp shop:sales"
    count = f"{tool('aq_udb')} -exp shop -sort userID -top 100 -o {OUT}"
    return Work(
        key,
        f"CSV into a table of a database, {keys} keys, committed, and the first 100 keys out",
        (
            Contestant(
                "two servers",
                ("bash", "-c", f"{fill} && {count}"),
                environment=servers.environment,
                before=(tool("aq_udb"), "-clr", "shop:sales"),
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
    servers = _Servers(data.folder / "udb-add")
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


WORKS = {"udb-import": import_few, "udb-import-many": import_many, "udb-add": add}
