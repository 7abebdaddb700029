"""Programs for tests, put together as the options of a command line are."""

from __future__ import annotations

from typing import Any

import polars as pl

from ess.engines.rowwise import compile_rowwise
from ess.engines.rowwise.runner import RowRunner
from ess.language.checker import check_expression, check_filter, fit
from ess.language.program import Evaluate, Filter, Program, Rule, Variable, Write
from ess.language.scope import Scope
from ess.language.tree import Slot
from ess.schema import parse_column
from ess.schema.batch import make_batch


class Chain:
    """A program under construction, over columns and rows."""

    def __init__(self, *specs: str) -> None:
        self.scope = Scope()
        self.inputs = tuple(self.scope.add(parse_column(spec, where="-d")) for spec in specs)
        self.created: list[Slot] = []
        self.variables: list[Variable] = []

    def variable(self, spec: str, initial: int) -> Slot:
        slot = self.scope.add(parse_column(spec, where="-var"), variable=True)
        self.variables.append(Variable(slot, initial))
        return slot

    def new(self, spec: str) -> None:
        self.created.append(self.scope.add(parse_column(spec, where="-eval")))

    def set(self, name: str, text: str) -> Evaluate:
        slot = self.scope.get(name, where="-eval")
        node = check_expression(text, self.scope, where="-eval")
        return Evaluate(slot, fit(node, slot.type, where="-eval"))

    def filter(self, text: str) -> Filter:
        return Filter(check_filter(text, self.scope, where="-filt"))

    def write(self, sink: int, *names: str) -> Write:
        return Write(sink, tuple(self.scope.get(name, where="-o") for name in names))

    def runner(self, *rules: Rule, **more: Any) -> RowRunner:
        return compile_rowwise(Program(self.inputs, tuple(self.created), tuple(self.variables), rules, **more))

    def batch(self, *rows: tuple[Any, ...]) -> pl.DataFrame:
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self.inputs)
        return make_batch([(s.key, s.type, list(c)) for s, c in zip(self.inputs, columns, strict=True)], len(rows))
