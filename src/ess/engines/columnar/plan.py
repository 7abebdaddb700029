"""The compiled form of an expression: hidden columns to make first, checks, and a Polars expression.

Nulls mean "this row does not get here": batches hold none, so a kernel may take a null argument
for a row on which the language would not evaluate the call, and must answer null for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from ess.language.tree import Builtin, Slot

#: Makes a hidden column from others. All series have the batch's height; nulls are inactive rows.
Kernel = Callable[[tuple[pl.Series, ...]], pl.Series]

#: Begins the names of hidden columns; no slot's key begins so.
HIDDEN = "."


class ExceptionalRowError(Exception):
    """The batch holds a row that the language rejects; the row engine knows which and why."""


@dataclass(frozen=True)
class Stage:
    """A hidden column that is made by Python code, not by an expression."""

    name: str
    arguments: tuple[pl.Expr, ...]
    kernel: Kernel


@dataclass(frozen=True)
class Context:
    """The place where an expression is compiled, and the by-products of its compilation.

    Args:
        reference: What a slot's value is at this point of the chain.
        builtin: What a builtin variable's value is; raises Unsupported for some.
        names: Fresh names for hidden columns.
        active: Where the language would evaluate this node (None: in every row of the batch).
        stages: Collects the hidden columns, in the order in which they are made.
        guards: Collects boolean expressions; a true one means an exceptional row.
    """

    reference: Callable[[Slot], pl.Expr]
    builtin: Callable[[Builtin, Context], pl.Expr]
    names: Iterator[str]
    active: pl.Expr | None = None
    stages: list[Stage] = field(default_factory=list)
    guards: list[pl.Expr] = field(default_factory=list)

    def within(self, condition: pl.Expr) -> Context:
        """The same place, but only where ``condition`` holds."""
        return replace(self, active=condition if self.active is None else self.active & condition)

    def only_active(self, expression: pl.Expr) -> pl.Expr:
        """``expression``, null in the rows where the language would not evaluate it."""
        return expression if self.active is None else pl.when(self.active).then(expression)

    def guard(self, exceptional: pl.Expr) -> None:
        """Send the batch to the row engine if ``exceptional`` holds in an active row."""
        self.guards.append(exceptional if self.active is None else self.active & exceptional)

    def column(self, expression: pl.Expr) -> pl.Expr:
        """A reference to a hidden column with the values of ``expression``."""
        return self.stage(_first, expression)

    def once(self, expression: pl.Expr) -> pl.Expr:
        """``expression`` for several uses: Polars computes an expression again at each use."""
        simple = expression.meta.is_column() or is_constant(expression)
        return expression if simple else self.column(expression)

    def stage(self, kernel: Kernel, *arguments: pl.Expr) -> pl.Expr:
        """A reference to a new hidden column that ``kernel`` makes of ``arguments``."""
        name = next(self.names)
        self.stages.append(Stage(name, arguments, kernel))
        return pl.col(name)


def _first(arguments: tuple[pl.Series, ...]) -> pl.Series:
    return arguments[0]


@dataclass(frozen=True)
class Plan:
    """A compiled expression, ready to become a column of a batch."""

    stages: tuple[Stage, ...]
    guards: tuple[pl.Expr, ...]
    value: pl.Expr

    def add_to(self, frame: pl.DataFrame, name: str) -> pl.DataFrame:
        """``frame`` with the expression's value as column ``name``.

        Raises:
            ExceptionalRowError: If a check fails or a kernel meets a row that the language rejects.
        """
        for stage in self.stages:
            frame = frame.hstack([_made_by(stage, frame)])
        checks = [guard.any().alias(f"{HIDDEN}guard{i}") for i, guard in enumerate(self.guards)]
        if checks and any(frame.select(checks).row(0)):
            raise ExceptionalRowError
        frame = with_value(frame, name, self.value)  # a new frame, so that columns may be dropped in place
        for stage in self.stages:
            frame.drop_in_place(stage.name)
        return frame


def is_constant(expression: pl.Expr) -> bool:
    """True if an expression reads no column."""
    return not expression.meta.root_names()


def with_value(frame: pl.DataFrame, name: str, value: pl.Expr) -> pl.DataFrame:
    """``frame`` with ``value`` as column ``name``, all its values in memory.

    Polars may keep a result as a scalar that only claims the frame's height (a constant, a
    when/then whose condition is the same everywhere), and its comparisons and divisions treat such
    a column in ways of their own.
    """
    made = _series(frame, value).alias(name)
    frame = frame.clone()
    if name in frame.columns:
        return frame.replace_column(frame.get_column_index(name), made)
    return frame.insert_column(frame.width, made)


def _made_by(stage: Stage, frame: pl.DataFrame) -> pl.Series:
    return stage.kernel(tuple(_series(frame, argument) for argument in stage.arguments)).alias(stage.name)


def _series(frame: pl.DataFrame, value: pl.Expr) -> pl.Series:
    """The values of an expression, all in memory."""
    if value.meta.is_column():
        return frame.get_column(value.meta.output_name())
    made = frame.select(value.alias("value")).to_series()
    if is_constant(value) or made.len() != frame.height:  # what is made of scalars has one row
        return made.new_from_index(0, frame.height)
    return made


def dropped(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    """``frame`` without some columns: a query of Polars would take a hundred times as long."""
    frame = frame.clone()
    for name in names:
        frame.drop_in_place(name)
    return frame


def plan(context: Context, value: pl.Expr) -> Plan:
    """The plan of ``value``, compiled in ``context``."""
    return Plan(tuple(context.stages), tuple(context.guards), value)
