"""The commands that the README tells a newcomer to type do what it says."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.places import own_places
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
PATTERN = "/data/shop/*sales*.gz"


def blocks() -> list[str]:
    """The shell commands of the chapter on one's own data."""
    text = (ROOT / "README.md").read_text("utf-8").partition("## Your own data")[2]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def write_logs(folder: Path) -> None:
    """Three days of logs with a title line, and one record a day that does not fit."""
    for day in (1, 2, 3):
        rows = [f"2014-09-{day:02} 10:00:{n:02},user{n % 4},{n},{n % 7}.50" for n in range(20)]
        text = "\r\n".join(["time,user,article,price", *rows, "2014-09-01 11:00:00,user1,TBD,1.50", ""])
        (folder / f"sales_201409{day:02}.gz").write_bytes(gzip.compress(text.encode()))


def test_the_commands_for_ones_own_data_work(tmp_path: Path, port_base: int) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    write_logs(logs)
    first, *rest = blocks()
    assert PATTERN in first
    change = 'ess category change columnspec sales "s:time s:user i:article f:price"\n'  # named in the text between
    script = "set -e\n" + first.replace(PATTERN, f"{logs}/*sales*.gz") + change + "".join(rest)
    own = own_places(tmp_path, port_base)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, **own, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "22\n22\n22\n" in done.stdout
    assert len(re.findall(r'^"user\d",[3-6]\.5$', done.stdout, re.MULTILINE)) == 33
    assert "63 rows read = 33 out + 27 filtered + 3 rejected" in done.stderr
    assert "63 rows read = 60 imported + 0 filtered + 3 rejected" in done.stderr
    assert '"user2",15,' in done.stdout, done.stdout + done.stderr
