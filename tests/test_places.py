"""The ports that tests are given: nobody else's, also not those of another checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.places import PORTS, ports_in_a_row

ROOT = Path(__file__).resolve().parent.parent
HOLD = "from tests.places import ports_in_a_row\nwith ports_in_a_row() as base:\n    print(base, flush=True); input()"


def test_two_who_ask_at_once_get_other_ports() -> None:
    with ports_in_a_row() as one, ports_in_a_row() as other:
        assert abs(one - other) >= PORTS


def test_two_processes_get_other_ports() -> None:
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", HOLD]
    with (
        subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as one,
        subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as other,
    ):
        bases = [int(process.stdout.readline()) for process in (one, other) if process.stdout is not None]
        for process in (one, other):
            process.communicate("\n")
    assert abs(bases[0] - bases[1]) >= PORTS
