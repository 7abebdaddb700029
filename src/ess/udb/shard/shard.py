"""One server's share of a database: keys, and the rows that hang on them. No input or output.

Keys are numbered in the order in which they were first seen, over all tables of the database.
A table keeps its rows sorted by key number, and of each row only what is not the key. Imports
are appended as they come and merged in when a reader needs them ("settled"): then new keys get their
numbers, and all new rows are sorted and merged at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import polars as pl

from ess.errors import EssError, UdbRequestError
from ess.schema.batch import PHYSICAL, Batch, blank
from ess.udb.shard.changes import (
    PLACE,
    Alter,
    Append,
    Change,
    Clear,
    DeleteKeys,
    DeleteRows,
    Forget,
    OrderKeys,
    OrderRows,
    RearrangeKeys,
    RearrangeRows,
    Replace,
)
from ess.udb.shard.conversion import converted
from ess.udb.shard.grouping import first_rows
from ess.udb.shard.merge import KEY_NUMBER, is_zero, merge_rows
from ess.udb.shard.sorting import sort_columns
from ess.udb.spec.spec import Definition, Kind, Table, TableColumn
from ess.udb.spec.spec_file import parse_definition

#: The job of an import that belongs to none begins so.
_ALONE = "#"

#: Fewer rows are merged in when a reader needs them.
_MANY_ROWS = 100_000


@dataclass(frozen=True)
class Import:
    """Rows to be merged in.

    Args:
        table: Where they go; None if only their keys count.
        rows: All columns of the table (or the key's), any number of batches.
        job: Imports of one job belong together.
        sequence: Their order within the job.
        only_known: Drop rows whose key is not there yet (``nonew``).
        only_new: Drop rows whose key is there already (``noold``).
    """

    table: Table | None
    rows: tuple[Batch, ...]
    job: str = ""
    sequence: int = 0
    only_known: bool = False
    only_new: bool = False

    @property
    def height(self) -> int:
        """The number of rows."""
        return sum(batch.height for batch in self.rows)


class Shard:
    """The store. Frames that it hands out are never changed afterwards, so a copy costs nothing.

    Args:
        definition: The tables.
        settled: Called when imports of a job are about to be merged in. The moment can decide the order of
            rows, so a log's keeper notes it.
    """

    def __init__(self, definition: Definition, settled: Callable[[], None] | None = None) -> None:
        self.definition = definition
        self.settled = settled
        self._keys = empty_frame(definition.key)
        self._rows: dict[str, Batch] = {}
        self._pending: list[Import] = []
        # Kept, not counted when somebody asks: each import asks, and thousands may wait.
        self._waiting, self._has_jobs = 0, False
        self._jobs: dict[str, int] = {}
        self._changes: list[Change] = []
        self._add_tables()

    def copy(self) -> Shard:
        """The present state, imports merged in; to read, and to try changes on.

        Where that cannot be noted, because the disk is full, imports are merged into the copy only.
        """
        with suppress(EssError):
            self.settle()
        made = Shard(self.definition)
        made._keys = self._keys
        made._rows = dict(self._rows)
        made._pending, made._jobs = list(self._pending), dict(self._jobs)
        made._waiting, made._has_jobs = self._waiting, self._has_jobs
        made.settle()
        return made

    def adopt(self, other: Shard) -> None:
        """Take over the state of a copy, which must have been made after the last import."""
        assert not self._pending
        other.settle()
        self.definition, self._keys, self._rows = other.definition, other._keys, dict(other._rows)

    @classmethod
    def restored(cls, definition: Definition, keys: Batch, rows: Mapping[str, Batch]) -> Shard:
        """A shard from what :meth:`contents` gave."""
        made = cls(definition)
        made._keys = keys
        made._rows.update(rows)
        return made

    def contents(self) -> tuple[Batch, dict[str, Batch]]:
        """The keys, and of each table ``#key`` and what is not the key."""
        self.settle()
        return self._keys, dict(self._rows)

    def extend(self, definition: Definition) -> None:
        """Take over a definition that has more tables."""
        if not self.definition.key:
            self._keys = empty_frame(definition.key)
        self.definition = definition
        self._add_tables()

    def append(self, rows: Import) -> None:
        """Take in a committed import; cheap, the work is done when somebody looks."""
        # An import that belongs to no job is a job by itself.
        job = rows.job or f"{_ALONE}{len(self._jobs)}"
        self._jobs.setdefault(job, len(self._jobs))
        self._pending.append(dataclasses.replace(rows, job=job))
        self._waiting += rows.height
        self._has_jobs = self._has_jobs or not job.startswith(_ALONE)

    @property
    def waiting(self) -> int:
        """The number of committed rows that have not been merged in yet."""
        return self._waiting

    @property
    def is_worth_settling(self) -> bool:
        """True if so many rows wait that it pays to merge them in before a reader needs them.

        So much that it at least doubles what is there: each row is merged in a few times at most, however small the
        imports are. Not imports of a job, whose order is decided when somebody looks.
        """
        stored = sum(rows.height for rows in self._rows.values())
        return self.waiting >= max(_MANY_ROWS, stored) and not self._has_jobs

    def size(self) -> int:
        """About how many bytes the rows take."""
        frames = [self._keys, *self._rows.values(), *(batch for rows in self._pending for batch in rows.rows)]
        return sum(int(frame.estimated_size()) for frame in frames)

    # Looking ------------------------------------------------------------------------------------------------------

    def keys(self) -> Batch:
        """``#key`` and the key's columns, a row a key, in order."""
        self.settle()
        return self._keys.with_row_index(KEY_NUMBER)

    def view(self, table: Table, key_columns: Collection[str] | None = None) -> Batch:
        """``#key`` and all columns of a table, in key order; of a vector a row for every key there is.

        The Var vector gives one row, without a ``#key`` of meaning.

        Args:
            table: The table.
            key_columns: Of the columns of the key only these, as each row's copy of them costs; None: all.
        """
        self.settle()
        rows = self._rows[table.key]
        if table.kind is Kind.VAR:
            return rows if rows.height else blank_rows(table.values, pl.Series(KEY_NUMBER, [0], dtype=pl.UInt32))
        if table.kind is Kind.VECTOR:
            rows = _complete(table, rows, self._keys.height)
        numbers = rows[KEY_NUMBER]
        columns = [
            self._keys[column.key].gather(numbers) if column.primary else rows[column.key]
            for column in table.columns
            if not column.primary or key_columns is None or column.key in key_columns
        ]
        return pl.DataFrame([numbers, *columns])

    def counts(self) -> dict[str, int]:
        """The number of keys (``pkey``) and of the rows of each table; 1 for the Var vector."""
        self.settle()
        found = {"pkey": self._keys.height}
        for table in self.definition.tables:
            rows = {Kind.TABLE: self._rows[table.key].height, Kind.VECTOR: self._keys.height, Kind.VAR: 1}
            found[table.key] = rows[table.kind]
        return found

    def has_variables(self) -> bool:
        """True if the Var vector has been given any value since it was cleared."""
        self.settle()
        var = self.definition.var
        return var is not None and self._rows[var.key].height > 0

    # Changing -----------------------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        """Do a change, which was found on just this state."""
        self.settle()
        match change:
            case Replace(name, columns):
                self._replace(self._table(name), {column: columns[column] for column in columns.columns})
            case Clear(name):
                self._rows[name] = empty_rows(self._table(name))
            case DeleteRows(name, places):
                self._delete_rows(self._table(name), places[PLACE])
            case DeleteKeys(places):
                self._delete_keys(places[PLACE])
            case OrderRows(name, columns, descending, ignore_case):
                table = self._table(name)
                by = [table.get(column, where=name) for column in columns]
                self._order_rows(table, by, descending=descending, ignore_case=ignore_case)
            case OrderKeys(columns, descending, ignore_case):
                by = [column for name in columns for column in self.definition.key if column.key == name]
                ordered = sort_columns(self.keys(), by, descending=descending, ignore_case=ignore_case)
                self._move_keys(ordered[KEY_NUMBER])
            case RearrangeRows(name, places):
                self._rows[name] = self._rows[name][places[PLACE]].sort(KEY_NUMBER, maintain_order=True)
            case RearrangeKeys(places):
                self._move_keys(places[PLACE])
            case Append(name, rows):
                self.append(Import(self._table(name) if name else None, (rows,)))
            case Alter(text):
                self._alter(parse_definition(text, source="definition"))
            case Forget():
                self.definition = Definition((), ())
                self._keys = empty_frame(())
                self._rows = {}

    def _table(self, name: str) -> Table:
        return self.definition.get(name, where=name)

    def _replace(self, table: Table, columns: Mapping[str, pl.Series]) -> None:
        rows = self._rows[table.key]
        columns = dict(columns)
        places = columns.pop(PLACE, None)
        if places is not None:
            stored = rows if table.kind is Kind.TABLE else self.view(table)
            columns = {name: _scattered(stored[name], places, series) for name, series in columns.items()}
        if table.kind is Kind.TABLE:
            self._rows[table.key] = rows.with_columns([series.alias(name) for name, series in columns.items()])
            return
        if table.kind is Kind.VAR:
            self._rows[table.key] = self.view(table).with_columns([s.alias(name) for name, s in columns.items()])
            return
        full = _complete(table, rows, self._keys.height)
        full = full.with_columns([series.alias(name) for name, series in columns.items()])
        # A row that nothing was imported into and that is still blank stays one that a +first will fill.
        kept = np.zeros(full.height, dtype=bool)
        kept[rows[KEY_NUMBER].to_numpy()] = True
        for column in table.values:
            kept |= ~is_zero(column, full[column.key])
        self._rows[table.key] = full.filter(pl.Series(kept))

    def _delete_rows(self, table: Table, places: pl.Series) -> None:
        rows = self._rows[table.key]
        if table.kind is Kind.VECTOR:
            # The row of a key is always there, but it can be blank.
            kept = ~rows[KEY_NUMBER].is_in(places.cast(pl.UInt32).implode())
        else:
            chosen = np.ones(rows.height, dtype=bool)
            chosen[places.to_numpy()[: rows.height]] = False
            kept = pl.Series(chosen)
        self._rows[table.key] = rows.filter(kept)

    def _delete_keys(self, places: pl.Series) -> None:
        stays = np.ones(self._keys.height, dtype=bool)
        stays[places.to_numpy()] = False
        numbers = (np.cumsum(stays) - 1).astype(np.uint32)
        self._keys = self._keys.filter(pl.Series(stays))
        for table in self.definition.tables:
            if table.kind is not Kind.VAR:
                rows = self._rows[table.key]
                old = rows[KEY_NUMBER].to_numpy()
                renumbered = rows.with_columns(pl.Series(KEY_NUMBER, numbers[old], dtype=pl.UInt32))
                self._rows[table.key] = renumbered.filter(pl.Series(stays[old]))

    def _order_rows(self, table: Table, columns: Sequence[TableColumn], *, descending: bool, ignore_case: bool) -> None:
        """Rows that compare equal keep their order."""
        by = [column for column in columns if not column.primary]
        if table.kind is Kind.TABLE and by:
            rows = self._rows[table.key]
            self._rows[table.key] = sort_columns(
                rows, by, descending=descending, ignore_case=ignore_case, first=KEY_NUMBER
            )

    def _move_keys(self, order: pl.Series) -> None:
        """Put keys in the order of their present numbers; their rows go with them."""
        places = np.empty(self._keys.height, dtype=np.uint32)
        places[order.to_numpy()] = np.arange(self._keys.height, dtype=np.uint32)
        self._keys = self._keys[order]
        for table in self.definition.tables:
            if table.kind is not Kind.VAR:
                rows = self._rows[table.key]
                moved = pl.Series(KEY_NUMBER, places[rows[KEY_NUMBER].to_numpy()], dtype=pl.UInt32)
                self._rows[table.key] = rows.with_columns(moved).sort(KEY_NUMBER, maintain_order=True)

    def _alter(self, definition: Definition) -> None:
        """Take over another definition: the columns of Var that stay keep their values, other tables are as before."""
        old = self.definition.var
        values = self.view(old) if old is not None and self.has_variables() else None
        for table in self.definition.tables:
            new = definition.find(table.key)
            if table.kind is not Kind.VAR and new != table:
                if self._rows[table.key].height:
                    raise UdbRequestError(f"{table.label} cannot be altered while it has rows")
                del self._rows[table.key]
        if definition.key != self.definition.key:
            self._keys = empty_frame(definition.key)
        self.definition = definition
        self._rows.pop(old.key if old is not None else "", None)
        self._add_tables()
        new_var = definition.var
        if new_var is not None and values is not None and old is not None:
            kept = [
                converted(pl.lit(values[c.key]), was.type, c.type).alias(c.key)
                for c in new_var.columns
                if (was := old.find(c.key)) is not None
                and (was.type is c.type or (was.type.is_numeric and c.type.is_numeric))
            ]
            blanks = blank_rows(new_var.values, pl.Series(KEY_NUMBER, [0], dtype=pl.UInt32))
            self._rows[new_var.key] = blanks.with_columns(kept)

    # Changes by name, as the operations ask for them: done here, and kept for the log.

    def replace(self, table: Table, columns: Mapping[str, pl.Series]) -> None:
        """Give value columns new values, in the order of ``view``."""
        self.do(Replace(table.key, pl.DataFrame([series.alias(name) for name, series in columns.items()])))

    def clear(self, table: Table) -> None:
        """Remove a table's rows, or make a vector's columns 0 or blank. Keys stay."""
        self.do(Clear(table.key))

    def order_rows(self, table: Table, columns: Sequence[TableColumn], *, descending: bool, ignore_case: bool) -> None:
        """Sort the rows of each key; rows that compare equal keep their order."""
        self.do(OrderRows(table.key, tuple(column.key for column in columns), descending, ignore_case))

    def order_keys(self, columns: Sequence[TableColumn], *, descending: bool, ignore_case: bool) -> None:
        """Sort the keys; their rows go with them."""
        self.do(OrderKeys(tuple(column.key for column in columns), descending, ignore_case))

    def changes(self) -> tuple[Change, ...]:
        """The changes made by name."""
        return tuple(self._changes)

    def do(self, change: Change) -> None:
        """Do a change, and keep it for the log."""
        self.apply(change)
        self._changes.append(change)

    # Settling -----------------------------------------------------------------------------------------------------

    def _add_tables(self) -> None:
        for table in self.definition.tables:
            self._rows.setdefault(table.key, empty_rows(table))

    def settle(self) -> None:
        """Work imports in.

        Raises:
            EssError: If that cannot be noted; then it is not done.
        """
        if not self._pending:
            return
        if self.settled is not None and self._has_jobs:
            self.settled()
        ordered = sorted(self._pending, key=lambda rows: (self._jobs[rows.job], rows.sequence))
        arrived: dict[str, list[Batch]] = {}
        together: list[Import] = []
        for rows in ordered:
            if rows.only_known or rows.only_new:  # depends on the keys that are there when its turn comes
                self._number(together, arrived)
                self._number([rows], arrived)
                together = []
            else:
                together.append(rows)
        self._number(together, arrived)
        for name, batches in arrived.items():
            table = self.definition.get(name, where=name)
            self._rows[name] = merge_rows(table, pl.concat([self._rows[name], *batches]))
        self._pending.clear()
        self._jobs.clear()
        self._waiting, self._has_jobs = 0, False

    def _number(self, imports: Sequence[Import], arrived: dict[str, list[Batch]]) -> None:
        """Number the keys of imports and put their rows, without key columns, into ``arrived``."""
        parts: list[tuple[Import, Batch]] = []
        for rows in imports:
            if rows.table is not None and rows.table.kind is Kind.VAR:
                zero = pl.lit(0, dtype=pl.UInt32).alias(KEY_NUMBER)
                arrived.setdefault(rows.table.key, []).extend(b.select(zero, pl.all()) for b in rows.rows if b.height)
            else:
                # At once: a query of Polars for each of a hundred batches costs more than the work on their rows.
                batches = [batch for batch in rows.rows if batch.height]
                parts.extend([(rows, pl.concat(batches))] if batches else [])
        if not parts:
            return
        names = [column.key for column in self.definition.key]
        seen = pl.concat([batch.select(names) for _, batch in parts])
        known = self._keys.height
        only_known = imports[0].only_known
        numbers = self._numbers(seen, add=not only_known)
        position = 0
        for rows, batch in parts:
            own = numbers.slice(position, batch.height)
            position += batch.height
            if rows.table is None:
                continue
            values = batch.select(own, *(pl.col(column.key) for column in rows.table.values))
            if only_known:
                values = values.filter(pl.col(KEY_NUMBER) < known)
            elif imports[0].only_new:
                values = values.filter(pl.col(KEY_NUMBER) >= known)
            arrived.setdefault(rows.table.key, []).append(values)

    def _numbers(self, seen: Batch, *, add: bool) -> pl.Series:
        """The number of each row's key. New keys get the next ones; with ``add`` they are kept."""
        known = self._keys.height
        together = pl.concat([self._keys, seen])
        first = first_rows(together, together.columns)
        is_new = first[known:] == np.arange(known, together.height)
        of_row = np.arange(together.height)
        of_row[known:][is_new] = known + np.arange(np.count_nonzero(is_new))
        if add:
            self._keys = pl.concat([self._keys, seen.filter(pl.Series(is_new))], rechunk=True)
        return pl.Series(KEY_NUMBER, of_row[first[known:]], dtype=pl.UInt32)


def _scattered(old: pl.Series, places: pl.Series, new: pl.Series) -> pl.Series:
    """A column with other values at some places."""
    taken = np.arange(len(old))
    taken[places.to_numpy()] = len(old) + np.arange(len(new))
    return pl.concat([old, new.alias(old.name)], rechunk=True).gather(taken)


def empty_frame(columns: Sequence[TableColumn]) -> Batch:
    """A batch of these columns without rows."""
    return pl.DataFrame([pl.Series(column.key, [], dtype=PHYSICAL[column.type]) for column in columns])


def empty_rows(table: Table) -> Batch:
    """The stored rows of an empty table."""
    return empty_frame(table.values).insert_column(0, pl.Series(KEY_NUMBER, [], dtype=pl.UInt32))


def blank_rows(columns: Sequence[TableColumn], numbers: pl.Series) -> Batch:
    """Rows of these key numbers whose columns are 0 or blank."""
    blanks = [pl.lit(blank(column.type), dtype=PHYSICAL[column.type]).alias(column.key) for column in columns]
    return pl.DataFrame([numbers]).with_columns(blanks)


def _complete(table: Table, rows: Batch, keys: int) -> Batch:
    """A vector's rows with a blank one for every key that has none."""
    if rows.height == keys:
        return rows
    numbers = pl.Series(KEY_NUMBER, np.arange(keys, dtype=np.uint32), dtype=pl.UInt32)
    missing = numbers.filter(~numbers.is_in(rows[KEY_NUMBER].implode()))
    return pl.concat([rows, blank_rows(table.values, missing)]).sort(KEY_NUMBER)
