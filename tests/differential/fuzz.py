"""Generated chains over generated dirty rows, through both engines, until one differs.

    python -m tests.differential.fuzz --seconds 60 --seed 1

Case N of seed S is always the same case; ``--case N`` runs only it. Every third case goes through the command
``aq_pp``, every sixth is garbage for a reader, the others go straight to the engines.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shlex
import sys
import time
from dataclasses import replace

from tests.differential.chain import Option
from tests.differential.command import Command, command_difference, make_command
from tests.differential.compare import Difference, difference
from tests.differential.data import COLUMNS, Row, generate_rows
from tests.differential.garbage import garbage_failure, make_garbage
from tests.differential.generate import accepted, generate_chain
from tests.differential.shrink import shrink


def make_case(seed: int, number: int) -> tuple[list[Option], list[Row]]:
    """Case ``number`` of ``seed``, for the engines."""
    source = random.Random(f"{seed}/{number}")
    options = generate_chain(source)
    return options, generate_rows(source, source.choice([0, 1, 5, 12, 30, 100]))


def report(options: list[Option], rows: list[Row], found: Difference) -> str:
    """The smallest form of a failing case, ready for ``regressions.py``."""

    def fails(options: list[Option], rows: list[Row]) -> bool:
        return accepted(options) and difference(options, rows, found.setting) is not None

    options, rows = shrink(options, rows, fails)
    text = (difference(options, rows, found.setting) or found).text
    lines = [f"{found.setting} differs", text, "", f"columns: {', '.join(key for key, _ in COLUMNS)}"]
    return "\n".join([*lines, "case = (", f"    {options!r},", f"    {rows!r},", ")"])


def report_command(command: Command) -> str:
    """The smallest form of a failing command, ready for a shell."""

    def fails(rules: list[Option], lines: list[bytes]) -> bool:
        return bool(command_difference(replace(command, rules=rules, lines=lines)))

    rules, lines = shrink(command.rules, command.lines, fails)
    command = replace(command, rules=rules, lines=lines)
    texts = ["aq_pp differs from ESS_ENGINE=row with all records in one batch", command_difference(command), ""]
    return "\n".join([*texts, f"input: {b''.join(command.lines)!r}", f"aq_pp {shlex.join(command.argv)}"])


def failure(seed: int, number: int) -> str:
    """The report of case ``number``; blank if the engines agree."""
    if number % 6 == 5:
        return garbage_failure(make_garbage(seed, number))
    if number % 3 == 1:
        command = make_command(seed, number)
        return report_command(command) if command_difference(command) else ""
    options, rows = make_case(seed, number)
    found = difference(options, rows)
    return report(options, rows, found) if found is not None else ""


def main() -> int:
    """Run cases; exit code 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--failures", type=int, default=1, help="how many to report before giving up")
    arguments = parser.parse_args()
    numbers = itertools.count(arguments.first) if arguments.case is None else [arguments.case]
    end = time.monotonic() + arguments.seconds
    failures = count = 0
    for number in numbers:
        text = failure(arguments.seed, number)
        if text:
            print(f"seed {arguments.seed} case {number}: {text}\n", flush=True)
            failures += 1
        count += 1
        if time.monotonic() > end or failures >= arguments.failures:
            break
    print(f"{count} cases, {failures} failures", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
