"""``aq_rst``: restructures records into a table with a column for each value of a label."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ess.errors import OptionError
from ess.formats.attributes import OutputAttributes, parse_output_attributes
from ess.language.scope import Scope
from ess.language.tree import Slot
from ess.pipeline import old_spellings, shared_options
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import Option, OptionTable, Use
from ess.pipeline.page import help_text
from ess.pipeline.plan import target_identity
from ess.pipeline.sinks import STDOUT
from ess.pipeline.source import plan_input, single_use
from ess.schema.columns import Column
from ess.schema.types import ColumnType
from ess.tools.process import asks_for_help, run_tool
from ess.tools.run import gather

if TYPE_CHECKING:
    from ess.formats.output.columns import OutputColumn
    from ess.formats.output.writer import Writer
    from ess.pipeline.intake import Intake
    from ess.schema.batch import Batch

_TABLE = "Table"

OPTIONS = OptionTable(
    "aq_rst",
    "Restructures records into a table: a row for each key, a column for each label, in ascending order, and in each "
    "cell the value of the record with that key and label (of several, the last). The table has to fit into memory.",
    (
        shared_options.VERB,
        shared_options.STAT,
        shared_options.TEST,
        shared_options.FILES,
        shared_options.COLUMNS,
        Option("-key", "The columns that make the rows.", ("ColName",), more="ColName", group=_TABLE),
        Option("-lab", "The column whose values name the new columns.", ("ColName",), group=_TABLE),
        Option("-val", "The column whose values fill them.", ("ColName",), group=_TABLE),
        Option("-def", "The value of a cell without a record (default 0 or blank).", ("Value",), group=_TABLE),
        Option(
            "-ord",
            "Sort the rows by the key; without it they come in the order in which the keys first occur.",
            group=_TABLE,
        ),
        shared_options.result_to("table"),
        Option(
            "-olab",
            "Print the labels to a file, one a line below the name of their column; - prints them before the table.",
            ("File",),
            attributes=True,
            group=shared_options.OUTPUT,
        ),
        *old_spellings.COMMON,
    ),
)

NAME = OPTIONS.tool


@dataclass(frozen=True)
class _Target:
    """The target of a table."""

    file: str
    attributes: OutputAttributes
    where: str

    def open(self, columns: list[OutputColumn]) -> Writer:
        from ess.formats.output.writer import open_output

        return open_output(self.file, self.attributes, columns, where=self.where)


@dataclass(frozen=True)
class _Shape:
    """The parts of a table."""

    keys: tuple[Slot, ...]
    label: Slot
    value: Slot
    default: bytes | int | float
    ordered: bool


def main(argv: list[str]) -> int:
    """Run ``aq_rst`` with these arguments; the exit code.

    Raises:
        EssError: If it fails.
    """
    if asks_for_help(argv):
        sys.stdout.write(help_text(OPTIONS, argv[1:]))
        return 0
    uses = parse_command_line(OPTIONS, argv)
    source = plan_input(uses)
    scope = Scope()
    for column in source.columns:
        if column.wanted:
            scope.add(column, where="-d")
    value = scope.get(_needed(uses, "-val").arguments[0], where="-val")
    shape = _Shape(
        tuple(scope.get(name, where="-key") for name in _needed(uses, "-key").arguments),
        scope.get(_needed(uses, "-lab").arguments[0], where="-lab"),
        value,
        _default(single_use(uses, "-def"), value.type),
        single_use(uses, "-ord") is not None,
    )
    table = _target(single_use(uses, "-o")) or _Target(STDOUT, OutputAttributes(), "-o")
    labels = _target(single_use(uses, "-olab"))
    if labels is not None and labels.file != STDOUT and target_identity(labels.file) == target_identity(table.file):
        raise OptionError("the labels and the table would go to the same file", where="-olab")
    return gather(NAME, argv, uses, source, lambda intake: _restructure(shape, table, labels, intake))


def command() -> NoReturn:
    """The command ``aq_rst``."""
    run_tool(NAME, main)


def _needed(uses: list[Use], name: str) -> Use:
    use = single_use(uses, name)
    if use is None:
        raise OptionError(f"{name} is missing", where=NAME, hint="it needs -key Col ... -lab Col -val Col")
    return use


def _target(use: Use | None) -> _Target | None:
    if use is None:
        return None
    return _Target(use.arguments[0], parse_output_attributes(list(use.attributes), where=use.where), use.where)


def _default(use: Use | None, kind: ColumnType) -> bytes | int | float:
    from ess.formats.values import BadValueError, converter

    text = use.arguments[0] if use is not None else ""
    try:
        return converter(Column("default", kind))(text.encode("utf-8", "surrogateescape"))
    except BadValueError as error:
        raise OptionError(str(error), where="-def", hint="it must have the type of the -val column") from None


def _restructure(shape: _Shape, table: _Target, labels: _Target | None, intake: Intake) -> int:
    from ess.engines.tables.pivoting import Pivot
    from ess.formats.output.columns import OutputColumn

    label_columns = [OutputColumn("label", shape.label.name, shape.label.type)]
    label_writer = labels.open(label_columns) if labels is not None else None
    pivot = Pivot(shape.keys, shape.label, shape.value)
    for batch in intake.batches():
        pivot.add(batch)
    found, rows = pivot.result(ordered=shape.ordered, default=shape.default)
    keys = list({slot.key: slot for slot in shape.keys}.values())
    columns = [OutputColumn(f"key {n}", slot.name, slot.type) for n, slot in enumerate(keys)]
    columns += [
        OutputColumn(f"label {n}", _label_text(value, shape.label.type), shape.value.type)
        for n, value in enumerate(found)
    ]
    if label_writer is not None:  # first, because both may go to the standard output
        with label_writer:
            label_writer.write(_label_rows(found, shape.label.type))
    with table.open(columns) as writer:
        if rows.height:
            writer.write(rows)
    return rows.height


def _label_rows(labels: list[bytes | int | float], kind: ColumnType) -> Batch:
    from ess.schema.batch import make_batch

    return make_batch([("label", kind, labels)], len(labels))


def _label_text(label: bytes | int | float, kind: ColumnType) -> str:
    from ess.formats.values import address_text

    if isinstance(label, bytes):
        text = address_text(label) if kind is ColumnType.IP else label
        return text.decode("utf-8", "surrogateescape")
    return f"{label:.17g}" if isinstance(label, float) else str(label)
