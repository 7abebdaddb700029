"""Where records come from: ``-f`` and ``-d``, and the reading of one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ess.errors import OptionError
from ess.formats.attributes import InputAttributes, parse_input_attributes
from ess.formats.columns import InputColumns, parse_input_columns
from ess.pipeline.options import Use
from ess.schema.columns import Column

if TYPE_CHECKING:
    from ess.formats.reader import InputBatch

#: The input that means the standard input.
STDIN = "-"


@dataclass(frozen=True)
class InputPlan:
    """Where records come from.

    ``files`` holds names as given, ``-`` for stdin; ``separators`` is for the ``div`` format (see ``InputColumns``).
    """

    files: tuple[str, ...]
    attributes: InputAttributes
    columns: tuple[Column, ...]
    separators: tuple[bytes, ...] = ()


def plan_input(uses: Sequence[Use], *, required: bool = True) -> InputPlan:
    """The input that ``-f`` and ``-d`` describe; without ``-f`` it is stdin.

    Raises:
        OptionError: For a wrong attribute or column spec, or no columns (where ``required``).
    """
    source = single_use(uses, "-f")
    definition = single_use(uses, "-d")
    attributes = parse_input_attributes(list(source.attributes), where=source.where) if source else InputAttributes()
    given = parse_input_columns(definition.arguments, attributes, where="-d") if definition else InputColumns(())
    if required and not any(column.wanted for column in given.columns):
        raise OptionError("no input columns are defined", where="-d", hint="e.g. -d s:Name i:Count X")
    files = source.arguments if source and source.arguments else (STDIN,)
    return InputPlan(files, attributes, given.columns, given.separators)


def single_use(uses: Sequence[Use], name: str) -> Use | None:
    """The only use of an option, or None.

    Raises:
        OptionError: If it is used twice.
    """
    found = [use for use in uses if use.name == name]
    if len(found) > 1:
        raise OptionError(f"{name} is given twice", where=found[1].where, hint=f"give everything after one {name}")
    return found[0] if found else None


def read_file(plan: InputPlan, file: str, stdin: BinaryIO | None) -> Iterator[InputBatch]:
    """The batches of one file of an input; read one by one, so that record numbers and limits begin anew in each."""
    from ess.formats.reader import read_input  # loads the engines; a command line is checked without them

    return read_input([file], plan.attributes, plan.columns, separators=plan.separators, stdin=stdin)
