"""The examples of docs/manual/modules.md print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.waiting import PATIENCE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "modules.md"
STEPS = [
    step
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


def test_examples(tmp_path: Path, warm: dict[str, str]) -> None:
    assert len(STEPS) == 8
    environment = {**os.environ, **warm}
    for step in STEPS:
        first, *lines = step.splitlines()
        more = [line[2:] for line in lines if line.startswith(">")]
        expected = "".join(f"{line}\n" for line in lines[len(more) :])
        command = "\n".join([first, *more])
        done = subprocess.run(
            ["bash", "-c", command],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        assert done.stdout + done.stderr == expected, command
