"""Inputs whose columns are told as ``aq_pp -d`` has them: their good records, and why others are rejected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ess.formats.attributes import InputAttributes
from ess.formats.columns import InputColumns
from ess.formats.value_counts import count_values
from ess.tools.loginf.profile import Profile, Spread

if TYPE_CHECKING:
    from ess.formats.blocks import ByteSource

#: The value that a reason begins with, and numbers in one: they differ from record to record.
_VALUE = re.compile(r"('.*'(?:\.\.\.)?) (?=is |does |follows )", re.DOTALL)
_SIZE = re.compile(r"\b\d+ bytes")


def analyse_declared(
    stream: ByteSource,
    name: str,
    attributes: InputAttributes,
    declared: InputColumns,
    profile: Profile,
    limit: int | None,
) -> None:
    """Add an input to a profile.

    Raises:
        InputReadError: If it is damaged.
    """
    wanted = [(number, column) for number, column in enumerate(declared.columns, 1) if column.wanted]
    for number, column in wanted:
        known = profile.column(number)
        known.label = known.label or column.name.encode()
        known.declared = column.type.name
    for found in count_values(stream, name, attributes, declared, limit):
        for spoiled, reason in found.rejects:
            profile.reject(spoiled, *_class_of(reason))
        if found.rows:
            profile.rows.merge(Spread(found.rows, *found.sizes))
            profile.widths.add(len(wanted), found.rows)
            for number, column in wanted:
                profile.column(number).add_counts(found.values[column.key])


def _class_of(reason: str) -> tuple[str, str]:
    """The reason that many records share, and the value of this one.

    >>> _class_of("'TBD' is not a number")
    ('is not a number', "'TBD'")
    """
    value = _VALUE.match(reason)
    general = reason[value.end() :] if value else reason
    return _SIZE.sub("... bytes", general), value[1] if value else ""
