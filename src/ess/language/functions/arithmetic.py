"""Math functions. Where C's library would set errno, the IEEE 754 result is given: NaN or an infinity."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ess.language import values
from ess.language.function import Argument, Example, Function, RowFunction, Specialize, number, real
from ess.language.tree import Attributes, Target, ValueType


def _number_type(types: Sequence[ValueType]) -> ValueType:
    return ValueType.FLOAT if ValueType.FLOAT in types else ValueType.INTEGER


def _round_with(rounding: Callable[[float], int]) -> Callable[[int | float], int | float]:
    def rounded(value: int | float) -> int | float:
        if isinstance(value, int) or not math.isfinite(value):
            return value
        return math.copysign(float(rounding(value)), value)

    return rounded


def _half_away(value: float) -> int:
    below = math.floor(abs(value))
    whole = below + 1 if abs(value) - below >= 0.5 else below
    return -whole if value < 0 else whole


def _absolute(value: int | float) -> int | float:
    return values.wrap(abs(value)) if isinstance(value, int) else abs(value)


def _of_all(choose: Callable[..., int | float]) -> Specialize:
    """``min`` or ``max`` over numbers of one type."""

    def specialize(arguments: Sequence[Argument]) -> RowFunction:
        if all(
            argument.type is ValueType.INTEGER
            for argument in arguments
            if not isinstance(argument, Attributes | Target)
        ):
            return choose
        return lambda *given: choose(map(float, given))

    return specialize


def _sqrt(value: float) -> float:
    return math.sqrt(value) if value >= 0.0 else math.nan


def _cube_root(value: float) -> float:
    root = math.cbrt(value)
    if not math.isfinite(root) or abs(root) > 2**17:
        return root
    whole = round(root)  # C libraries differ in the last bit, so exact cubes are looked for
    return math.copysign(float(whole), value) if whole**3 == value else root


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    def logarithm(value: float) -> float:
        if value > 0.0:
            return function(value)
        return -math.inf if value == 0.0 else math.nan

    return logarithm


def power(base: float, exponent: float) -> float:
    """C's ``pow``."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        odd = exponent % 2.0 == 1.0
        return -math.inf if base < 0.0 and odd else math.inf
    except ValueError:
        if base == 0.0:  # a negative power of zero
            return math.copysign(math.inf, base) if exponent % 2.0 == 1.0 else math.inf
        return math.nan


def _exponential(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _infinity(value: float) -> int:
    return (1 if value > 0 else -1) if math.isinf(value) else 0


def _rounding(name: str, how: str, rounding: Callable[[float], int], *examples: Example) -> Function:
    summary = f"The nearest whole number {how}; of the argument's type, so a floating point number stays one."
    return Function(name, (number("Val"),), _number_type, summary, examples, row=_round_with(rounding))


def _real(name: str, summary: str, row: Callable[[float], float], *examples: Example) -> Function:
    return Function(name, (real("Val"),), ValueType.FLOAT, summary, examples, row=row)


FUNCTIONS = (
    _rounding("Ceil", "that is not below Val", math.ceil, Example("Ceil(1.2)", 2.0), Example("Ceil(-1.2)", -1.0)),
    _rounding("Floor", "that is not above Val", math.floor, Example("Floor(3.75)", 3.0), Example("Floor(5)", 5)),
    _rounding(
        "Round", "(halves go away from zero)", _half_away, Example("Round(2.5)", 3.0), Example("Round(-2.5)", -3.0)
    ),
    Function(
        "Abs",
        (number("Val"),),
        _number_type,
        "The value without its sign.",
        (Example("Abs(-3)", 3), Example("Abs(-1.5)", 1.5)),
        row=_absolute,
    ),
    Function(
        "Min",
        (number("Val"),),
        _number_type,
        "The smallest of two or more numbers; floating point if any of them is.",
        (Example("Min(3, 1, 2)", 1), Example("Min(1, 2.5)", 1.0)),
        specialize=_of_all(min),
        repeated=(number("Val"),),
    ),
    Function(
        "Max",
        (number("Val"),),
        _number_type,
        "The greatest of two or more numbers; floating point if any of them is.",
        (Example("Max(3, 1, 2)", 3), Example("Max(1, 2.5)", 2.5)),
        specialize=_of_all(max),
        repeated=(number("Val"),),
    ),
    _real("Sqrt", "The square root; NaN below 0.", _sqrt, Example("Sqrt(9)", 3.0)),
    _real("Cbrt", "The cube root.", _cube_root, Example("Cbrt(-27)", -3.0)),
    _real(
        "Log",
        "The natural logarithm; -inf of 0, NaN below.",
        _logarithm(math.log),
        Example("Log(1)", 0.0),
        Example("Log(0)", -math.inf),
    ),
    _real("Log10", "The logarithm to base 10.", _logarithm(math.log10), Example("Log10(1000)", 3.0)),
    _real("Exp", "e to the power of Val.", _exponential, Example("Exp(0)", 1.0), Example("Exp(1000)", math.inf)),
    _real("Exp10", "10 to the power of Val.", lambda value: power(10.0, value), Example("Exp10(2)", 100.0)),
    Function(
        "Pow",
        (real("Val"), real("Power")),
        ValueType.FLOAT,
        "Val to the power of Power.",
        (Example("Pow(2, 8)", 256.0), Example("Pow(10, 400)", math.inf)),
        row=power,
    ),
    Function(
        "IsNaN",
        (real("Val"),),
        ValueType.INTEGER,
        "1 if Val is not a number, else 0.",
        (Example("IsNaN(Sqrt(-1))", 1), Example("IsNaN(1)", 0)),
        row=lambda value: 1 if value != value else 0,
    ),
    Function(
        "IsInf",
        (real("Val"),),
        ValueType.INTEGER,
        "1 for positive infinity, -1 for negative infinity, else 0.",
        (Example("IsInf(Log(0))", -1), Example("IsInf(5)", 0)),
        row=_infinity,
    ),
)
