"""How a tool without a chain of rules runs: options, input, work, counts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ess.errors import InputDataError
from ess.pipeline.counts import Counts, leave_counts, statistics_line
from ess.pipeline.options import Use
from ess.pipeline.source import STDIN, InputPlan, read_file
from ess.tools.process import let_interrupts_through

if TYPE_CHECKING:
    from ess.pipeline.intake import FileReader, Intake


def gather(
    tool: str,
    argv: Sequence[str],
    uses: Sequence[Use],
    source: InputPlan,
    work: Callable[[Intake], int | None],
    *,
    read: FileReader | None = None,
    more: Sequence[InputPlan] = (),
) -> int:
    """Give the records of ``source`` to ``work``, and report the counts; the exit code.

    Args:
        tool: The command's name.
        argv: Its arguments, for the counts that are left for the task runner.
        uses: Its options; ``-verb``, ``-stat`` and ``-test`` are minded here.
        source: Its input.
        work: Takes the records and makes the output. Returns how many records were output where
            ``-stat`` is to say so.
        more: Further inputs of the same columns, read after ``source``.
        read: What reads a file of the input instead of ``ess.pipeline.source.read_file``.

    Raises:
        EssError: What reading and ``work`` raise.
    """
    names = [use.name for use in uses]
    if tests := names.count("-test"):
        if tests > 1:
            for each in (source, *more):
                _open_files(each)
        return 0
    from ess.pipeline.intake import Intake  # loads the engines

    let_interrupts_through()

    def say(text: str) -> None:
        print(f"{tool}: {text}", file=sys.stderr)

    progress = (lambda records: say(f"{records:,} records processed")) if "-verb" in names else None
    intake = Intake(source, say, progress=progress, read=read or read_file, more=more)
    out: int | None = None
    try:
        out = work(intake)
    except InputDataError:
        _tell(tool, argv, intake.counts(), out, statistics="-stat" in names)
        raise
    _tell(tool, argv, intake.counts(), out, statistics="-stat" in names)
    return 0


def _tell(tool: str, argv: Sequence[str], counts: Counts, out: int | None, *, statistics: bool) -> None:
    leave_counts(tool, argv, counts)
    if statistics:
        line = statistics_line(tool, counts, with_out=False)
        print(line if out is None else f"{line} out={out}", file=sys.stderr)


def _open_files(source: InputPlan) -> None:
    from ess.formats.codecs import open_decompressed

    for file in source.files:
        if file != STDIN and not (source.started and source.started.file == file):
            open_decompressed(file).close()
