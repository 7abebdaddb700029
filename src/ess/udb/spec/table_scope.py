"""The names that rules and ``-c`` of ``aq_udb`` can use, and where their values are."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from ess.language.scope import Scope
from ess.language.tree import Slot
from ess.schema.columns import Column
from ess.schema.types import ColumnType
from ess.udb.spec.spec import VAR, Definition, Kind, Table, TableColumn

#: How the keys of hidden columns begin.
_COUNT = "#count"


@dataclass(frozen=True)
class Source:
    """The source of a slot's values: a column of the target, of another vector, or of the Var vector.

    ``counted`` is the table whose rows of a key the slot counts; then there is no such column.
    """

    column: TableColumn
    vector: Table | None = None
    is_variable: bool = False
    counted: Table | None = None


class TableScope(Scope):
    """The names for one target: its own columns, ``Vec.Col`` of the vectors, and the Var columns.

    Args:
        definition: The database.
        table: The target; None for the keys.
        sites: Numbers the references to ``$Random``, when several scopes make one program.
    """

    def __init__(self, definition: Definition, table: Table | None, sites: itertools.count[int] | None = None) -> None:
        super().__init__()
        self._sites = sites or itertools.count()
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

    def slot_of(self, key: str) -> Slot | None:
        """As in any scope; also the hidden columns that count rows."""
        prefix, _, table = key.partition(" ")
        return self.row_count(table) if prefix == _COUNT else super().slot_of(key)

    def next_random_site(self) -> int:
        """A fresh number for a reference to ``$Random``."""
        return next(self._sites)

    def refusal(self, slot: Slot) -> str:
        """The reason why a rule cannot store into a slot; blank if it can."""
        source = self.sources[slot.key]
        if source.counted is not None:
            return "the number of rows is counted"
        if source.vector is not None and not source.is_variable:
            return "only columns of the target and of the Var vector can be changed"
        return "a key cannot be changed" if source.column.primary else ""

    def row_count(self, name: str) -> Slot | None:
        """The hidden column that ``RowCount`` of a table or vector reads."""
        table = self.definition.find(name)
        if table is None or table.kind is Kind.VAR or (self.table is not None and self.table.kind is Kind.VAR):
            return None
        slot = Slot(f"{_COUNT} {table.key}", f"RowCount({table.name})", ColumnType.LS)
        self.sources[slot.key] = Source(TableColumn(slot.key, slot.type), counted=table)
        return slot

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
