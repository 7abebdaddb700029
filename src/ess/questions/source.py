"""The rows of a category, as a tool reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ess.errors import OptionError
from ess.lake.categories import Category
from ess.lake.reading import input_columns, input_words
from ess.language.checker import check_expression, check_filter
from ess.language.nearest import nearest
from ess.language.scope import Scope
from ess.language.tree import ValueType
from ess.schema import Column, ColumnType

_LET = re.compile(r"\s*([A-Za-z_]\w{0,30})\s*=(?!=)\s*(.*\S)\s*", re.ASCII | re.DOTALL)
_TYPES = {
    ValueType.STRING: ColumnType.S,
    ValueType.INTEGER: ColumnType.LS,
    ValueType.FLOAT: ColumnType.F,
    ValueType.IP: ColumnType.IP,
}
_OF_A_DATE = "\"GmDateToTime(COLUMN, 'Y-m-d H:M:S')\""
#: The columns of formats with a name that hold the time, and the expressions that give seconds.
_TIMES = {"epoch": "epoch", "epoch_ms": "Floor(epoch_ms / 1000)"}


@dataclass(frozen=True)
class Source:
    """The rows of a category, as a tool reads them from its input.

    Attributes:
        category: The name of the category.
        format: The attributes of ``-f``.
        by_title: Whether files name their columns.
        columns: The columns by their names in lower case.
        rules: The options that make the last of them.
    """

    category: str
    format: tuple[str, ...]
    by_title: bool
    columns: Mapping[str, Column]
    rules: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The options that read it. Bad records are left out, and counted."""
        return [",".join(("-f", *self.format, "eok")), "-", "-d,title" if self.by_title else "-d", "%cols"]

    def let(self, text: str) -> Source:
        """The source with a further column, ``name=expression``.

        Raises:
            OptionError: If the name is taken, or the expression is not valid.
        """
        match = _LET.fullmatch(text)
        if match is None:
            raise OptionError(f"'{text}' makes no column", where="--let", hint="write it as NAME=EXPRESSION")
        name, expression = match.groups()
        if name.lower() in self.columns:
            raise OptionError(
                f"category {self.category} has a column '{name}'", where="--let", hint="choose another name"
            )
        made = Column(name, _TYPES[check_expression(expression, self._scope(), where="--let").type])
        rules = (*self.rules, "-eval", *specs([made]), expression)
        return replace(self, columns={**self.columns, made.key: made}, rules=rules)

    def check_condition(self, text: str) -> None:
        """Check a condition on rows.

        Raises:
            OptionError: If it is not valid.
        """
        check_filter(text, self._scope(), where="--where")

    def _scope(self) -> Scope:
        scope = Scope()
        for column in self.columns.values():
            scope.add(column)
        return scope

    def column(self, name: str, *, where: str) -> Column:
        """A column by its name.

        Raises:
            OptionError: If there is none.
        """
        found = self.columns.get(name.lower())
        if found is None:
            names = [column.name for column in self.columns.values()]
            near = nearest(name, names)
            meant = f"did you mean '{near}'? " if near else ""
            raise OptionError(
                f"category {self.category} has no column '{name}'",
                where=where,
                hint=f"{meant}its columns: {' '.join(names)}",
            )
        return found

    def number(self, name: str, *, where: str) -> Column:
        """A column of numbers.

        Raises:
            OptionError: If it is none.
        """
        found = self.column(name, where=where)
        if not found.type.is_numeric:
            raise OptionError(
                f"column {found.name} does not hold numbers",
                where=where,
                hint=f"make numbers of its text, e.g. --let 'number=ToF({found.name})'; if it holds nothing else,"
                f" give it a type of numbers: ess category change columnspec {self.category} ...",
            )
        return found

    def seconds(self, expression: str | None, *, where: str) -> str:
        """The expression for the time of a row in seconds since 1970; without one, by the format.

        Raises:
            OptionError: If there is none.
        """
        if expression is None:
            found = next((_TIMES[name] for name in _TIMES if name in self.columns), None)
            if found is None:
                raise OptionError(
                    f"category {self.category} has no column that is known to hold the time",
                    where=where,
                    hint=f"say how a row gives seconds: --time COLUMN, or --time {_OF_A_DATE}",
                )
            return found
        if expression.lower() in self.columns:
            expression = self.columns[expression.lower()].name
        if check_expression(expression, self._scope(), where="--time").type not in (ValueType.INTEGER, ValueType.FLOAT):
            raise OptionError(
                f"'{expression}' gives no number", where="--time", hint=f"make one of a date: {_OF_A_DATE}"
            )
        return expression


def source_of(category: Category) -> Source:
    """The rows of a category.

    Raises:
        OptionError: If its columns are not known.
    """
    columns = {column.key: column for column in input_columns(category).columns if column.wanted}
    words = input_words(category)
    if words[:2] == ("csv", "sep=,"):
        words = words[2:]
    return Source(category.name, tuple(word for word in words if word != "title"), "title" in words, columns)


def specs(columns: Sequence[Column]) -> list[str]:
    """The columns as words of ``-d`` behind another tool."""
    return [f"{column.type.name}:{column.name}" for column in columns]
