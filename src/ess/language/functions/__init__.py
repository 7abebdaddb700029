"""The table of functions, by lower-case name."""

from __future__ import annotations

from ess.language.function import Function
from ess.language.functions import (
    agents,
    arithmetic,
    character_sets,
    comparison,
    conversion,
    countries,
    dates,
    encoding,
    extraction,
    keys,
    patterns,
    search,
    special,
    strings,
)

FUNCTIONS: dict[str, Function] = {
    function.key: function
    for module in (
        strings,
        arithmetic,
        comparison,
        patterns,
        extraction,
        encoding,
        character_sets,
        conversion,
        dates,
        keys,
        special,
        search,
        agents,
        countries,
    )
    for function in module.FUNCTIONS
}

__all__ = ["FUNCTIONS", "Function"]
