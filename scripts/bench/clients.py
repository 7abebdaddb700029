"""Many clients at once: the same command for each of several files, all started together.

This file is run as a program. Its argument is JSON: ``command`` (``@file`` in a word is a file), ``files``; ``count``,
a command that prints how many rows are there afterwards, in the last field; ``rows``, how many must be; ``note``, the
file that gets a line about how long the clients took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median


def command(import_command: Sequence[str], files: Sequence[Path], count: Sequence[str], rows: int, note: Path) -> str:
    """The argument, for a command that runs this file."""
    fields = {"command": list(import_command), "files": [str(file) for file in files]}
    return json.dumps({**fields, "count": list(count), "rows": rows, "note": str(note)})


def told(seconds: Sequence[float]) -> str:
    """The times of the clients, in words.

    >>> told([float(n) for n in range(1, 101)])
    'latency of a client: median 50.50 s, 95 % within 95.00 s, longest 100.00 s'
    """
    ordered = sorted(seconds)
    most = ordered[max(0, -(-95 * len(ordered) // 100) - 1)]
    return f"latency of a client: median {median(ordered):.2f} s, 95 % within {most:.2f} s, longest {ordered[-1]:.2f} s"


def main(argument: str) -> str:
    """Run the clients and count; what went wrong, blank if nothing did."""
    asked = json.loads(argument)
    begins: dict[int, float] = {}
    for file in asked["files"]:
        words = [word.replace("@file", file) for word in asked["command"]]
        begin = time.perf_counter()
        begins[os.posix_spawnp(words[0], words, os.environ)] = begin
    seconds: list[float] = []
    failed = 0
    while begins:
        pid, status = os.wait()
        seconds.append(time.perf_counter() - begins.pop(pid))
        failed += status != 0
    if failed:
        return f"{failed} of {len(seconds)} clients failed"
    counted = subprocess.run(asked["count"], capture_output=True, text=True, check=True).stdout
    rows = int(counted.strip().rpartition(",")[2])
    if rows != asked["rows"]:
        return f"{rows} rows are there, not {asked['rows']}"
    Path(asked["note"]).write_text(told(seconds))
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) or 0)
