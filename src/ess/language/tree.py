"""The checked expression tree: what the type checker makes and both engines compile.

Every node carries the type of its value. Conversions are nodes of their own, so an engine
never guesses: the operands of ``Arithmetic`` and ``Compare`` have one type each.

Values, in either engine: STRING is bytes; INTEGER is 64-bit signed and wraps around as in C;
FLOAT is a double; IP is an address packed into 4 or 16 bytes (blank: no bytes). Truth is the
INTEGER 1 or 0.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.language.function import Function


class ValueType(enum.Enum):
    """The type of an expression's value."""

    STRING = "string"
    INTEGER = "integer"
    FLOAT = "number"
    IP = "IP address"

    @property
    def noun(self) -> str:
        """With its article, ``an integer``."""
        return f"{'an' if self.value[0] in 'iI' else 'a'} {self.value}"


def value_type(column_type: ColumnType) -> ValueType:
    """The type that a column of ``column_type`` has inside an expression."""
    if column_type is ColumnType.S:
        return ValueType.STRING
    if column_type is ColumnType.F:
        return ValueType.FLOAT
    return ValueType.IP if column_type is ColumnType.IP else ValueType.INTEGER


@dataclass(frozen=True)
class Slot:
    """A place that a row or the run holds a value in: a column or a variable.

    ``key`` is the lower-case name and the column's name inside batches. Unsigned 64-bit values
    enter an expression as the signed number of the same bits.
    """

    key: str
    name: str
    type: ColumnType
    is_variable: bool = False


@dataclass(frozen=True)
class Constant:
    """A literal of the expression."""

    type: ValueType
    value: bytes | int | float


@dataclass(frozen=True)
class Reference:
    """The value of a column or variable."""

    type: ValueType
    slot: Slot


class BuiltinName(enum.Enum):
    """The builtin variables, ``$RowNum`` and so on."""

    ROW_NUMBER = "rownum"
    RANDOM = "random"
    SECONDS = "cursec"
    MICROSECONDS = "curusec"


@dataclass(frozen=True)
class Builtin:
    """A builtin variable; always an INTEGER.

    ``site`` numbers the references to ``$Random`` of one run, in the order they were written:
    each reference has its own sequence (see ``ess.language.random_sequence``).
    """

    name: BuiltinName
    site: int = 0
    type: ValueType = ValueType.INTEGER


@dataclass(frozen=True)
class ToFloat:
    """An INTEGER operand where the other one is a FLOAT."""

    operand: Node
    type: ValueType = ValueType.FLOAT


class ArithmeticOperator(enum.Enum):
    """Numeric operators; ``& | ^`` and integer ``%`` on FLOAT operands convert them to INTEGER first."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"
    AND = "&"
    OR = "|"
    XOR = "^"


@dataclass(frozen=True)
class Arithmetic:
    """``left operator right`` on two operands of the node's own type (INTEGER or FLOAT).

    Integer division and modulo truncate towards zero; a zero divisor rejects the record.
    FLOAT follows IEEE 754, with ``fmod`` for modulo.
    """

    type: ValueType
    operator: ArithmeticOperator
    left: Node
    right: Node


@dataclass(frozen=True)
class ToInteger:
    """A FLOAT truncated towards zero; NaN and what 64 bits cannot hold give -2**63, as on x86."""

    operand: Node
    type: ValueType = ValueType.INTEGER


@dataclass(frozen=True)
class Concatenate:
    """``left + right`` on strings."""

    left: Node
    right: Node
    type: ValueType = ValueType.STRING


class CompareOperator(enum.Enum):
    """Comparisons; ``BITS_ALL`` is ``&=`` ((l & r) == r), ``BITS_ANY`` is ``&`` ((l & r) != 0)."""

    EQUAL = "=="
    GREATER = ">"
    LESS = "<"
    GREATER_EQUAL = ">="
    LESS_EQUAL = "<="
    BITS_ALL = "&="
    BITS_ANY = "&"


@dataclass(frozen=True)
class Compare:
    """A comparison of two operands of one type; its value is 1 or 0. Strings compare as bytes.

    ``!=`` and the like are ``Not(Compare(...))``. ``ignore_case`` folds ASCII letters only.
    """

    operator: CompareOperator
    left: Node
    right: Node
    ignore_case: bool = False
    type: ValueType = ValueType.INTEGER


@dataclass(frozen=True)
class Truth:
    """1 where the operand is a non-blank string, a non-zero number or a non-zero address."""

    operand: Node
    type: ValueType = ValueType.INTEGER


@dataclass(frozen=True)
class Not:
    """The negation of a truth value."""

    operand: Node
    type: ValueType = ValueType.INTEGER


@dataclass(frozen=True)
class Both:
    """``left && right``; the right side is not evaluated where the left is false."""

    left: Node
    right: Node
    type: ValueType = ValueType.INTEGER


@dataclass(frozen=True)
class Either:
    """``left || right``; the right side is not evaluated where the left is true."""

    left: Node
    right: Node
    type: ValueType = ValueType.INTEGER


@dataclass(frozen=True)
class Attributes:
    """A function argument that is a list of words, ``ncas|all``, in lower case (values keep theirs)."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """A function argument that names the slot the function stores into."""

    slot: Slot


@dataclass(frozen=True)
class Call:
    """A function call; ``arguments`` are in the order of the signature and already converted."""

    type: ValueType
    function: Function
    arguments: tuple[Node | Attributes | Target, ...]


Node = (
    Constant
    | Reference
    | Builtin
    | ToFloat
    | ToInteger
    | Arithmetic
    | Concatenate
    | Compare
    | Truth
    | Not
    | Both
    | Either
    | Call
)
