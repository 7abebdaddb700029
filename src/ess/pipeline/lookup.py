"""Lookup tables of ``-sub``, ``-grep`` and ``-cmb``: read from files, asked once a row.

A table is read when its chain is compiled, not when the command line is checked. The rules become
calls of functions that are made here, so the engines need to know nothing of tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ess.errors import OptionError
from ess.formats.attributes import parse_input_attributes
from ess.language.program import Evaluate, Expand, Filter, Rule
from ess.language.tree import Not, Reference, Slot, Target, ValueType, value_type
from ess.pipeline.lookup_merge import MergedTable
from ess.pipeline.lookup_table import KeyedTable, TextTable, load_rows, load_table
from ess.pipeline.modules import own_call
from ess.pipeline.options import Use
from ess.pipeline.source import InputPlan, input_of_files
from ess.schema.columns import Column, ColumnAttributes
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.language.function import RowFunction
    from ess.pipeline.builder import ChainBuilder

#: They tell that both sides are sorted, so that the table is not kept in memory.
_MERGE = frozenset({"mrg", "dec"})


def substitute(builder: ChainBuilder, use: Use, *, checked: bool = False) -> Rule:
    """``-sub``: replaces a value by what the table has for it; ``req`` drops a row without a match.

    With ``checked``, it stands behind ``-if``, and ``all`` gives no row without a match either.
    """
    given = _parse(use, 1, frozenset({"ncas", "pat", "req", "all"}), ("from", "to"))
    column = _text_column(builder, use)
    _require_text(given, ("from", "to"), use.where)

    def load() -> TextTable:
        return TextTable(
            load_rows(given.source, ("from", "to")), ignore_case=given.has("ncas"), patterns=given.has("pat")
        )

    def matches() -> RowFunction:
        find = load().find
        required = checked or given.has("req")
        return lambda value: [(found,) for found in find(value)] or ([] if required else [(value,)])

    def first() -> RowFunction:
        if not given.has("pat"):
            return _first_match(given, ("from", "to"), [column.type])
        find = load().find

        def replaced(value: bytes, current: bytes) -> tuple[int, bytes]:
            found = find(value)
            return (1, found[0]) if found else (0, current)

        return replaced

    if given.has("all"):
        return Expand(own_call(builder, matches, [Reference(ValueType.STRING, column)], pure=True), (column,))
    call = own_call(builder, first, [Reference(ValueType.STRING, column), Target(column)], pure=True)
    return Filter(call) if given.has("req") else Evaluate(None, call)


def select_by_file(builder: ChainBuilder, use: Use) -> Rule:
    """``-grep``: lets the rows go on whose value the table has, or has not (``rev``)."""
    given = _parse(use, 1, frozenset({"ncas", "pat", "rev"}), ("from",))
    column = _text_column(builder, use)
    _require_text(given, ("from",), use.where)

    def load() -> RowFunction:
        if not given.has("pat"):
            return _first_match(given, ("from",), ())
        find = TextTable(
            load_rows(given.source, ("from",)), ignore_case=given.has("ncas"), patterns=given.has("pat")
        ).find
        return lambda value: 1 if find(value) else 0

    call = own_call(builder, load, [Reference(ValueType.STRING, column)], pure=True)
    return Filter(Not(call)) if given.has("rev") else Filter(call)


def combine(builder: ChainBuilder, use: Use, *, checked: bool = False) -> Rule:
    """``-cmb``: joins columns of the table to the row by the columns they have in common (``checked``: see above)."""
    given = _parse(use, 0, frozenset({"ncas", "req", "all", *_MERGE}), ())
    keys, values = _join_columns(builder, given, use.where)
    key_slots = [builder.scope.get(column.name, where=use.where) for column in keys]
    targets = tuple(_combined_slot(builder, column, use.where) for column in values)
    columns = (*keys, *values)
    width = len(keys)
    required = given.has("req")

    merges = any(given.has(word) for word in _MERGE)

    def load() -> KeyedTable | MergedTable:
        if merges:
            return MergedTable(
                given.source,
                [column.key for column in columns],
                [(slot.type, column.type) for slot, column in zip(key_slots, keys, strict=True)],
                ignore_case=given.has("ncas"),
                descending=given.has("dec"),
                where=use.where,
            )
        rows = load_rows(given.source, [column.key for column in columns])
        return KeyedTable(rows, width, [column.type for column in columns], ignore_case=given.has("ncas"))

    def matches() -> RowFunction:
        find = load().find
        none = checked or required
        return lambda *values: find(values[:width]) or ([] if none else [values[width:]])

    def first() -> RowFunction:
        if not merges:
            return _first_match(given, [column.key for column in columns], [slot.type for slot in targets])
        find = load().find
        if not targets:
            return lambda *key: 1 if find(key) else 0

        def joined(*values: Any) -> Any:
            found = find(values[:width])
            return (1, *found[0]) if found else (0, *values[width:])

        return joined

    references = [Reference(value_type(slot.type), slot) for slot in key_slots]
    if given.has("all"):
        current = [Reference(value_type(slot.type), slot) for slot in targets]
        return Expand(own_call(builder, matches, [*references, *current], pure=not merges), targets)
    call = own_call(builder, first, [*references, *(Target(slot) for slot in targets)], pure=not merges)
    return Filter(call) if required else Evaluate(None, call)


@dataclass(frozen=True)
class _Given:
    """The arguments of an option: the files with their columns, and the words that are no input attributes."""

    source: InputPlan
    words: tuple[str, ...]

    def has(self, word: str) -> bool:
        return word in self.words


def _first_match(given: _Given, names: Sequence[str], targets: Sequence[ColumnType]) -> RowFunction:
    """A look-up of the first record by the first of these columns of the files, which also works on whole columns."""
    from ess.engines.columnar.lookup import FirstMatch

    by_key = {column.key: column for column in given.source.columns if column.wanted}
    columns = [by_key[name] for name in names]
    types = [column.type for column in columns]
    return FirstMatch(load_table(given.source, columns), types, targets, ignore_case=given.has("ncas"))


def _parse(use: Use, before: int, words: frozenset[str], default: tuple[str, ...]) -> _Given:
    """Split the arguments into files and column specs; the first is a file, and specs follow the files."""
    attributes = parse_input_attributes(list(use.attributes), where=use.where, extra=words)
    source = input_of_files(
        use.arguments[before:], attributes, where=use.where, default=default, extra=frozenset({"key", "cmb"})
    )
    return _Given(source, attributes.others)


def _text_column(builder: ChainBuilder, use: Use) -> Slot:
    slot = builder.scope.get(use.arguments[0], where=use.where)
    if slot.type is not ColumnType.S:
        raise OptionError(f"'{slot.name}' is not a string column", where=use.where, hint="convert it with ToS() first")
    return slot


def _require_text(given: _Given, names: Sequence[str], where: str) -> None:
    for name in names:
        column = next((c for c in given.source.columns if c.wanted and c.key == name), None)
        if column is None or column.type is not ColumnType.S:
            hint = f"give its columns, e.g. s:{name} X"
            raise OptionError(f"the file needs a string column '{name}'", where=where, hint=hint)


def _join_columns(builder: ChainBuilder, given: _Given, where: str) -> tuple[list[Column], list[Column]]:
    """The key columns of a join and those it brings."""
    keys: list[Column] = []
    values: list[Column] = []
    for column in given.source.columns:
        if not column.wanted:
            continue
        common = builder.scope.find(column.name)
        marks = column.attributes.others
        if "key" in marks and common is None:
            raise OptionError(f"the key '{column.name}' is no column of the rows", where=where)
        if common is None or "cmb" in marks:
            values.append(column)
        else:
            _require_same_kind(common, column, where)
            keys.append(column)
    if not keys:
        raise OptionError(
            "the file has no column in common with the rows", where=where, hint="give a key the name it has there"
        )
    return keys, values


def _combined_slot(builder: ChainBuilder, column: Column, where: str) -> Slot:
    slot = builder.scope.find(column.name)
    if slot is not None:
        _require_same_kind(slot, column, where)
        return slot
    slot = builder.scope.add(Column(column.name, column.type, ColumnAttributes()), where=where)
    builder.created.append(slot)
    return slot


def _require_same_kind(slot: Slot, column: Column, where: str) -> None:
    if slot.type.is_numeric != column.type.is_numeric or (not slot.type.is_numeric and slot.type is not column.type):
        raise OptionError(
            f"'{column.name}' is {column.type.value} in the file, but {slot.type.value} in the rows", where=where
        )
