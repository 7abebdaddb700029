"""Conversions between types: ToS, ToI, ToF, ToIP."""

from __future__ import annotations

from collections.abc import Sequence

from ess.language import values
from ess.language.function import Argument, Example, Function, RowFunction, Specialize, anything
from ess.language.tree import Attributes, Target, ValueType

_STRING_OR_NUMBER = (ValueType.STRING, ValueType.INTEGER, ValueType.FLOAT)


_BY_TYPE: dict[str, dict[ValueType, RowFunction]] = {
    "tos": {
        ValueType.STRING: lambda value: value,
        ValueType.INTEGER: values.format_integer,
        ValueType.FLOAT: values.format_float,
        ValueType.IP: values.format_address,
    },
    "toi": {
        ValueType.STRING: values.parse_integer,
        ValueType.INTEGER: lambda value: value,
        ValueType.FLOAT: values.to_integer,
    },
    "tof": {
        ValueType.STRING: values.parse_float,
        ValueType.INTEGER: float,
        ValueType.FLOAT: lambda value: value,
    },
    "toip": {
        ValueType.STRING: values.parse_address,
        ValueType.IP: lambda value: value,
    },
}


def _converter(name: str) -> Specialize:
    """The implementation depends on the argument's type: an address and a string are both bytes."""

    def specialize(arguments: Sequence[Argument]) -> RowFunction:
        argument = arguments[0]
        if isinstance(argument, Attributes | Target):
            raise TypeError(f"{argument!r} is not a value")
        return _BY_TYPE[name][argument.type]

    return specialize


FUNCTIONS = (
    Function(
        "ToS",
        (anything("Val"),),
        ValueType.STRING,
        "The text of a value; floating point numbers have up to 17 significant digits.",
        (Example("ToS(1234)", b"1234"), Example("ToS(0.5)", b"0.5"), Example("ToS(1.2.3.4)", b"1.2.3.4")),
        specialize=_converter("tos"),
    ),
    Function(
        "ToI",
        (anything("Val", _STRING_OR_NUMBER),),
        ValueType.INTEGER,
        "The whole number that a string begins with, or 0; a floating point number is truncated towards zero.",
        (Example("ToI('1234')", 1234), Example("ToI('12.9x')", 12), Example("ToI(-2.9)", -2), Example("ToI('x')", 0)),
        specialize=_converter("toi"),
    ),
    Function(
        "ToF",
        (anything("Val", _STRING_OR_NUMBER),),
        ValueType.FLOAT,
        "The decimal number that a string begins with, or 0.",
        (Example("ToF('0.1234')", 0.1234), Example("ToF('1e3x')", 1000.0), Example("ToF(2)", 2.0)),
        specialize=_converter("tof"),
    ),
    Function(
        "ToIP",
        (anything("Val", (ValueType.STRING, ValueType.IP)),),
        ValueType.IP,
        "The IPv4 or IPv6 address that a string holds; blank if it holds none.",
        (Example("ToIP('1.2.3.4')", bytes([1, 2, 3, 4])), Example("ToIP('localhost')", b"")),
        specialize=_converter("toip"),
    ),
)
