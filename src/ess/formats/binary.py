"""The formats ``bin`` and ``aq``: Arrow IPC streams, for tools that hand rows to each other.

A stream begins with its columns (label and type), goes on with batches, and ends with an end mark; a stream
without it was broken off. Streams may follow each other in one file, as ``app`` leaves them. A ``bin`` input is told
its columns and only compares types; an ``aq`` input takes them from the beginning of its first stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl
import pyarrow as pa

from ess.errors import InputReadError, OptionError
from ess.formats.blocks import ByteSource
from ess.formats.values import converter
from ess.schema.batch import PHYSICAL, Batch
from ess.schema.columns import Column, valid_name
from ess.schema.types import ColumnType

#: The end of a stream.
END = b"\xff\xff\xff\xff\0\0\0\0"
_TYPE = b"ess.type"
_ROWS_A_MESSAGE = 65536
_CONTINUATION = END[:4]
#: A head of 2048 columns has some 400 KB.
_LONGEST_HEAD = 1 << 24
#: The errors of pyarrow for damaged data; labels that are not UTF-8 are found when they are read.
_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)
_WRITE_HINT = "write them with -o,aq"


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


@dataclass(frozen=True)
class StreamHead:
    """The bytes that a stream begins with, and the columns that they tell of."""

    data: bytes
    columns: tuple[Column, ...]


def read_head(stream: ByteSource, label: str) -> StreamHead:
    """Read the beginning of an ``aq`` input, not a byte more.

    Raises:
        InputReadError: If it is no such stream, or has columns without names.
    """
    source = _Tail(stream)
    start = source.read(8)
    size = int.from_bytes(start[4:], "little")
    if not start:
        raise InputReadError("the 'aq' input is empty, so it has no columns", where=label, hint=_WRITE_HINT)
    if start[:4] != _CONTINUATION or not 0 < size <= _LONGEST_HEAD:
        raise InputReadError("the data are not in the 'aq' format", where=label, hint=_WRITE_HINT)
    data = start + source.read(size)
    if len(data) < len(start) + size:
        raise InputReadError("the 'aq' data break off", where=label, hint="its writer did not end well")
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(data))
        kinds, labels = _kinds(schema), list(schema.names)
    except _DAMAGE as error:
        raise InputReadError(f"the 'aq' data are damaged ({error})", where=label, hint="write them again") from None
    names = {name.lower() for name in labels if valid_name(name)}
    if len(names) < len(labels) or not names or not set(kinds) <= set(ColumnType.__members__):
        raise InputReadError("the data have no column specs", where=label, hint=_WRITE_HINT)
    return StreamHead(data, tuple(Column(name, ColumnType[kind]) for name, kind in zip(labels, kinds, strict=True)))


class Replayed:
    """A stream with the bytes in front that were read from it already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        if not self._head:
            return self._stream.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return data

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


def read_streams(
    stream: ByteSource, columns: Sequence[Column], label: str, *, where: str, named: bool = False
) -> Iterator[Batch]:
    """The rows of the streams in ``stream``: the wanted columns, named by their keys.

    With ``named``, for ``aq``, names must fit too.

    Raises:
        InputReadError: If it is no such stream, is damaged or breaks off.
        OptionError: If the columns are not those of the stream.
    """
    format_ = "aq" if named else "bin"
    source = _Tail(stream)
    while True:
        mark = source.read(4)
        if not mark:
            return
        if mark != _CONTINUATION:
            raise InputReadError(
                f"the data are not in the '{format_}' format", where=label, hint=f"write them with -o,{format_}"
            )
        source.put_back(mark)
        try:
            with pa.ipc.open_stream(source) as reader:
                _check_columns(reader.schema, columns, where, named=named)
                for rows in reader:
                    rows.validate(full=True)
                    yield _batch(rows, columns)
        except _DAMAGE as error:
            raise InputReadError(
                f"the '{format_}' data are damaged ({error})", where=label, hint="write them again"
            ) from None
        if source.last != END:
            raise InputReadError(f"the '{format_}' data break off", where=label, hint="its writer did not end well")


class _Tail:
    """A stream that remembers the last bytes that were read, and takes some back."""

    closed = False

    def __init__(self, stream: ByteSource) -> None:
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


def _kinds(schema: pa.Schema) -> list[str]:
    return [(field.metadata or {}).get(_TYPE, b"?").decode("ascii", "replace") for field in schema]


def _check_columns(schema: pa.Schema, columns: Sequence[Column], where: str, *, named: bool) -> None:
    there = _kinds(schema)
    fits = len(there) == len(columns) and all(
        not column.wanted or column.type.name == kind for kind, column in zip(there, columns, strict=True)
    )
    specs = " ".join(f"{kind}:{field.name}" for kind, field in zip(there, schema, strict=True))
    if named and not (fits and [name.lower() for name in schema.names] == [column.key for column in columns]):
        raise OptionError("the columns are not those of the first 'aq' data", where=where, hint=f"they are {specs}")
    if not fits:
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
