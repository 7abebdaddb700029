"""Reading an input whose format has a name: its records by the reader of their form, then what is made of them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ess.formats.known.columns import picture_below_titles, picture_of
from ess.formats.known.definition import KnownFormat, Titles
from ess.formats.known.made_columns import make_column
from ess.formats.values import converter
from ess.schema.batch import PHYSICAL, Batch
from ess.schema.columns import Column
from ess.schema.types import ColumnType


class KnownColumns:
    """The columns of an input, between its records and its rows.

    Args:
        known: The format.
        columns: The columns of the input, each with ``path`` as ``picked_columns`` gives it.
        where: The option, for errors.
    """

    def __init__(self, known: KnownFormat, columns: Sequence[Column], *, where: str) -> None:
        below = known.titles is not Titles.NONE
        self._picture = (picture_below_titles if below else picture_of)(columns, known, where=where)
        #: The columns of a record.
        self.read: tuple[Column, ...] = self._picture.read

    def rows(self, records: Batch) -> Batch:
        """The rows of some records, with the columns that are used."""
        picture = self._picture
        if not picture.keys:
            return pl.DataFrame(height=records.height)
        # Queries of Polars would take longer than what there is to do.
        columns = {column.name: column for column in records.get_columns()}
        for column, rule, keys in picture.made:
            if column.used:
                made = make_column(rule.rule, [columns[key] for key in keys])
                columns[column.key] = _as(column, made)
        return pl.DataFrame([columns[key] for key in picture.keys])

    def name(self, index: int) -> str:
        """The name of a column of a record, for messages; blank if a record has no fields."""
        if index < 0:
            return ""
        return self.read[index].name.removeprefix("#") if index < len(self.read) else f"#{index + 1}"


def _as(column: Column, made: pl.Series) -> pl.Series:
    """The values in the type, and with the attributes, that ``-d`` gives the column."""
    own = column.attributes
    if column.type is not ColumnType.S:
        return made.cast(PHYSICAL[column.type]).alias(column.key)
    if made.dtype == pl.Binary and not (own.trim or own.lower or own.upper):
        return made.alias(column.key)
    convert = converter(column)
    values = [convert(value if isinstance(value, bytes) else b"%d" % value) for value in made.to_list()]
    return pl.Series(column.key, values, dtype=pl.Binary)
