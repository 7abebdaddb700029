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

from ess.engines.batch import Batch
from ess.schema.types import ColumnType
from ess.udb.spec import TableColumn

Hashes = npt.NDArray[np.uint32]


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
    running: list[int] = [0] * batch.height
    for column in columns:
        values = _encoded(batch, column)
        running = [zlib.crc32(value, start) for value, start in zip(values, running, strict=True)]
    return _mix(np.array(running, dtype=np.uint32) ^ np.uint32(variant * 0x9E3779B9 & 0xFFFFFFFF))


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


def _encoded(batch: Batch, column: TableColumn) -> list[bytes]:
    series = batch[column.key]
    if column.type in (ColumnType.S, ColumnType.IP):
        strings: list[bytes] = series.to_list()
        return strings
    values = series.to_numpy()
    if column.type is ColumnType.F:
        values = np.where(np.isnan(values), np.nan, values + 0.0)  # -0.0 + 0.0 is 0.0
        raw = values.astype("<f8").tobytes()
    else:
        raw = values.astype("<i8").tobytes()
    return [raw[start : start + 8] for start in range(0, len(raw), 8)]


def _mix(values: Hashes) -> Hashes:
    values = values.copy()
    values ^= values >> np.uint32(16)
    values *= np.uint32(0x85EBCA6B)
    values ^= values >> np.uint32(13)
    values *= np.uint32(0xC2B2AE35)
    values ^= values >> np.uint32(16)
    return values
