"""The generator is repeatable, and the shrinker finds the part that matters."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from tests.differential.chain import Option
from tests.differential.data import COLUMNS, generate_rows
from tests.differential.fuzz import make_case
from tests.differential.generate import accepted
from tests.differential.shrink import shrink


def test_a_case_is_always_the_same() -> None:
    for number in range(5):
        assert repr(make_case(3, number)) == repr(make_case(3, number))
    assert make_case(3, 1) != make_case(4, 1)


def test_a_failing_case_becomes_as_small_as_it_can() -> None:
    options: list[Option] = [
        ("-eval", "LS:n1", "ls1 + 1"),
        ("-if", "-filt", "s1 == 'a' || i1 > 3"),
        ("-eval", "F:n2", "Max(f1, ToF(num) / 3, n1)"),
        ("-endif",),
    ]
    rows = generate_rows(random.Random(1), 40)
    bad = rows[17]

    def fails(options: list[Option], rows: list[tuple[bytes | int | float, ...]]) -> bool:
        return accepted(options) and bad in rows and any("ToF(num)" in option[-1] for option in options)

    options, rows = shrink(options, rows, fails)
    assert rows == [bad]
    assert options == [("-eval", "F:n2", "ToF(num)")]


def test_rows_hold_what_breaks_assumptions() -> None:
    rows = generate_rows(random.Random(2), 400) + generate_rows(random.Random(3), 400)
    values = {key: [row[i] for row in rows] for i, (key, _) in enumerate(COLUMNS)}
    assert any(isinstance(v, bytes) and b"\xff" in v for v in values["s1"])
    assert any(isinstance(v, bytes) and b"\0" in v for v in values["s1"])
    assert any(isinstance(v, float) and v != v for v in values["f1"])
    assert 2**64 - 1 in values["l1"]
    assert -(2**63) in values["ls1"]


def test_the_command_names_its_cases_and_exits_with_0_when_nothing_differs() -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.differential.fuzz", "--seconds", "0.1", "--seed", "5"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "cases, 0 failures" in done.stderr
