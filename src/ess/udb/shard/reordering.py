"""``-ord``: sorting the rows of each key, or the keys, on one server."""

from __future__ import annotations

from ess.errors import OptionError
from ess.udb.shard.changes import OrderKeys, OrderRows
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec import Kind
from ess.udb.wire.protocol import OrderRequest


def order(shard: Shard, request: OrderRequest) -> None:
    """Sort a table's rows, those of every table that has a time, or the keys.

    Raises:
        OptionError: If a column is not there, or there is none to sort by.
    """
    definition = shard.definition
    if not request.table and request.columns:
        parts = tuple(_key_column(shard, name) for name in request.columns)
        shard.do(OrderKeys(parts, request.descending, request.ignore_case))
        return
    for table in [definition.get(request.table, where=request.database)] if request.table else definition.tables:
        by = [table.get(name, where="-ord") for name in request.columns]
        if not by and table.time_column is not None:
            by = [table.time_column]
        elif not by and request.table:
            raise OptionError(f"{table.label} has no tkey column", where="-ord", hint="name the columns to sort by")
        names = tuple(column.key for column in by if not column.primary)
        if names and table.kind is Kind.TABLE:
            shard.do(OrderRows(table.key, names, request.descending, request.ignore_case))


def _key_column(shard: Shard, name: str) -> str:
    for column in shard.definition.key:
        if column.key == name.lower():
            return column.key
    known = " ".join(column.name for column in shard.definition.key)
    raise OptionError(f"'{name}' is not a column of the key", where="-ord", hint=f"the key is {known}")
