"""The parts of each element that the keys of an ``xml`` input want: a small automaton over element names.

An element may be several places of the key tree at once: ``list.item`` (any of that name), ``list.item[*]`` and
``list.item[0]``. Attributes are members whose name begins with ``@``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ess.formats.nested.json_keys import KeyNode, KeyTree


class State:
    """The wanted parts of an element and of its content.

    ``columns`` take its text; ``repeated`` says that each such element makes a row (``[*]``), after which the columns
    ``below`` are blank again; ``attributes`` has the columns of each attribute. ``along`` says how far it is on the way
    to the record (see `record_path`), -1 off it, and ``record`` whether it is the record.
    """

    def __init__(self, nodes: Sequence[KeyNode], starred: Sequence[KeyNode], *, along: int, record: bool) -> None:
        self.columns = tuple(column for node in nodes for column in node.columns)
        self.repeated = bool(starred)
        self.below = tuple({column for node in starred for column in node.below()})
        self.along = along
        self.record = record
        self.attributes: dict[str, tuple[int, ...]] = {}
        self._members: dict[str, list[KeyNode]] = {}
        for node in nodes:
            for name, member in node.members.items():
                if name.startswith("@"):
                    self.attributes[name[1:]] = (*self.attributes.get(name[1:], ()), *member.columns)
                else:
                    self._members.setdefault(name, []).append(member)
        #: The names whose elements are told apart by number.
        self.numbered = {name for name, nodes in self._members.items() if any(node.items for node in nodes)}
        self._next: dict[tuple[str, int], State | None] = {}

    def inside(self, name: str, number: int, path: Sequence[str]) -> State | None:
        """The state of an element in this one; None if nothing is wanted of it.

        Args:
            name: Its name in lower case.
            number: How many of that name precede it; 0 unless the name is ``numbered``.
            path: The way to the record.
        """
        try:
            return self._next[name, number]
        except KeyError:
            pass
        members = self._members.get(name)
        if members is None:
            return None
        starred = [member.every for member in members if member.every is not None]
        items = [member.items[number] for member in members if number in member.items]
        along = self.along + 1 if 0 <= self.along < len(path) and path[self.along] == name else -1
        state = State([*members, *starred, *items], starred, along=along, record=along == len(path))
        self._next[name, number] = state
        return state


def record_path(keys: KeyTree) -> tuple[list[str], bool]:
    """The names of the elements down to the one that is a record: the last ``[*]`` that all columns share.

    Without one, the record is the outermost element, and the way is empty. The second value is whether a record
    ends within bounds: it does unless there are rows inside of it.
    """
    path: list[str] = []
    node, found = keys.root, None
    while not node.columns and len(node.members) + len(node.items) + (node.every is not None) == 1:
        if node.every is not None:
            node, found = node.every, list(path)
        elif node.members:
            name, node = next(iter(node.members.items()))
            path.append(name)
        else:
            break
    rows_inside = _has_star(keys.root)
    return found or [], found is not None or not rows_inside


def _has_star(node: KeyNode) -> bool:
    if node.every is not None:
        return True
    return any(_has_star(inner) for inner in [*node.members.values(), *node.items.values()])
