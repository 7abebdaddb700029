"""Scans that only read: those need no change of the whole shard, and may go on beside others."""

from __future__ import annotations

from ess.language.functions import FUNCTIONS
from ess.language.plain import Plain
from ess.udb.wire.protocol import ScanRequest


def changes_nothing(request: ScanRequest) -> bool:
    """True if a scan only reads; any other scan must be assumed to change stored rows.

    The rules need not be checked yet: of what is no rule it is assumed, too.
    """
    if request.variables or request.module:
        return False
    # A group is its table, where to go on, the variables that it sets, and its rules.
    return all(isinstance(group, tuple) and group[2:3] == ((),) and not _stores(group[3:]) for group in request.rules)


def _stores(part: Plain) -> bool:
    """True if rules, or what stands in them, store something: into a column, by a function, or by deleting."""
    match part:
        case ("evaluate", None, _, value):
            return _stores(value)
        case ("evaluate" | "remove", *_):
            return True
        case ("call", str() as key, _):
            function = FUNCTIONS.get(key)
            return function is None or function.stores
        case ("call", *_):
            return True
        case tuple():
            return any(map(_stores, part))
    return False
