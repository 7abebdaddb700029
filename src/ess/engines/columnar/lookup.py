"""Looking rows up in a table by a key: the first record with the key counts.

A row is looked up in a dictionary. Many rows at once are found by the hashes of their keys in the sorted hashes of
the table's; a join of Polars would hash the whole table again for each batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from ess.engines.columnar.storage import LOADS, VALUE_DTYPES, store
from ess.language.tree import value_type
from ess.schema.batch import Batch
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Fewer rows are looked up one by one.
_FEW_ROWS = 128


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
        self._keys = values.select(values.columns[: self._width])
        self._values = values.select(values.columns[self._width :])
        self._types = tuple(types[self._width :])
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
        places = self._places_of(keys)
        found = places.is_not_null()
        result = found.cast(pl.Int64).alias("result")
        if any(key.null_count() for key in keys):
            here = pl.all_horizontal(key.is_not_null() for key in keys)
            result = pl.select(pl.when(here).then(result)).to_series().alias("result")
        if not self._targets:
            return result.to_frame()
        if self._stored is None:
            self._stored = self._as_stored()
        columns = [result]
        for number, now in enumerate(current):
            made = self._stored.get_column(str(number)).gather(places)
            columns.append(made.zip_with(found, now).alias(str(number)))
        return pl.DataFrame(columns)

    @cached_property
    def _place(self) -> dict[Any, int]:
        """The position in the table of the first record with a key."""
        keys = self._keys_of(self._keys.get_columns())
        # From the last record to the first, so that the first one with a key is what stays.
        return dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))

    @cached_property
    def _hashed(self) -> _HashedKeys | None:
        """The same for many keys at once; None where equal keys may have different hashes."""
        if any(self._folds) or pl.Float64 in self._keys.dtypes or not self._keys.height:
            return None
        hashed = _HashedKeys(self._keys)
        return hashed if hashed.distinct else None

    def _places_of(self, keys: Sequence[pl.Series]) -> pl.Series:
        """For each key the position of its first record in the table; null if there is none."""
        if len(keys[0]) >= _FEW_ROWS and [key.dtype for key in keys] == self._keys.dtypes and self._hashed is not None:
            return self._hashed.places(keys)
        return pl.Series(list(map(self._place.get, self._keys_of(keys))), dtype=pl.UInt32)

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


class _HashedKeys:
    """The keys of a table in the order of their hashes.

    Args:
        keys: The table's key columns.

    Attributes:
        distinct: Whether different keys have different hashes; otherwise this is of no use.
    """

    def __init__(self, keys: pl.DataFrame) -> None:
        import numpy as np  # starts threads as it is imported, which small runs do without

        hashes = _hashes(keys)
        order = np.argsort(hashes, kind="stable")  # the records with one key stay in their order
        ordered = hashes[order]
        is_first = np.ones(len(order), dtype=np.bool_)
        is_first[1:] = ordered[1:] != ordered[:-1]
        first = order[is_first]
        same_as = keys[first[np.cumsum(is_first) - 1]]
        self.distinct = same_as.equals(keys[order])
        self._hashes = ordered[is_first]
        self._keys = keys[first]
        self._places = pl.Series(first.astype(np.uint32))

    def places(self, keys: Sequence[pl.Series]) -> pl.Series:
        """For each key the position of its first record in the table; null if there is none."""
        wanted = pl.DataFrame([key.alias(name) for key, name in zip(keys, self._keys.columns, strict=True)])
        at = self._hashes.searchsorted(_hashes(wanted))
        at[at == len(self._hashes)] = 0
        # A null is equal to nothing.
        there = [found.gather(at) == key for found, key in zip(self._keys, wanted, strict=True)]
        same = there[0]
        for more in there[1:]:
            same &= more
        nowhere = pl.Series([None], dtype=pl.UInt32)
        return self._places.gather(at).zip_with(same.fill_null(value=False), nowhere)


def _hashes(keys: pl.DataFrame) -> NDArray[np.uint64]:
    return keys.hash_rows(1).to_numpy()
