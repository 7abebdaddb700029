"""The examples of docs/manual/tools.md print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "tools.md"
STEPS = [
    step
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file that all examples use; the first one makes it."""
    made = tmp_path_factory.mktemp("tools")
    run(STEPS[0].partition("\n")[0], made)
    return made


@pytest.mark.parametrize("step", STEPS, ids=range(len(STEPS)))
def test_example(step: str, folder: Path) -> None:
    command, _, expected = step.partition("\n")
    assert run(command, folder) == expected


def run(command: str, folder: Path) -> str:
    tools = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "ESS_WARM": "0"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout + done.stderr
