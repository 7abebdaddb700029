"""Validation of rows that a peer has sent, before anything reads them.

The library that reads them checks how the buffers lie in the message, not what is in them. A string that ends beyond
its buffer would end the server when somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from ess.errors import UdbRequestError
from ess.schema.batch import Batch
from ess.schema.types import ColumnType
from ess.udb.server.memory import MemoryLimit
from ess.udb.shard.shard import empty_frame
from ess.udb.spec.spec import TableColumn

_ADDRESS_BYTES = (0, 4, 16)


def require_sound(rows: pa.RecordBatch, columns: Sequence[TableColumn], *, where: str) -> None:
    """Refuse rows that are not whole, do not have exactly these columns, or have missing values.

    Raises:
        UdbRequestError: If they are.
    """
    expected = empty_frame(columns).to_arrow().schema
    # By itself, because a schema with a column twice has no second one to ask for by name.
    if rows.schema.names != expected.names or rows.schema.types != expected.types:
        raise UdbRequestError("the rows do not have the table's columns", where=where)
    try:
        rows.validate(full=True)
    except pa.ArrowException:
        raise UdbRequestError("the rows are damaged", where=where, hint="run the import again") from None
    if any(column.null_count for column in rows.columns):
        raise UdbRequestError("the rows have missing values", where=where)


def frame_of(rows: pa.RecordBatch, columns: Sequence[TableColumn], memory: MemoryLimit, *, where: str) -> Batch:
    """Rows as a frame of their own.

    Their columns are parts of one message, which would stay in memory as a whole as long as one string of it is there.

    Raises:
        UdbRequestError: If they are not what they must be.
        OutOfMemory: If they do not fit.
    """
    require_sound(rows, columns, where=where)
    memory.require(rows.nbytes)
    frame = pl.from_arrow(pa.concat_batches([rows, rows.slice(0, 0)]))
    assert isinstance(frame, pl.DataFrame)
    for column in columns:
        if column.type is ColumnType.IP and not frame[column.key].bin.size().is_in(_ADDRESS_BYTES).all():
            raise UdbRequestError(f"a value of column '{column.name}' is not an address", where=where)
    return frame
