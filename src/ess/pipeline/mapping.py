"""``-mapf``, ``-mapc`` and ``-map``: what they extract and render, as rules over hidden slots."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.language.nearest import choice_hint
from ess.language.program import Evaluate, Rule
from ess.language.tree import Attributes, Call, Constant, Node, Reference, Slot, Target, ValueType
from ess.pipeline.options import Use
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.pipeline.builder import ChainBuilder


def map_from(builder: ChainBuilder, use: Use) -> Rule:
    """``-mapf``: extracts into hidden slots. They are blank in each row until a pattern has matched."""
    from ess.language.mapping.functions import MAP_FROM, map_from_names
    from ess.language.mapping.pattern import PatternError

    column, pattern = _text_column(builder, use.arguments[0], use.where), os.fsencode(use.arguments[1])
    words = _words(use)
    try:
        names = map_from_names(pattern, words)
    except PatternError as error:
        raise OptionError(str(error), where=f"{use.where} {use.arguments[1]}") from None
    targets = tuple(Target(_extraction(builder, name)) for name in _numbered_on(builder, names))
    arguments: tuple[Node | Attributes | Target, ...] = (
        Reference(ValueType.STRING, column),
        _constant(pattern),
        Attributes(words),
        *targets,
    )
    return Evaluate(None, Call(ValueType.INTEGER, MAP_FROM, arguments))


def map_to(builder: ChainBuilder, use: Use) -> Rule:
    """``-mapc``: renders what has been extracted so far."""
    from ess.language.mapping.functions import MAP_TO
    from ess.language.mapping.pattern import PatternError
    from ess.language.mapping.template import parse_template

    template = os.fsencode(use.arguments[1])
    where = f"{use.where} {use.arguments[1]}"
    try:
        names = parse_template(template).names
    except PatternError as error:
        raise OptionError(str(error), where=where) from None
    for name in names:
        if name not in builder.extracted:
            known = " ".join(builder.extracted) or "nothing"
            raise OptionError(f"no -mapf before it extracts '{name}'", where=where, hint=f"extracted is {known}")
    references = tuple(Reference(ValueType.STRING, builder.extracted[name]) for name in names)
    target = builder.target(use.arguments[0], where=use.where)
    if target.type is not ColumnType.S:
        raise OptionError(f"'{target.name}' is not a string column", where=use.where)
    return Evaluate(target, Call(ValueType.STRING, MAP_TO, (_constant(template), *references)))


def map_in_place(builder: ChainBuilder, use: Use) -> Rule:
    """``-map``: rewrites a column."""
    from ess.language.mapping.functions import MAP, map_from_names
    from ess.language.mapping.pattern import PatternError
    from ess.language.mapping.template import parse_template

    column = _text_column(builder, use.arguments[0], use.where)
    pattern, template = os.fsencode(use.arguments[1]), os.fsencode(use.arguments[2])
    words = _words(use)
    try:
        names = map_from_names(pattern, words)
        wanted = parse_template(template).names
    except PatternError as error:
        raise OptionError(str(error), where=f"{use.where} {use.arguments[1]}") from None
    for name in wanted:
        if name not in names:
            raise OptionError(f"'{use.arguments[1]}' does not extract '{name}'", where=use.where)
    arguments = (Target(column), _constant(pattern), _constant(template), Attributes(words))
    return Evaluate(None, Call(ValueType.INTEGER, MAP, arguments))


def _numbered_on(builder: ChainBuilder, names: tuple[str, ...]) -> list[str]:
    """Numbers of a regular expression's groups count on from those of the -mapf before it."""
    first = sum(name.isdigit() for name in builder.extracted)
    return [str(first + int(name)) if name.isdigit() else name for name in names]


def _extraction(builder: ChainBuilder, name: str) -> Slot:
    """The hidden slot for a name; two -mapf that extract one name share it."""
    if name not in builder.extracted:
        slot = Slot(f"%%{name}%%", name, ColumnType.S)
        builder.extracted[name] = slot
        builder.created.append(slot)
    return builder.extracted[name]


def _text_column(builder: ChainBuilder, name: str, where: str) -> Slot:
    slot = builder.scope.get(name, where=where)
    if slot.type is not ColumnType.S:
        raise OptionError(f"'{slot.name}' is not a string column", where=where, hint="convert it with ToS() first")
    return slot


def _words(use: Use) -> tuple[str, ...]:
    from ess.language.mapping.functions import MAP_WORDS

    words = tuple(word.lower() for word in use.attributes)
    for word in words:
        if word not in MAP_WORDS:
            raise OptionError(f"unknown attribute '{word}'", where=use.where, hint=choice_hint(word, MAP_WORDS))
    return words


def _constant(value: bytes) -> Constant:
    return Constant(ValueType.STRING, value)
