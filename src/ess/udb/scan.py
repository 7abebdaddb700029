"""Going through a table on one server: rules, limits, sorting, and the changes that ``-eval`` makes."""

from __future__ import annotations

import numpy as np
import polars as pl

from ess.engines.batch import PHYSICAL, Batch, blank
from ess.engines.select import compile_program
from ess.errors import InputDataError
from ess.language.program import (
    Branch,
    Conditional,
    Evaluate,
    Filter,
    Program,
    Rule,
    Variable,
)
from ess.language.tree import Compare, CompareOperator, Constant, Reference, Slot, ValueType, value_type
from ess.language.walk import assigned_slots, read_slots
from ess.schema.types import ColumnType
from ess.udb.merge import KEY_NUMBER
from ess.udb.ordering import sort_result
from ess.udb.placement import segments_of
from ess.udb.protocol import ScanRequest
from ess.udb.spec import Kind, TableColumn
from ess.udb.store import Shard
from ess.udb.table_scope import TableScope, build_rules, build_variables

#: Rows that a compiled program gets at once.
ROWS_AT_ONCE = 131072

_ROW = Slot("#row", "#row", ColumnType.L)
_COPY = "#here"
_DROPPED = Slot("#dropped", "#dropped", ColumnType.IS)


class Scan:
    """One scan of one shard. Changes are stored when all rows have been gone through without an error.

    Raises:
        OptionError: If the request names what is not there, or an expression is wrong.
        InputDataError: From ``export`` and ``count``: an expression could not process a row.
    """

    def __init__(self, shard: Shard, request: ScanRequest) -> None:
        self._shard = shard
        self._request = request
        definition = shard.definition
        self._table = definition.get(request.table, where=request.database) if request.table else None
        self._scope = TableScope(definition, self._table)
        self._rules = build_rules(self._scope, request.rules)
        self._set = build_variables(self._scope, request.variables)
        self._outputs = [self._scope.get(name, where="-c") for name in request.outputs]
        self._sort = [self._scope.get(name, where="-sort") for name in request.sort]

    def export(self) -> Batch:
        """The output columns, each once, named by the keys of their slots."""
        rows = self._limited(self._passed())
        request = self._request
        if self._sort:
            by = [_as_column(slot) for slot in self._sort]
            rows = sort_result(rows, by, descending=request.descending, ignore_case=request.ignore_case)
        if request.first >= 0:
            rows = rows.head(request.first)
        if request.last >= 0:
            rows = rows.tail(request.last)
        names = list(dict.fromkeys(slot.key for slot in self._outputs))
        return rows.select(names)

    def count(self) -> tuple[int, int]:
        """How many keys have a row that passes, and how many rows pass."""
        rows = self._limited(self._passed())
        return int(rows[KEY_NUMBER].n_unique()), rows.height

    def _limited(self, rows: Batch) -> Batch:
        request = self._request
        if request.key_rows >= 0 or request.keys >= 0:
            numbers = rows[KEY_NUMBER].to_numpy()
            changes = np.append(True, numbers[1:] != numbers[:-1])[: len(numbers)]
            key = np.cumsum(changes)
            starts = np.flatnonzero(changes)
            kept = np.ones(len(numbers), dtype=bool)
            if request.keys >= 0:
                kept &= key <= request.keys
            if request.key_rows >= 0:
                kept &= np.arange(len(numbers)) - starts[key - 1] < request.key_rows
            rows = rows.filter(pl.Series(kept))
        return rows.head(request.rows) if request.rows >= 0 else rows

    def _passed(self) -> Batch:
        program, changes = self._program()
        wanted = {slot.key for slot in (*self._outputs, *self._sort)} | set(read_slots(program)) | set(changes)
        rows = self._rows(wanted)
        if self._request.segments:
            rows = self._segment(rows)
        return self._run(program, changes, rows)

    # Rows ---------------------------------------------------------------------------------------------------------

    def _rows(self, wanted: set[str]) -> Batch:
        """``#key`` and the wanted columns; Var columns as they are now."""
        table = self._table
        if table is None:
            rows = self._shard.keys()
        elif table.kind is Kind.VAR and not (self._shard.has_variables() or self._rules or self._set):
            rows = self._shard.view(table).clear()
        else:
            rows = self._shard.view(table)
        if table is not None and table.kind is Kind.VAR:
            set_now = self._as_columns({variable.slot.key: variable.initial for variable in self._set})
            rows = rows.with_columns([series.alias(key) for key, series in set_now.items()])
        for key in sorted(wanted):
            source = self._scope.sources.get(key)
            if source is None or source.vector is None:
                continue
            if source.is_variable:
                value = self._variable(self._slot(key))
                rows = rows.with_columns(pl.lit(value, dtype=PHYSICAL[source.column.type]).alias(key))
            else:
                values = self._shard.view(source.vector)[source.column.key]
                rows = rows.with_columns(values.gather(rows[KEY_NUMBER]).alias(key))
        return rows

    def _segment(self, rows: Batch) -> Batch:
        first, last, count, variant = self._request.segments
        keys = self._shard.keys()
        numbers = segments_of(keys, self._shard.definition.key, count, variant)
        chosen = pl.Series((numbers >= first) & (numbers <= last))
        return rows.filter(chosen.gather(rows[KEY_NUMBER]))

    def _variable(self, slot: Slot) -> bytes | int | float:
        for variable in self._set:
            if variable.slot.key == slot.key:
                return variable.initial
        var = self._shard.definition.var
        if var is None:
            return blank(slot.type)
        value: bytes | int | float = self._shard.view(var)[self._scope.sources[slot.key].column.key][0]
        return value

    def _slot(self, key: str) -> Slot:
        slot = self._scope.find(key)
        assert slot is not None
        return slot

    # Rules --------------------------------------------------------------------------------------------------------

    def _program(self) -> tuple[Program, dict[str, Slot]]:
        """The program, and the slots of the target that it changes."""
        rules = tuple(self._rules)
        variables = tuple(Variable(slot, self._variable(slot)) for slot in self._scope.variables())
        bare = Program((), (), variables, rules, self._request.seed)
        changes = {key: slot for key, slot in assigned_slots(bare).items() if not slot.is_variable}
        shown = [slot for slot in self._outputs if slot.is_variable] if rules else []
        copies = [Evaluate(_copy(slot), Reference(value_type(slot.type), slot)) for slot in shown]
        created = tuple(copy.target for copy in copies if copy.target is not None)
        if changes:
            # A filtered row leaves an engine, but its changes must be stored: so none leaves, they are marked.
            rules = _marking((*rules, *copies))
            created = (*created, _DROPPED)
        else:
            rules = (*rules, *copies)
        read = read_slots(Program((), (), (), rules))
        inputs = [slot for key, slot in {**read, **changes}.items() if not slot.is_variable and key != _DROPPED.key]
        return Program((_ROW, *inputs), created, variables, rules, self._request.seed), changes

    def _run(self, program: Program, changes: dict[str, Slot], rows: Batch) -> Batch:
        if not self._rules:
            self._store({}, {variable.slot.key: variable.initial for variable in self._set})
            return rows
        runner = compile_program(program)
        inputs = rows.with_row_index(_ROW.key).with_columns(pl.col(_ROW.key).cast(pl.UInt64))
        inputs = inputs.select(slot.key for slot in program.inputs)
        results: list[Batch] = [inputs.clear().with_columns(_blanks(program.created))]
        for start in range(0, rows.height, ROWS_AT_ONCE):
            result = runner.run(inputs.slice(start, ROWS_AT_ONCE), start + 1)
            if result.rejections:
                rejection = result.rejections[0]
                raise InputDataError(
                    f"an expression cannot process row {start + rejection.row + 1} ({rejection.reason})",
                    where=self._table.label if self._table else "the keys",
                    hint="nothing was changed",
                )
            results.append(result.final.select(results[0].columns))
        final = pl.concat(results)
        changed = {key: final[key] for key in changes}
        values = {slot.key: value for slot, value in runner.variables().items()}
        self._store(changed, values if self._set or assigned_slots(program).keys() & values.keys() else {})
        if changes:
            kept = final[_DROPPED.key] == 0
            final = final.filter(kept)
            passed = rows.with_columns([series.alias(key) for key, series in changed.items()]).filter(kept)
        else:
            passed = rows[final[_ROW.key]]
        copies = [slot.key for slot in program.created if slot != _DROPPED]
        return passed.with_columns([final[key].alias(key.removesuffix(_COPY)) for key in copies])

    def _store(self, changed: dict[str, pl.Series], variables: dict[str, bytes | int | float]) -> None:
        var = self._shard.definition.var
        table = self._table
        if table is not None and table is var:
            changed = {**self._as_columns({v.slot.key: v.initial for v in self._set}), **changed}
        elif var is not None and variables:
            self._shard.replace(var, self._as_columns(variables))
        if table is not None and changed:
            self._shard.replace(table, changed)

    def _as_columns(self, values: dict[str, bytes | int | float]) -> dict[str, pl.Series]:
        columns = {self._scope.sources[key].column: value for key, value in values.items()}
        return {c.key: pl.Series(c.key, [value], dtype=PHYSICAL[c.type]) for c, value in columns.items()}


def _marking(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The same rules, but where a filter would end a row's way it sets ``#dropped`` and skips the rest."""
    for place, rule in enumerate(rules):
        rest = rules[place + 1 :]
        if isinstance(rule, Filter):
            passed = Branch(rule, False, _marking(rest))
            return (*rules[:place], Conditional((passed, Branch(None, False, (_mark(),)))))
        if isinstance(rule, Conditional):
            marked = Conditional(tuple(Branch(b.check, b.negated, _marking(b.body)) for b in rule.branches))
            if marked != rule:
                undropped = Compare(
                    CompareOperator.EQUAL,
                    Reference(ValueType.INTEGER, _DROPPED),
                    Constant(ValueType.INTEGER, 0),
                )
                return (*rules[:place], marked, Conditional((Branch(Filter(undropped), False, _marking(rest)),)))
    return rules


def _mark() -> Evaluate:
    return Evaluate(_DROPPED, Constant(ValueType.INTEGER, 1))


def _copy(slot: Slot) -> Slot:
    """A column that keeps a variable's value at the end of each row's way."""
    return Slot(slot.key + _COPY, slot.name + _COPY, slot.type)


def _blanks(slots: tuple[Slot, ...]) -> list[pl.Expr]:
    return [pl.lit(blank(slot.type), dtype=PHYSICAL[slot.type]).alias(slot.key) for slot in slots]


def _as_column(slot: Slot) -> TableColumn:
    return TableColumn(slot.key, slot.type)
