"""``-cmb,mrg``: a join with a table that is read along with the rows, because both are sorted by the key."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ess.errors import InputDataError
from ess.pipeline.lookup_table import Row, open_rows, signed_row
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.pipeline.source import InputPlan

#: What sorts before every key.
_START: tuple[Any, ...] = ()


class MergedTable:
    """Answers for keys that come in order, holding only the records of one key.

    Records and keys compare number by number, string by string and address by address, column
    after column. Several files are merged; each has to be sorted.

    Args:
        source: The files.
        names: Their columns, by key: those of the join's key, then the others.
        key_types: The types of each column of the key, in the rows and in the files.
        ignore_case: Whether ASCII letters of string keys match, and sort, in either case.
        descending: Whether both sides fall instead of rise.
        where: The option, for messages.
    """

    def __init__(
        self,
        source: InputPlan,
        names: Sequence[str],
        key_types: Sequence[tuple[ColumnType, ColumnType]],
        *,
        ignore_case: bool,
        descending: bool,
        where: str,
    ) -> None:
        self._width = len(key_types)
        self._descending = descending
        self._where = where
        self._key_of_row = _key_maker([row for row, _ in key_types], ignore_case, signed=True)
        self._key_of_record = _key_maker([record for _, record in key_types], ignore_case, signed=False)
        self._wide = [n for n, column in enumerate(_wanted(source, names)) if column is ColumnType.L]
        streams = [self._records(source, file, names) for file in source.files]
        self._records_left = heapq.merge(*streams, key=_first, reverse=descending) if len(streams) > 1 else streams[0]
        self._next = next(self._records_left, None)
        self._last = _START
        self._group_key = _START
        self._group: list[Row] = []

    def find(self, key: Row) -> list[Row]:
        """The other values of the records with this key.

        Raises:
            InputDataError: If the key comes before the one of the last call, or a file is not sorted.
            InputOpenError, InputReadError: As for any input.
        """
        wanted = self._key_of_row(key)
        if wanted == self._group_key:
            return self._group
        if self._last and self._before(wanted, self._last):
            order = "descending" if self._descending else "ascending"
            raise InputDataError(
                f"the rows are not in {order} order of the key: {_shown(wanted)} follows {_shown(self._last)}",
                where=self._where,
                hint="sort them first, or leave out mrg",
            )
        self._last = self._group_key = wanted
        self._group = []
        while self._next is not None and self._before(self._next[0], wanted):
            self._next = next(self._records_left, None)
        while self._next is not None and self._next[0] == wanted:
            self._group.append(self._next[1])
            self._next = next(self._records_left, None)
        return self._group

    def _before(self, left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
        return left > right if self._descending else left < right

    def _records(self, source: InputPlan, file: str, names: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], Row]]:
        """The records of a file as (key, other values)."""
        last = _START
        for record in open_rows(source, file, names):
            key = self._key_of_record(record[: self._width])
            if last and self._before(key, last):
                order = "descending" if self._descending else "ascending"
                raise InputDataError(
                    f"not in {order} order of the key: {_shown(key)} follows {_shown(last)}",
                    where=f"{self._where} {file}",
                    hint="sort the file first, or leave out mrg",
                )
            last = key
            yield key, (signed_row(record, self._wide) if self._wide else record)[self._width :]


def _first(record: tuple[tuple[Any, ...], Row]) -> tuple[Any, ...]:
    return record[0]


def _wanted(source: InputPlan, names: Sequence[str]) -> list[ColumnType]:
    types = {column.key: column.type for column in source.columns if column.wanted}
    return [types[name] for name in names]


def _key_maker(types: Sequence[ColumnType], ignore_case: bool, *, signed: bool) -> Callable[[Row], tuple[Any, ...]]:
    """A function to comparable keys. In rows, 64-bit unsigned numbers come as the signed ones of the same bits."""
    folds = [n for n, kind in enumerate(types) if kind is ColumnType.S and ignore_case]
    wide = [n for n, kind in enumerate(types) if kind is ColumnType.L and signed]
    if not folds and not wide:
        return lambda row: row

    def made(row: Row) -> tuple[Any, ...]:
        values: list[Any] = list(row)
        for n in folds:
            values[n] = values[n].lower()
        for n in wide:
            values[n] %= 2**64
        return tuple(values)

    return made


def _shown(key: tuple[Any, ...]) -> str:
    return ",".join(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in key)
