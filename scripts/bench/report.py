"""The table, as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.work import OURS, PEERS, Contestant, Goal, Outcome, reached

_INTRODUCTION = """\
Written by `make bench`; do not edit. Each contestant is a process of its own and runs once before the clock counts;
then all of a row run in turn, and the table has the medians. Outputs are compared before any time counts: text byte by
byte, numbers as doubles (`1.5` is `1.50`), sums and averages within one part in a thousand million, deviations in a
million; a sort need not keep the order of rows with equal keys, and groups have no order. Our commands start warm, as
they do for a user (the memory row: direct). The database is two servers that log what is committed; what they hold in
memory is what is resident, and where it is without an empty server, that is what they held just after their start. The
clients that come at once are processes of their own, and a run in which one fails or a row is missing is no run. The
bucket of a stream is served on the same machine by a small program that checks no signature, has its listing ready and
lets the kernel send the files (0.15 ms for one of 450 KB); what it takes is in the time. A peer of a table that is
there already reads a file of its own kind, made before. A peer that is slow is run less often, which the table then
says. Peers run the programs in `scripts/bench/programs.py`.
"""


@dataclass(frozen=True)
class Setting:
    """The circumstances in which the table was made."""

    command: str
    date: str
    rows: int
    log_lines: int
    megabytes: float


def markdown(outcomes: Sequence[Outcome], setting: Setting) -> str:
    """The whole page."""
    lines = ["# Benchmarks", "", _INTRODUCTION]
    lines += [f"- {fact}" for fact in _facts(setting)]
    lines += [
        "",
        "| work | ours | peers: time, and what ours is of it | goal | result |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [row(outcome) for outcome in outcomes]
    lines += ["", "## Runs", "", "Seconds of each run, and the most memory that the process held.", ""]
    lines += ["| work | contestant | seconds | MB |", "| --- | --- | --- | ---: |"]
    for outcome in outcomes:
        for label, runs in outcome.measured.items():
            each = " ".join(_number(run.seconds) for run in runs)
            lines.append(f"| {outcome.work.key} | {label} | {each} | {outcome.megabytes(label) or 0:.0f} |")
    return "\n".join(lines) + "\n"


def row(outcome: Outcome) -> str:
    """A row of the table."""
    work = outcome.work
    first, *others = [contestant for contestant in work.contestants if contestant.timed]
    cells = [work.title, _own(outcome, first), "<br>".join(_other(outcome, first, other) for other in others)]
    if outcome.trouble:
        cells += ["<br>".join(goal.text for goal in work.goals), f"FAILED: {outcome.trouble}".replace("|", "\\|")]
    else:
        cells += ["<br>".join(goal.text for goal in work.goals), "<br>".join(verdict(g, outcome) for g in work.goals)]
    return "| " + " | ".join(cells) + " |"


def verdict(goal: Goal, outcome: Outcome) -> str:
    """The verdict on a goal: met, or by how much it is missed."""
    if goal.equal:
        return "met"
    found = reached(goal, outcome)
    if found is None:
        return "cannot be said: a peer is not installed"
    value, allowed = found
    unit = "MB" if goal.memory else "s"
    what = f"{_number(value)} of {_number(allowed)} {unit} allowed"
    if value <= allowed:
        return f"met ({what})"
    return f"short by {100 * (value / allowed - 1):.0f} % ({what})"


def _own(outcome: Outcome, contestant: Contestant) -> str:
    seconds = outcome.seconds(contestant.label)
    if seconds is None:
        return "-"
    if any(goal.memory for goal in outcome.work.goals):
        return f"{outcome.megabytes(contestant.label):.0f} MB in {_number(seconds)} s"
    runs = sorted(outcome.measured[contestant.label], key=lambda run: run.seconds)
    note = f"<br>{runs[len(runs) // 2].note}" if runs[0].note else ""
    rate = f", {outcome.work.rows / seconds / 1e6:.2f} M rows/s" if outcome.work.rows else ""
    return f"{_number(seconds)} s{rate}{note}"


def _other(outcome: Outcome, first: Contestant, other: Contestant) -> str:
    if other.label in outcome.missing:
        return f"{other.label}: not installed"
    ours, theirs = outcome.seconds(first.label), outcome.seconds(other.label)
    if ours is None or theirs is None:
        return f"{other.label}: -"
    if any(goal.memory for goal in outcome.work.goals):
        return f"{other.label}: {outcome.megabytes(other.label):.0f} MB in {_number(theirs)} s"
    runs = len(outcome.measured[other.label])
    fewer = f" ({runs} run{'s' if runs > 1 else ''})" if runs < len(outcome.measured[first.label]) else ""
    if other.peer == OURS or ours >= theirs:
        return f"{other.label} {_number(theirs)} s{fewer}: {ours / theirs:.2f} x"
    return f"{other.label} {_number(theirs)} s{fewer}: {ours / theirs:.2f} x, {theirs / ours:.1f} times as fast"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _facts(setting: Setting) -> list[str]:
    peers = [f"{peer.name} {peer.version() or '(not installed)'}" for peer in PEERS.values() if peer.name != "Python"]
    system = f"{platform.system()} {platform.release()}"
    return [
        f"machine: {_processor()}, {os.cpu_count()} cores, {_memory():.0f} GB, {system}",
        f"versions: essentia-lake {version('essentia-lake')}, Python {platform.python_version()}, {', '.join(peers)}",
        f"data: {setting.rows:,} purchases ({setting.megabytes:.0f} MB), an access log of {setting.log_lines:,} lines",
        f"made: {setting.date} by `{setting.command}`",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
