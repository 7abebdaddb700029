"""The names that rules and ``-c`` of ``aq_udb`` can use, and where their values are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ess.errors import OptionError
from ess.language.checker import check_constant
from ess.language.program import Rule, Variable
from ess.language.scope import Scope
from ess.language.tree import Slot
from ess.pipeline.chain import ChainBuilder
from ess.pipeline.options import Option, Use
from ess.schema.columns import Column
from ess.udb.spec import VAR, Definition, Kind, Table, TableColumn

#: The rules of ``aq_udb`` so far; the others of the manual are named in the tool's option table.
RULE_OPTIONS = (
    Option("-eval", "Store the value of Expr in ColName: it changes the stored row.", ("ColName", "Expr")),
    Option("-filt", "Let only rows through for which FilterSpec is true.", ("FilterSpec",)),
    Option("-if", "Begin a conditional group; a rule to check follows."),
    Option("-ifnot", "As -if, negated."),
    Option("-elif", "Another check of the group."),
    Option("-elifnot", "As -elif, negated."),
    Option("-else", "What to do when no check of the group held."),
    Option("-endif", "End the group."),
)


@dataclass(frozen=True)
class Source:
    """Where a slot's values are: a column of the target, of another vector, or of the Var vector."""

    column: TableColumn
    vector: Table | None = None
    is_variable: bool = False


class TableScope(Scope):
    """The names for one target: its own columns, ``Vec.Col`` of the vectors, and the Var columns.

    Args:
        definition: The database.
        table: The target; None for the keys.
    """

    def __init__(self, definition: Definition, table: Table | None) -> None:
        super().__init__()
        self.definition = definition
        self.table = table
        self.sources: dict[str, Source] = {}
        self.target: tuple[Slot, ...] = tuple(
            self._define(column.name, Source(column)) for column in (table.columns if table else definition.key)
        )
        if table is not None and table.kind is Kind.VAR:
            return
        for vector in definition.of_kind(Kind.VECTOR):
            if vector is not table:
                for column in vector.values:
                    self._define(f"{vector.name}.{column.name}", Source(column, vector))
        for column in definition.var.columns if definition.var else ():
            name = f"{VAR}.{column.name}" if super().find(column.name) else column.name
            self._define(name, Source(column, definition.var, is_variable=True))

    def _define(self, name: str, source: Source) -> Slot:
        slot = self.add(Column(name, source.column.type), variable=source.is_variable)
        self.sources[slot.key] = source
        return slot

    def find(self, name: str) -> Slot | None:
        """As in any scope; the target's own name, and ``var``, may stand before a column."""
        found = super().find(name)
        if found is not None or "." not in name:
            return found
        owner, _, column = name.lower().partition(".")
        slot = super().find(column)
        if slot is None or slot.key not in self.sources:
            return None
        source = self.sources[slot.key]
        own = self.table.key if self.table else "."
        belongs = owner == VAR if source.is_variable else owner == own or (source.column.primary and self._has(owner))
        return slot if belongs else None

    def _has(self, owner: str) -> bool:
        table = self.definition.find(owner)
        return table is not None and table.kind is Kind.VECTOR

    def suggestion(self, name: str) -> str:
        """A hint for an unknown name: what the target has."""
        near = super().suggestion(name)
        if near.startswith("did you mean"):
            return near
        owner = self.table.label if self.table else "the key"
        return f"{owner} has {' '.join(slot.name for slot in self.target)}"


def build_rules(scope: TableScope, rules: Sequence[tuple[str, ...]]) -> list[Rule]:
    """The checked rules of a scan, from option names with their arguments.

    Raises:
        OptionError: For a wrong expression, an unknown name, or an assignment to what cannot be changed.
    """
    uses: list[Use] = []
    for name, *arguments in rules:
        option = next((row for row in RULE_OPTIONS if row.name == name), None)
        if option is None or len(arguments) != len(option.arguments):
            raise OptionError(f"{name} is not a rule", where="aq_udb")
        if name == "-eval" and arguments[0] != "-":
            _require_assignable(scope, arguments[0])
        uses.append(Use(option, (), tuple(arguments), name))
    return ChainBuilder(scope).build(uses)


def build_variables(scope: TableScope, pairs: Sequence[tuple[str, ...]]) -> list[Variable]:
    """The Var columns that ``-var`` sets, with their values.

    Raises:
        OptionError: If a name is not a Var column, or a value does not fit it.
    """
    made: list[Variable] = []
    for name, text in pairs:
        var = scope.definition.var
        if var is None:
            raise OptionError(
                "the database has no Var vector", where=f"-var {name}", hint="ess create variable Columns"
            )
        column = var.get(name.removeprefix(f"{VAR}."), where=f"-var {name}")
        slot = scope.get(f"{VAR}.{column.name}", where=f"-var {name}")
        made.append(Variable(slot, check_constant(text, column.type, where=f"-var {name}")))
    return made


def _require_assignable(scope: TableScope, name: str) -> None:
    where = f"-eval {name}"
    if ":" in name:
        raise OptionError("a stored row has no room for a new column", where=where, hint="name a column that is there")
    source = scope.sources[scope.get(name, where=where).key]
    if source.vector is not None and not source.is_variable:
        raise OptionError("only columns of the target and of the Var vector can be changed", where=where)
    if source.column.primary:
        raise OptionError("a key cannot be changed", where=where)
