"""The examples of docs/manual/database-rules.md print what the page says."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.waiting import PATIENCE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "database-rules.md"


def test_the_examples_print_what_the_page_says(
    places: dict[str, str], port_base: int, tmp_path: Path, warm: dict[str, str]
) -> None:
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    steps = [step.partition("\n") for block in blocks for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    tools = Path(sys.executable).parent
    environment = {**places, **warm}
    # One shell for all: it says after each command where its output ends.
    script = "".join(f"{command}\necho '#end'\n" for command, _, _ in steps)
    try:
        done = subprocess.run(
            ["bash", "-c", f"exec 2>&1\n{script}"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    finally:
        subprocess.run([str(tools / "udbd"), "-q", "stop"], env=environment, cwd=tmp_path, check=True, timeout=PATIENCE)
    shown = done.stdout.replace(f"{socket.gethostname()}: ", "host: ").replace(str(port_base), "10010")
    outputs = re.sub(r"\(\d+\)", "(1234)", shown).split("#end\n")[:-1]
    for (command, _, expected), output in zip(steps, outputs, strict=True):
        assert output == expected, command
