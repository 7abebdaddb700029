"""The examples of docs/manual/formats.md print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "formats.md"
STEPS = [
    step
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


@pytest.mark.parametrize("step", STEPS, ids=range(len(STEPS)))
def test_example(step: str, warm: dict[str, str]) -> None:
    command, _, expected = step.partition("\n")
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, **warm},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout + done.stderr == expected
