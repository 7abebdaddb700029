"""Times the cleaning of one file of purchases: aq_pp beside DuckDB and Polars, in one run on one machine.

    python scripts/bench.py [--rows 1000000] [--runs 3]

The work: read a CSV file (five columns, CRLF, 1.6 % of the numbers spoilt by `TBD`, most of them blank), leave out
the spoilt records and count them, turn the date into seconds, move the article number by one from 15 September on,
write CSV. Each contestant is a process of its own, with its start counted, and runs once before the clock counts.
DuckDB and Polars are given text columns and told by hand what is spoilt, because their readers either stop at it or
turn it into null. All must give the same number of rows and the same sum of article numbers, or the run fails.
The data is clean UTF-8 and without short records: only aq_pp has a defined result for those.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(".bench")
MOVED_FROM = 1410739200  # 2014-09-15T00:00:00Z, in seconds since 1970

DUCKDB = f"""
import duckdb, sys
duckdb.sql('''COPY (
    SELECT purchaseDate, userID, articleID + (ptime > {MOVED_FROM})::INT AS articleID, price, refID, ptime FROM (
        SELECT purchaseDate, userID, articleID::INT AS articleID, price::DOUBLE AS price,
               CASE WHEN refID IS NULL THEN 0 ELSE TRY_CAST(refID AS INT) END AS refID,
               epoch(strptime(purchaseDate, '%Y-%m-%dT%H:%M:%S'))::BIGINT AS ptime
        FROM read_csv('{{source}}', header=true, all_varchar=true, delim=',', quote='"')) WHERE refID IS NOT NULL
) TO '{{target}}' (HEADER, FORCE_QUOTE (purchaseDate, userID))'''.format(source=sys.argv[1], target=sys.argv[2]))
"""

POLARS = f"""
import polars as pl, sys
(pl.scan_csv(sys.argv[1], infer_schema=False)
 .with_columns(
    pl.col('articleID').cast(pl.Int32), pl.col('price').cast(pl.Float64),
    pl.when(pl.col('refID').is_null()).then(0).otherwise(pl.col('refID').cast(pl.Int32, strict=False)).alias('refID'),
    (pl.col('purchaseDate').str.to_datetime('%Y-%m-%dT%H:%M:%S').dt.epoch('s')).alias('ptime'))
 .filter(pl.col('refID').is_not_null())
 .with_columns(pl.col('articleID') + (pl.col('ptime') > {MOVED_FROM}).cast(pl.Int32))
 .sink_csv(sys.argv[2], quote_style='non_numeric'))
"""


@dataclass(frozen=True)
class Run:
    """One process: its wall time in seconds and the most memory it held in MB."""

    seconds: float
    megabytes: float


def write_purchases(path: Path, rows: int) -> None:
    """Write the file, the same one for the same number of rows."""
    chance = random.Random(2014)
    begin = datetime(2014, 9, 1)
    with path.open("w", newline="") as file:
        file.write("purchaseDate,userID,articleID,price,refID\r\n")
        for number in range(rows):
            at = (begin + timedelta(seconds=number * 2_592_000 // rows)).isoformat()
            draw = chance.random()
            ref = "TBD" if draw < 0.016 else str(chance.randint(1, 52)) if draw < 0.366 else ""
            user, article, cents = chance.randint(1, 8000), chance.randint(1, 52), chance.randint(50, 500)
            file.write(f"{at},{user},{article},{cents / 100:.2f},{ref}\r\n")


def commands(source: Path, target: Path) -> dict[str, list[str]]:
    """The contestants."""
    tool = Path(sys.executable).with_name("aq_pp")
    cleaning = [
        *(str(tool), "-f,+1,eok,qui", str(source)),
        *("-d", "S:purchaseDate", "S:userID", "I:articleID", "f:price", "I:refID"),
        *("-eval", "l:ptime", 'DateToTime(purchaseDate,"Y.m.d.H.M.S")'),
        *("-if", "-filt", f"ptime > {MOVED_FROM}", "-eval", "articleID", "articleID+1", "-endif"),
        *("-o", str(target)),
    ]
    return {
        "aq_pp": cleaning,
        f"duckdb {version('duckdb')}": [sys.executable, "-c", DUCKDB, str(source), str(target)],
        f"polars {version('polars')}": [sys.executable, "-c", POLARS, str(source), str(target)],
    }


def timed(command: list[str]) -> Run:
    """Run a command to its end."""
    begin = time.perf_counter()
    # Without the tool server, so that start-up and memory are those of the command itself.
    pid = os.posix_spawn(command[0], command, {**os.environ, "ESS_WARM": "0"})
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        sys.exit(f"bench: ended with {os.waitstatus_to_exitcode(status)}: {' '.join(command[:3])}")
    return Run(seconds, usage.ru_maxrss / 1024)


def result_of(target: Path) -> tuple[int, int]:
    """The number of rows and the sum of the article numbers of an output."""
    rows = total = 0
    with target.open("rb") as file:
        next(file)
        for line in file:
            rows += 1
            total += int(line.split(b",")[2])
    return rows, total


def main() -> None:
    """Write the data, run all, print a table."""
    parser = argparse.ArgumentParser(description="Time the cleaning of one file.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3, help="timed runs; the table has the median and all of them")
    given = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    source, target = FOLDER / f"purchases_{given.rows}.csv", FOLDER / "out.csv"
    if not source.exists():
        write_purchases(source, given.rows)
    size = source.stat().st_size / 1e6
    print(f"{given.rows:,} rows, {size:.0f} MB, {os.cpu_count()} cores, Python {platform.python_version()}")
    results = set()
    ours = 0.0
    for name, command in commands(source, target).items():
        timed(command)
        results.add(result_of(target))
        runs = sorted((timed(command) for _ in range(given.runs)), key=lambda run: run.seconds)
        middle = runs[len(runs) // 2]
        ours = ours or middle.seconds
        each = " ".join(f"{run.seconds:.2f}" for run in runs)
        print(
            f"{name:14} {middle.seconds:6.2f} s  aq_pp takes {ours / middle.seconds:4.2f} x"
            f"  {size / middle.seconds:6.0f} MB/s"
            f"  {max(run.megabytes for run in runs):6.0f} MB held   runs: {each}"
        )
    if len(results) != 1:
        sys.exit(f"bench: the results differ (rows, sum of article numbers): {sorted(results)}")
    rows, total = results.pop()
    print(f"the same result from all: {rows:,} rows, article numbers sum to {total:,}")


if __name__ == "__main__":
    main()
