"""The examples of docs/manual/database.md print what the page says."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.waiting import PATIENCE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "database.md"
STEPS = [
    step
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


def test_the_examples_print_what_the_page_says(
    places: dict[str, str], port_base: int, tmp_path: Path, warm: dict[str, str]
) -> None:
    tools = Path(sys.executable).parent
    environment = {**places, **warm}
    try:
        for step in STEPS:
            command, _, expected = step.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            shown = done.stdout + done.stderr + (f"[exit code {done.returncode}]\n" if done.returncode else "")
            shown = shown.replace(f"{socket.gethostname()}: ", "host: ").replace(str(port_base), "10010")
            assert re.sub(r"\(\d+\)", "(1234)", shown) == expected, command
    finally:
        subprocess.run([str(tools / "udbd"), "-q", "stop"], env=environment, cwd=tmp_path, check=True, timeout=PATIENCE)
