"""An estimate of how many different values there are: a sketch of constant size, to be stored and merged."""

from __future__ import annotations

from collections.abc import Iterable

import datasketches

from ess.errors import InputReadError

#: 2**14 registers: a standard error of 0.8 % (Flajolet and others 2007; Apache DataSketches, HLL).
_LOG_REGISTERS = 14


class DistinctSketch:
    """Estimates the number of distinct values; the error is below 2 % nearly always, none for a few values.

    >>> sketch = DistinctSketch()
    >>> sketch.add([b"a", b"b", b"a"])
    >>> sketch.estimate()
    2
    """

    def __init__(self) -> None:
        self._union = datasketches.hll_union(_LOG_REGISTERS)

    def add(self, values: Iterable[bytes]) -> None:
        """Add values; to add one again changes nothing."""
        update = self._union.update
        for value in values:
            update(value.decode("latin-1"))  # one text for each bytes, UTF-8 or not

    def merge(self, stored: bytes, *, where: str) -> None:
        """Add what another sketch has seen; ``stored`` is its ``to_bytes``.

        Raises:
            InputReadError: If these are not such bytes.
        """
        try:
            self._union.update(datasketches.hll_sketch.deserialize(stored))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise InputReadError("a uniqueness estimate is damaged", where=where) from error

    def to_bytes(self) -> bytes:
        """The sketch for storing."""
        return bytes(self._union.get_result(datasketches.tgt_hll_type.HLL_8).serialize_compact())

    def estimate(self) -> int:
        """About how many distinct values were added."""
        return round(float(self._union.get_estimate()))
