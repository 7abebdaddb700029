"""The logs of daemons: small, whoever writes to them, and read across their replacement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ess.logs import old_log, tail

WRITER = """
import logging, os, subprocess, sys
from pathlib import Path
from ess.logs import replace_if_large
log, limit = Path(sys.argv[1]), 10000
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
for number in range(2000):
    logging.info("logged %d", number)
    os.write(2, b"written %d\\n" % number)
    if number % 100 == 0:
        subprocess.run(["sh", "-c", f"echo said {number}"], check=True)
    replace_if_large(log, limit)
"""


def test_a_log_stays_small_and_loses_nothing_of_its_end(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    with log.open("ab") as file:
        subprocess.run([sys.executable, "-c", WRITER, str(log)], stdout=file, stderr=file, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["daemon.log", "daemon.log.1"]
    assert log.stat().st_size <= 11000 and old_log(log).stat().st_size <= 11000
    assert log.stat().st_mode & 0o777 == 0o600
    lines = (old_log(log).read_text() + log.read_text()).splitlines()
    wanted = [f"{word} {number}" for number in range(2000) for word in ("logged", "written")]
    assert [line for line in lines if not line.startswith("said")] == wanted[
        -len(lines) + sum(x[0] == "s" for x in lines) :
    ]
    assert "said 1900" in lines  # what a child writes


def test_the_tail_reaches_back_into_the_log_before(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert tail(log, 3) == []
    log.write_text("c\nd\n")
    old_log(log).write_text("a\nb\n")
    assert (tail(log, 3), tail(log, 1), tail(log, 9)) == (["b", "c", "d"], ["d"], ["a", "b", "c", "d"])
    log.unlink()
    assert tail(log, 1) == ["b"]


def test_what_does_not_go_there_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    log.write_text("x" * 20000)
    done = subprocess.run([sys.executable, "-c", WRITER, str(log)], capture_output=True, check=True)
    assert done.stderr.count(b"logged") == 2000
    assert [path.name for path in tmp_path.iterdir()] == ["daemon.log"]
