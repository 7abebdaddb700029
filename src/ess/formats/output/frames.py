"""Batches as frames for people: text as String, addresses written out, columns under the user's names."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import polars as pl

from ess.schema import ColumnType
from ess.schema.batch import Batch


def user_frame(batch: Batch, columns: Sequence[tuple[str, str, ColumnType]]) -> pl.DataFrame:
    """The batch under the names that a user knows, with types that are easy to work with.

    Args:
        batch: Rows with the physical types of :mod:`ess.schema.batch`.
        columns: For each column its key in the batch, the name to give it, and its type.

    Returns:
        Numbers keep their width (``UInt32``, ``Int64``, ``Float64``, ...). A string column is
        ``String`` if all of it is valid UTF-8, else ``Binary``. Addresses are ``String``, also where
        there are no rows; blank ones are empty.

    >>> batch = pl.DataFrame({"a": [b"x", b"y"], "b": [bytes([10, 0, 0, 1]), b""]})
    >>> user_frame(batch, [("a", "A", ColumnType.S), ("b", "B", ColumnType.IP)]).rows()
    [('x', '10.0.0.1'), ('y', '')]
    """
    return pl.DataFrame([_column(batch[key], kind).alias(name) for key, name, kind in columns])


def _column(values: pl.Series, kind: ColumnType) -> pl.Series:
    if kind is ColumnType.IP:
        if not values.len():  # of nothing to replace, Polars gives the old type back
            return pl.Series(values.name, dtype=pl.String)
        distinct = values.unique()
        texts = [str(ipaddress.ip_address(packed)) if packed else "" for packed in distinct.to_list()]
        return values.replace_strict(distinct, pl.Series(texts, dtype=pl.String), return_dtype=pl.String)
    if kind is ColumnType.S:
        try:
            return values.cast(pl.String)
        except pl.exceptions.ComputeError:  # bytes that are not UTF-8 must not be lost
            return values
    return values
