"""The table of functions, by lower-case name.

- ``strings``, ``comparison``, ``patterns`` and ``extraction``: parts and tests of strings.
- ``arithmetic``, ``conversion`` and ``dates``: numbers, types and times.
- ``encoding`` and ``character_sets``: encodings of text; ``keys``: composite keys and hashes.
- ``agents``, ``countries`` and ``search``: user agents, addresses, search engines.
- ``special``: Set and RowCount.
"""

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
