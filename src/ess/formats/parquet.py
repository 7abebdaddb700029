"""Reading ``parquet`` inputs: files of Apache Parquet, whose footer names the columns and their types.

A column is found by its name, or by a path of names with dots between them in nested ones. Only the columns that are
used are read, and those whose values may not fit the type that was given. A value becomes what the column's type takes
of its text, so that the same table as CSV gives the same rows: null is blank, a time ``2026-03-12 10:15:32``, and
lists, maps and nested values compact JSON.
"""

from __future__ import annotations

import functools
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ess.errors import InputReadError
from ess.formats.blocks import ByteSource
from ess.formats.titles import CATEGORY, lacking
from ess.formats.values import STRING_LIMIT, BadValueError, Value, converter
from ess.schema.batch import PHYSICAL, Batch, make_batch
from ess.schema.columns import Column
from ess.schema.types import INTEGER_RANGES, ColumnType

_ROWS = 1 << 16
_PIECE = 1 << 20
_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)
_SIGNED = {8: ColumnType.IS, 16: ColumnType.IS, 32: ColumnType.IS, 64: ColumnType.LS}
_UNSIGNED = {8: ColumnType.I, 16: ColumnType.I, 32: ColumnType.I, 64: ColumnType.L}
#: The types whose values a double holds without loss.
_IN_A_FLOAT = {ColumnType.F, ColumnType.I, ColumnType.IS}
_ZEROS = re.compile(rb"\.([0-9]*?)0+(?=[Z+-]|\Z)")


@dataclass(frozen=True)
class Rows:
    """Some consecutive records: the good ones, how many there were, and the bad ones by number, column and reason."""

    frame: Batch
    read: int
    bad: Sequence[tuple[int, Column, str]]


def seekable(stream: ByteSource) -> BinaryIO:
    """The stream as a file in which one can jump about: itself if it is one, else a temporary copy."""
    if getattr(stream, "seekable", lambda: False)():
        return cast(BinaryIO, stream)
    copy: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - its reader closes it
    while piece := stream.read(_PIECE):
        copy.write(piece)
    copy.seek(0)
    return cast(BinaryIO, copy)


class ParquetInput:
    """An open file.

    Args:
        file: The file; it is its owner's to close.
        label: Its name, for messages.

    Raises:
        InputReadError: If it is no Parquet, or damaged.
    """

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._label = label
        try:
            self._file = pq.ParquetFile(file)
            self._schema = self._file.schema_arrow
            self._paths = list(_leaves(self._schema))
        except _DAMAGE as error:
            raise self._damaged(error) from None

    @property
    def types(self) -> dict[str, ColumnType]:
        """The paths of all columns, with the types of the file."""
        return {".".join(path): _column_type(kind) for path, kind in self._paths}

    def rows(self, columns: Sequence[Column]) -> Iterator[Rows]:
        """The records, with the values of the columns that are used.

        Raises:
            InputReadError: If the file is damaged.
        """
        wanted = [(column, self._path(column)) for column in columns if column.wanted]
        needed = [(column, path) for column, path in wanted if path and (column.used or self._can_fail(column, path))]
        names = list(dict.fromkeys(path[0] for _, path in needed))
        used = [(column.key, column.type) for column, _ in wanted if column.used]
        try:
            for batch in self._file.iter_batches(_ROWS, columns=names):
                yield self._rows_of(batch, needed, used)
        except _DAMAGE as error:
            raise self._damaged(error) from None

    def missing(self, columns: Sequence[Column]) -> tuple[str, ...]:
        """A sentence about columns that the file has not, if there are any."""
        asked = [column for column in columns if column.wanted and column.used]
        missing = [column.path or column.name for column in asked if self._path(column) is None]
        return (lacking(missing, [".".join(path) for path, _ in self._paths], "columns"),) if missing else ()

    def _rows_of(
        self,
        batch: pa.RecordBatch,
        needed: Sequence[tuple[Column, tuple[str, ...]]],
        used: Sequence[tuple[str, ColumnType]],
    ) -> Rows:
        height = batch.num_rows
        bad: dict[int, tuple[Column, str]] = {}
        series: dict[str, pl.Series] = {}
        for column, path in needed:
            array = batch.column(path[0])
            for name in path[1:]:
                array = pc.struct_field(array, name)
            series[column.key] = _converted(array, column, bad)
        blank = {ColumnType.S: b"", ColumnType.IP: b"", ColumnType.F: 0.0}
        made = [
            series.get(key, pl.Series(key, [blank.get(kind, 0)], PHYSICAL[kind]).new_from_index(0, height))
            for key, kind in used
        ]
        frame = pl.DataFrame(made) if made else pl.DataFrame(height=height)
        if bad:
            good = np.ones(height, dtype=bool)
            good[list(bad)] = False
            frame = frame.filter(pl.Series(good)) if made else pl.DataFrame(height=height - len(bad))
        return Rows(frame, height, [(row, *bad[row]) for row in sorted(bad)])

    def nothing(self, columns: Sequence[Column]) -> Batch:
        """The rows of no records."""
        return make_batch([(column.key, column.type, ()) for column in columns if column.wanted and column.used], 0)

    def _path(self, column: Column) -> tuple[str, ...] | None:
        """The path of a column in the file: as it is spelled, or else in any case, or by the name that it makes."""
        wanted = column.path or column.name
        return _found(tuple(path for path, _ in self._paths), wanted) or _nested(self._schema, wanted)

    def _can_fail(self, column: Column, path: tuple[str, ...]) -> bool:
        """True if the file's type has values that the column's type does not take."""
        kind = next((kind for found, kind in self._paths if found == path), None)
        return column.type is not ColumnType.S and (kind is None or column.type is not _column_type(kind))

    def _damaged(self, error: Exception) -> InputReadError:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return InputReadError(f"it is no Parquet, or damaged ({text})", where=self._label, hint="get the file again")


def columns_of(types: Sequence[Mapping[str, ColumnType]]) -> tuple[Column, ...]:
    """The columns of some files together, each with a type that takes what all of them have.

    >>> I, L, S = ColumnType.I, ColumnType.L, ColumnType.S
    >>> [(column.name, column.type.name) for column in columns_of([{"a b": I, "c": I}, {"a b": L, "c": S, "d": S}])]
    [('a_b', 'L'), ('c', 'S'), ('d', 'S')]
    """
    found: dict[str, ColumnType] = {}
    for each in types:
        for path, kind in each.items():
            found[path] = _common(found.get(path, kind), kind)
    names = CATEGORY.names([path.encode().decode("latin-1") for path in found])
    return tuple(Column(name, kind, path=path) for name, (path, kind) in zip(names, found.items(), strict=True))


def _common(one: ColumnType, other: ColumnType) -> ColumnType:
    """The type that takes the values of both; text if no number does without loss."""
    if one is other:
        return one
    if one in INTEGER_RANGES and other in INTEGER_RANGES:
        least, most = (pick(INTEGER_RANGES[one][end], INTEGER_RANGES[other][end]) for end, pick in ((0, min), (1, max)))
        for kind in (ColumnType.L, ColumnType.LS):
            if INTEGER_RANGES[kind][0] <= least and most <= INTEGER_RANGES[kind][1]:
                return kind
    return ColumnType.F if {one, other} <= _IN_A_FLOAT else ColumnType.S


def _leaves(fields: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], pa.DataType]]:
    """The columns of a schema or structure, those of a structure one by one."""
    for field in fields:
        path = (*before, field.name)
        if pa.types.is_struct(field.type) and field.type.num_fields:
            yield from _leaves([field.type.field(number) for number in range(field.type.num_fields)], path)
        else:
            yield path, field.type


@functools.lru_cache(maxsize=256)
def _found(paths: tuple[tuple[str, ...], ...], wanted: str) -> tuple[str, ...] | None:
    spelled = {".".join(path): path for path in paths}
    if wanted in spelled:
        return spelled[wanted]
    folded = {name.lower(): path for name, path in reversed(spelled.items())}
    names = CATEGORY.names([name.encode().decode("latin-1") for name in spelled])
    return folded.get(wanted.lower()) or next(
        (path for name, path in zip(names, paths, strict=True) if name.lower() == wanted.lower()), None
    )


def _nested(schema: pa.Schema, wanted: str) -> tuple[str, ...] | None:
    """The path of a whole structure."""
    path: list[str] = []
    fields: Any = schema
    for step in wanted.split("."):
        field = next((field for field in fields if field.name.lower() == step.lower()), None)
        if field is None:
            return None
        path.append(field.name)
        kind = field.type
        fields = [kind.field(number) for number in range(kind.num_fields)] if pa.types.is_struct(kind) else ()
    return tuple(path)


def _column_type(kind: pa.DataType) -> ColumnType:
    """The type of a column of ours that takes all values of a type."""
    if pa.types.is_signed_integer(kind):
        return _SIGNED[kind.bit_width]
    if pa.types.is_unsigned_integer(kind):
        return _UNSIGNED[kind.bit_width]
    return ColumnType.F if pa.types.is_floating(kind) else ColumnType.S


def _converted(array: pa.Array, column: Column, bad: dict[int, tuple[Column, str]]) -> pl.Series:
    """The values of a column; rows in which one does not fit are noted, unless an earlier column did not."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    fast = _fitting(array, column)
    if fast is not None:
        return pl.Series(column.key, fast, dtype=PHYSICAL[column.type])
    convert = converter(column)
    nothing = convert(b"")
    values: list[Value] = []
    for row, text in enumerate(_texts(array)):
        try:
            values.append(convert(text))
        except BadValueError as error:
            values.append(nothing)
            bad.setdefault(row, (column, str(error)))
    return pl.Series(column.key, values, dtype=PHYSICAL[column.type])


def _fitting(array: pa.Array, column: Column) -> pl.Series | None:
    """The values as a whole, where each is certain to fit as it is."""
    kind, own = array.type, column.attributes
    if column.type is ColumnType.S:
        if own.trim or own.lower or own.upper or not _is_text(kind):
            return None
        data = array.cast(pa.large_binary())
        longest = pc.max(pc.binary_length(data)).as_py() or 0
        return None if longest > STRING_LIMIT else _from_arrow(data.fill_null(b""))
    if pa.types.is_boolean(kind) and column.type is not ColumnType.IP:
        array, kind = array.cast(pa.uint8()), pa.uint8()
    if column.type is ColumnType.F and (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        if pa.types.is_float16(kind):
            array = array.cast(pa.float32())
        return _from_arrow(array.cast(pa.float64(), safe=False).fill_null(0.0))
    if column.type in INTEGER_RANGES and pa.types.is_integer(kind):
        least, most = (value.as_py() for value in pc.min_max(array).values())
        lowest, highest = INTEGER_RANGES[column.type]
        if least is None or (least >= lowest and most <= highest):
            return _from_arrow(array.fill_null(0)).cast(PHYSICAL[column.type])
    return None


def _from_arrow(array: pa.Array) -> pl.Series:
    return cast(pl.Series, pl.from_arrow(array))


def _is_text(kind: pa.DataType) -> bool:
    return any(
        check(kind)
        for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def _texts(array: pa.Array) -> list[bytes]:
    """The values as text, null as nothing."""
    kind = array.type
    if _is_text(kind):
        return [value or b"" for value in array.cast(pa.large_binary()).to_pylist()]
    if pa.types.is_floating(kind):
        return [b"" if value is None else b"%.17g" % value for value in array.to_pylist()]
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_date(kind):
        return [value or b"" for value in array.cast(pa.string()).cast(pa.binary()).to_pylist()]
    if pa.types.is_temporal(kind):
        return [_time(value or b"") for value in array.cast(pa.string()).cast(pa.binary()).to_pylist()]
    return [b"" if value is None else _json(value) for value in array.to_pylist()]


def _time(text: bytes) -> bytes:
    """A time without zeros at the end of its fraction.

    >>> _time(b"2026-03-12 10:15:32.500000Z"), _time(b"10:15:32.000")
    (b'2026-03-12 10:15:32.5Z', b'10:15:32')
    """
    return _ZEROS.sub(lambda match: b"." + match[1] if match[1] else b"", text)


def _json(value: object) -> bytes:
    def text(other: object) -> str:
        return other.decode("utf-8", "replace") if isinstance(other, bytes) else str(other)

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=text).encode("utf-8", "replace")
