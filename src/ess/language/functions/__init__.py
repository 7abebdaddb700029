"""The table of functions, by lower-case name."""

from __future__ import annotations

from ess.language.functions import (
    agents,
    arithmetic,
    character_sets,
    comparison,
    conversion,
    countries,
    dates,
    encoding,
    keys,
    patterns,
    search,
    special,
    strings,
)
from ess.language.functions.table import Function

FUNCTIONS: dict[str, Function] = {
    function.key: function
    for module in (
        strings,
        arithmetic,
        comparison,
        patterns,
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
