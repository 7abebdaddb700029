"""Going through a table as a whole, in columns: for rules that look at one row at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from ess.engines.base import Runner
from ess.errors import InputDataError
from ess.language.program import Branch, Conditional, Evaluate, Filter, Program, Rule, Variable
from ess.language.tree import Compare, CompareOperator, Constant, Reference, Slot, ValueType, value_type
from ess.language.walk import assigned_slots, read_slots
from ess.schema.batch import PHYSICAL, Batch, blank
from ess.schema.types import ColumnType
from ess.udb.scan.scan_plan import ScanPlan, Value, row_counts
from ess.udb.shard.changes import PLACE, Replace
from ess.udb.shard.merge import KEY_NUMBER
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec import Kind

#: Rows that a compiled program gets at once.
ROWS_AT_ONCE = 131072

_ROW = Slot("#row", "#row", ColumnType.L)
_COPY = "#here"
_DROPPED = Slot("#dropped", "#dropped", ColumnType.IS)


class ColumnScan:
    """One scan without groups. ``run`` changes the shard, when nothing has failed."""

    def __init__(self, shard: Shard, plan: ScanPlan) -> None:
        self._shard = shard
        self._plan = plan
        self._scope = plan.rules.main.scope
        self._table = plan.rules.main.table
        self._values = plan.variables(shard)
        self.program, self._changes = self._program()

    def run(self, runner: Runner | None) -> Batch:
        """The rows that pass, as ``#key`` and the wanted columns.

        Args:
            runner: Runs ``program``; None when there are no rules.

        Raises:
            InputDataError: If an expression cannot process a row.
        """
        wanted = {slot.key for slot in self._plan.wanted}
        rows = self._rows(wanted | set(read_slots(self.program)) | set(self._changes))
        selected = self._plan.selected(self._shard)
        if selected is not None and not self._is_var:
            chosen = np.zeros(self._shard.keys().height, dtype=bool)
            chosen[selected] = True
            places = np.flatnonzero(chosen[rows[KEY_NUMBER].to_numpy()])
            rows = rows[places]
        else:
            places = None
        if runner is None:
            self._store(places, {}, dict(self._values) if self._plan.set_variables else {})
            return rows
        final, variables = self._run(runner, rows)
        changed = {key: final[key] for key in self._changes}
        stores = bool(self._plan.set_variables) or any(slot.key in variables for slot in self._assigned())
        self._store(places, changed, self._by_column(variables) if stores else {})
        if changed:
            kept = final[_DROPPED.key] == 0
            final = final.filter(kept)
            passed = rows.with_columns([series.alias(key) for key, series in changed.items()]).filter(kept)
        else:
            passed = rows[final[_ROW.key]]
        copies = [slot.key for slot in self.program.created if slot != _DROPPED]
        return passed.with_columns([final[key].alias(key.removesuffix(_COPY)) for key in copies])

    @property
    def _is_var(self) -> bool:
        return self._table is not None and self._table.kind is Kind.VAR

    # Rows ---------------------------------------------------------------------------------------------------------

    def _rows(self, wanted: set[str]) -> Batch:
        """``#key`` and the wanted columns; Var columns as they are now."""
        table = self._table
        if table is None:
            rows = self._shard.keys()
        elif self._is_var and not (
            self._shard.has_variables()
            or self._plan.rules.main.rules
            or self._plan.rules.groups
            or self._plan.set_variables
        ):
            rows = self._shard.view(table).clear()
        else:
            rows = self._shard.view(table, wanted)
        if self._is_var and rows.height:
            rows = rows.with_columns(self._as_columns(self._values))
        for key in sorted(wanted):
            source = self._scope.sources.get(key)
            if source is None:
                continue
            if source.counted is not None:
                counts = pl.Series(key, row_counts(self._shard, source.counted.key), dtype=pl.Int64)
                rows = rows.with_columns(counts.gather(rows[KEY_NUMBER]).alias(key))
            elif source.is_variable:
                value = self._values[source.column.key]
                rows = rows.with_columns(pl.lit(value, dtype=PHYSICAL[source.column.type]).alias(key))
            elif source.vector is not None:
                values = self._shard.view(source.vector)[source.column.key]
                rows = rows.with_columns(values.gather(rows[KEY_NUMBER]).alias(key))
        return rows

    # Rules --------------------------------------------------------------------------------------------------------

    def _assigned(self) -> list[Slot]:
        return [slot for slot in assigned_slots(self.program).values() if slot.is_variable]

    def _program(self) -> tuple[Program, dict[str, Slot]]:
        """The program, and the slots of the target that it changes."""
        rules = self._plan.rules.main.rules
        variables = tuple(
            Variable(slot, self._values[self._scope.sources[slot.key].column.key]) for slot in self._scope.variables()
        )
        changes = {
            key: slot for key, slot in assigned_slots(Program((), (), (), rules)).items() if not slot.is_variable
        }
        shown = [slot for slot in self._plan.wanted if slot.is_variable] if rules else []
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
        return Program((_ROW, *inputs), created, variables, rules, self._plan.seed), changes

    def _run(self, runner: Runner, rows: Batch) -> tuple[Batch, dict[str, Value]]:
        inputs = rows.with_row_index(_ROW.key).with_columns(pl.col(_ROW.key).cast(pl.UInt64))
        inputs = inputs.select(slot.key for slot in self.program.inputs)
        results: list[Batch] = [inputs.clear().with_columns(_blanks(self.program.created))]
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
        return pl.concat(results), {slot.key: value for slot, value in runner.variables().items()}

    def _store(
        self, places: npt.NDArray[np.int64] | None, changed: dict[str, pl.Series], variables: dict[str, Value]
    ) -> None:
        var = self._shard.definition.var
        table = self._table
        if table is not None and self._is_var:
            columns = {series.name: series for series in self._as_columns(self._plan.set_variables)} | changed
            if columns:
                self._shard.replace(table, columns)
            return
        if var is not None and variables:
            self._shard.replace(var, {series.name: series for series in self._as_columns(variables)})
        if table is not None and changed:
            series = list(changed.values())
            stored = np.arange(len(series[0])) if places is None else places
            frame = pl.DataFrame([pl.Series(PLACE, stored, dtype=pl.UInt32), *series])
            self._shard.do(Replace(table.key, frame))

    def _by_column(self, variables: dict[str, Value]) -> dict[str, Value]:
        return {self._scope.sources[key].column.key: value for key, value in variables.items()}

    def _as_columns(self, values: Mapping[str, Value]) -> list[pl.Series]:
        var = self._shard.definition.var
        columns = var.columns if var is not None else ()
        return [pl.Series(c.key, [values[c.key]], dtype=PHYSICAL[c.type]) for c in columns if c.key in values]


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
