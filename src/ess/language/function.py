"""The definition of a function: its signature, its row implementation, its help.

``FUNCTIONS`` in ``ess.language.functions`` is the one table of them. A row implementation is a
Python callable over plain values: bytes for STRING and IP, int for INTEGER, float for FLOAT.

Some arguments are fixed when an expression is checked: string constants, attribute words and
target columns. A function that has such arguments makes its row implementation from them, once
(``specialize``); patterns and formats are compiled there.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ess.language.tree import Attributes, Constant, Node, Target, ValueType
from ess.language.values import RecordError as RecordError  # row implementations raise it

Value = bytes | int | float
Argument = Node | Attributes | Target
RowFunction = Callable[..., Any]
ResultRule = Callable[[Sequence[ValueType]], ValueType]
Specialize = Callable[[Sequence[Argument]], RowFunction]


class ArgumentError(Exception):
    """Raised by ``specialize`` for a fixed argument that makes no sense.

    ``argument`` is its index in the call, for the error's position.
    """

    def __init__(self, what: str, *, argument: int, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.argument = argument
        self.hint = hint


class Form(enum.Enum):
    """The way an argument is written."""

    VALUE = "an expression"
    CONSTANT = "a string constant"
    WORD = "a word"
    ATTRIBUTES = "a list of attributes"
    TARGET = "a column"
    TARGET_OR_TYPE = "a column or a quoted column type"


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Args:
        name: As help shows it.
        form: How the argument is written.
        types: The value types that fit; for a target, those its slot may have.
        convert: The type a number is converted to; None leaves INTEGER and FLOAT as they are.
        words: The words of ATTRIBUTES (``dec=`` for one that takes a value) or WORD.
        optional: Whether the argument may be left out.
    """

    name: str
    form: Form = Form.VALUE
    types: tuple[ValueType, ...] = (ValueType.STRING,)
    convert: ValueType | None = None
    words: frozenset[str] = frozenset()
    optional: bool = False

    @property
    def kinds(self) -> str:
        """The types that fit, in words: ``a string or a number``."""
        if self.types == _ALL:
            return "a value of any type"
        # Where an integer is taken, a number with a fraction is taken too, so "a number" says both.
        return " or ".join(kind.noun for kind in self.types if kind is not ValueType.INTEGER)


_NUMBERS = (ValueType.INTEGER, ValueType.FLOAT)
_ALL = tuple(ValueType)


def text(name: str) -> Parameter:
    """A string expression."""
    return Parameter(name)


def number(name: str) -> Parameter:
    """A number of either type, passed as it is."""
    return Parameter(name, types=_NUMBERS)


def real(name: str) -> Parameter:
    """A number, passed as a float."""
    return Parameter(name, types=_NUMBERS, convert=ValueType.FLOAT)


def whole(name: str, *, optional: bool = False) -> Parameter:
    """A number, passed as an integer (truncated towards zero)."""
    return Parameter(name, types=_NUMBERS, convert=ValueType.INTEGER, optional=optional)


def address(name: str, *, optional: bool = False) -> Parameter:
    """An IP address."""
    return Parameter(name, types=(ValueType.IP,), optional=optional)


def anything(name: str, types: tuple[ValueType, ...] = _ALL) -> Parameter:
    """A value of any of the types."""
    return Parameter(name, types=types)


def constant(name: str) -> Parameter:
    """A string constant."""
    return Parameter(name, Form.CONSTANT)


def word(name: str, *words: str) -> Parameter:
    """One of some words, quoted or not."""
    return Parameter(name, Form.WORD, words=frozenset(words))


def attributes(*words: str, optional: bool = True) -> Parameter:
    """A list of words, ``ncas|all``."""
    return Parameter("AtrLst", Form.ATTRIBUTES, words=frozenset(words), optional=optional)


def target(name: str, types: tuple[ValueType, ...] = (ValueType.STRING,)) -> Parameter:
    """A column or variable that the function stores into."""
    return Parameter(name, Form.TARGET, types=types)


@dataclass(frozen=True)
class Example:
    """An expression of constants and what it gives; ``stores`` lists the targets' values after it.

    Targets and columns in examples are ``s:Str1 s:Str2 i:Int1 is:Int2 f:Float1 ip:Ip1``, all
    blank or 0.
    """

    expression: str
    result: Value
    stores: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True)
class Function:
    """One function.

    Args:
        name: As documented; compares without regard to case.
        parameters: The first parameters.
        result: The result's type, or a rule that finds it from the types of the VALUE arguments.
        summary: One or two sentences of help.
        examples: Run by a test.
        row: The implementation, if no argument is fixed.
        specialize: Makes the implementation from all arguments of a call.
        repeated: A group of parameters that follows, ``at_least`` to any number of times.
        trailing: Parameters after the group.
        pure: Equal arguments give equal results, so a call of constants may be computed once.
        stores_by_name: It stores into a column whose name it finds while running, beside those of its parameters.
        only_in: Where it can be called, if not everywhere.
        differences: Differences from the reference manual that a user must know.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: ValueType | ResultRule
    summary: str
    examples: tuple[Example, ...] = ()
    row: RowFunction | None = field(default=None, compare=False)
    specialize: Specialize | None = field(default=None, compare=False)
    repeated: tuple[Parameter, ...] = ()
    at_least: int = 1
    trailing: tuple[Parameter, ...] = ()
    pure: bool = True
    stores_by_name: bool = False
    only_in: str = ""
    differences: str = ""

    @property
    def key(self) -> str:
        """The lower-case name that the table knows it by."""
        return self.name.lower()

    @property
    def stores(self) -> bool:
        """True if a call of it may store into a column or variable."""
        parameters = (*self.parameters, *self.repeated, *self.trailing)
        return self.stores_by_name or any(each.form in (Form.TARGET, Form.TARGET_OR_TYPE) for each in parameters)

    @property
    def signature(self) -> str:
        """``Name(A, B [, C ...])``."""
        text = _listed(self.parameters)
        if self.repeated:
            group = _listed(self.repeated)
            text += f", {group}" * self.at_least + f" [, {group} ...]"
        text += _listed(self.trailing, leading=True)
        return f"{self.name}({text.lstrip(', ')})"

    def bind(self, arguments: Sequence[Argument]) -> RowFunction:
        """The row implementation for a call with these arguments.

        It takes the values of ``evaluated(arguments)`` in order and then the present values of
        ``targets(arguments)``. Without targets it returns the result; with targets, a tuple of
        the result and each target's new value.

        Raises:
            ArgumentError: If a fixed argument does not make sense.
        """
        if self.specialize is not None:
            return self.specialize(arguments)
        if self.row is None:
            raise ArgumentError(f"it works only in {self.only_in}", argument=0)
        return self.row

    def evaluated(self, arguments: Sequence[Argument]) -> tuple[Node, ...]:
        """The arguments whose values the row implementation takes (fixed ones are left out)."""
        flat = self.parameters_of(len(arguments))
        return tuple(
            argument
            for argument, parameter in zip(arguments, flat, strict=False)
            if parameter.form is Form.VALUE and not isinstance(argument, Attributes | Target)
        )

    def targets(self, arguments: Sequence[Argument]) -> tuple[Target, ...]:
        """The slots that the row implementation gives new values for."""
        return tuple(argument for argument in arguments if isinstance(argument, Target))

    def parameters_of(self, count: int) -> list[Parameter]:
        """The parameter of each of ``count`` checked arguments (the checker fills optional word lists in)."""
        flat = list(self.parameters)
        while self.repeated and len(flat) + len(self.trailing) < count:
            flat.extend(self.repeated)
        return [*flat, *self.trailing]


def _listed(parameters: Sequence[Parameter], *, leading: bool = False) -> str:
    """``A, B [, C]``; with a comma before it if ``leading``."""
    text = "".join(f" [, {p.name}]" if p.optional else f", {p.name}" for p in parameters)
    return text if leading else text.removeprefix(", ")


def fixed_text(argument: Argument) -> bytes:
    """The value of a CONSTANT argument."""
    if isinstance(argument, Constant) and isinstance(argument.value, bytes):
        return argument.value
    raise TypeError(f"{argument!r} is not a string constant")


def words_of(argument: Argument) -> tuple[str, ...]:
    """The words of an ATTRIBUTES or WORD argument."""
    if isinstance(argument, Attributes):
        return argument.words
    raise TypeError(f"{argument!r} is not a word list")
