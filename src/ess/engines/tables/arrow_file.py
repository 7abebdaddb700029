"""Sorted runs on disk: Arrow IPC streams that are read back piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO

import polars as pl
import pyarrow as pa

from ess.language.tree import Slot
from ess.schema.batch import Batch

#: Rows of one piece.
_PIECE_ROWS = 16384
#: Names the type of a column in the ``bin`` format.
_TYPE = b"ess.type"


def write_run(
    stream: IO[bytes], batches: Iterable[Batch], columns: Sequence[Slot] = (), *, piece_rows: int = 0
) -> None:
    """Write batches of the same columns, at least one, in pieces of a few rows.

    Args:
        stream: Where to.
        batches: The rows.
        columns: Those of the batches, if the file is for others to read: it is then one in the ``bin`` format
            (see ``ess.formats.binary``, which a test reads it with).
        piece_rows: How many rows a piece has at most; 0 for some that suit rows of any size.
    """
    writer: pa.RecordBatchStreamWriter | None = None
    for batch in batches:
        table = batch.to_arrow(compat_level=pl.CompatLevel.oldest())
        if columns:
            fields = [
                table.schema.field(slot.key).with_name(slot.name).with_metadata({_TYPE: slot.type.name.encode()})
                for slot in columns
            ]
            table = pa.Table.from_arrays([table[slot.key] for slot in columns], schema=pa.schema(fields))
        if writer is None:
            writer = pa.ipc.new_stream(stream, table.schema)
        writer.write_table(table, max_chunksize=piece_rows or _PIECE_ROWS)
    if writer is not None:
        writer.close()
    stream.flush()


def read_run(stream: IO[bytes]) -> Iterator[Batch]:
    """The pieces that ``write_run`` has written to a stream, from its start; closes it at the end."""
    stream.seek(0)
    with stream:
        for piece in pa.ipc.open_stream(stream):
            # Where labels were written, the keys are the labels in lower case.
            yield pl.DataFrame(pl.from_arrow(piece)).rename(str.lower)
