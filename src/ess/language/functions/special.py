"""Set, the parts of an agent code, and the functions that are still missing."""

from __future__ import annotations

from collections.abc import Sequence

from ess.language.functions.table import (
    Argument,
    Example,
    Form,
    Function,
    Parameter,
    RowFunction,
    Value,
    address,
    anything,
    text,
)
from ess.language.tree import Target, ValueType


def _set(arguments: Sequence[Argument]) -> RowFunction:
    """The checker appends every column that could be meant as a target."""
    places: dict[bytes, int] = {}
    for index, argument in enumerate(a for a in arguments if isinstance(a, Target)):
        places[argument.slot.name.lower().encode("ascii")] = index
    if not places:
        return lambda name, value: 0

    def assign(name: bytes, value: Value, *current: Value) -> tuple[Value, ...]:
        place = places.get(name.lower())
        if place is None:
            return (0, *current)
        return (1, *current[:place], value, *current[place + 1 :])

    return assign


def _part(index: int) -> RowFunction:
    def part(code: bytes) -> bytes:
        parts = code.split(b":", 3)
        return parts[index] if len(parts) > max(1, index) else b""

    return part


def _agent_part(name: str, what: str, index: int, expected: bytes) -> Function:
    return Function(
        name,
        (text("Code"),),
        ValueType.STRING,
        f"The {what} of a code that AgentParse gave; blank for a crawler.",
        (Example(f"{name}('Firefox:Linux:PC:x')", expected), Example(f"{name}('Googlebot')", b"")),
        row=_part(index),
    )


def _missing(name: str, why: str, *parameters: Parameter) -> Function:
    return Function(name, parameters, ValueType.STRING, f"Not available yet: {why}.", unavailable=why)


_AGENTS = "it needs a table of user agents, which is not part of this version"
_KEYS = "it counts the rows of a key and works only inside aq_udb -pp, which is not built yet"
_COUNTRIES = "it needs a table of addresses and countries, which is not part of this version"

FUNCTIONS = (
    Function(
        "Set",
        (text("NameStr"), anything("Val")),
        ValueType.INTEGER,
        "Stores Val into the column of that name, found while running, and gives 1; or 0 if there is no such column or "
        "it has another type. Numbers of all types go together.",
        (
            Example("Set('str' + '1', 'x')", 1, (("Str1", b"x"),)),
            Example("Set('Int1', 2.9)", 1, (("Int1", 2),)),
            Example("Set('Str1', 1)", 0, (("Str1", b""),)),
        ),
        specialize=_set,
    ),
    _agent_part("AgentName", "browser's name", 0, b"Firefox"),
    _agent_part("AgentOS", "operating system", 1, b"Linux"),
    _agent_part("AgentDevType", "type of the device", 2, b"PC"),
    _agent_part("AgentDevName", "name of the device", 3, b"x"),
    Function(
        "IsCrawler",
        (text("Code"),),
        ValueType.INTEGER,
        "1 if a code that AgentParse gave names a crawler, else 0.",
        (
            Example("IsCrawler('Googlebot')", 1),
            Example("IsCrawler('Firefox:Linux:PC:')", 0),
            Example("IsCrawler('')", 0),
        ),
        row=lambda code: 1 if code and b":" not in code else 0,
    ),
    _missing("AgentParse", _AGENTS, text("Agent"), address("Ip", optional=True)),
    _missing("AgentToUId", _AGENTS, text("Agent"), address("Ip", optional=True)),
    _missing("IpToCountry", _COUNTRIES, address("Ip")),
    _missing("CountryName", _COUNTRIES, text("Code")),
    _missing("CountryRegion", _COUNTRIES, text("Code")),
    _missing("RowCount", _KEYS, Parameter("TabName", Form.WORD)),
)
