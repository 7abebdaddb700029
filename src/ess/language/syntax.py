"""The syntax tree: what the parser reads, before names and types are looked up.

``position`` is the 0-based character of the expression that a part begins at.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """An integer or a floating point literal."""

    position: int
    value: int | float


@dataclass(frozen=True)
class Text:
    """A string literal, escapes resolved and adjacent parts joined."""

    position: int
    value: bytes


@dataclass(frozen=True)
class Address:
    """An IP literal, packed."""

    position: int
    value: bytes


@dataclass(frozen=True)
class Name:
    """A column, a variable, or a bare word among a function's arguments."""

    position: int
    text: str


@dataclass(frozen=True)
class BuiltinName:
    """``$RowNum`` and so on, without the dollar sign."""

    position: int
    text: str


@dataclass(frozen=True)
class Words:
    """A list of words of which one has a value, ``zero|dec=2``: only valid as an argument."""

    position: int
    text: str


@dataclass(frozen=True)
class Invocation:
    """A function's name and its arguments."""

    position: int
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Negative:
    """A leading minus."""

    position: int
    operand: Expression


@dataclass(frozen=True)
class Step:
    """One operator of a chain and its right operand."""

    position: int
    operator: str
    operand: Expression


@dataclass(frozen=True)
class Chain:
    """``first + a * b``: evaluated strictly from left to right."""

    position: int
    first: Expression
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Comparison:
    """``left operator right``."""

    position: int
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Negation:
    """``! term``."""

    position: int
    operand: Expression


@dataclass(frozen=True)
class Logical:
    """``first && a || b``: strictly from left to right; an operator is ``&&`` or ``||``."""

    position: int
    first: Expression
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Group:
    """Parentheses."""

    position: int
    inner: Expression


Expression = (
    Number
    | Text
    | Address
    | Name
    | BuiltinName
    | Words
    | Invocation
    | Negative
    | Chain
    | Comparison
    | Negation
    | Logical
    | Group
)
