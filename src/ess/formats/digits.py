"""Plain decimal numbers in a block's fields, eight bytes of a field as one 64-bit word.

Plain are up to 16 digits, or up to 8 bytes of digits with a decimal point among them. Everything else is left to
others: what is called plain here has the value that `ess.formats.values` gives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ess.formats.fields import Flags, Positions

Words = NDArray[np.uint64]

_WORD = 8
#: Integers with more digits than a word has are looked at if they are at least this share of a column.
_WORTHWHILE = 1 / 16


def _literal(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


_ZEROS = _literal(0x30)
_ONES = _literal(0x01)
_HIGH_BITS = _literal(0x80)
_ABOVE_NINE = _literal(0x76)  # what makes a byte above 9 reach its high bit
_POINTS = _literal(0x2E ^ 0x30)
_LANES = np.uint64(0x000000FF000000FF)
_HUNDREDS = np.uint64(100 + (1_000_000 << 32))
_UNITS = np.uint64(1 + (10_000 << 32))
#: For each length, which bytes of the word that ends with the field belong to it.
_INSIDE = np.array([(1 << 64) - (1 << 8 * (_WORD - length)) for length in range(_WORD + 1)], dtype=np.uint64)
#: Multiplied by 2 ** (8 * n) it has 7 - n in its highest byte.
_BYTES_BEHIND = np.uint64(0x0706050403020100)
_POWERS = np.array([10.0**digits for digits in range(_WORD)])


@dataclass(frozen=True)
class PlainNumbers:
    """The values of a column's fields, and which of them are plain; the others have no meaning."""

    values: NDArray[np.uint64] | NDArray[np.float64]
    plain: Flags


class WordReader:
    """The eight bytes that end at a place of a block.

    Args:
        content: The bytes; 16 more stand before the first place that is asked for.
    """

    def __init__(self, content: bytes) -> None:
        count = max(0, len(content) - _WORD + 1)
        self._words: NDArray[np.void] = np.ndarray((count,), dtype="V8", buffer=content, strides=(1,))

    def before(self, places: Positions) -> Words:
        """The words that end at ``places``, the byte just before the place is the highest."""
        return self._words[places - _WORD].view(np.uint64)


def plain_integers(reader: WordReader, ends: Positions, lengths: Positions, highest: int) -> PlainNumbers:
    """Integers without a sign; a blank one is 0.

    Args:
        reader: The block.
        ends: Where the fields end.
        lengths: How long they are.
        highest: Larger ones are not plain.
    """
    digits = (reader.before(ends) ^ _ZEROS) & _INSIDE[np.minimum(lengths, _WORD)]
    plain = _all_digits(digits)
    values = _value(digits)
    long = lengths > _WORD
    if np.count_nonzero(long) <= _WORTHWHILE * len(lengths):
        plain &= ~long
        return PlainNumbers(values, plain)
    digits = (reader.before(ends - _WORD) ^ _ZEROS) & _INSIDE[np.clip(lengths - _WORD, 0, _WORD)]
    plain &= _all_digits(digits)
    plain &= lengths <= 2 * _WORD
    values += _value(digits) * np.uint64(10**_WORD)
    plain &= values <= np.uint64(highest)
    return PlainNumbers(values, plain)


def plain_floats(reader: WordReader, ends: Positions, lengths: Positions) -> PlainNumbers:
    """Numbers with or without a decimal point; arguments as for integers.

    Their digits and the power of ten that these are divided by are exact as floats, so the quotient is the
    float that is nearest to the number.
    """
    inside = _INSIDE[np.minimum(lengths, _WORD)]
    digits = (reader.before(ends) ^ _ZEROS) & inside
    # The lowest bit that stays is that of the first decimal point, if there is one.
    points = (digits ^ _POINTS) | ~inside
    found = (points - _ONES) & ~points & _HIGH_BITS
    point = (found & (~found + np.uint64(1))) >> np.uint64(7)
    before = point - np.uint64(1)  # all bytes, if there is none
    after = ~before & ~(point * np.uint64(0xFF))
    shift = (point != 0).astype(np.uint64) << np.uint64(3)
    digits = ((digits & before) << shift) | (digits & after)
    plain = _all_digits(digits)
    plain &= lengths <= _WORD
    plain &= (lengths != 1) | (point == 0)
    behind = (point * _BYTES_BEHIND) >> np.uint64(56)
    return PlainNumbers(_value(digits) / _POWERS[behind.view(np.int64)], plain)


def _all_digits(digits: Words) -> Flags:
    flags: Flags = (((digits + _ABOVE_NINE) | digits) & _HIGH_BITS) == 0
    return flags


def _value(digits: Words) -> Words:
    """The number that eight digits make, the lowest byte first: pairs, then fours, then all."""
    pairs = digits * np.uint64(10) + (digits >> np.uint64(8))
    fours = (pairs & _LANES) * _HUNDREDS
    fours += ((pairs >> np.uint64(16)) & _LANES) * _UNITS
    value: Words = fours >> np.uint64(32)
    return value
