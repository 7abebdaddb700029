"""Visiting every node of a tree, and every expression of a program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ess.language.program import Branch, Conditional, Evaluate, Expand, Filter, Program, Rule, Write
from ess.language.tree import (
    Arithmetic,
    Attributes,
    Both,
    Call,
    Compare,
    Concatenate,
    Either,
    Node,
    Not,
    Reference,
    Slot,
    Target,
    ToFloat,
    ToInteger,
    Truth,
)


def nodes_of(root: Node) -> Iterator[Node]:
    """``root`` and all nodes below it, parents first."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ToFloat | ToInteger | Truth | Not):
            pending.append(node.operand)
        elif isinstance(node, Arithmetic | Concatenate | Compare | Both | Either):
            pending += (node.right, node.left)
        elif isinstance(node, Call):
            pending.extend(a for a in reversed(node.arguments) if not isinstance(a, Attributes | Target))


def rules_of(rules: Iterable[Rule]) -> Iterator[Rule]:
    """All rules, also those that are checks or stand inside ``-if``, in the order they were written."""
    for rule in rules:
        yield rule
        if isinstance(rule, Conditional):
            for branch in rule.branches:
                yield from rules_of(_branch_rules(branch))


def _branch_rules(branch: Branch) -> tuple[Rule, ...]:
    return branch.body if branch.check is None else (branch.check, *branch.body)


def expressions_of(program: Program) -> Iterator[Node]:
    """All expressions of a program, in the order they were written."""
    for rule in rules_of(program.rules):
        if isinstance(rule, Evaluate):
            yield rule.value
        elif isinstance(rule, Filter):
            yield rule.condition
        elif isinstance(rule, Expand):
            yield rule.matches


def read_slots(program: Program) -> dict[str, Slot]:
    """The slots, by key, whose values expressions or sinks use."""
    found: dict[str, Slot] = {}
    for expression in expressions_of(program):
        for node in nodes_of(expression):
            if isinstance(node, Reference):
                found[node.slot.key] = node.slot
    for rule in rules_of(program.rules):
        if isinstance(rule, Write):
            found.update((slot.key, slot) for slot in rule.slots)
    return found


def assigned_slots(program: Program) -> dict[str, Slot]:
    """The slots, by key, that rules store into, directly or through functions with target columns."""
    found: dict[str, Slot] = {}
    for rule in rules_of(program.rules):
        if isinstance(rule, Evaluate) and rule.target is not None:
            found[rule.target.key] = rule.target
        elif isinstance(rule, Expand):
            found.update((target.key, target) for target in rule.targets)
    for expression in expressions_of(program):
        for node in nodes_of(expression):
            if isinstance(node, Call):
                found.update((target.slot.key, target.slot) for target in node.function.targets(node.arguments))
    return found
