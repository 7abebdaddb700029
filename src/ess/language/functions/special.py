"""Set and RowCount, which depend on more than their arguments."""

from __future__ import annotations

from collections.abc import Sequence

from ess.language.function import (
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
    """The row implementation of ``Set``; the checker appends every column that could be meant as a target."""
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
        stores_by_name=True,
    ),
    Function(
        "RowCount",
        (Parameter("TabName", Form.WORD),),
        ValueType.INTEGER,
        "How many rows of a table belong to the present key, as in -filt 'RowCount(MyTable) < 10'; of a vector "
        "1 if it has been given values, else 0.",
        only_in="the rules of aq_udb",
    ),
)
