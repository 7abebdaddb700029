"""``-c``: which columns an output has, in which order, under which labels and formats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ess.errors import OptionError
from ess.formats.output.print_format import parse_print_format
from ess.language.scope import Scope
from ess.language.tree import Slot

_SPEC = re.compile(
    r"(?P<mark>[~^]?)(?P<name>\*|[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)"
    r"(?P<before>(?:,[^:+,]*)*)(?::(?P<label>[^+,]*)(?P<after>(?:,[^:+,]*)*))?(?:\+(?P<format>.*?)(?P<last>,n=[^,+%]*)?)?\Z",
    re.DOTALL,
)
_LENGTH = re.compile(r"n=(-?[1-9][0-9]*)\Z", re.IGNORECASE)


_FORM = "the form is ColName[,n=Len][:NewName][+Format]"


@dataclass(frozen=True)
class Selected:
    """One column of an output.

    ``length`` is ``n=Len`` in bytes (negative: the last ones); ``print_format`` a ``printf`` format for a number.
    """

    slot: Slot
    label: str
    print_format: str | None = None
    length: int | None = None


def select(specs: Sequence[str], scope: Scope, everything: Sequence[Slot], *, where: str) -> list[Selected]:
    """The columns that the words after ``-c`` select.

    Args:
        specs: ``*``, ``Col[,n=Len][:Label][+Format]``, ``^Col...`` (change one that is selected), ``~Col`` (drop one).
        scope: The names known at this point of the chain.
        everything: What ``*`` stands for.
        where: The option, for errors.

    Raises:
        OptionError: For an unknown column, a wrong spec, or nothing selected.
    """
    selected: list[Selected] = []
    for number, spec in enumerate(specs):
        match = _SPEC.match(spec)
        if match is None:
            form = f"a column is left out by ~{spec[1:]}" if spec[:1] == "!" else _FORM
            raise OptionError(f"bad column selection '{spec}'", where=where, hint=form)
        if number == 0 and match["mark"]:
            selected.extend(Selected(slot, slot.name) for slot in everything)
        if match["name"] == "*":
            if spec != "*":
                raise OptionError(f"'*' takes nothing beside it in '{spec}'", where=where)
            selected.extend(Selected(slot, slot.name) for slot in everything)
            continue
        slot = scope.get(match["name"], where=where)
        if match["mark"]:
            _require_selected(slot, selected, spec, where)
        if match["mark"] == "~":
            selected = [column for column in selected if column.slot.key != slot.key]
        elif match["mark"] == "^":
            selected = [_changed(c, match, spec, where) if c.slot.key == slot.key else c for c in selected]
        else:
            name = slot.name if slot.name.lower() == match["name"].lower() else match["name"]
            selected.append(_changed(Selected(slot, name), match, spec, where))
    if not selected:
        raise OptionError("no column is left to output", where=where)
    return selected


def distinct_slots(selected: Sequence[Selected]) -> tuple[Slot, ...]:
    """The slots of a selection, each once, in order of first mention."""
    return tuple({column.slot.key: column.slot for column in selected}.values())


def _require_selected(slot: Slot, selected: Sequence[Selected], spec: str, where: str) -> None:
    if all(column.slot.key != slot.key for column in selected):
        raise OptionError(f"'{spec}' concerns a column that is not selected before it", where=where)


def _changed(column: Selected, match: re.Match[str], spec: str, where: str) -> Selected:
    if match["label"]:
        column = replace(column, label=match["label"])
    for word in "".join(match[part] or "" for part in ("before", "after", "last")).split(","):
        if not word:
            continue
        length = _LENGTH.match(word)
        if length is None:
            raise OptionError(f"unknown column attribute '{word}' in '{spec}'", where=where, hint="known is n=Len")
        column = replace(column, length=int(length[1]))
    if match["format"] is not None:
        if not column.slot.type.is_numeric:
            raise OptionError(f"'{spec}' gives a number format to a column that is no number", where=where)
        parse_print_format(match["format"], where=where)
        column = replace(column, print_format=match["format"])
    return column
