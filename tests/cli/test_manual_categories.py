"""The examples of docs/manual/categories.md print what the page says."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "categories.md"


@pytest.fixture
def data(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    (folder / "logs" / "old").mkdir(parents=True)
    for name, rows in (
        ("visits_20140901.csv", "2014-09-01,7,3\n2014-09-01,8,TBD\n2014-09-01,9,1\n"),
        ("visits_20140902.csv", "2014-09-02,7,3\n2014-09-02,8,4\n"),
        ("visits_20140903.csv", "2014-09-03,7,5\n2014-09-03,8,44\n"),
        ("old/visits_20131231.csv", "2013-12-31,7,1\n"),
    ):
        (folder / "logs" / name).write_text("day,user,pages\n" + rows)
    monkeypatch.chdir(folder)
    return folder


def test_the_page(data: Path) -> None:
    text = PAGE.read_text()
    commands = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"}
    steps = 0
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False, cwd=data
            )
            shown = (done.stderr + done.stdout).replace(str(data), "/data")
            assert shown == expected, command
            steps += 1
    assert steps == 19
    (python,) = re.findall(r"```pycon\n(.*?)```", text, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(python, {}, "page", str(PAGE), 0)
    assert doctest.DocTestRunner().run(test).failed == 0
