"""The seven column types of the reference manual (page ``aq-input``)."""

from __future__ import annotations

import enum


class ColumnType(enum.Enum):
    """A column's type; the value is the letter that names it in a column spec."""

    S = "S"  #: bytes
    F = "F"  #: IEEE 754 double
    L = "L"  #: 64-bit unsigned
    LS = "LS"  #: 64-bit signed
    I = "I"  # noqa: E741  #: 32-bit unsigned
    IS = "IS"  #: 32-bit signed
    IP = "IP"  #: IPv4 or IPv6 address, packed into 4 or 16 bytes; blank is no bytes

    @property
    def is_integer(self) -> bool:
        """True if the column holds whole numbers."""
        return self in INTEGER_RANGES

    @property
    def is_numeric(self) -> bool:
        """True if the column holds numbers."""
        return self is ColumnType.F or self.is_integer


#: The smallest and the largest value of each integer type.
INTEGER_RANGES: dict[ColumnType, tuple[int, int]] = {
    ColumnType.L: (0, 2**64 - 1),
    ColumnType.LS: (-(2**63), 2**63 - 1),
    ColumnType.I: (0, 2**32 - 1),
    ColumnType.IS: (-(2**31), 2**31 - 1),
}
