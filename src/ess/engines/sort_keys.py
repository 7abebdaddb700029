"""The order of rows by several columns, through integers: about three times as fast as comparing the values.

Every value becomes an unsigned number, in pieces of 64 bits, whose order is that of the values: strings are
their bytes, followed by zeros, and their length where that could tell them apart. Bits that are the same in all rows
decide nothing and are left out, so that dates and numbers written as text become a few dozen bits. These are sorted,
with the row's number in the lowest bits, from the last piece to the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

Words = NDArray[np.uint64]
#: Numbers, and how many bits the largest of them has.
_Piece = tuple[Words, int]

#: Longer strings are not worth it, and keys of more bits.
_LONGEST = 64
_MOST_BITS = 320

#: Rows that are worked on at once, so that they stay in the caches.
_ROWS = 1 << 15

_SIGN = np.uint64(1 << 63)
_LOWER = bytes(range(256)).lower()
_HIGH_NIBBLES = 0xF0F0F0F0F0F0F0F0
#: For each number of bytes, the bits of a big-endian word that hold them.
_HELD = np.array([((1 << 64) - 1) ^ ((1 << (64 - 8 * count)) - 1) for count in range(9)], dtype=np.uint64)


def row_order(columns: Sequence[pl.Series], ignore_case: Sequence[bool]) -> NDArray[np.int64] | None:
    """The rows in ascending order of the columns, the first one first; equal rows stay in their order.

    Args:
        columns: Binary, integer and float columns without nulls. Strings compare byte by byte, NaN is larger than any
            number, and 0.0 and -0.0 are equal.
        ignore_case: For each column whether ASCII letters compare without regard to case.

    Returns:
        The rows' numbers, or None if the values are too long.
    """
    with ThreadPoolExecutor(len(columns)) as threads:
        found = list(threads.map(_pieces, columns, ignore_case))
    pieces = [piece for of_column in found if of_column is not None for piece in of_column]
    if None in found or sum(bits for _, bits in pieces) > _MOST_BITS:
        return None
    return _sorted(pieces, columns[0].len())


def folded(column: pl.Series) -> pl.Series:
    """A Binary column with the ASCII letters in lower case."""
    array = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    valid, bounds, content = array.buffers()
    lower = pa.py_buffer(content.to_pybytes().translate(_LOWER)) if content is not None else None
    made = pa.Array.from_buffers(array.type, len(array), [valid, bounds, lower], offset=array.offset)
    result = pl.from_arrow(made)
    assert isinstance(result, pl.Series)
    return result.alias(column.name)


def _pieces(column: pl.Series, fold: bool) -> list[_Piece] | None:
    """A column as unsigned numbers, the first one decides first; None if there are too many."""
    if column.dtype != pl.Binary:
        return [_varying(_number_words(column))]
    longest = column.bin.size().max() or 0
    assert isinstance(longest, int)
    return [_varying(words) for words in _string_words(column, longest, fold)] if longest <= _LONGEST else None


def _number_words(column: pl.Series) -> Words:
    if column.dtype == pl.Float64:
        # 0.0 takes the sign from -0.0; all NaN become one.
        numbers = column.to_numpy() + 0.0
        numbers[np.isnan(numbers)] = np.nan
        words = numbers.view(np.uint64)
        ordered: Words = np.where(words & _SIGN, ~words, words | _SIGN)
        return ordered
    if column.dtype.is_signed_integer():
        return column.cast(pl.Int64).to_numpy().view(np.uint64) ^ _SIGN
    return column.cast(pl.UInt64).to_numpy()


def _string_words(column: pl.Series, longest: int, fold: bool) -> Iterator[Words]:
    array = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, bounds, content = array.buffers()
    offsets = np.frombuffer(bounds, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    begin, end = int(offsets[0]), int(offsets[-1])
    text = bytes(memoryview(content)[begin:end]) if content is not None else b""
    zeros = b"\0" in text
    # So that eight bytes can be read from any place.
    text = (text.translate(_LOWER) if fold else text) + bytes(8)
    at_each = np.ndarray((len(text) - 7,), dtype=">u8", buffer=text, strides=(1,))
    starts, lengths = offsets[:-1] - begin, np.diff(offsets)
    for place in range(0, longest, 8):
        word = np.empty(len(lengths), dtype=np.uint64)
        for rows in _blocks(len(lengths)):
            left = np.clip(lengths[rows] - place, 0, 8)
            # A string that has ended has nothing left to read.
            word[rows] = at_each[np.minimum(starts[rows] + place, len(text) - 8)]
            word[rows] &= _HELD[left]
        yield word
    if zeros:
        yield lengths.astype(np.uint64)


def _varying(words: Words) -> _Piece:
    """The numbers without the bits that all have in common, and how many bits are left."""
    if not len(words):
        return words, 0
    common = int(np.bitwise_or.reduce(words)) ^ int(np.bitwise_and.reduce(words))
    digits = common and not common & _HIGH_NIBBLES
    runs = list(_runs(_nibbles_of(common) if digits else common))
    result = np.zeros(len(words), dtype=np.uint64)
    for rows in _blocks(len(words)):
        part = _nibbles(words[rows]) if digits else words[rows]
        kept = result[rows]
        place = 0
        for shift, width in runs:
            kept |= ((part >> np.uint64(shift)) & np.uint64((1 << width) - 1)) << np.uint64(place)
            place += width
    return result, sum(width for _, width in runs)


def _runs(bits: int) -> Iterator[tuple[int, int]]:
    """The runs of ones in a number, from the lowest: their shift and their length."""
    shift = 0
    while bits:
        zeros = (bits & -bits).bit_length() - 1
        shift, bits = shift + zeros, bits >> zeros
        width = (~bits & (bits + 1)).bit_length() - 1
        yield shift, width
        shift, bits = shift + width, bits >> width


def _nibbles(words: Words) -> Words:
    """The lower halves of the eight bytes side by side."""
    words = words & np.uint64(0x0F0F0F0F0F0F0F0F)
    words = (words | (words >> np.uint64(4))) & np.uint64(0x00FF00FF00FF00FF)
    words = (words | (words >> np.uint64(8))) & np.uint64(0x0000FFFF0000FFFF)
    return (words | (words >> np.uint64(16))) & np.uint64(0x00000000FFFFFFFF)


def _nibbles_of(bits: int) -> int:
    return int(_nibbles(np.array([bits], dtype=np.uint64))[0])


def _sorted(pieces: Sequence[_Piece], height: int) -> NDArray[np.int64]:
    """The order by the pieces: from the lowest digits up, each with the place so far behind it."""
    place_bits = max(1, (height - 1).bit_length())
    mask = np.uint64((1 << place_bits) - 1)
    places = np.arange(height, dtype=np.uint64)
    order: NDArray[np.int64] | None = None
    for digit in _digits(pieces, 64 - place_bits):
        now = digit if order is None else digit.take(order)
        packed = (now << np.uint64(place_bits)) | places
        packed.sort()
        found = (packed & mask).view(np.int64)
        order = found if order is None else order.take(found)
    return np.arange(height) if order is None else order


def _digits(pieces: Sequence[_Piece], width: int) -> Iterator[Words]:
    """The pieces' bits, from the lowest, in numbers of ``width`` bits."""
    digit: Words | None = None
    filled = 0
    for words, bits in reversed(pieces):
        taken = 0
        while taken < bits:
            count = min(bits - taken, width - filled)
            part = ((words >> np.uint64(taken)) & np.uint64((1 << count) - 1)) << np.uint64(filled)
            digit = part if digit is None else digit | part
            taken, filled = taken + count, filled + count
            if filled == width:
                yield digit
                digit, filled = None, 0
    if digit is not None:
        yield digit


def _blocks(height: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, height, _ROWS))
