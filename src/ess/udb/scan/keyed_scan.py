"""Going through the keys one by one, with ``-pp`` groups, jumps and deletions: the row engine's way.

The keys go through it in chunks of some rows, so that only a part of the columns stands in memory
as Python values. Changes are found first and made at the end, all or none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ess.engines.rowwise.keyed import (
    Chunk,
    ChunkResult,
    KeyedFailure,
    KeyedProgram,
    KeyedRunner,
    Place,
    Section,
)
from ess.errors import InputDataError
from ess.language.program import Program, Variable
from ess.language.row_module import ModuleColumn, RowModule
from ess.language.tree import Slot
from ess.language.walk import assigned_slots, read_slots
from ess.schema.batch import PHYSICAL, Batch, blank
from ess.udb.scan.key_module import Layout, ModuleHooks
from ess.udb.scan.rules import Group
from ess.udb.scan.scan_plan import ScanPlan, Value, row_counts
from ess.udb.shard.changes import PLACE, DeleteKeys, DeleteRows, Replace
from ess.udb.shard.merge import KEY_NUMBER
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec import Kind, Table, TableColumn

#: Rows, over all tables, that are Python values at the same time.
ROWS_AT_ONCE = 1 << 17

Index = npt.NDArray[np.int64]

#: A column of the database: its table (blank for the keys, ``#`` for counted rows), and its name.
ColumnName = tuple[str, str]


@dataclass(frozen=True)
class _Rows:
    """The rows of a table that the scan goes through.

    Args:
        places: Where they stand in the table; None when it is all of it.
        starts: Where each key's begin among them, and where the last one's end.
        frame: Their columns, as stored.
    """

    places: Index | None
    starts: Index
    frame: Batch

    def place(self, rows: Index) -> Index:
        """The places in the table of some of them."""
        return rows if self.places is None else self.places[rows]


class Columns:
    """The columns of the database that a scan uses, numbered as they come up."""

    def __init__(self) -> None:
        self.numbers: dict[ColumnName, int] = {}
        self.slots: list[Slot] = []
        self.table_of: list[int] = []  # the number of the table whose rows it has values for; -1 for keys

    def number(self, table: str, column: TableColumn, rows_of: int) -> int:
        """The number of a column."""
        name = (table, column.key)
        if name not in self.numbers:
            self.numbers[name] = len(self.slots)
            self.slots.append(Slot(column.key, column.name, column.type))
            self.table_of.append(rows_of)
        return self.numbers[name]


class KeyedScan:
    """One scan. ``run`` changes the shard, when nothing has failed.

    Args:
        shard: What it goes through.
        plan: What to do.
        module: A module that looks at keys and rows.
        only_groups: The groups are all there is to do; no rows come out.
    """

    def __init__(
        self,
        shard: Shard,
        plan: ScanPlan,
        *,
        module: RowModule | None = None,
        only_groups: bool = False,
    ) -> None:
        self._shard = shard
        self._plan = plan
        self._definition = shard.definition
        self._keys = shard.keys()
        self._selected = plan.selected(shard)
        self._key_count = self._keys.height if self._selected is None else len(self._selected)
        self._tables: list[Table] = []  # those with any number of rows a key, numbered
        self._columns = Columns()
        self._changes_variables = bool(plan.set_variables) or module is not None
        var = self._definition.var
        self._variable_columns = var.columns if var is not None else ()
        groups = tuple(self._section(group) for group in plan.rules.groups)
        main = None if only_groups else self._section(plan.rules.main)
        self._hooks = ModuleHooks(module, *self._layouts(), self._target) if module is not None else None
        initial = plan.variables(shard)
        self._program = KeyedProgram(
            groups,
            main,
            tuple(Variable(Slot(c.key, c.name, c.type, True), initial[c.key]) for c in self._variable_columns),
            tuple(self._columns.slots),
            tuple(slot for slot in plan.wanted if not only_groups and self._is_variable(slot)),
            self._counts(),
            self._hooks.looks if self._hooks is not None else (False, False),
            plan.seed,
        )
        self._rows = [self._rows_of(table) for table in self._tables]
        self._runner = KeyedRunner(self._program, self._hooks)

    def run(self) -> tuple[Batch, dict[str, Value]]:
        """The rows of the target that pass, as ``#key`` and the wanted columns, and the Var columns' values.

        Raises:
            InputDataError: If a rule cannot process a row.
        """
        chunks: list[Chunk] = []
        results: list[ChunkResult] = []
        for chunk in self._chunks():
            results.append(self._run_chunk(chunk))
            chunks.append(dataclasses.replace(chunk, starts=()))
        if self._hooks is not None:
            self._hooks.finish()
        changed = {
            number: pl.concat([_column(result, chunk, number) for result, chunk in zip(results, chunks, strict=True)])
            for number in sorted({number for result in results for number in result.columns})
        }
        passed = self._passed(chunks, results, changed)
        self._store(chunks, results, changed)
        values = dict(zip((c.key for c in self._variable_columns), self._runner.variables(), strict=True))
        if self._changes_variables and self._definition.var is not None:
            series = [pl.Series(c.key, [values[c.key]], dtype=PHYSICAL[c.type]) for c in self._variable_columns]
            self._shard.replace(self._definition.var, {s.name: s for s in series})
        return passed, values

    # The program ---------------------------------------------------------------------------------------------------

    def _is_variable(self, slot: Slot) -> bool:
        return self._plan.rules.main.scope.sources[slot.key].is_variable

    def _section(self, group: Group) -> Section:
        table = group.table
        many = table is not None and table.kind is Kind.TABLE
        number = self._table_number(table) if table is not None and many else -1
        bare = Program((), (), (), group.rules)
        assigned = assigned_slots(bare)
        places: dict[str, Place] = {}
        variables: dict[str, int] = {}
        var_numbers = {column.key: n for n, column in enumerate(self._variable_columns)}
        names = [*self._plan.wanted] if group is self._plan.rules.main else []
        resets = [reset.slot for reset in group.resets]
        for slot in {s.key: s for s in (*read_slots(bare).values(), *assigned.values(), *names, *resets)}.values():
            source = group.scope.sources[slot.key]
            if source.is_variable:
                variables[slot.key] = var_numbers[source.column.key]
                self._changes_variables |= slot.key in assigned or slot in resets
            elif source.counted is not None:
                places[slot.key] = Place(self._columns.number("#", source.column, -1), True)
                if source.counted.kind is Kind.TABLE:
                    self._table_number(source.counted)
            elif source.column.primary:
                places[slot.key] = Place(self._columns.number("", source.column, -1), True)
            elif source.vector is not None:
                places[slot.key] = Place(self._columns.number(source.vector.key, source.column, -1), True)
            elif table is not None:
                places[slot.key] = Place(self._columns.number(table.key, source.column, number))
        blanks: tuple[tuple[int, Value], ...] = ()
        if table is not None and not many and table.kind is Kind.VECTOR:
            blanks = tuple((self._columns.number(table.key, c, -1), blank(c.type)) for c in table.values)
        filters_keys = group is not self._plan.rules.main and not many
        return Section(number, group.rules, places, variables, group.resets, blanks, group.after, filters_keys)

    @property
    def _target(self) -> str:
        table = self._plan.rules.main.table
        return table.key if table is not None else ""

    def _layouts(self) -> tuple[dict[str, Layout], Layout]:
        """Every column of the database, as a module sees it: by table, and of the Var vector."""
        key = [self._columns.number("", column, -1) for column in self._definition.key]
        names = tuple(
            ModuleColumn(column.name, column.type, writable=False, what="key") for column in self._definition.key
        )
        found = {"": Layout(names, tuple(key), (True,) * len(key), -1)}
        for table in self._definition.tables:
            if table.kind is Kind.VAR:
                continue
            number = self._table_number(table) if table.kind is Kind.TABLE else -1
            columns = [
                (
                    ModuleColumn(column.name, column.type, writable=not column.primary, what="key"),
                    self._columns.number("" if column.primary else table.key, column, -1 if column.primary else number),
                    column.primary or number < 0,
                )
                for column in table.columns
            ]
            parts = zip(*columns, strict=True)
            found[table.key] = Layout(next(parts), next(parts), next(parts), number)
        var = tuple(ModuleColumn(column.name, column.type) for column in self._variable_columns)
        return found, Layout(var, tuple(range(len(var))), (True,) * len(var), -1)

    def _table_number(self, table: Table) -> int:
        keys = [known.key for known in self._tables]
        if table.key in keys:
            return keys.index(table.key)
        self._tables.append(table)
        return len(self._tables) - 1

    def _counts(self) -> dict[int, int]:
        names = [table.key for table in self._tables]
        counted = [(name[1].partition(" ")[2], n) for name, n in self._columns.numbers.items() if name[0] == "#"]
        return {names.index(table): n for table, n in counted if table in names}

    # The rows ------------------------------------------------------------------------------------------------------

    def _rows_of(self, table: Table) -> _Rows:
        frame = self._shard.contents()[1][table.key]
        numbers = frame[KEY_NUMBER].to_numpy().astype(np.int64)
        places = None
        if self._selected is not None:
            rank = np.full(self._keys.height, -1, dtype=np.int64)
            rank[self._selected] = np.arange(len(self._selected))
            ranks = rank[numbers]
            places = np.flatnonzero(ranks >= 0)
            numbers, frame = ranks[places], frame[places]
        starts = np.searchsorted(numbers, np.arange(self._key_count + 1))
        return _Rows(places, starts.astype(np.int64), frame)

    def _series(self) -> list[pl.Series]:
        """The columns, by number, of the selected keys or their rows."""
        found: list[pl.Series] = []
        views: dict[str, Batch] = {}
        for (table, column), of in zip(self._columns.numbers, self._columns.table_of, strict=True):
            if of >= 0:
                found.append(self._rows[of].frame[column])
                continue
            if table == "#":
                series = pl.Series(column, row_counts(self._shard, column.partition(" ")[2]), dtype=pl.Int64)
            elif not table:
                series = self._keys[column]
            else:
                if table not in views:
                    views[table] = self._shard.view(self._definition.get(table, where=table))
                series = views[table][column]
            found.append(series if self._selected is None else series.gather(self._selected))
        return found

    def _chunks(self) -> Iterator[Chunk]:
        if not self._key_count:
            return
        series = self._series()
        needed = self._runner.needed if self._hooks is None else range(len(series))
        of = self._columns.table_of
        work = np.arange(1, self._key_count + 1)
        for rows in self._rows:
            work = work + rows.starts[1:]
        first = 0
        while first < self._key_count:
            done = int(work[first - 1]) if first else 0
            end = max(first + 1, int(np.searchsorted(work, done + ROWS_AT_ONCE, side="right")))
            begins = [int(rows.starts[first]) for rows in self._rows]
            ends = [int(rows.starts[end]) for rows in self._rows]
            yield Chunk(
                end - first,
                first,
                [
                    None if n not in needed else s[first:end] if of[n] < 0 else s[begins[of[n]] : ends[of[n]]]
                    for n, s in enumerate(series)
                ],
                [
                    (rows.starts[first : end + 1] - begin).tolist()
                    for rows, begin in zip(self._rows, begins, strict=True)
                ],
                begins,
            )
            first = end

    def _run_chunk(self, chunk: Chunk) -> ChunkResult:
        try:
            return self._runner.run(chunk)
        except KeyedFailure as failure:
            groups = self._plan.rules.groups
            group = groups[failure.section] if failure.section < len(groups) else self._plan.rules.main
            sections = (*self._program.groups, self._program.main)
            section = sections[failure.section]
            before = chunk.first_rows[section.table] if section and section.table >= 0 else chunk.first_key
            raise InputDataError(
                f"an expression cannot process row {before + failure.row + 1} ({failure.reason})",
                where=group.table.label if group.table else "the keys",
                hint="nothing was changed",
            ) from None

    # What comes out ------------------------------------------------------------------------------------------------

    def _passed(self, chunks: Sequence[Chunk], results: Sequence[ChunkResult], changed: dict[int, pl.Series]) -> Batch:
        main = self._program.main
        if main is None:
            return pl.DataFrame([pl.Series(KEY_NUMBER, [], dtype=pl.UInt32)])
        bases = [
            chunk.first_key if self._program.keeps_keys or main.table < 0 else chunk.first_rows[main.table]
            for chunk in chunks
        ]
        kept = _joined([result.kept + base for result, base in zip(results, bases, strict=True)])
        taken = {
            slot.key: pl.concat([result.captured[n] for result in results]) if results else _none(slot)
            for n, slot in enumerate(self._program.captured)
        }
        keys = rows = kept
        if main.table >= 0:
            starts = self._rows[main.table].starts
            if self._program.keeps_keys:
                rows, of_kept = self._all_rows(kept, starts, chunks, results, main.table)
                keys = kept[of_kept]
                taken = {key: series.gather(of_kept) for key, series in taken.items()}
            else:
                keys = np.searchsorted(starts, rows, side="right") - 1
        numbers = keys if self._selected is None else self._selected[keys]
        columns = [pl.Series(KEY_NUMBER, numbers, dtype=pl.UInt32)]
        originals: list[pl.Series] | None = None
        for slot in {slot.key: slot for slot in self._plan.wanted}.values():
            if slot.key in taken:
                columns.append(taken[slot.key].alias(slot.key))
                continue
            place = main.places[slot.key]
            series = changed.get(place.column)
            if series is None:
                originals = originals or self._series()
                series = originals[place.column]
            columns.append(series.gather(keys if place.by_key or main.table < 0 else rows).alias(slot.key))
        return pl.DataFrame(columns)

    def _all_rows(
        self, kept: Index, starts: Index, chunks: Sequence[Chunk], results: Sequence[ChunkResult], table: int
    ) -> tuple[Index, Index]:
        """The rows of some keys that were not deleted, and for each the place of its key among them."""
        lengths = starts[kept + 1] - starts[kept]
        of_kept = np.repeat(np.arange(len(kept)), lengths)
        ends = np.cumsum(lengths)
        rows = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths) + starts[kept][of_kept]
        gone = self._removed_rows(results, table)
        if gone.any():
            stays = ~gone[rows]
            rows, of_kept = rows[stays], of_kept[stays]
        return rows, of_kept

    def _removed_rows(self, results: Sequence[ChunkResult], table: int) -> npt.NDArray[np.bool_]:
        flags = b"".join(bytes(result.removed_rows[table]) for result in results)
        return np.frombuffer(flags, dtype=np.uint8) > 0

    # Changes -------------------------------------------------------------------------------------------------------

    def _store(self, chunks: Sequence[Chunk], results: Sequence[ChunkResult], changed: dict[int, pl.Series]) -> None:
        if not results:
            return
        originals = self._series() if changed else []
        counted = {number for (table, _), number in self._columns.numbers.items() if table == "#"}
        by_table: dict[str, dict[str, int]] = {}
        for (table, column), number in self._columns.numbers.items():
            if number in changed and number not in counted:
                by_table.setdefault(table, {})[column] = number
        for table, columns in by_table.items():
            differs = np.zeros(len(changed[next(iter(columns.values()))]), dtype=bool)
            for number in columns.values():
                differs |= _differs(originals[number], changed[number])
            places = np.flatnonzero(differs)
            if len(places):
                of = self._columns.table_of[next(iter(columns.values()))]
                stored = self._rows[of].place(places) if of >= 0 else self._key_places(places)
                values = [changed[number].gather(places).alias(column) for column, number in columns.items()]
                self._shard.do(Replace(table, pl.DataFrame([_places(stored), *values])))
        for number, table_ in enumerate(self._tables):
            rows = np.flatnonzero(self._removed_rows(results, number))
            if len(rows):
                self._shard.do(DeleteRows(table_.key, pl.DataFrame([_places(self._rows[number].place(rows))])))
        flags = b"".join(bytes(result.removed_keys) for result in results)
        dead = np.flatnonzero(np.frombuffer(flags, dtype=np.uint8))
        if len(dead):
            self._shard.do(DeleteKeys(pl.DataFrame([_places(self._key_places(dead))])))

    def _key_places(self, keys: Index) -> Index:
        return keys if self._selected is None else self._selected[keys]


def _joined(parts: Sequence[Index]) -> Index:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _places(numbers: Index) -> pl.Series:
    return pl.Series(PLACE, numbers, dtype=pl.UInt32)


def _none(slot: Slot) -> pl.Series:
    return pl.Series(slot.key, [], dtype=PHYSICAL[slot.type])


def _column(result: ChunkResult, chunk: Chunk, number: int) -> pl.Series:
    """A chunk's column after the run; a module may have changed it in some chunks only."""
    found = result.columns.get(number)
    if found is None:
        found = chunk.columns[number]
        assert found is not None
    return found


def _differs(old: pl.Series, new: pl.Series) -> npt.NDArray[np.bool_]:
    """True where values differ; for floats where their bits do."""
    if old.dtype == pl.Float64:
        return np.asarray(old.to_numpy().view(np.int64) != new.to_numpy().view(np.int64))
    return (old != new).to_numpy()
