"""The examples of docs/manual/tools.md print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "tools.md"
STEPS = [
    step
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, warm: dict[str, str]) -> Path:
    """A folder with the file that all examples use; the first one makes it."""
    made = tmp_path_factory.mktemp("tools")
    run(STEPS[0].partition("\n")[0], made, warm)
    return made


@pytest.mark.parametrize("step", STEPS, ids=range(len(STEPS)))
def test_example(step: str, folder: Path, warm: dict[str, str]) -> None:
    command, _, expected = step.partition("\n")
    assert run(command, folder, warm) == expected


def run(command: str, folder: Path, warm: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, **warm},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout + done.stderr
