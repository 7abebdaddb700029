"""The server that holds a key, chosen by a hash of its value: the same on every machine and in every version.

The hash of a key is the CRC-32 (zlib's) over the bytes of its columns, one after the other: a
string's or address's own bytes, a number's eight bytes, least significant first (a float's are
those of IEEE 754, with one zero and one NaN). It is then mixed with the finalizer of
MurmurHash3, because CRC-32 is linear and its low bits alone spread similar keys badly.

A key belongs to share ``hash % total`` of the servers' weights, counted in spec order.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ess.formats.digits import WordReader
from ess.schema.batch import Batch
from ess.schema.types import ColumnType
from ess.udb.spec.spec import TableColumn

Hashes = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint64]
Index = npt.NDArray[np.int64]

#: So few rows are not worth a pass over columns.
_FEW = 32

_WORD = 8


@cache
def _crc_tables() -> tuple[Hashes, Hashes, Hashes, Hashes]:
    """The contribution of each pair of bytes of eight to the CRC of all eight, the first pair first."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, np.uint32(0xEDB88320) ^ (table >> np.uint32(1)), table >> np.uint32(1))
    behind = [table]  # by how many bytes stand behind it, what a byte adds
    while len(behind) < _WORD:
        behind.append(table[behind[-1] & np.uint32(0xFF)] ^ (behind[-1] >> np.uint32(8)))
    first, second, third, fourth = (
        (behind[n - 1][:, np.newaxis] ^ behind[n][np.newaxis, :]).reshape(-1) for n in (7, 5, 3, 1)
    )
    return first, second, third, fourth


def key_hashes(batch: Batch, columns: Sequence[TableColumn], *, variant: int = 0) -> Hashes:
    """The hash of each row's key.

    Args:
        batch: Has at least ``columns``.
        columns: The key's columns, in the order of the key.
        variant: Another number gives another, independent hash.

    >>> import polars as pl
    >>> users = pl.DataFrame({"user": pl.Series([b"4084", b"137"], dtype=pl.Binary)})
    >>> [int(value) for value in key_hashes(users, [TableColumn("user", ColumnType.S, primary=True)])]
    [1966378495, 709742843]
    """
    running = np.zeros(batch.height, dtype=np.uint32)
    for column in columns:
        running = _checksums(running, *_encoded(batch, column))
    return _mix(running ^ np.uint32(variant * 0x9E3779B9 & 0xFFFFFFFF))


def servers_of(hashes: Hashes, weights: Sequence[int]) -> npt.NDArray[np.int64]:
    """The index of the server for each hash.

    >>> servers_of(np.array([0, 1, 2, 3, 4], dtype=np.uint32), [1, 2]).tolist()
    [0, 1, 1, 0, 1]
    """
    if set(weights) == {1}:
        return (hashes % np.uint32(len(weights))).astype(np.int64)
    limits = np.cumsum(np.array(weights, dtype=np.int64))
    shares = hashes.astype(np.int64) % limits[-1]
    found: npt.NDArray[np.int64] = np.searchsorted(limits, shares, side="right").astype(np.int64)
    return found


def segments_of(batch: Batch, columns: Sequence[TableColumn], count: int, variant: int) -> npt.NDArray[np.int64]:
    """The segment, from 1 to ``count``, of each row's key, independent of the servers."""
    hashes = key_hashes(batch, columns, variant=variant + 1).astype(np.int64)
    return np.mod(hashes, count, dtype=np.int64) + 1


def _encoded(batch: Batch, column: TableColumn) -> tuple[bytes, Index, Index]:
    """The bytes of a column's values and eight more, where each value begins in them, and how long it is."""
    series = batch[column.key]
    if column.type in (ColumnType.S, ColumnType.IP):
        array = series.to_arrow().cast(pa.large_binary())
        offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        held = array.buffers()[2]
        begin, end = int(offsets[0]), int(offsets[-1])
        text = bytes(memoryview(held)[begin:end]) if held is not None else b""
        return text + bytes(_WORD), offsets[:-1] - begin, np.diff(offsets)
    values = series.to_numpy()
    if column.type is ColumnType.F:
        values = np.where(np.isnan(values), np.nan, values + 0.0)  # -0.0 + 0.0 is 0.0
        raw = values.astype("<f8")
    else:
        raw = values.astype("<i8")
    count = len(raw)
    return raw.tobytes() + bytes(_WORD), np.arange(0, _WORD * count, _WORD), np.full(count, _WORD)


def _checksums(running: Hashes, data: bytes, starts: Index, lengths: Index) -> Hashes:
    """The CRC-32 of each value, which goes on from that of the columns before; eight bytes of all values at a time."""
    if not len(lengths):
        return running
    state = (~running).astype(np.uint64)
    reader = WordReader(data)
    shortest, longest = int(lengths.min()), int(lengths.max())
    rows: Index | None = None  # those that have a next byte; None for all
    place = 0
    while place < longest:
        if place >= shortest:
            rows = np.flatnonzero(lengths > place) if rows is None else rows[lengths[rows] > place]
            if len(rows) < _FEW:
                break
        begins = starts if rows is None else starts[rows]
        left = np.minimum((lengths if rows is None else lengths[rows]) - place, _WORD)
        words = reader.before(begins + (place + _WORD))
        if rows is None:
            state = _absorbed(state, words, left)
        else:
            state[rows] = _absorbed(state[rows], words, left)
        place += _WORD
    found = ~state.astype(np.uint32)
    if place < longest and rows is not None:
        for row in rows.tolist():  # a few long ones are done faster one by one
            rest = data[starts[row] + place : starts[row] + lengths[row]]
            found[row] = zlib.crc32(rest, int(found[row]))
    return found


def _absorbed(state: Words, words: Words, left: Index) -> Words:
    """The state of the CRC behind the first ``left`` bytes of each word, of 1 to 8."""
    bits = left.view(np.uint64) << np.uint64(3)
    # Zeros before the first byte add nothing, so what is to be taken is moved to the end of the word.
    lanes = ((words ^ state) << (np.uint64(64) - bits)).view("<u2").reshape(-1, 4)
    result = state >> bits  # with four bytes and more nothing of it is left
    empty = (_WORD - int(left.max())) // 2
    for lane, table in enumerate(_crc_tables()):
        if lane >= empty:
            result ^= table[lanes[:, lane]]
    return result


def _mix(values: Hashes) -> Hashes:
    values = values.copy()
    values ^= values >> np.uint32(16)
    values *= np.uint32(0x85EBCA6B)
    values ^= values >> np.uint32(13)
    values *= np.uint32(0xC2B2AE35)
    values ^= values >> np.uint32(16)
    return values
