"""Sorted runs on disk: Arrow IPC streams that are read back piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

import polars as pl
import pyarrow as pa

from ess.engines.batch import Batch

#: Rows of one piece.
_PIECE_ROWS = 16384


def write_run(stream: IO[bytes], batches: Iterable[Batch]) -> None:
    """Write batches of the same columns, at least one, in pieces of a few rows."""
    writer: pa.RecordBatchStreamWriter | None = None
    for batch in batches:
        table = batch.to_arrow(compat_level=pl.CompatLevel.oldest())
        if writer is None:
            writer = pa.ipc.new_stream(stream, table.schema)
        writer.write_table(table, max_chunksize=_PIECE_ROWS)
    if writer is not None:
        writer.close()
    stream.flush()


def read_run(stream: IO[bytes]) -> Iterator[Batch]:
    """The pieces that ``write_run`` has written to a stream, from its start; closes it at the end."""
    stream.seek(0)
    with stream:
        for piece in pa.ipc.open_stream(stream):
            yield pl.DataFrame(pl.from_arrow(piece))
