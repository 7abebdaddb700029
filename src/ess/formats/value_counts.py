"""The different values of each column, with how often they stand in good records, and why other records are rejected.

Records are divided with all columns as text, so that blanks and forms of numbers are seen. Each different value is then
given to the converter of its column: what is rejected is what a reader of these columns rejects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from ess.formats.attributes import InputAttributes
from ess.formats.columns import InputColumns
from ess.formats.reader import read_opened
from ess.formats.values import BadValueError, converter
from ess.schema.columns import Column
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.formats.blocks import ByteSource


@dataclass(frozen=True)
class ValueCounts:
    """Some consecutive records of an input.

    Args:
        rows: How many are good.
        sizes: Of the good ones the smallest, largest and total size: the bytes of the values and one between two.
        values: For the key of each wanted column its different values in good records, in the order of their first.
        rejects: For each bad record the column and the reason.
    """

    rows: int
    sizes: tuple[int, int, int]
    values: Mapping[str, Mapping[bytes, int]]
    rejects: Sequence[tuple[str, str]]


def count_values(
    stream: ByteSource, name: str, attributes: InputAttributes, columns: InputColumns, limit: int | None = None
) -> Iterator[ValueCounts]:
    """The records of an open input, counted batch by batch.

    Args:
        stream: Its decompressed bytes.
        name: Its name, for messages.
        attributes: How to read it.
        columns: Its columns.
        limit: How many records to take, if not all; some rejected ones may come on top.

    Raises:
        InputReadError: If it is damaged.
    """
    texts = tuple(map(_as_text, columns.columns))
    wanted = [column for column in columns.columns if column.wanted]
    for batch in read_opened(stream, name, attributes, texts, columns.separators):
        frame = batch.frame if limit is None else batch.frame.head(limit)
        found = _counted(frame, wanted, [(reject.column, reject.reason) for reject in batch.rejects])
        yield found
        if limit is not None:
            limit -= frame.height
            if limit == 0:
                return


def _as_text(column: Column) -> Column:
    if column.type is ColumnType.S or not column.wanted:
        return column
    own = replace(column.attributes, hexadecimal=False, trim=False)
    return replace(column, type=ColumnType.S, attributes=own)


def _counted(frame: pl.DataFrame, wanted: Sequence[Column], rejects: list[tuple[str, str]]) -> ValueCounts:
    values = {column.key: _counts(frame.get_column(column.key)) for column in wanted}
    bad = {column.key: found for column in wanted if (found := _refused(column, values[column.key]))}
    if bad:
        is_bad = pl.any_horizontal(pl.col(key).is_in(list(found)) for key, found in bad.items())
        spoiled, frame = frame.filter(is_bad), frame.filter(~is_bad)
        for key, counts in values.items():
            less = _counts(spoiled.get_column(key))
            values[key] = {value: n - less.get(value, 0) for value, n in counts.items() if n > less.get(value, 0)}
        names = {column.key: column.name for column in wanted if column.key in bad}
        for record in spoiled.select(list(names)).iter_rows():
            # A record is rejected for its first wrong column.
            key, value = next(each for each in zip(names, record, strict=True) if each[1] in bad[each[0]])
            rejects.append((names[key], bad[key][value]))
    sizes = (0, 0, 0)
    if wanted and frame.height:
        size = pl.sum_horizontal(pl.all().bin.size()).cast(pl.Int64) + len(wanted) - 1
        sizes = frame.select(size.min().alias("least"), size.max().alias("most"), size.sum().alias("total")).row(0)
    return ValueCounts(frame.height, sizes, values, rejects)


def _counts(series: pl.Series) -> dict[bytes, int]:
    return dict(zip(series.unique(maintain_order=True).to_list(), series.unique_counts().to_list(), strict=True))


def _refused(column: Column, values: Iterable[bytes]) -> dict[bytes, str]:
    """The values that the column does not take, and why."""
    if column.type is ColumnType.S:
        return {}
    convert = converter(column)
    refused: dict[bytes, str] = {}
    for value in values:
        try:
            convert(value)
        except BadValueError as error:
            refused[value] = str(error)
    return refused
