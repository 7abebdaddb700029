"""Exports and counts for Python programs: one call, one answer."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ess.pipeline.options import Option, Use
from ess.schema.batch import PHYSICAL, Batch
from ess.schema.types import ColumnType
from ess.udb.client.pool import Pool
from ess.udb.command.operations import plan
from ess.udb.command.perform import counted, exported


def export_batch(
    target: str,
    *,
    columns: Sequence[str] = (),
    filter: str | None = None,  # noqa: A002 - it is what a user calls it
    sort: Sequence[str] = (),
    descending: bool = False,
    top: int | None = None,
) -> tuple[Batch, list[tuple[str, str, ColumnType]]]:
    """The rows that ``aq_udb -exp target`` would print.

    Args:
        target: ``DbName[:TabName]``.
        columns: As the words after ``-c``; all when empty.
        filter: As ``-filt``.
        sort: Sort columns, the most significant first.
        descending: For all of ``sort``.
        top: The maximum number of rows.

    Returns:
        The rows, and of each column its name in the batch, its label, and its type, in order. A
        column may be printed twice.

    Raises:
        EssError: As ``aq_udb``.
    """
    uses = [_use("-exp", target)]
    if filter is not None:
        uses.append(_use("-filt", filter))
    if sort:
        uses.append(_use("-sort", *sort, attributes=("dec",) if descending else ()))
    if top is not None:
        uses.append(_use("-top", str(top)))
    if columns:
        uses.append(_use("-c", *columns))
    operation = plan(uses)
    shown = [(column.slot.key, column.label, column.slot.type) for column in operation.columns]
    with Pool(operation.servers) as pool:
        pool.reach(operation.target.database, operation.about.definition)
        batches = list(exported(operation, pool))
    if not batches:
        return pl.DataFrame([pl.Series(key, [], dtype=PHYSICAL[kind]) for key, _, kind in dict.fromkeys(shown)]), shown
    return pl.concat(batches), shown


def count_rows(target: str, *, filter: str | None = None) -> int:  # noqa: A002
    """The number of rows that ``aq_udb -cnt target`` would print; of keys, for a database without a table.

    Raises:
        EssError: As ``aq_udb``.
    """
    operation = plan([_use("-cnt", target), *([_use("-filt", filter)] if filter is not None else [])])
    with Pool(operation.servers) as pool:
        pool.reach(operation.target.database, operation.about.definition)
        counts = counted(operation, pool)["count"].to_list()
    return int(counts[-1])


def _use(name: str, *arguments: str, attributes: tuple[str, ...] = ()) -> Use:
    return Use(Option(name, ""), attributes, arguments, name)
