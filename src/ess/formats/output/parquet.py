"""Printing rows as a file of Apache Parquet, in pieces, as they come."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ess.errors import OptionError
from ess.formats.output.frames import user_frame
from ess.schema.batch import Batch
from ess.schema.types import ColumnType

#: A row group has at most so many rows, or about so many bytes in memory.
_ROWS, _BYTES = 1 << 20, 64 << 20
_TYPES = {
    ColumnType.S: pa.string(),
    ColumnType.IP: pa.string(),
    ColumnType.F: pa.float64(),
    ColumnType.L: pa.uint64(),
    ColumnType.LS: pa.int64(),
    ColumnType.I: pa.uint32(),
    ColumnType.IS: pa.int32(),
}


class _Pieces:
    """A file whose bytes are taken as they are written."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """The pieces stay."""

    def take(self) -> list[bytes]:
        pieces, self._pieces = self._pieces, []
        return pieces


class ParquetOutput:
    """Rows as Parquet, compressed with zstd. Strings are UTF-8: other bytes become U+FFFD.

    Args:
        columns: For each column its key in batches, its name and its type.
        where: The option, for errors.

    Raises:
        OptionError: If two columns have one name, or a name is not UTF-8.
    """

    def __init__(self, columns: Sequence[tuple[str, str, ColumnType]], *, where: str) -> None:
        names = [name for _, name, _ in columns]
        for name in names:
            if names.count(name) > 1 or not name.isprintable():
                raise OptionError(
                    f"the name '{name}' of a column of 'parquet' comes twice or cannot be printed",
                    where=where,
                    hint="choose names, e.g. -c ColName:NewName",
                )
        self._columns = list(columns)
        self._schema = pa.schema([pa.field(name, _TYPES[kind], nullable=False) for _, name, kind in columns])
        self._sink = _Pieces()
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._waiting: list[pa.Table] = []
        self._rows = self._bytes = 0

    def rows(self, batch: Batch) -> list[bytes]:
        """The bytes that are due with these rows: those of a row group, if one is full."""
        table = self._table(batch)
        self._waiting.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        return self._group() if self._rows >= _ROWS or self._bytes >= _BYTES else []

    def end(self) -> list[bytes]:
        """The last bytes, with the footer, without which nothing reads it."""
        pieces = self._group()
        self._writer.close()
        return [*pieces, *self._sink.take()]

    def _group(self) -> list[bytes]:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=_ROWS)
        self._waiting, self._rows, self._bytes = [], 0, 0
        return self._sink.take()

    def _table(self, batch: Batch) -> pa.Table:
        frame = user_frame(batch, self._columns)
        arrays = [_text(series).to_arrow().cast(field.type) for series, field in zip(frame, self._schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self._schema)


def _text(series: pl.Series) -> pl.Series:
    """Strings as UTF-8; numbers as they are."""
    if series.dtype != pl.Binary:
        return series
    return pl.Series(series.name, [value.decode("utf-8", "replace") for value in series.to_list()], dtype=pl.String)
