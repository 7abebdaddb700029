"""Scans that only read: those need no change of the whole shard, and may go on beside others."""

from __future__ import annotations

from ess.language.storing import may_store
from ess.udb.wire.protocol import ScanRequest

#: Rules that let rows through or not, and leave everything as it is.
_LOOKING = frozenset(
    ("-pp", "-endpp", "-end_of_scan", "-filt", "-goto", "-if", "-ifnot", "-elif", "-elifnot", "-else", "-endif")
)


def changes_nothing(request: ScanRequest) -> bool:
    """True if a scan only reads; any other scan must be assumed to change stored rows.

    >>> changes_nothing(ScanRequest("db", "", "log", rules=(("-filt", "a == 1"),)))
    True
    >>> changes_nothing(ScanRequest("db", "", "log", rules=(("-filt", "RxMap(a, 'x', b, 'y')"),)))
    False
    """
    if request.variables or request.module:
        return False
    return all(
        rule and rule[0].partition(",")[0] in _LOOKING and not any(map(may_store, rule[1:])) for rule in request.rules
    )
