"""``-kenc`` and ``-kdec``: columns packed into one binary string, and out of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.language.program import Branch, Conditional, Constantly, Evaluate, Rule
from ess.language.tree import Call, Reference, Slot, Target, ValueType, value_type
from ess.pipeline.options import Use
from ess.schema.columns import parse_column
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.pipeline.builder import ChainBuilder


def encode(builder: ChainBuilder, use: Use) -> Rule:
    """``-kenc``: packs columns into a string column."""
    parts = [builder.scope.get(name, where=use.where) for name in use.arguments[1:]]
    return _packed(_text(builder.target(use.arguments[0], where=use.where), use.where), parts)


def decode(builder: ChainBuilder, use: Use) -> Rule:
    """``-kdec``: unpacks a key into columns; a ``+`` behind a spec keeps that part in the key."""
    from ess.language.functions.keys import FUNCTIONS

    key = _text(builder.scope.get(use.arguments[0], where=use.where), use.where)
    parts: list[Slot] = []
    kept: list[Slot] = []
    for spec in use.arguments[1:]:
        name = spec.removesuffix("+")
        slot = _unnamed(builder, name, use.where) if name.endswith(":") else builder.target(name, where=use.where)
        if slot.key == key.key or slot in parts:
            raise OptionError(
                f"'{slot.name}' cannot take a part of the key", where=use.where, hint="name another column"
            )
        parts.append(slot)
        if spec.endswith("+"):
            kept.append(slot)
    function = next(function for function in FUNCTIONS if function.name == "KeyDec")
    targets = tuple(Target(slot) for slot in parts)
    unpack = Evaluate(None, Call(ValueType.INTEGER, function, (Reference(ValueType.STRING, key), *targets)))
    if not kept:
        return unpack
    return Conditional((Branch(Constantly(True), False, (unpack, _packed(key, kept))),))


def _packed(target: Slot, parts: list[Slot]) -> Evaluate:
    from ess.language.functions.keys import FUNCTIONS

    function = next(function for function in FUNCTIONS if function.name == "KeyEnc")
    references = tuple(Reference(value_type(slot.type), slot) for slot in parts)
    return Evaluate(target, Call(ValueType.STRING, function, references))


def _unnamed(builder: ChainBuilder, spec: str, where: str) -> Slot:
    """A hidden slot for a part that no column gets, ``i:``."""
    column = parse_column(f"{spec}unnamed", where=where)
    slot = Slot(f"#part{len(builder.created)}", spec, column.type)
    builder.created.append(slot)
    return slot


def _text(slot: Slot, where: str) -> Slot:
    if slot.type is not ColumnType.S:
        raise OptionError(f"'{slot.name}' is not a string column", where=where, hint="a key is a string")
    return slot
