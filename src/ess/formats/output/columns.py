"""The columns of an output, and how they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ess.errors import OptionError
from ess.formats.attributes import Format, OutputAttributes
from ess.formats.output.print_format import PrintFormat, parse_print_format
from ess.schema.types import ColumnType


@dataclass(frozen=True)
class OutputColumn:
    """A column to print.

    Args:
        key: Its name in the batch.
        label: Its name in the title line.
        type: Its type.
        print_format: ``+NumPrintFormat`` without the plus sign, for numbers.
        length: ``n=Len``: how many bytes a field is printed with (quotes counted): the first ones, or the last if
            it is negative. A shorter field gets blanks on the right, or on the left if it is negative.
    """

    key: str
    label: str
    type: ColumnType
    print_format: str | None = None
    length: int | None = None


@dataclass(frozen=True)
class OutputLayout:
    """Columns with what their values look like.

    Args:
        attributes: Those of the output.
        columns: In the order of the fields.
        number_formats: For each column its print format, None where it has none.
    """

    attributes: OutputAttributes
    columns: tuple[OutputColumn, ...]
    number_formats: tuple[PrintFormat | None, ...]

    @property
    def quoted(self) -> bool:
        """True if strings and labels are in quotes."""
        return self.attributes.format is Format.SEPARATED and self.attributes.quoted


def output_layout(attributes: OutputAttributes, columns: Sequence[OutputColumn], *, where: str) -> OutputLayout:
    """The layout of an output.

    Raises:
        OptionError: If a print format is wrong or for a column that is no number, or if a ``fix`` column has no length.
    """
    formats = tuple(_checked_format(column, attributes, where) for column in columns)
    return OutputLayout(attributes, tuple(columns), formats)


def _checked_format(column: OutputColumn, attributes: OutputAttributes, where: str) -> PrintFormat | None:
    if attributes.format is Format.FIXED and not column.length:
        raise OptionError(
            f"column '{column.label}' of a 'fix' output has no length", where=where, hint=f"e.g. -c {column.key},n=10"
        )
    if column.print_format is None:
        return None
    if not column.type.is_numeric:
        raise OptionError(
            f"column '{column.label}' is no number, so it has no print format", where=where, hint="leave the + out"
        )
    return parse_print_format(column.print_format, where=where)
