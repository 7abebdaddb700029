"""The objects that a chain of rules adds to while it is built: names, created slots, outputs and imports.

:mod:`ess.pipeline.chain` has the registry of options and the grammar; the functions behind its rows
(:mod:`keys <ess.pipeline.keys>`, :mod:`lookup <ess.pipeline.lookup>` and others) get a `ChainBuilder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.formats.attributes import OutputAttributes
from ess.language.program import Variable, Write
from ess.language.scope import Scope
from ess.language.tree import Slot
from ess.pipeline.options import Use
from ess.pipeline.selection import Selected, distinct_slots
from ess.pipeline.sinks import ImportOpener, ImportRequest, ImportSink, RowOutput, VariablesOutput
from ess.schema.columns import parse_column
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.language.row_module import RowModule


@dataclass(frozen=True)
class OpenedImport:
    """An ``-imp`` in the chain, with its sink's number."""

    sink: int
    target: str
    into: ImportSink


class ChainBuilder:
    """The objects that the rules of one command line refer to; `ess.pipeline.chain.build_chain` fills it.

    Args:
        scope: The input's columns; names that the options define are added to it.
        open_import: How ``-imp`` gets its sink; None where a tool has no such option.
    """

    def __init__(self, scope: Scope, open_import: ImportOpener | None = None) -> None:
        self.scope = scope
        self.created: list[Slot] = []
        self.variables: list[Variable] = []
        self.outputs: list[RowOutput] = []
        self.variable_outputs: list[VariablesOutput] = []
        self.imports: list[OpenedImport] = []
        self.extracted: dict[str, Slot] = {}  # what -mapf extracts, by the name that -mapc knows it by
        self.lookups = 0  # how many functions of their own the rules have, lookup tables for one
        self.modules: list[RowModule] = []
        self._hidden = 0
        self._open_import = open_import
        self._import_database = ""
        self.allow_missing_columns = False  #: ``-ddef``, the old form of ``-imp,ddef``, for every import

    def create(self, spec: str, *, where: str) -> Slot:
        """Define the column of a column spec; it starts as 0 or blank in every row."""
        column = parse_column(spec, where=where)
        if self.scope.find(column.name) is not None:
            hint = f"leave out the type to store into it, {column.name}, or choose another name"
            raise OptionError(f"column '{column.name}' is defined already", where=where, hint=hint)
        slot = self.scope.add(column, where=where)
        self.created.append(slot)
        return slot

    def hidden(self, purpose: str, column_type: ColumnType) -> Slot:
        """A slot that no user can name; it starts as 0 or blank in every row."""
        self._hidden += 1
        slot = Slot(f"#{purpose}{self._hidden}", purpose, column_type)
        self.created.append(slot)
        return slot

    def target(self, word: str, *, where: str) -> Slot:
        """The slot that ``ColSpec|ColName`` means: a new column, or an existing column or variable."""
        if ":" in word:
            return self.create(word, where=where)
        slot = self.scope.find(word)
        if slot is None:
            hint = f"{self.scope.suggestion(word)}; a new column takes its type before the name, e.g. s:{word}"
            raise OptionError(f"unknown column '{word}'", where=where, hint=hint)
        return slot

    def next_sink(self) -> int:
        """A number for the next sink."""
        return len(self.outputs) + len(self.imports)

    def add_output(
        self, target: str, attributes: OutputAttributes, selected: Sequence[Selected], variable: Slot | None = None
    ) -> Write:
        """Add an output of rows at this point of the chain."""
        slots = distinct_slots(selected)
        if variable is not None:
            target = self.initial_text(variable)
            if not target:
                hint = (
                    f"start it with /dev/null if the file is known only later: -var s:{variable.name} '\"/dev/null\"'"
                )
                raise OptionError(f"the variable '{variable.name}' starts blank", where="-o,fvar", hint=hint)
            if all(slot.key != variable.key for slot in slots):
                slots = (*slots, variable)
        output = RowOutput(self.next_sink(), target, attributes, tuple(selected), slots, variable)
        self.outputs.append(output)
        return Write(output.sink, slots)

    def initial_text(self, variable: Slot) -> str:
        """The initial value of a string variable."""
        value = next(v.initial for v in self.variables if v.slot.key == variable.key)
        assert isinstance(value, bytes)
        return value.decode("utf-8", "surrogateescape")

    def import_into(self, use: Use, servers: tuple[str, ...], local: bool, module: Use | None) -> Write:
        """Add an import at this point of the chain; ``module`` is the ``-mod`` behind it."""
        if self._open_import is None:
            raise OptionError("imports are not possible here", where=use.where)
        target = use.arguments[0]
        if self._import_database and ":" not in target:
            target = f"{self._import_database}:{target}"
        attributes = use.attributes
        if self.allow_missing_columns and "ddef" not in attributes:
            attributes = (*attributes, "ddef")
        available = tuple(Slot(slot.key, name, slot.type, slot.is_variable) for name, slot in self.scope.names())
        into = self._open_import(
            ImportRequest(target, available, attributes, servers, local, use.where, len(self.imports))
        )
        if module is not None:
            into = _through_module(into, module)
        self.imports.append(OpenedImport(self.next_sink(), target, into))
        return Write(self.imports[-1].sink, tuple(into.slots))

    def set_import_database(self, use: Use) -> None:
        """``-udb [DbName]``, the old way to begin an import; the name holds for the ``-imp TabName`` after it."""
        if len(use.arguments) > 1:
            raise OptionError("-udb takes one database name", where=use.where)
        self._import_database = use.arguments[0] if use.arguments else ""


def _through_module(into: ImportSink, use: Use) -> ImportSink:
    """The import behind the module of a ``-mod``."""
    from ess.language.row_module import parse_module_spec
    from ess.pipeline.module_import import ModuleImport

    where = f"{use.where} {use.arguments[0]}"
    spec = parse_module_spec(use.arguments[0], where=where)
    if len(use.arguments) != 2:
        hint = f"name its file: -mod '{use.arguments[0]}' {spec.name}.py"
        raise OptionError("a module of an import is one Python file", where=where, hint=hint)
    return ModuleImport(into, use.arguments[1], spec, where=use.where)
