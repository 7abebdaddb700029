"""The places of columns in a JSON or XML record: key specs such as ``user.tags[*].name``.

A key spec is a list of elements with dots between them: a member name (case matters only between members of one
object that differ in nothing else: the one spelled as in the spec wins), ``[Num]`` for
one value of an array, ``[*]`` for each of them, or a name with brackets after it.
Source: manual page ``aq-input``, "Column Specification for Key Extraction".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ess.errors import OptionError
from ess.schema.columns import Column

_ELEMENT = re.compile(r"([^.\[\]]*)((?:\[(?:\*|[0-9]+)\])*)\Z")
_BRACKETS = re.compile(r"\[(\*|[0-9]+)\]")


@dataclass
class KeyNode:
    """A place in a record: the columns that take its value, and the places below it.

    ``members`` has names as they are spelled (in ``xml`` in lower case), ``folded`` in lower case with all spellings.
    """

    columns: list[int] = field(default_factory=list)
    members: dict[str, KeyNode] = field(default_factory=dict)
    folded: dict[str, list[tuple[str, KeyNode]]] = field(default_factory=dict)
    items: dict[int, KeyNode] = field(default_factory=dict)
    every: KeyNode | None = None

    def below(self) -> list[int]:
        """The columns here and further down."""
        nodes = [*self.members.values(), *self.items.values(), *([self.every] if self.every else [])]
        return [*self.columns, *(column for node in nodes for column in node.below())]


@dataclass(frozen=True)
class KeyTree:
    """All key specs of an input; ``outside`` is true if a column is outside every ``[*]``."""

    root: KeyNode
    outside: bool


def parse_keys(columns: Sequence[Column], base: str, *, format_name: str, where: str) -> KeyTree:
    """The key specs of the wanted columns, each behind ``base``.

    In ``xml``, brackets tell elements of the same name apart, so they stand behind a name and only once.

    Raises:
        OptionError: If a column has no key, or a spec is not of that form.
    """
    root = KeyNode()
    outside = False
    for index, column in enumerate(columns):
        if not column.wanted:
            continue
        if column.path is None or not (column.path or base):
            raise OptionError(
                f"column '{column.name}' of a '{format_name}' input has no key",
                where=where,
                hint=f"e.g. s:{column.name}:key.sub",
            )
        spec = ".".join(part for part in (base, column.path) if part)
        steps = _steps(spec, where)
        if format_name == "xml" and any(
            not (isinstance(step, str) and step[0] == ".") and not (isinstance(before, str) and before[0] == ".")
            for before, step in zip([0, *steps], steps, strict=False)
        ):
            raise OptionError(f"'{spec}' has brackets without a name", where=where, hint="e.g. list.item[*].name")
        node = root
        for number, step in enumerate(steps, 1):
            spelled = step.lower() if isinstance(step, str) and format_name == "xml" else step
            node = _child(node, spelled, last=number == len(steps))
        node.columns.append(index)
        outside |= "*" not in steps
    return KeyTree(root, outside)


def _child(node: KeyNode, step: str | int, *, last: bool) -> KeyNode:
    if isinstance(step, int):
        return node.items.setdefault(step, KeyNode())
    if step == "*":
        node.every = node.every or KeyNode()
        return node.every
    name = step[1:]
    spellings = node.folded.get(name.lower(), [])
    if spellings and not last and name not in node.members:
        # Keys share what is on their way, so that an array there makes its rows once.
        return spellings[0][1]
    if name not in node.members:
        node.members[name] = KeyNode()
        node.folded.setdefault(name.lower(), []).append((name, node.members[name]))
    return node.members[name]


def _steps(spec: str, where: str) -> list[str | int]:
    """Names (behind a dot), numbers and ``*``."""
    steps: list[str | int] = []
    for element in spec.split("."):
        match = _ELEMENT.match(element)
        if match is None or not element:
            raise OptionError(f"'{spec}' is no key spec", where=where, hint="e.g. user.tags[0] or list[*].name")
        if match[1]:
            steps.append(f".{match[1]}")
        steps.extend(number if number == "*" else int(number) for number in _BRACKETS.findall(match[2]))
    return steps
