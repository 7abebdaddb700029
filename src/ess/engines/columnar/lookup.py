"""Looking rows up in a table by a key: the first record with the key counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from ess.engines.batch import Batch
from ess.engines.columnar.storage import LOADS, VALUE_DTYPES, store
from ess.language.tree import value_type
from ess.schema.types import ColumnType


class FirstMatch:
    """A row implementation that also answers for whole columns.

    Called with the values of a key and then the present values of the targets, it returns 1 and the record's other
    values, or 0 and the present values. Without targets it returns the 1 or 0 alone.

    Args:
        table: The records: the key's columns, then the others, in their physical types.
        types: Their types.
        targets: The types of the columns that the other values go to.
        ignore_case: Whether ASCII letters of string keys match in either case.

    >>> table = pl.DataFrame({"k": [b"a", b"a"], "v": pl.Series([1, 2], dtype=pl.UInt32)})
    >>> match = FirstMatch(table, [ColumnType.S, ColumnType.I], [ColumnType.I], ignore_case=False)
    >>> match(b"a", 7), match(b"b", 7)
    ((1, 1), (0, 7))
    """

    def __init__(
        self, table: Batch, types: Sequence[ColumnType], targets: Sequence[ColumnType], *, ignore_case: bool
    ) -> None:
        self._targets = tuple(targets)
        self._width = len(types) - len(targets)
        self._folds = [ignore_case and kind is ColumnType.S for kind in types[: self._width]]
        values = table.select(LOADS[kind](pl.col(name)) for name, kind in zip(table.columns, types, strict=True))
        self._keys = values.columns[: self._width]
        self._values = values.select(values.columns[self._width :])
        self._types = tuple(types[self._width :])
        keys = self._keys_of([values.get_column(name) for name in self._keys])
        # From the last record to the first, so that the first one with a key is what stays.
        self._place = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
        self._rows: list[tuple[Any, ...]] = []
        self._stored: Batch | None = None

    def __call__(self, *values: Any) -> Any:
        """The result for one row."""
        key = [value.lower() if fold else value for value, fold in zip(values, self._folds, strict=False)]
        place = self._place.get(key[0] if self._width == 1 else tuple(key))
        if not self._targets:
            return 0 if place is None else 1
        if place is None:
            return (0, *values[self._width :])
        if not self._rows:
            self._rows = self._values.rows()
        return (1, *self._rows[place])

    def over(self, arguments: Sequence[pl.Series]) -> Batch:
        """The results for columns, null where an argument of the key is null.

        Returns:
            ``result``, and for each target its new value in column ``0``, ``1`` and so on, as an expression reads it.
        """
        keys, current = arguments[: self._width], arguments[self._width :]
        places = pl.Series(list(map(self._place.get, self._keys_of(keys))), dtype=pl.UInt32)
        here = pl.all_horizontal(key.is_not_null() for key in keys)
        found = places.is_not_null()
        result = pl.select(pl.when(here).then(found.cast(pl.Int64))).to_series().alias("result")
        if not self._targets:
            return result.to_frame()
        if self._stored is None:
            self._stored = self._as_stored()
        columns = [result]
        for number, now in enumerate(current):
            made = self._stored.get_column(str(number)).gather(places)
            columns.append(pl.select(pl.when(found).then(made).otherwise(now)).to_series().alias(str(number)))
        return pl.DataFrame(columns)

    def _as_stored(self) -> Batch:
        """The values as they are once they are in the targets."""
        expressions = []
        for number, (kind, target) in enumerate(zip(self._types, self._targets, strict=True)):
            value = store(pl.col(self._values.columns[number]), value_type(kind), target)
            expressions.append(LOADS[target](value).cast(VALUE_DTYPES[value_type(target)]).alias(str(number)))
        return self._values.select(expressions)

    def _keys_of(self, columns: Sequence[pl.Series]) -> list[Any]:
        """The keys of the rows; None or a tuple with a None where there is none."""
        lists: list[list[Any]] = []
        for column, fold in zip(columns, self._folds, strict=True):
            values = column.to_list()
            lists.append([None if value is None else value.lower() for value in values] if fold else values)
        return lists[0] if len(lists) == 1 else list(zip(*lists, strict=True))
