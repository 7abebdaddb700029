"""Running the contestants of a work: once to see that all give the same result, then in turn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bench.equal import require_all_equal
from bench.process import BenchError, Measured, measure
from bench.work import OURS, PEERS, Contestant, Outcome, Work, filled


def run_work(
    work: Work, *, folder: Path, runs: int, patience: float, environment: Mapping[str, str], say: Callable[[str], None]
) -> Outcome:
    """Run a work.

    Every contestant runs once before the clock counts; their outputs are compared. Then they run in turn, so
    that whatever else the machine does meets all of them.

    Args:
        work: The work.
        folder: Where outputs are written; emptied in the end.
        runs: How many runs count.
        patience: A peer that has taken so many seconds is not run again; one that took them in its first run
            has that one.
        environment: What is added to every contestant's environment.
        say: Gets what happens, in words.

    Returns:
        What was measured. A failure or a difference is told in it, and there is no time then.
    """
    there = [c for c in work.contestants if c.peer == OURS or PEERS[c.peer].version() is not None]
    missing = tuple(c.label for c in work.contestants if c not in there)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if work.begin is not None:
            work.begin()
        measured = _run(work, there, folder, runs, patience, environment, say)
        return Outcome(work, measured, missing)
    except BenchError as error:
        return Outcome(work, {}, missing, str(error))
    finally:
        if work.end is not None:
            work.end()
        shutil.rmtree(folder, ignore_errors=True)


def _run(
    work: Work,
    contestants: list[Contestant],
    folder: Path,
    runs: int,
    patience: float,
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> dict[str, tuple[Measured, ...]]:
    first: dict[str, Measured] = {}
    outputs: list[Path] = []
    for number, contestant in enumerate(contestants):
        out = folder / f"{number}.csv"
        first[contestant.label] = _once(contestant, out, environment)
        say(f"{contestant.label}: {first[contestant.label].seconds:.2f} s before the clock counts")
        if contestant.output and work.columns is not None:
            outputs.append(out)
    if work.columns is not None:
        require_all_equal(outputs, work.columns)
    timed = [contestant for contestant in contestants if contestant.timed]
    spent = {contestant.label: 0.0 for contestant in timed}
    found: dict[str, list[Measured]] = {contestant.label: [] for contestant in timed}
    for contestant in timed:
        if contestant.peer != OURS and first[contestant.label].seconds * contestant.loops > patience:
            found[contestant.label].append(first[contestant.label])
            spent[contestant.label] = patience
    for _ in range(work.runs or runs):
        for contestant in timed:
            if contestant.peer != OURS and spent[contestant.label] >= patience:
                continue
            run = _once(contestant, folder / "out.csv", environment)
            found[contestant.label].append(run)
            spent[contestant.label] += run.seconds * contestant.loops
    return {label: tuple(measured) for label, measured in found.items()}


def _once(contestant: Contestant, out: Path, environment: Mapping[str, str]) -> Measured:
    """One measurement, of as many runs as the contestant says."""
    added = {**environment, **contestant.environment}
    total: list[Measured] = []
    for _ in range(contestant.loops):
        if contestant.before:
            measure(contestant.before, added, None)
        total.append(measure(filled(contestant.command, out), added, out if contestant.stdout else None))
    run = Measured(
        sum(one.seconds for one in total) / len(total),
        sum(one.cpu for one in total) / len(total),
        max(one.megabytes for one in total),
    )
    if contestant.held is not None:
        run = replace(run, megabytes=contestant.held())
    return run if contestant.note is None else replace(run, note=contestant.note.read_text().strip())
