"""The examples of docs/manual/cluster.md print what the page says."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ess.cluster.substitution import SUBSTITUTIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "cluster.md"


@pytest.fixture
def data(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for number, rows in (
        (1, "2014-09-01,7,3\n2014-09-01,8,TBD\n"),
        (2, "2014-09-02,7,1\n2014-09-02,8,4\n"),
        (3, "2014-09-03,7,5\n2014-09-03,8,1\n"),
    ):
        (folder / f"visits_2014090{number}.csv.gz").write_bytes(gzip.compress(f"day,user,pages\n{rows}".encode()))
    monkeypatch.chdir(folder)
    return folder


def run(command: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, cwd=folder, check=False
    )
    shown = (done.stdout + done.stderr).replace(str(folder), "/data")
    shown = re.sub(r"local-[0-9a-f]{8}", "local-ID", shown)
    return shown + (f"[exit code {done.returncode}]\n" if done.returncode else "")


def test_the_page(data: Path) -> None:
    run("ess select local; ess category add visits 'visits*.gz' --columnspec 'S:day I:user I:pages'", data)
    steps = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            assert run(command, data) == expected, command
            steps += 1
    assert steps == 17


def test_the_table_of_substitutions() -> None:
    rows = re.findall(r"^\| `(%\w+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == SUBSTITUTIONS
