"""Which server holds a key: a hash of its value, the same on every machine and in every version.

The hash of a key is the CRC-32 (zlib's) over the bytes of its columns, one after the other: a
string's or address's own bytes, a number's eight bytes, least significant first (a float's are
those of IEEE 754, with one zero and one NaN). It is then mixed with the finalizer of
MurmurHash3, because CRC-32 is linear and its low bits alone spread similar keys badly.

A key belongs to share ``hash % total`` of the servers' weights, counted in spec order.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ess.engines.batch import Batch
from ess.schema.types import ColumnType
from ess.udb.spec import TableColumn

Hashes = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]
Index = npt.NDArray[np.int64]

#: So few rows are not worth a pass over columns.
_FEW = 32


def _crc_table() -> Hashes:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, np.uint32(0xEDB88320) ^ (table >> np.uint32(1)), table >> np.uint32(1))
    return table


_CRC_TABLE = _crc_table()


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
    limits = np.cumsum(np.array(weights, dtype=np.int64))
    shares = hashes.astype(np.int64) % limits[-1]
    found: npt.NDArray[np.int64] = np.searchsorted(limits, shares, side="right").astype(np.int64)
    return found


def segments_of(batch: Batch, columns: Sequence[TableColumn], count: int, variant: int) -> npt.NDArray[np.int64]:
    """The segment, from 1 to ``count``, of each row's key, independent of the servers."""
    hashes = key_hashes(batch, columns, variant=variant + 1).astype(np.int64)
    return np.mod(hashes, count, dtype=np.int64) + 1


def _encoded(batch: Batch, column: TableColumn) -> tuple[Bytes, Index, Index]:
    """The bytes of a column's values, where each begins in them, and how long it is."""
    series = batch[column.key]
    if column.type in (ColumnType.S, ColumnType.IP):
        array = series.to_arrow().cast(pa.large_binary())
        offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        held = array.buffers()[2]
        data = np.frombuffer(held, dtype=np.uint8) if held is not None else np.empty(0, dtype=np.uint8)
        return data, offsets[:-1], np.diff(offsets)
    values = series.to_numpy()
    if column.type is ColumnType.F:
        values = np.where(np.isnan(values), np.nan, values + 0.0)  # -0.0 + 0.0 is 0.0
        raw = values.astype("<f8")
    else:
        raw = values.astype("<i8")
    count = len(raw)
    return raw.view(np.uint8), np.arange(0, 8 * count, 8), np.full(count, 8)


def _checksums(running: Hashes, data: Bytes, starts: Index, lengths: Index) -> Hashes:
    """The CRC-32 of each value, which goes on from that of the columns before."""
    if not len(lengths):
        return running
    shortest, longest = int(lengths.min()), int(lengths.max())
    order = None
    if shortest < longest:  # long ones first, so that those that have a next byte are in front
        order = np.argsort(-lengths, kind="stable")
        running, starts, lengths = running[order], starts[order], lengths[order]
    state = ~running
    count = len(lengths)
    place = 0
    while place < longest:
        if place >= shortest:
            count = int(np.searchsorted(-lengths, -place))
            if count < _FEW:
                break
        front = state[:count]
        state[:count] = _CRC_TABLE[(front ^ data[starts[:count] + place]) & np.uint32(0xFF)] ^ (front >> np.uint32(8))
        place += 1
    found = ~state
    for row in range(count if place < longest else 0):  # a few long ones are done faster one by one
        rest = data[starts[row] + place : starts[row] + lengths[row]].tobytes()
        found[row] = zlib.crc32(rest, int(found[row]))
    if order is None:
        return found
    result = np.empty_like(found)
    result[order] = found
    return result


def _mix(values: Hashes) -> Hashes:
    values = values.copy()
    values ^= values >> np.uint32(16)
    values *= np.uint32(0x85EBCA6B)
    values ^= values >> np.uint32(13)
    values *= np.uint32(0xC2B2AE35)
    values ^= values >> np.uint32(16)
    return values
