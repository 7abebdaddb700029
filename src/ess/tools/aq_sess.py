"""``aq_sess``: finds the sessions in events that come in order of time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from ess.errors import InputDataError, OptionError
from ess.formats.attributes import OutputAttributes, parse_output_attributes
from ess.language.scope import Scope
from ess.language.tree import Slot
from ess.pipeline import old_spellings, shared_options
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import Option, OptionTable, Use
from ess.pipeline.page import help_text
from ess.pipeline.sinks import STDOUT
from ess.pipeline.source import InputPlan, plan_input, single_use
from ess.schema.types import ColumnType
from ess.tools.process import asks_for_help, run_tool
from ess.tools.run import gather

if TYPE_CHECKING:
    from ess.pipeline.intake import Intake

_SESSION = "Sessions"

OPTIONS = OptionTable(
    "aq_sess",
    "Finds sessions: the events of one key that follow each other without a pause longer than the timeout. The events "
    "must be in order of time. For each session it prints the key, when it began (TBeg) and ended (TEnd), its length "
    "(DT) and its number of events (PV), in the order in which the sessions end.",
    (
        shared_options.VERB,
        shared_options.STAT,
        shared_options.TEST,
        replace(
            old_spellings.BUFFER,
            help="The longest record in bytes; as the attribute bz of -f.",
            group=shared_options.GLOBAL,
            obsolete=False,
        ),
        shared_options.FILES,
        shared_options.COLUMNS,
        Option("-t", "The column with the time of an event, an integer.", ("ColName",), group=_SESSION),
        Option("-k", "The columns that identify whose event it is.", ("ColName",), more="ColName", group=_SESSION),
        Option(
            "-tout",
            "A session ends when there is no event for longer than this, in the unit of the time column.",
            ("Num",),
            group=_SESSION,
        ),
        Option(
            "-ttol",
            "How far the time of an event may lie before that of an earlier one (default 0); it then counts as the "
            "earlier one's. An event that is later than this ends the run.",
            ("Num",),
            group=_SESSION,
        ),
        Option(
            "-trim",
            "Leave out the sessions that begin within the timeout after the first event, or end within the timeout "
            "before the last: there may be more of them than the input shows.",
            group=_SESSION,
        ),
        shared_options.result_to("sessions"),
        *(option for option in old_spellings.COMMON if option is not old_spellings.BUFFER),
    ),
)

NAME = OPTIONS.tool


@dataclass(frozen=True)
class _Plan:
    """The plan of a command line."""

    sources: tuple[InputPlan, ...]
    time: Slot
    keys: tuple[Slot, ...]
    timeout: int
    tolerance: int
    trim: bool
    target: str
    attributes: OutputAttributes


def main(argv: list[str]) -> int:
    """Run ``aq_sess`` with these arguments; the exit code.

    Raises:
        EssError: If it fails.
    """
    if asks_for_help(argv):
        sys.stdout.write(help_text(OPTIONS, argv[1:]))
        return 0
    uses = parse_command_line(OPTIONS, argv)
    plan = _plan(uses)
    return gather(NAME, argv, uses, plan.sources[0], lambda intake: _find(plan, intake), more=plan.sources[1:])


def command() -> NoReturn:
    """The command ``aq_sess``."""
    run_tool(NAME, main)


def _plan(uses: Sequence[Use]) -> _Plan:
    sources = _sources(uses)
    scope = Scope()
    for column in sources[0].columns:
        if column.wanted:
            scope.add(column, where="-d")
    time = scope.get(_needed(uses, "-t").arguments[0], where="-t")
    if not time.type.is_integer or time.type is ColumnType.L:
        raise OptionError(f"'{time.name}' is not of type I, IS or LS", where="-t", hint=f"e.g. -d i:{time.name}")
    keys = tuple({(slot := scope.get(name, where="-k")).key: slot for name in _needed(uses, "-k").arguments}.values())
    tolerance = single_use(uses, "-ttol")
    output = single_use(uses, "-o")
    return _Plan(
        sources,
        time,
        keys,
        _number(_needed(uses, "-tout")),
        _number(tolerance) if tolerance is not None else 0,
        single_use(uses, "-trim") is not None,
        output.arguments[0] if output is not None else STDOUT,
        parse_output_attributes(list(output.attributes), where=output.where) if output else OutputAttributes(),
    )


def _sources(uses: Sequence[Use]) -> tuple[InputPlan, ...]:
    """The input of each ``-f``, which may have attributes of its own; all have the same columns."""
    others = [use for use in uses if use.name != "-f"]
    sources = [plan_input([*others, use]) for use in uses if use.name == "-f"] or [plan_input(others)]
    for source in sources[1:]:
        if source.columns != sources[0].columns:
            raise OptionError("the inputs have different columns", where="-f", hint="name the same columns in each")
    if (limit := single_use(uses, "-bz")) is not None:
        size = _number(limit, least=1)
        sources = [replace(source, attributes=replace(source.attributes, record_limit=size)) for source in sources]
    return tuple(sources)


def _needed(uses: Sequence[Use], name: str) -> Use:
    use = single_use(uses, name)
    if use is None:
        raise OptionError(f"{name} is missing", where=NAME, hint="it needs -t ColName -k ColName ... -tout Num")
    return use


def _number(use: Use, *, least: int = 0) -> int:
    text = use.arguments[0]
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) >= least):
        raise OptionError(f"'{text}' is not a whole number from {least} up", where=use.where)
    return int(text)


def _find(plan: _Plan, intake: Intake) -> int:
    """Print the sessions; how many there are."""
    from ess.engines.tables.sessions import BEGIN, END, EVENTS, LENGTH, OutOfOrderError, SessionFinder
    from ess.formats.output.columns import OutputColumn
    from ess.formats.output.writer import open_output

    columns = [OutputColumn(f"key {n}", slot.name, slot.type) for n, slot in enumerate(plan.keys)]
    columns += [OutputColumn(BEGIN, "TBeg", ColumnType.LS), OutputColumn(END, "TEnd", ColumnType.LS)]
    columns += [OutputColumn(LENGTH, "DT", ColumnType.L), OutputColumn(EVENTS, "PV", ColumnType.L)]
    finder = SessionFinder(plan.keys, plan.time, timeout=plan.timeout, tolerance=plan.tolerance, trim=plan.trim)
    found = 0
    writer = open_output(plan.target, plan.attributes, columns)
    try:
        for batch in intake.batches():
            try:
                ended = finder.add(batch)
            except OutOfOrderError as error:
                row = intake.rows - batch.height + error.row + 1
                raise InputDataError(
                    f"the time lies {error.difference} before an earlier one",
                    where=f"event {row}, column {plan.time.name}",
                    hint="sort the events with aq_ord, or allow for it with -ttol",
                ) from None
            if ended.height:
                writer.write(ended)
            found += ended.height
        rest = finder.finish()
        if rest.height:
            writer.write(rest)
    except BaseException:
        writer.close(complete=False)
        raise
    writer.close()
    return found + rest.height
