"""Generated chains over generated dirty rows, through both engines, until one differs.

    python -m tests.differential.fuzz --seconds 60 --seed 1

Case N of seed S is always the same case; ``--case N`` runs only it.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shlex
import sys
import time

from tests.differential.chain import Option
from tests.differential.compare import Difference, difference
from tests.differential.data import COLUMNS, Row, generate_rows
from tests.differential.generate import generate_chain
from tests.differential.shrink import shrink


def make_case(seed: int, number: int) -> tuple[list[Option], list[Row]]:
    """Case ``number`` of ``seed``."""
    source = random.Random(f"{seed}/{number}")
    options = generate_chain(source)
    return options, generate_rows(source, source.choice([0, 1, 5, 12, 30, 100]))


def report(seed: int, number: int, options: list[Option], rows: list[Row], found: Difference) -> str:
    """The smallest form of a failing case, ready for ``test_regressions.py``."""
    options, rows = shrink(options, rows, found.setting)
    found = difference(options, rows, found.setting) or found
    lines = [f"seed {seed} case {number}: {found.setting} differs", found.text, ""]
    lines += ["as options: " + " ".join(" ".join(shlex.quote(word) for word in option) for option in options)]
    lines += [
        f"columns: {', '.join(key for key, _ in COLUMNS)}",
        "case = (",
        f"    {options!r},",
        f"    {rows!r},",
        ")",
    ]
    return "\n".join(lines)


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
        options, rows = make_case(arguments.seed, number)
        found = difference(options, rows)
        if found is not None:
            print(report(arguments.seed, number, options, rows, found), flush=True)
            failures += 1
        count += 1
        if time.monotonic() > end or failures >= arguments.failures:
            break
    print(f"{count} cases, {failures} failures", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
