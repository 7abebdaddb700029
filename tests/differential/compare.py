"""Running a chain on both engines and telling where they differ."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from ess.engines.base import Runner, Unsupported
from ess.engines.columnar import compile_columnar
from ess.engines.rowwise import compile_rowwise
from ess.errors import EssError
from ess.language.program import Program
from tests.differential.chain import Option, build_program
from tests.differential.data import Row, batch_of

#: Rows a batch; None puts all into one. Single rows are slow, so only the first few go one by one.
BATCH_SIZES: tuple[int | None, ...] = (None, 7, 1)
_FEW = 12


@dataclass
class Outcome:
    """All that a run lets a caller see, as plain values that compare with ``==``."""

    final: list[str] = field(default_factory=list)
    written: dict[int, list[str]] = field(default_factory=dict)
    kept: int = 0
    processed: int = 0
    rejections: list[tuple[int, str]] = field(default_factory=list)
    stopped: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    error: str = ""


def run(compile_program: Callable[[Program], Runner], program: Program, rows: list[Row], size: int | None) -> Outcome:
    """Give the rows to a fresh runner, ``size`` at a time, as the pipeline does."""
    outcome = Outcome()
    try:
        _run(compile_program(program), program, rows, size, outcome)
    except EssError as error:
        outcome.error = f"{type(error).__name__}: {error}"
    return outcome


def _run(runner: Runner, program: Program, rows: list[Row], size: int | None, outcome: Outcome) -> None:
    start = 0
    while start < len(rows) or not outcome.processed + start:
        end = len(rows) if size is None else min(start + size, len(rows))
        result = runner.run(batch_of(rows[start:end]), start + 1)
        outcome.final += _texts(result.final)
        for sink, batch in result.written.items():
            outcome.written.setdefault(sink, []).extend(_texts(batch))
        outcome.kept += result.kept
        outcome.processed += result.processed
        outcome.rejections += [(start + rejection.row, rejection.reason) for rejection in result.rejections]
        start += result.processed
        if result.stopped or not rows:
            outcome.stopped = result.stopped
            break
        if program.stop_at_rejection and result.rejections:
            break
    outcome.written = {sink: texts for sink, texts in sorted(outcome.written.items()) if texts}
    outcome.variables = {slot.key: repr(value) for slot, value in runner.variables().items()}


def _texts(batch: object) -> list[str]:
    """One text a row, with column names and data types, so that NaN equals NaN and -0.0 differs from 0.0."""
    frame = batch
    names = [f"{name}:{dtype}" for name, dtype in frame.schema.items()]  # type: ignore[attr-defined]
    rows = frame.rows()  # type: ignore[attr-defined]
    return [", ".join(f"{name}={value!r}" for name, value in zip(names, row, strict=True)) for row in rows]


def columnar_reason(program: Program) -> str:
    """The reason why the columnar engine leaves the program to the row engine; blank if it does not."""
    try:
        compile_columnar(program)
    except Unsupported as unsupported:
        return unsupported.reason
    return ""


@dataclass(frozen=True)
class Setting:
    """One way to run a chain."""

    engine: str
    size: int | None
    stop: bool

    def __str__(self) -> str:
        """As a failure's report names it."""
        rows = "all rows in one batch" if self.size is None else f"batches of {self.size}"
        return f"{self.engine} engine, {rows}{', stopping at a rejection' if self.stop else ''}"


@dataclass(frozen=True)
class Difference:
    """The first setting that does not give what the row engine gives with all rows in one batch."""

    setting: Setting
    text: str


_COMPILERS: dict[str, Callable[[Program], Runner]] = {"row": compile_rowwise, "columnar": compile_columnar}


def difference(options: list[Option], rows: list[Row], only: Setting | None = None) -> Difference | None:
    """Compare the engines and batch sizes (or ``only`` one setting) on a case."""
    for stop in (False, True) if only is None else (only.stop,):
        program = build_program(options, stop_at_rejection=stop)
        engines = ["row"] if columnar_reason(program) else ["row", "columnar"]
        if only is not None and only.engine not in engines:
            return None
        reference = Setting("row", None, stop)
        settings = [Setting(name, size, stop) for name, size in itertools.product(engines, BATCH_SIZES)]
        settings = [s for s in settings if s.size != 1 or len(rows) <= _FEW] if only is None else [only]
        expected = Outcome()
        for setting in [reference, *(setting for setting in settings if setting != reference)]:
            try:
                outcome = run(_COMPILERS[setting.engine], program, rows, setting.size)
            except Exception:  # whatever it is, it must reach the report with its reproducer
                return Difference(setting, traceback.format_exc())
            if setting == reference:
                expected = outcome
            elif outcome != expected:
                return Difference(setting, _first(expected, outcome))
    return None


def _first(expected: Outcome, outcome: Outcome) -> str:
    for key, value in vars(expected).items():
        other = getattr(outcome, key)
        if value != other:
            return f"{key}:\n  expected {_part(value, other)}\n  found    {_part(other, value)}"
    return ""


def _part(value: object, other: object) -> object:
    """The first entry of a list that the other list does not have in its place."""
    if isinstance(value, list) and isinstance(other, list):
        for i, entry in enumerate(value):
            if i >= len(other) or other[i] != entry:
                return f"[{i}] of {len(value)}: {entry}"
        return f"{len(value)} entries"
    return value
