"""Pieces of generated Python, with what is known about their values."""

from __future__ import annotations

from dataclasses import dataclass

from ess.language.values import LARGEST, SMALLEST

ATOM = 10
UNARY = 8
PRODUCT = 7
SUM = 6
BIT_AND = 4
BIT_XOR = 3
BIT_OR = 2
COMPARE = 1
NOT = 0
AND = -1
OR = -2
CHOICE = -3

_HALF = 2**63
_MASK = 2**64 - 1


@dataclass(frozen=True)
class Code:
    """An expression of Python.

    Args:
        text: The source.
        level: How tightly its outermost operator binds; one of the constants above.
        low: For integers, the smallest value it can have.
        high: For integers, the largest.

    Integers are not wrapped to 64 bits after each operation: + - * & | ^ give the same low 64
    bits whether their operands were wrapped or not. So a value is wrapped (``exact``) only where
    its high bits would show, and only if its range says that it can have any.
    """

    text: str
    level: int = ATOM
    low: int = SMALLEST
    high: int = LARGEST

    def at(self, level: int) -> str:
        """The source, in parentheses unless it binds at least as tightly as ``level``."""
        return self.text if self.level >= level else f"({self.text})"

    @property
    def is_exact(self) -> bool:
        """True if its value cannot leave the 64-bit range."""
        return self.low >= SMALLEST and self.high <= LARGEST

    def exact(self) -> Code:
        """The same value, wrapped if need be."""
        if self.is_exact:
            return self
        return Code(f"({self.at(SUM)} + {_HALF} & {_MASK}) - {_HALF}", SUM)


def integer(value: int) -> Code:
    """A literal."""
    return Code(str(value), ATOM if value >= 0 else UNARY, value, value)
