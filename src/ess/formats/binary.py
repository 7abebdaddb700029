"""The ``bin`` format: Arrow IPC streams, for tools that hand rows to each other.

A stream begins with its columns (label and type), goes on with batches, and ends with an end mark; a stream
without it was broken off. Streams may follow each other in one file, as ``app`` leaves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import polars as pl
import pyarrow as pa

from ess.engines.batch import PHYSICAL, Batch
from ess.errors import InputReadError, OptionError
from ess.formats.values import converter
from ess.schema.columns import Column
from ess.schema.types import ColumnType

#: What ends a stream.
END = b"\xff\xff\xff\xff\0\0\0\0"
_TYPE = b"ess.type"
_ROWS_A_MESSAGE = 65536
_CONTINUATION = END[:4]


def stream_head(columns: Sequence[tuple[str, ColumnType]]) -> bytes:
    """The bytes that a stream begins with: its columns' labels and types."""
    fields = [
        pa.field(label, pl.Series(dtype=PHYSICAL[kind]).to_arrow().type, metadata={_TYPE: kind.name.encode()})
        for label, kind in columns
    ]
    return bytes(pa.schema(fields).serialize())


def stream_rows(batch: Batch, keys: Sequence[str]) -> list[bytes | memoryview]:
    """The messages that carry the rows of ``batch``."""
    columns = [batch[key].to_arrow(compat_level=pl.CompatLevel.oldest()) for key in keys]
    table = pa.Table.from_arrays(columns, names=[str(number) for number in range(len(columns))])
    return [memoryview(rows.serialize()) for rows in table.to_batches(max_chunksize=_ROWS_A_MESSAGE)]


def read_streams(stream: BinaryIO, columns: Sequence[Column], label: str, *, where: str) -> Iterator[Batch]:
    """The rows of the streams in ``stream``: the wanted columns, named by their keys.

    Raises:
        InputReadError: If it is no such stream, is damaged or breaks off.
        OptionError: If the columns are not those of the stream.
    """
    source = _Tail(stream)
    while True:
        mark = source.read(4)
        if not mark:
            return
        if mark != _CONTINUATION:
            raise InputReadError("the data are not in the 'bin' format", where=label, hint="write them with -o,bin")
        source.put_back(mark)
        try:
            with pa.ipc.open_stream(source) as reader:
                _check_columns(reader.schema, columns, where)
                for rows in reader:
                    rows.validate(full=True)
                    yield _batch(rows, columns)
        except (pa.ArrowException, OSError) as error:
            raise InputReadError(
                f"the 'bin' data are damaged ({error})", where=label, hint="write them again"
            ) from None
        if source.last != END:
            raise InputReadError("the 'bin' data break off", where=label, hint="its writer did not end well")


class _Tail:
    """A stream that remembers the last bytes that were read, and takes some back."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._back = b""
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        data, self._back = self._back, b""
        while size < 0 or len(data) < size:
            # A slow pipe may bring less than it is asked for.
            piece = self._stream.read(size - len(data) if size >= 0 else -1)
            if not piece:
                break
            data += piece
        self.last = (self.last + data)[-len(END) :]
        return data

    def put_back(self, data: bytes) -> None:
        self._back = data
        self.last = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """The stream is its owner's to close."""


def _check_columns(schema: pa.Schema, columns: Sequence[Column], where: str) -> None:
    there = [(field.metadata or {}).get(_TYPE, b"?").decode("ascii", "replace") for field in schema]
    fits = len(there) == len(columns) and all(
        not column.wanted or column.type.name == kind for kind, column in zip(there, columns, strict=True)
    )
    if not fits:
        specs = " ".join(f"{kind}:{field.name}" for kind, field in zip(there, schema, strict=True))
        raise OptionError("the columns are not those of the 'bin' data", where=where, hint=f"they are {specs}")


def _batch(rows: pa.RecordBatch, columns: Sequence[Column]) -> Batch:
    series: list[pl.Series] = []
    for array, column in zip(rows.columns, columns, strict=True):
        if column.wanted:
            values = pl.Series(column.key, pl.from_arrow(array), dtype=PHYSICAL[column.type])
            series.append(_adjusted(values, column))
    return pl.DataFrame(series) if series else pl.DataFrame(height=rows.num_rows)


def _adjusted(values: pl.Series, column: Column) -> pl.Series:
    attributes = column.attributes
    if column.type is not ColumnType.S or not (attributes.trim or attributes.lower or attributes.upper):
        return values
    convert = converter(column)
    return pl.Series(column.key, [convert(value) for value in values.to_list()], dtype=pl.Binary)
