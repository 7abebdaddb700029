"""The words of ``--by``: what is computed for each group of rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ess.errors import OptionError

_FORM = re.compile(r"\s*([A-Za-z]+)\s*(?:\(\s*([A-Za-z_]\w*|\*?)\s*\)\s*)?", re.ASCII)
#: The statistics that ``STATS:`` of ``aq_cnt`` gives, in its order.
STATISTICS = ("sum", "avg", "stddev", "min", "max")
_NAMES = ("count", *STATISTICS, "distinct")


@dataclass(frozen=True)
class Aggregate:
    """A result for each group: its ``count``, a statistic of a column, or the number of its ``distinct`` values."""

    name: str
    column: str = ""

    @property
    def title(self) -> str:
        """The name of the result.

        >>> Aggregate("sum", "bytes").title
        'sum_bytes'
        """
        return f"{self.name}_{self.column}" if self.column else self.name


def parse_aggregate(text: str, *, where: str) -> Aggregate:
    """The aggregate that a text means.

    Raises:
        OptionError: If it means none.

    >>> parse_aggregate("sum(bytes)", where="--by")
    Aggregate(name='sum', column='bytes')
    >>> parse_aggregate("count", where="--by")
    Aggregate(name='count', column='')
    """
    match = _FORM.fullmatch(text)
    name, column = (match[1].lower(), (match[2] or "").removeprefix("*")) if match else ("", "")
    if name not in _NAMES or (name == "count") == bool(column):
        forms = ", ".join(f"{name}(COLUMN)" for name in _NAMES[1:])
        raise OptionError(f"'{text}' is nothing that can be computed", where=where, hint=f"give count, {forms}")
    return Aggregate(name, column)
