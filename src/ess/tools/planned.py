"""Running a plan as a tool: messages and counts go where a user expects them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ess.errors import InputDataError
from ess.pipeline.counts import Counts, leave_counts, statistics_line
from ess.pipeline.plan import Plan
from ess.pipeline.source import STDIN
from ess.tools.process import let_interrupts_through


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
    from ess.tools.warm.caller import make_sure_of_caller

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
    """Whether each output's format can print its columns, without opening it."""
    from ess.formats.render import Renderer
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
