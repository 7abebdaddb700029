"""``-pmod``: the modules that come with the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.language.program import Expand, Rule
from ess.language.tree import Attributes, Call, Constant, Reference, Slot, ValueType
from ess.pipeline.options import Use
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.language.functions.table import Argument, RowFunction
    from ess.pipeline.chain import ChainBuilder


def run_module(builder: ChainBuilder, use: Use) -> Rule:
    """``-pmod ModName("Arg", ...)``."""
    if len(use.arguments) > 1:
        raise OptionError("modules of your own are not available yet", where=use.where, hint="use -eval, -filt and -if")
    name, arguments = _parsed(use.arguments[0], f"{use.where} {use.arguments[0]}")
    if name not in MODULES:
        raise OptionError(f"unknown module '{name}'", where=use.where, hint=f"known are {' '.join(MODULES)}")
    if builder.in_group:
        raise OptionError(f"{name} cannot stand inside of -if", where=use.where, hint="put it before the group")
    return MODULES[name](builder, arguments, f"{use.where} {name}")


def _unwrap(builder: ChainBuilder, arguments: Sequence[bytes], where: str) -> Rule:
    """``unwrap_strv("From_Col", "From_Sep", "To_Col" [, "AtrLst"])``: a row for each part of a string."""
    from ess.language.functions.table import Function, attributes, constant, text

    if len(arguments) not in (3, 4):
        raise OptionError(
            f"{len(arguments)} arguments", where=where, hint="give From_Col, From_Sep, To_Col and attributes"
        )
    source = _text_column(builder, arguments[0], where)
    target = _text_column(builder, arguments[2], where)
    if len(arguments[1]) != 1:
        raise OptionError("the separator is not one byte", where=where)
    words = tuple(word.lower() for word in arguments[3].decode("ascii", "replace").split(",")) if arguments[3:] else ()
    for word in words:
        if word not in ("relax", "noblank"):
            raise OptionError(f"unknown attribute '{word}'", where=where, hint="known are relax noblank")
    function = Function(
        "Unwrap",
        (text("From"), constant("Separator"), attributes("relax", "noblank")),
        ValueType.STRING,
        "",
        specialize=_unwrapper,
    )
    given = (Reference(ValueType.STRING, source), Constant(ValueType.STRING, arguments[1]), Attributes(words))
    return Expand(Call(ValueType.STRING, function, given), (target,))


def _unwrapper(arguments: Sequence[Argument]) -> RowFunction:
    from ess.language.functions.table import fixed_text, words_of

    separator, words = fixed_text(arguments[1]), words_of(arguments[2])
    ended = "relax" not in words  # each value, also the last, has a separator behind it
    blanks = "noblank" not in words

    def parts(value: bytes) -> list[tuple[bytes]]:
        found = value.split(separator)
        if ended and not found[-1]:
            found.pop()
        return [(part,) for part in found if part or blanks]

    return parts


MODULES: dict[str, Callable[[ChainBuilder, Sequence[bytes], str], Rule]] = {"unwrap_strv": _unwrap}


def _parsed(spec: str, where: str) -> tuple[str, list[bytes]]:
    """The name and the string constants of ``ModName("Arg1", "Arg2")``."""
    from ess.language.lexer import TokenKind, tokens_of

    name, *rest = tokens_of(spec, where=where)
    rest = rest[:-1]  # the last is the end
    signs = [token.text for token in rest if token.kind is not TokenKind.STRING]
    values = [token.value for token in rest if isinstance(token.value, bytes) and token.kind is TokenKind.STRING]
    expected = ["(", *[","] * (len(values) - 1), ")"] if rest else []
    in_turn = all((token.kind is TokenKind.STRING) == (n % 2 == 1) for n, token in enumerate(rest))
    if name.kind is not TokenKind.NAME or signs != expected or not in_turn:
        raise OptionError("malformed module", where=where, hint='the form is ModName("Arg1", "Arg2", ...)')
    return name.text, values


def _text_column(builder: ChainBuilder, name: bytes, where: str) -> Slot:
    slot = builder.scope.get(name.decode("utf-8", "surrogateescape"), where=where)
    if slot.type is not ColumnType.S:
        raise OptionError(f"'{slot.name}' is not a string column", where=where)
    return slot
