"""Running a tool: options, input, work, and the counts where a user expects them.

`run_plan` runs a chain of rules (``aq_pp``); `gather` runs a tool that has none and does its own work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ess.errors import InputDataError
from ess.pipeline.counts import Counts, leave_counts, statistics_line
from ess.pipeline.options import Use
from ess.pipeline.plan import Plan
from ess.pipeline.source import STDIN, InputPlan, read_file
from ess.tools.process import let_interrupts_through

if TYPE_CHECKING:
    from ess.pipeline.intake import FileReader, Intake


def run_plan(
    tool: str,
    argv: Sequence[str],
    plan: Plan,
    names: Sequence[str],
    *,
    with_out: bool = True,
) -> int:
    """Run a plan, or only test it, as the tool's global options say; the exit code.

    Args:
        tool: The command's name, for messages.
        argv: Its arguments, for the counts it leaves.
        plan: What to run.
        names: The options on its command line, for ``-test``, ``-stat`` and ``-verb``.
        with_out: Whether ``-stat`` tells how many rows came out.

    Raises:
        EssError: If it fails.
    """
    if tests := names.count("-test"):
        check_outputs(plan)
        if tests > 1:
            _reach(plan)
        return 0
    from ess.pipeline.run import RunError, Streams, run  # loads the engines
    from ess.tools.warm.caller_liveness import make_sure_of_caller

    let_interrupts_through()

    def say(text: str) -> None:
        print(f"{tool}: {text}", file=sys.stderr)

    def tell(counts: Counts) -> None:
        leave_counts(tool, argv, counts)
        if "-stat" in names:
            print(statistics_line(tool, counts, with_out=with_out), file=sys.stderr)

    progress = (lambda records: say(f"{records:,} records processed")) if "-verb" in names else None
    try:
        counts = run(plan, Streams(None, None, say, progress, make_sure_of_caller))
    except RunError as failure:
        if isinstance(failure.error, InputDataError):  # the rows before the bad record are out, so they count
            tell(failure.counts)
        raise failure.error from None
    tell(counts)
    return 0


def check_outputs(plan: Plan) -> None:
    """Check that each output's format can print its columns, without opening it."""
    from ess.formats.output.render import Renderer
    from ess.pipeline.outputs import columns_of

    printed = [(output.attributes, output.columns) for output in plan.outputs]
    printed += [(output.attributes, output.columns) for output in plan.variable_outputs]
    for attributes, columns in printed:
        Renderer(attributes, columns_of(columns), where="-o")


def _reach(plan: Plan) -> None:
    """The second ``-test``: load the lookup tables, open every input, reach the servers of every import."""
    from ess.engines.select import compile_program
    from ess.formats.codecs import open_decompressed

    compile_program(plan.program)
    for source in (plan.input, *plan.more_inputs):
        for file in source.files:
            if file != STDIN and source.rows is None and not (source.started and source.started.file == file):
                open_decompressed(file).close()
    for opened in plan.imports:
        try:
            opened.into.connect()
        finally:
            opened.into.abort()


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
