"""The names that are defined at one point of a chain of rules."""

from __future__ import annotations

import dataclasses

from ess.errors import OptionError
from ess.language.nearest import nearest
from ess.language.tree import Slot
from ess.schema.columns import Column, valid_name


class Scope:
    """A mutable table of names; options add to it from left to right.

    Names compare without regard to case. A slot keeps its ``key`` for the whole run, so a tree
    that was checked before a rename stays valid; compare slots by ``key``.

    >>> from ess.schema import parse_column
    >>> scope = Scope()
    >>> scope.add(parse_column("i:Count", where="-d")).key
    'count'
    >>> scope.rename("count", "Total").name
    'Total'
    >>> scope.find("COUNT") is None, [slot.name for slot in scope.columns()]
    (True, ['Total'])
    """

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}  # lower-case name or alias -> key
        self._slots: dict[str, Slot] = {}  # key -> slot, in the order of definition
        self._aliases: dict[str, str] = {}  # lower-case alias -> its spelling
        self._random_sites = 0
        #: The attributes of regular expressions in functions that name no engine themselves (``-rx``).
        self.default_regex: tuple[str, ...] = ()

    def add(self, column: Column, *, variable: bool = False, where: str = "") -> Slot:
        """Define a column or a variable.

        Raises:
            OptionError: If the name is taken.
        """
        self._require_free(column.name, where)
        key = column.key
        serial = 2
        while key in self._slots:  # a renamed slot still owns this key
            key = f"{column.key}#{serial}"
            serial += 1
        slot = Slot(key, column.name, column.type, variable)
        self._slots[key] = slot
        self._keys[column.key] = key
        return slot

    def find(self, name: str) -> Slot | None:
        """The slot of that name or alias, in any case."""
        key = self._keys.get(name.lower())
        return None if key is None else self._slots[key]

    def slot_of(self, key: str) -> Slot | None:
        """The slot with that key, whatever its name is by now."""
        return self._slots.get(key)

    def get(self, name: str, *, where: str) -> Slot:
        """As ``find``, but an unknown name is an OptionError that suggests the nearest one."""
        slot = self.find(name)
        if slot is None:
            raise OptionError(f"unknown column '{name}'", where=where, hint=self.suggestion(name))
        return slot

    def alias(self, existing: str, new: str, *, where: str = "-alias") -> Slot:
        """Let ``new`` mean the slot that ``existing`` means."""
        slot = self.get(existing, where=where)
        self._require_free(new, where)
        self._require_valid(new, where)
        self._keys[new.lower()] = slot.key
        self._aliases[new.lower()] = new
        return slot

    def rename(self, existing: str, new: str, *, where: str = "-renam") -> Slot:
        """Replace a column's name, or that of an alias."""
        slot = self.get(existing, where=where)
        if new.lower() != existing.lower():
            self._require_free(new, where)
        self._require_valid(new, where)
        is_alias = existing.lower() != slot.name.lower()
        del self._keys[existing.lower()]
        self._keys[new.lower()] = slot.key
        if is_alias:
            self._aliases.pop(existing.lower(), None)
            self._aliases[new.lower()] = new
        else:
            slot = dataclasses.replace(slot, name=new)
            self._slots[slot.key] = slot
        return slot

    def columns(self) -> tuple[Slot, ...]:
        """All columns, in the order they were defined; no variables."""
        return tuple(slot for slot in self._slots.values() if not slot.is_variable)

    def variables(self) -> tuple[Slot, ...]:
        """All variables, in the order they were defined."""
        return tuple(slot for slot in self._slots.values() if slot.is_variable)

    def names(self) -> tuple[tuple[str, Slot], ...]:
        """Every visible name with its slot, in the spelling it was given: columns, variables, aliases."""
        own = [(slot.name, slot) for slot in (*self.columns(), *self.variables()) if self.find(slot.name) == slot]
        known = {name.lower() for name, _ in own}
        others = [(spelling, self._slots[self._keys[name]]) for name, spelling in self._aliases.items()]
        return (*own, *((spelling, slot) for spelling, slot in others if spelling.lower() not in known))

    def suggestion(self, name: str) -> str:
        """A hint for an unknown name."""
        near = nearest(name, [spelling for spelling, _ in self.names()])
        if near:
            return f"did you mean '{near}'?"
        known = [slot.name for slot in self._slots.values()]
        if not known:
            return "no columns are defined"
        return f"known: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"

    def refusal(self, slot: Slot) -> str:
        """The reason why a rule cannot store into a slot; blank if it can."""
        return ""

    def row_count(self, name: str) -> Slot | None:
        """The meaning of ``RowCount(name)`` here; None where rows belong to no key."""
        return None

    def next_random_site(self) -> int:
        """A fresh number for a reference to ``$Random``."""
        self._random_sites += 1
        return self._random_sites - 1

    def _require_free(self, name: str, where: str) -> None:
        if name.lower() in self._keys:
            raise OptionError(f"column '{name}' is defined already", where=where, hint="choose another name")

    def _require_valid(self, name: str, where: str) -> None:
        if not valid_name(name):
            raise OptionError(
                f"bad column name '{name}'",
                where=where,
                hint="a name has 1 to 31 letters, digits and '_', and does not begin with a digit",
            )
