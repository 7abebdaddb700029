"""Calls of simple functions as Python expressions: a fifth of the time that a call takes.

A function that is not here, or whose arguments are not simple, is called. Each expression gives what the
function's row implementation gives, and evaluates each argument exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ess.engines.rowwise import code as level
from ess.language.function import fixed_text, words_of
from ess.language.functions.comparison import literal_parts
from ess.language.regex import compile_regex
from ess.language.tree import Attributes, Call, Constant, Target, ValueType
from ess.language.values import LARGEST, SMALLEST

_LONGEST = 2**62


@dataclass(frozen=True)
class Inline:
    """An expression instead of a call.

    Args:
        text: Python source; ``$0`` and ``$1`` stand for the evaluated arguments, ``$a`` and so on for ``names``.
        names: What the source refers to.
        binds: How tightly its outermost operator binds (``code``).
        is_truth: Whether it is true or false rather than 1 or 0.
        low: For integers, the smallest value.
        high: For integers, the largest.
    """

    text: str
    names: Mapping[str, object] = field(default_factory=dict)
    binds: int = level.ATOM
    is_truth: bool = False
    low: int = SMALLEST
    high: int = LARGEST


def inline_of(call: Call) -> Inline | None:
    """The expression for a call; None if there is none."""
    make = _INLINE.get(call.function.key)
    return None if make is None else make(call)


def _truth(text: str, names: Mapping[str, object], *, binds: int = level.ATOM) -> Inline:
    return Inline(text, names, binds, is_truth=True)


def _begins(call: Call) -> Inline:
    return _truth("$0.startswith($a)", {"a": tuple(fixed_text(argument) for argument in call.arguments[1:])})


def _ends(call: Call) -> Inline:
    return _truth("$0.endswith($a)", {"a": tuple(fixed_text(argument) for argument in call.arguments[1:])})


def _contains(call: Call) -> Inline | None:
    if len(call.arguments) > 2:
        return None
    return _truth("$a in $0", {"a": fixed_text(call.arguments[1])}, binds=level.COMPARE)


def _pattern(call: Call) -> Inline | None:
    parts = None if "ncas" in words_of(call.arguments[2]) else literal_parts(fixed_text(call.arguments[1]))
    match parts:
        case [whole]:
            return _truth("$0 == $a", {"a": whole}, binds=level.COMPARE)
        case [b"", b""]:
            return None
        case [head, b""]:
            return _truth("$0.startswith($a)", {"a": head})
        case [b"", tail]:
            return _truth("$0.endswith($a)", {"a": tail})
        case [b"", part, b""]:
            return _truth("$a in $0", {"a": part}, binds=level.COMPARE)
    return None


def _expression(call: Call) -> Inline:
    search = compile_regex(fixed_text(call.arguments[1]), words_of(call.arguments[2]), only_whether=True).search()
    return _truth("$a($0) is not None", {"a": search}, binds=level.COMPARE)


def _position(call: Call) -> Inline:
    words = words_of(call.arguments[2])
    case = ".lower()" if "ncas" in words else ""
    find = "rfind" if "back" in words else "find"
    return Inline(f"$0{case}.{find}($1{case})", low=-1, high=_LONGEST)


def _part(call: Call) -> Inline | None:
    """Only where positions are constants that are not negative, so that a slice says the same."""
    bounds = [argument.value for argument in call.arguments[1:] if isinstance(argument, Constant)]
    if len(bounds) != len(call.arguments) - 1 or not all(isinstance(b, int) and 0 <= b <= _LONGEST for b in bounds):
        return None
    match bounds:
        case [int(start)]:
            return Inline(f"$0[{start}:]")
        case [int(start), int(length)]:
            return Inline(f"$0[{start}:{start + length}]")
    return None


def _text(call: Call) -> Inline | None:
    argument = call.arguments[0]
    if isinstance(argument, Attributes | Target):
        return None
    return Inline('b"%d" % $0', binds=level.PRODUCT) if argument.type is ValueType.INTEGER else None


_INLINE: dict[str, Callable[[Call], Inline | None]] = {
    "begcmp": _begins,
    "endcmp": _ends,
    "subcmp": _contains,
    "subcmpall": _contains,
    "patcmp": _pattern,
    "rxcmp": _expression,
    "strindex": _position,
    "substr": _part,
    "tos": _text,
    "sleng": lambda call: Inline("len($0)", low=0, high=_LONGEST),
    "toupper": lambda call: Inline("$0.upper()"),
    "tolower": lambda call: Inline("$0.lower()"),
}
