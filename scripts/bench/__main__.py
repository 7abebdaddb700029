"""Run the benchmark: see ``python -m bench --help``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench import works_lake, works_start, works_stream, works_tools, works_udb, works_udb_asked
from bench.contest import run_work
from bench.data import Data
from bench.report import Setting, markdown, row
from bench.work import Outcome

FOLDER = Path(".bench")
PAGE = Path("docs/benchmarks.md")
FULL_ROWS = 5_000_000

#: All works by their short names, in the order of the table.
WORKS = {
    **works_tools.WORKS,
    **works_start.WORKS,
    **works_stream.WORKS,
    **works_lake.WORKS,
    **works_udb.WORKS,
    **works_udb_asked.WORKS,
}


def main() -> int:
    """Make the data, run the works, write the table; 1 if results differ or something failed."""
    # It is how this program is found; with it set, the launchers of our commands would leave the start to Python.
    os.environ.pop("PYTHONPATH", None)
    given = _arguments()
    started = time.monotonic()
    data = Data(FOLDER, given.rows)
    # What a shell would set aside may stand here: one language and time zone for all.
    own = FOLDER / f"run-{os.getpid()}"
    environment = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "ESS_RUNTIME_DIR": str((own / "server").resolve())}
    outcomes: list[Outcome] = []
    keys = [key for key in WORKS if not given.only or key in given.only]
    with _tool_server(environment):
        for key in keys:
            print(f"\n{key} ({time.monotonic() - started:.0f} s so far)", flush=True)
            outcome = run_work(
                WORKS[key](data),
                folder=own / "out",
                runs=given.runs,
                patience=given.patience,
                environment=environment,
                say=lambda text: print(f"  {text}", flush=True),
            )
            outcomes.append(outcome)
            print(row(outcome).replace("<br>", "\n    "), flush=True)
    shutil.rmtree(own, ignore_errors=True)
    whole = given.rows == FULL_ROWS and keys == list(WORKS)
    command = "make bench" if whole else f"python -m bench {' '.join(sys.argv[1:])}"
    size = data.purchases.stat().st_size / 1e6
    page = markdown(
        outcomes, Setting(command, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", given.rows, data.log_lines, size)
    )
    target = PAGE if whole else FOLDER / PAGE.name
    target.write_text(page)
    print(f"\nwritten: {target}, after {time.monotonic() - started:.0f} s")
    failed = [outcome.work.key for outcome in outcomes if outcome.trouble]
    if failed:
        print(f"bench: failed: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Time our tools beside others, with equal results.")
    rows = int(os.environ.get("BENCH_ROWS", FULL_ROWS))
    parser.add_argument("--rows", type=int, default=rows, help="rows of the main input (or BENCH_ROWS)")
    parser.add_argument("--runs", type=int, default=5, help="runs that count, of which the median is taken")
    parser.add_argument("--patience", type=float, default=40, help="seconds after which a peer is not run again")
    parser.add_argument("--only", nargs="+", choices=list(WORKS), help="these works; the page goes to .bench then")
    return parser.parse_args()


@contextmanager
def _tool_server(environment: dict[str, str]) -> Iterator[None]:
    """A tool server of our own, which does not go while a peer takes its time."""
    Path(environment["ESS_RUNTIME_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    server = subprocess.Popen(
        [sys.executable, "-m", "ess.tools.warm.server"],
        env={**os.environ, **environment, "ESS_WARM_IDLE": "3600"},
        stdin=subprocess.DEVNULL,
    )
    try:
        time.sleep(3)
        yield
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
