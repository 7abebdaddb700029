"""The columns of a category, described."""

from __future__ import annotations

from dataclasses import dataclass

from ess.formats.known.table import known_format
from ess.lake.categories import Category
from ess.lake.reading import input_columns


@dataclass(frozen=True)
class Described:
    """A column: its name, its type as in a column spec, and what it holds, blank if that is not known."""

    name: str
    type: str
    help: str


def described(category: Category) -> list[Described]:
    """The wanted columns of a category.

    Raises:
        OptionError: If they are not known.
    """
    known = known_format(category.format)
    helps = (
        {}
        if known is None
        else {name.lower(): field.help for name, field in zip(known.names, known.fields, strict=True)}
    )
    if known is not None:
        helps |= {each.name.lower(): each.help for each in known.made}
    columns = [column for column in input_columns(category).columns if column.wanted]
    return [Described(each.name, each.type.name, helps.get((each.path or each.name).lower(), "")) for each in columns]
