"""``aq_cat``: puts inputs one behind the other into one output."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from ess.errors import OptionError
from ess.formats.attributes import (
    Format,
    InputAttributes,
    OutputAttributes,
    parse_input_attributes,
    parse_output_attributes,
)
from ess.pipeline import old_spellings, shared_options
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import OptionTable, Use
from ess.pipeline.page import help_text
from ess.pipeline.plan import plan_chain, target_identity
from ess.pipeline.sinks import STDOUT
from ess.pipeline.source import InputPlan, plan_input, single_use
from ess.tools.process import asks_for_help, run_tool
from ess.tools.run import gather, run_plan

if TYPE_CHECKING:
    from ess.formats.output.writer import Writer
    from ess.formats.reader import InputBatch
    from ess.pipeline.intake import Intake

OPTIONS = OptionTable(
    "aq_cat",
    "Puts the records of all inputs one behind the other, in the order of the command line. Without -d, records of "
    "separated formats are passed on as they are.",
    (
        shared_options.VERB,
        shared_options.STAT,
        shared_options.TEST,
        shared_options.FILES,
        shared_options.COLUMNS,
        replace(
            shared_options.ROWS_TO,
            help="Print the records to a file, - for the standard output: all columns, or those of a -c right behind "
            "it. Attributes are as for aq_pp; without -d only app and nodelay.",
        ),
        replace(
            shared_options.SELECT,
            help="Select the columns of the -o before it, or print them to the standard output: as for aq_pp, or "
            "without -d by their numbers and ranges of numbers, from 1.",
            shown="-c ColName[,n=Len][:NewName][+NumPrintFormat] ... | Num[-Num] ...",
        ),
        *old_spellings.COMMON,
    ),
)

NAME = OPTIONS.tool

_RANGE = re.compile(r"([1-9][0-9]{0,5})(?:-([1-9][0-9]{0,5}))?\Z")
#: The attributes of an output of records that are passed on unchanged.
_RAW_ATTRIBUTES = frozenset({"app", "nodelay"})


@dataclass
class _RawOutput:
    """An output of records as they are; ``numbers`` are the fields to print, none for all."""

    target: str
    attributes: OutputAttributes = field(default_factory=OutputAttributes)
    numbers: tuple[int, ...] = ()


def main(argv: list[str]) -> int:
    """Run ``aq_cat`` with these arguments; the exit code.

    Raises:
        EssError: If it fails.
    """
    if asks_for_help(argv):
        sys.stdout.write(help_text(OPTIONS, argv[1:]))
        return 0
    uses = parse_command_line(OPTIONS, argv)
    given = single_use(uses, "-f")
    attributes = parse_input_attributes(list(given.attributes), where=given.where) if given else InputAttributes()
    if single_use(uses, "-d") is not None or attributes.known or attributes.format is not Format.SEPARATED:
        return run_plan(NAME, argv, plan_chain(uses, open_import=None), [use.name for use in uses])
    source = plan_input(uses, required=False)
    outputs = _raw_outputs(uses)

    def read(source: InputPlan, file: str, stdin: BinaryIO | None) -> Iterator[InputBatch]:
        from ess.formats.raw import read_raw

        return read_raw(file, source.attributes, stdin=stdin)

    return gather(NAME, argv, uses, source, lambda intake: _copy(source, outputs, intake), read=read)


def command() -> NoReturn:
    """The command ``aq_cat``."""
    run_tool(NAME, main)


def _raw_outputs(uses: Sequence[Use]) -> list[_RawOutput]:
    outputs: list[_RawOutput] = []
    previous = ""
    for use in uses:
        if use.name == "-o":
            for word in use.attributes:
                if word.strip().lower() not in _RAW_ATTRIBUTES:
                    raise OptionError(f"'{word}' needs columns", where=use.where, hint="give them with -d")
            attributes = parse_output_attributes(list(use.attributes), where=use.where)
            outputs.append(_RawOutput(use.arguments[0], attributes))
        elif use.name == "-c":
            if previous != "-o":
                outputs.append(_RawOutput(STDOUT))
            outputs[-1].numbers = _numbers(use)
        previous = use.name
    return outputs or [_RawOutput(STDOUT)]


def _numbers(use: Use) -> tuple[int, ...]:
    numbers: list[int] = []
    for word in use.arguments:
        match = _RANGE.match(word)
        if match is None:
            raise OptionError(
                f"'{word}' is not a column number or a range", where=use.where, hint="names of columns need a -d"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        numbers += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return tuple(numbers)


def _copy(source: InputPlan, outputs: Sequence[_RawOutput], intake: Intake) -> int:
    """Pass the records on; how many were."""
    from ess.formats.output.writer import open_output
    from ess.formats.raw import RECORD, choose_fields

    writers: dict[str, Writer] = {}
    groups: dict[str, list[_RawOutput]] = {}
    for output in outputs:
        identity = target_identity(output.target)
        groups.setdefault(identity, []).append(output)
        if identity not in writers:
            writers[identity] = open_output(output.target, output.attributes, [])
    try:
        for batch in intake.batches():
            whole = batch.get_column(RECORD).to_list()
            for identity, group in groups.items():
                lines = [
                    choose_fields(batch, source.attributes, output.numbers) if output.numbers else whole
                    for output in group
                ]
                # Outputs to one target take turns record by record.
                writers[identity].write_bytes(b"".join(line for turn in zip(*lines, strict=True) for line in turn))
    except BaseException:
        for writer in writers.values():
            writer.close(complete=False)
        raise
    for writer in writers.values():
        writer.close()
    return intake.rows
