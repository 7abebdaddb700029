"""A batch as the bytes that an output gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ess.engines.batch import Batch
from ess.errors import OptionError
from ess.formats.attributes import Format, OutputAttributes
from ess.formats.print_format import PrintFormat, parse_print_format
from ess.formats.text import column_text, json_string
from ess.schema.types import ColumnType

#: Rows are printed in slices of about this many bytes, because Arrow offsets have 32 bits.
_SLICE_BYTES = 64 << 20


@dataclass(frozen=True)
class OutputColumn:
    """A column to print.

    Args:
        key: Its name in the batch.
        label: Its name in the title line.
        type: Its type.
        print_format: ``+NumPrintFormat`` without the plus sign, for numbers.
        length: ``n=Len``: the most bytes a field is printed with (quotes counted). ``fix`` pads to
            it with blanks on the right, or on the left if it is negative.
    """

    key: str
    label: str
    type: ColumnType
    print_format: str | None = None
    length: int | None = None


class Renderer:
    """Turns batches into bytes.

    Raises:
        OptionError: If a print format is wrong or for a column that is no number, or if a ``fix`` column has no length.
    """

    def __init__(self, attributes: OutputAttributes, columns: Sequence[OutputColumn], *, where: str) -> None:
        self._attributes = attributes
        self._columns = tuple(columns)
        self._formats = tuple(_checked_format(column, attributes, where) for column in columns)
        #: Whether strings and labels stand in quotes.
        self._quoted = attributes.format is Format.SEPARATED and attributes.quoted

    def title(self) -> bytes:
        """The line of labels; no bytes where there is none."""
        if not self._attributes.title or self._attributes.format is Format.JSON or not self._columns:
            return b""
        labels = [column.label.encode("utf-8", "surrogateescape") for column in self._columns]
        fields = [self._string_field(label, column) for label, column in zip(labels, self._columns, strict=True)]
        return self._joint().join(fields) + b"\n"

    def rows(self, batch: Batch) -> list[bytes | memoryview]:
        """The rows as pieces of bytes; the columns are found by their keys."""
        if not batch.height:
            return []
        step = max(1, batch.height * _SLICE_BYTES // max(1, int(batch.estimated_size())))
        render: Callable[[Batch], bytes | memoryview]
        if self._attributes.format is Format.JSON:
            render = self._json_rows
        elif self._attributes.format is Format.FIXED:
            render = self._fixed_rows
        else:
            render = self._separated_rows
        return [render(batch.slice(at, step)) for at in range(0, batch.height, step)]

    def _joint(self) -> bytes:
        return self._attributes.separator if self._attributes.format is Format.SEPARATED else b""

    def _separated_rows(self, batch: Batch) -> bytes | memoryview:
        parts: list[bytes | pa.Array] = []
        for index, (column, number_format) in enumerate(zip(self._columns, self._formats, strict=True)):
            if index:
                parts.append(self._attributes.separator)
            text = column_text(
                batch[column.key], column.type, number_format, short_floats=self._attributes.short_floats
            )
            parts.extend(self._field_parts(text, column))
        parts.append(b"\n")
        return _joined(parts)

    def _field_parts(self, text: pa.Array, column: OutputColumn) -> list[bytes | pa.Array]:
        """A field as constants and arrays, so that all fields are put together at once."""
        if column.length is not None:
            cut = [self._cut_field(value, column) for value in text.to_pylist()]
            return [pa.array(cut, pa.binary())]
        if column.type is not ColumnType.S:
            return [text]
        text = self._escaped(text)
        if not self._quoted:
            return [text]
        if pc.min(pc.binary_length(text)).as_py() > 0:
            return [b'"', text, b'"']
        quoted = _join_arrays([b'"', text, b'"'])
        return [pc.if_else(pc.equal(pc.binary_length(text), 0), pa.scalar(b"", pa.binary()), quoted)]

    def _escaped(self, text: pa.Array) -> pa.Array:
        if self._attributes.escape:
            for special in (b"\\", self._attributes.separator, b'"'):
                text = _replaced(text, special, b"\\" + special)
        elif self._quoted:
            text = _replaced(text, b'"', b'""')
        return text

    def _string_field(self, value: bytes, column: OutputColumn) -> bytes:
        """One string as it is printed: a label, or a value of a column with ``n=Len``."""
        if self._attributes.format is Format.FIXED:
            return _padded(value, column.length or 0)
        if self._attributes.escape:
            for special in (b"\\", self._attributes.separator, b'"'):
                value = value.replace(special, b"\\" + special)
        elif self._quoted:
            value = value.replace(b'"', b'""')
        if column.length is not None:
            room = max(0, abs(column.length) - 2) if self._quoted else abs(column.length)
            # A cut must not leave half of a pair behind.
            mark = b"\\" if self._attributes.escape else b'"'
            if len(value) > room:
                value = value[:room]
                paired = self._quoted or self._attributes.escape
                if paired and (len(value) - len(value.rstrip(mark))) % 2:
                    value = value[:-1]
        return b'"' + value + b'"' if self._quoted and value else value

    def _cut_field(self, value: bytes, column: OutputColumn) -> bytes:
        if column.type is ColumnType.S:
            return self._string_field(value, column)
        return value[: abs(column.length or 0)]

    def _fixed_rows(self, batch: Batch) -> bytes:
        padded: list[list[bytes]] = []
        for column, number_format in zip(self._columns, self._formats, strict=True):
            text = column_text(
                batch[column.key], column.type, number_format, short_floats=self._attributes.short_floats
            )
            padded.append([_padded(value, column.length or 0) for value in text.to_pylist()])
        return b"".join(b"".join(row) + b"\n" for row in zip(*padded, strict=True))

    def _json_rows(self, batch: Batch) -> bytes:
        fields: list[list[bytes]] = []
        for column, number_format in zip(self._columns, self._formats, strict=True):
            name = json_string(column.label.encode("utf-8", "surrogateescape")) + b":"
            values = column_text(batch[column.key], column.type, number_format).to_pylist()
            if column.type is ColumnType.F and number_format is None:
                fields.append([name + (b"null" if b"n" in value else value) for value in values])
            elif column.type.is_numeric and number_format is None:
                fields.append([name + value for value in values])
            else:
                fields.append([name + json_string(value) for value in values])
        return b"".join(b"{" + b",".join(row) + b"}\n" for row in zip(*fields, strict=True))


def _checked_format(column: OutputColumn, attributes: OutputAttributes, where: str) -> PrintFormat | None:
    if attributes.format is Format.FIXED and not column.length:
        raise OptionError(
            f"column '{column.label}' of a 'fix' output has no length", where=where, hint=f"e.g. -c {column.key},n=10"
        )
    if column.print_format is None:
        return None
    if not column.type.is_numeric:
        raise OptionError(
            f"column '{column.label}' is no number, so it has no print format", where=where, hint="leave the + out"
        )
    return parse_print_format(column.print_format, where=where)


def _padded(value: bytes, length: int) -> bytes:
    if length < 0:
        return value[:-length].rjust(-length)
    return value[:length].ljust(length)


def _replaced(text: pa.Array, pattern: bytes, replacement: bytes) -> pa.Array:
    # The look for the pattern in all bytes at once is far cheaper than a replacement that finds nothing.
    content = text.buffers()[2]
    if content is None or pattern not in memoryview(content).tobytes():
        return text
    return pc.replace_substring(text, pattern=pattern, replacement=replacement)


def _join_arrays(parts: Sequence[bytes | pa.Array]) -> pa.Array:
    blank = pa.scalar(b"", pa.binary())
    return pc.binary_join_element_wise(
        *(pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in parts), blank
    )


def _joined(parts: Sequence[bytes | pa.Array]) -> bytes | memoryview:
    """All rows one after the other: the content of the array of the rows."""
    merged: list[bytes | pa.Array] = []
    for part in parts:
        if isinstance(part, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    rows = _join_arrays(merged)
    _, offsets, content = rows.buffers()
    bounds = memoryview(offsets).cast("i")
    return memoryview(content)[bounds[rows.offset] : bounds[rows.offset + len(rows)]]
