"""``$Random``: a number made from the seed, the row and the place of the reference.

No state is kept from row to row, so a value depends neither on the size of a batch, nor on
which rows were filtered before, nor on the engine.
"""

from __future__ import annotations

#: Values are whole numbers from 1 to this, so they fit every integer type.
LARGEST = 2**31 - 1

_MASK = 2**64 - 1
_ROW_STEP = 0x9E3779B97F4A7C15
_SITE_STEP = 0xD1B54A32D192ED03


def random_value(seed: int, site: int, row_number: int) -> int:
    """The value of reference ``site`` in the row with the 1-based ``row_number``.

    The three numbers are combined modulo 2**64 and mixed by the finalizer of SplitMix64
    (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).

    >>> random_value(1, 0, 1) == random_value(1, 0, 1)
    True
    >>> len({random_value(1, site, row) for site in range(2) for row in range(1, 60)})
    118
    """
    x = (seed * _SITE_STEP + site * (_SITE_STEP >> 1) + row_number * _ROW_STEP) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return (x ^ (x >> 31)) % LARGEST + 1
