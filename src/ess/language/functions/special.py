"""Set, and the function that is still missing."""

from __future__ import annotations

from collections.abc import Sequence

from ess.language.functions.table import (
    Argument,
    Example,
    Form,
    Function,
    Parameter,
    RowFunction,
    Value,
    anything,
    text,
)
from ess.language.tree import Target, ValueType


def _set(arguments: Sequence[Argument]) -> RowFunction:
    """The checker appends every column that could be meant as a target."""
    places: dict[bytes, int] = {}
    for index, argument in enumerate(a for a in arguments if isinstance(a, Target)):
        places[argument.slot.name.lower().encode("ascii")] = index
    if not places:
        return lambda name, value: 0

    def assign(name: bytes, value: Value, *current: Value) -> tuple[Value, ...]:
        place = places.get(name.lower())
        if place is None:
            return (0, *current)
        return (1, *current[:place], value, *current[place + 1 :])

    return assign


def _missing(name: str, why: str, *parameters: Parameter) -> Function:
    return Function(name, parameters, ValueType.STRING, f"Not available yet: {why}.", unavailable=why)


_KEYS = "it counts the rows that a key has in a table and works only in the rules of aq_udb"

FUNCTIONS = (
    Function(
        "Set",
        (text("NameStr"), anything("Val")),
        ValueType.INTEGER,
        "Stores Val into the column of that name, found while running, and gives 1; or 0 if there is no such column or "
        "it has another type. Numbers of all types go together.",
        (
            Example("Set('str' + '1', 'x')", 1, (("Str1", b"x"),)),
            Example("Set('Int1', 2.9)", 1, (("Int1", 2),)),
            Example("Set('Str1', 1)", 0, (("Str1", b""),)),
        ),
        specialize=_set,
    ),
    _missing("RowCount", _KEYS, Parameter("TabName", Form.WORD)),
)
