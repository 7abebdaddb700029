"""Going through a table on one server: rules, limits, sorting, and the changes that rules make.

Rules that look at one row at a time run over columns (:mod:`ess.udb.scan.column_scan`); groups, jumps,
deletions, and variables that carry something from row to row go from key to key
(:mod:`ess.udb.scan.keyed_scan`). Where both are possible they give the same.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl

from ess import settings
from ess.engines.base import Runner, Unsupported
from ess.engines.columnar import compile_columnar
from ess.engines.select import compile_program
from ess.errors import OptionError, UdbRequestError
from ess.language.program import Goto, Program, Remove
from ess.language.row_module import RowModule, parse_module_spec
from ess.language.tree import Builtin, BuiltinName, Slot
from ess.language.walk import expressions_of, nodes_of, rules_of
from ess.schema.batch import Batch
from ess.udb.scan.column_scan import ColumnScan
from ess.udb.scan.keyed_scan import KeyedScan
from ess.udb.scan.module_files import find
from ess.udb.scan.portable_scan import read_scan, read_variables
from ess.udb.scan.rules import Rules
from ess.udb.scan.scan_plan import ScanPlan
from ess.udb.shard.merge import KEY_NUMBER
from ess.udb.shard.shard import Shard
from ess.udb.shard.sorting import sort_result
from ess.udb.spec.spec import MAX_SEGMENTS, Kind, TableColumn
from ess.udb.wire.protocol import ScanRequest


class Scan:
    """One scan of one shard. Changes are stored when all rows have been gone through without an error.

    Args:
        shard: What it goes through, and changes.
        request: What to do.
        modules: The folder of the modules that may run here; None for none.

    Raises:
        OptionError: If the request names what is not there, or an expression is wrong.
        InputDataError: From ``export`` and ``count``: an expression could not process a row.
    """

    def __init__(self, shard: Shard, request: ScanRequest, modules: Path | None = None) -> None:
        _require_form(request)
        self._shard = shard
        self._request = request
        definition = shard.definition
        table = definition.get(request.table, where=request.database) if request.table else None
        rules = read_scan(definition, table, request.rules)
        scope = rules.main.scope
        self._outputs = [scope.get(name, where="-c") for name in request.outputs]
        self._sort = [scope.get(name, where="-sort") for name in request.sort]
        self._plan = ScanPlan(
            rules,
            tuple({slot.key: slot for slot in (*self._outputs, *self._sort)}.values()),
            read_variables(definition, request.variables),
            request.segments,
            request.seed,
        )
        self._module = _load(request, modules) if request.module else None

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
        """The number of keys with a row that passes, and the number of rows that pass."""
        rows = self._limited(self._passed())
        numbers = rows[KEY_NUMBER].to_numpy()  # those of one key stand together
        return int(np.count_nonzero(numbers[1:] != numbers[:-1])) + (rows.height > 0), rows.height

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
        """``#key`` and the wanted columns of the rows that pass."""
        plan = self._plan
        table = plan.rules.main.table
        if self._module is not None:
            if table is not None and table.kind is Kind.VAR:
                raise OptionError("the Var vector has no keys to look at", where="-mod")
            return KeyedScan(self._shard, plan, module=self._module).run()[0]
        if table is not None and table.kind is Kind.VAR:
            if plan.rules.groups:
                # The groups go through all keys first; then there is the one row of the variables, as they left it.
                KeyedScan(self._shard, plan, only_groups=True).run()
                plan = dataclasses.replace(plan, set_variables={})
            scan = ColumnScan(self._shard, plan)
            return scan.run(compile_program(scan.program) if plan.rules.main.rules else None)
        if _by_key(plan.rules):
            return KeyedScan(self._shard, plan).run()[0]
        scan = ColumnScan(self._shard, plan)
        if not plan.rules.main.rules:
            return scan.run(None)
        runner = _columnar(scan.program)
        return scan.run(runner) if runner is not None else KeyedScan(self._shard, plan).run()[0]


def _require_form(request: ScanRequest) -> None:
    """Refuse what no client of ours sends: lists that lack something."""
    first, last, count, variant = request.segments if len(request.segments) == 4 else (0, 0, 0, 0)
    if request.segments and not (1 <= first <= last <= count <= MAX_SEGMENTS and 0 <= variant <= MAX_SEGMENTS):
        raise UdbRequestError("the request is malformed", hint="use the same version on both sides")


def _load(request: ScanRequest, modules: Path | None) -> RowModule:
    if modules is None:
        raise UdbRequestError("this server has no folder of modules", where="-mod")
    spec = parse_module_spec(request.module, where="-mod")
    file = find(modules, spec.name, request.module_digest)
    return RowModule(str(file), spec, (), where="-mod", functions=("key", "row"))


def _by_key(rules: Rules) -> bool:
    """True if rules look beyond a single row, or ask for its number among those of its key."""
    main = rules.main
    if rules.groups or main.resets or any(isinstance(rule, Goto | Remove) for rule in rules_of(main.rules)):
        return True
    nodes = (node for root in expressions_of(Program((), (), (), main.rules)) for node in nodes_of(root))
    return any(isinstance(node, Builtin) and node.name is BuiltinName.ROW_NUMBER for node in nodes)


def _columnar(program: Program) -> Runner | None:
    if settings.engine() == "row":
        return None
    try:
        return compile_columnar(program)
    except (Unsupported, RecursionError):  # how deep expressions may nest, the other way knows
        return None


def _as_column(slot: Slot) -> TableColumn:
    return TableColumn(slot.key, slot.type)
