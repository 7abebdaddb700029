"""Works, contestants and goals."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.equal import Columns
from bench.process import Measured

OURS = "essentia"
#: Stands in a command for the file that the contestant shall write.
OUT = "@out"


@dataclass(frozen=True)
class Peer:
    """A program beside ours: how it is called in the table, and where its version is found."""

    name: str
    package: str = ""
    command: str = ""

    def version(self) -> str | None:
        """Its version; None if it is not installed."""
        if self.package:
            return version(self.package) if importlib.util.find_spec(self.package) else None
        if shutil.which(self.command) is None:
            return None
        said = subprocess.run([self.command, "--version"], capture_output=True, text=True, check=False).stdout
        return next((word.rstrip(",") for word in said.split() if word[:1].isdigit()), "?")


#: What may stand beside us, by the names that contestants use.
PEERS: dict[str, Peer] = {
    "miller": Peer("Miller", command="mlr"),
    "gawk": Peer("gawk", command="gawk"),
    "bash": Peer("bash", command="bash"),
    "duckdb": Peer("DuckDB", package="duckdb"),
    "polars": Peer("Polars", package="polars"),
    "isal": Peer("ISA-L", package="isal"),
    "boto3": Peer("boto3", package="boto3"),
    "arrow": Peer("Arrow", package="pyarrow"),
    "python": Peer("Python", command="python3"),
}


@dataclass(frozen=True)
class Contestant:
    """One way to do a work.

    Args:
        label: Its name in the table; goals refer to it.
        command: What to run, in the folder of ``make bench``. ``OUT`` in a word is the file that it shall write.
        peer: A key of ``PEERS``, or ``OURS``. Without the peer the contestant is left out, and the table says so.
        stdout: Whether its standard output is what it writes, instead of ``OUT``.
        environment: What is added to the environment.
        before: A command to run before each run, whose time does not count (for what a run must find anew).
        loops: So many runs make one measurement, whose time is divided by them: for what takes milliseconds.
        timed: False for one that only tells what is right: it runs once.
        output: False for one whose output is not compared.
        held: What is held after a run, in megabytes, e.g. by servers, instead of what the command itself held.
        note: A file to which the command writes a line for the table.
    """

    label: str
    command: tuple[str, ...]
    peer: str = OURS
    stdout: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    loops: int = 1
    timed: bool = True
    output: bool = True
    held: Callable[[], float] | None = None
    note: Path | None = None


@dataclass(frozen=True)
class Goal:
    """A goal: our time (or memory) is at most the sum of ``terms`` and ``constant``.

    Args:
        text: The goal in words.
        terms: For labels of contestants, what their median is multiplied by.
        constant: Seconds, or megabytes.
        memory: Whether it is about megabytes instead of seconds.
        of: The contestant that shall reach it, if it is not the first of the work.
        equal: Whether it is only about the result: what is compared before the clock counts, and what commands check.
    """

    text: str
    terms: Mapping[str, float] = field(default_factory=dict)
    constant: float = 0.0
    memory: bool = False
    of: str = ""
    equal: bool = False


@dataclass(frozen=True)
class Work:
    """A row of the table.

    Args:
        key: Its short name, for ``--only``.
        title: What is done, in words.
        contestants: Who does it; ours is the first.
        goals: What must be reached.
        columns: How outputs are compared; None if they are not.
        rows: How many rows are read, for rows a second; 0 if that says nothing.
        runs: How many runs at most; None for what the command line says.
        begin: Called before all runs, e.g. to start servers.
        end: Called after all runs, also when one has failed.
    """

    key: str
    title: str
    contestants: tuple[Contestant, ...]
    goals: tuple[Goal, ...] = ()
    columns: Columns | None = None
    rows: int = 0
    runs: int | None = None
    begin: Callable[[], None] | None = None
    end: Callable[[], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """The results of a work's runs.

    Args:
        work: The work.
        measured: For each label the runs that count.
        missing: The labels of contestants that are not installed.
        trouble: Why there is nothing to trust, blank if all went well.
    """

    work: Work
    measured: Mapping[str, tuple[Measured, ...]]
    missing: tuple[str, ...] = ()
    trouble: str = ""

    def seconds(self, label: str) -> float | None:
        """The median time of a contestant; None if it did not run."""
        runs = self.measured.get(label, ())
        return median(run.seconds for run in runs) if runs else None

    def megabytes(self, label: str) -> float | None:
        """The most memory that a contestant held in one of its runs; None if it did not run."""
        return max((run.megabytes for run in self.measured.get(label, ())), default=None)


def limit(goal: Goal, outcome: Outcome) -> float | None:
    """The limit of a goal, in seconds or megabytes; None if a contestant that it needs is missing."""
    value_of = outcome.megabytes if goal.memory else outcome.seconds
    total = goal.constant
    for label, factor in goal.terms.items():
        value = value_of(label)
        if value is None:
            return None
        total += factor * value
    return total


def reached(goal: Goal, outcome: Outcome) -> tuple[float, float] | None:
    """The value reached and the limit of the goal; None if they are unknown."""
    label = goal.of or outcome.work.contestants[0].label
    value = outcome.megabytes(label) if goal.memory else outcome.seconds(label)
    allowed = limit(goal, outcome)
    return None if value is None or allowed is None else (value, allowed)


def tool(name: str) -> str:
    """The path of one of our commands: those of the interpreter that runs this."""
    return str(Path(sys.executable).with_name(name))


def python(program: str, *arguments: object) -> tuple[str, ...]:
    """A Python program as a command."""
    return (sys.executable, "-c", program, *map(str, arguments))


def filled(command: tuple[str, ...], out: Path) -> list[str]:
    """The command with the file to write put in."""
    return [word.replace(OUT, str(out)) for word in command]
