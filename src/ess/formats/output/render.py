"""A batch as the bytes that an output gets: the definition, value by value.

`ess.formats.output.render_fast` prints large batches of separated formats; a test compares the two.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ess.errors import OptionError
from ess.formats.attributes import Format, OutputAttributes
from ess.formats.output.columns import OutputColumn, output_layout
from ess.formats.output.print_format import PrintFormat
from ess.formats.values import address_text
from ess.schema.batch import Batch
from ess.schema.columns import valid_name
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.formats.output.parquet import ParquetOutput

#: Up to this many rows in all Python is faster than loading what prints more of them ...
_FEW_ROWS = 4000
#: ... or, once that is loaded, up to this many rows of a batch.
_FEW_OF_A_BATCH = 700
_FAST = "ess.formats.output.render_fast"

_JSON_UNSAFE = re.compile(rb'["\\\x00-\x1f]')
_JSON_SHORT = {b'"': b'\\"', b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t", b"\b": b"\\b", b"\f": b"\\f"}


class Renderer:
    """Turns batches into bytes.

    Integers are printed in decimal; floats as C's ``%.17g`` (or ``%g``) does, so that reading gives the same
    number back; addresses as dotted or colon text; a print format overrides what a number looks like.
    In csv, strings and labels stand in quotes and a blank string is nothing at all.

    Raises:
        OptionError: If a print format is wrong or for a column that is no number, or if a ``fix`` column has no length.
    """

    def __init__(self, attributes: OutputAttributes, columns: Sequence[OutputColumn], *, where: str) -> None:
        self.layout = output_layout(attributes, columns, where=where)
        self.attributes = attributes
        self.columns = self.layout.columns
        self._names = _names(columns, where) if attributes.format is Format.AQ else [c.label for c in columns]
        self.quoted = self.layout.quoted
        self._printers = tuple(
            self._printer(column, number_format)
            for column, number_format in zip(self.columns, self.layout.number_formats, strict=True)
        )
        self._fast = attributes.format is Format.SEPARATED and all(column.length is None for column in columns)
        self._printed = 0  # how many rows so far
        self._parquet: ParquetOutput | None = None
        if attributes.format is Format.PARQUET:
            from ess.formats.output.parquet import ParquetOutput  # loads pyarrow

            self._parquet = ParquetOutput([(c.key, c.label, c.type) for c in self.columns], where=where)

    def title(self) -> bytes:
        """The line of labels, or what else an output begins with; no bytes where there is none."""
        if self.attributes.format.is_arrow:
            from ess.formats.binary import stream_head

            return stream_head([(name, c.type) for name, c in zip(self._names, self.columns, strict=True)])
        if self._parquet is not None:
            return b""
        if not self.attributes.title or self.attributes.format is Format.JSON or not self.columns:
            return b""
        labels = [_bytes_of(column.label) for column in self.columns]
        fields = [self._cut_string(label, column.length) for label, column in zip(labels, self.columns, strict=True)]
        return self._joint().join(fields) + b"\n"

    def rows(self, batch: Batch) -> Sequence[bytes | memoryview]:
        """The rows as pieces of bytes; the columns are found by their keys."""
        if not batch.height:
            return []
        if self._parquet is not None:
            return self._parquet.rows(batch)
        if self.attributes.format.is_arrow:
            from ess.formats.binary import stream_rows

            return stream_rows(batch, [column.key for column in self.columns])
        self._printed += batch.height
        if self._fast and batch.height > _FEW_OF_A_BATCH and (self._printed > _FEW_ROWS or _FAST in sys.modules):
            from ess.formats.output.render_fast import rendered

            return rendered(self.layout, batch)
        return [b"".join(self.records(batch))]

    def trailer(self) -> bytes:
        """The end of an output; mostly nothing."""
        if self.attributes.format.is_arrow:
            from ess.formats.binary import END

            return END
        return b"" if self._parquet is None else b"".join(self._parquet.end())

    def records(self, batch: Batch) -> list[bytes]:
        """The rows one by one, each with its line end.

        Raises:
            OptionError: If the format has no rows of their own.
        """
        if not self.attributes.format.is_text:
            raise OptionError(
                f"outputs in the '{self.attributes.format.value}' format cannot share a target",
                where="-o",
                hint="give each a file",
            )
        fields = [
            list(map(printer, batch[column.key].to_list()))
            for column, printer in zip(self.columns, self._printers, strict=True)
        ]
        joint = self._joint()
        if self.attributes.format is Format.JSON:
            return [b"{" + joint.join(row) + b"}\n" for row in zip(*fields, strict=True)]
        return [joint.join(row) + b"\n" for row in zip(*fields, strict=True)]

    def _joint(self) -> bytes:
        if self.attributes.format is Format.FIXED:
            return b""
        return b"," if self.attributes.format is Format.JSON else self.attributes.separator

    def _printer(self, column: OutputColumn, number_format: PrintFormat | None) -> Callable[[Any], bytes]:
        """The function that prints one value of a column as its whole field."""
        bare = self._bare_printer(column.type, number_format)
        length = column.length
        if self.attributes.format is Format.JSON:
            return _json_printer(column, bare, is_number=column.type.is_numeric and number_format is None)
        if column.type is ColumnType.S:
            if length is None and not self.attributes.escape:
                return _quoted if self.quoted else bytes
            return lambda value: self._cut_string(value, length)
        if length is None:
            return bare
        return lambda value: _fitted(bare(value), length)

    def _bare_printer(self, kind: ColumnType, number_format: PrintFormat | None) -> Callable[[Any], bytes]:
        if kind is ColumnType.S:
            return bytes
        if kind is ColumnType.IP:
            return address_text
        if number_format is not None:
            return number_format.printer()
        if kind is ColumnType.F:
            form = b"%g" if self.attributes.short_floats else b"%.17g"
            return form.__mod__
        return b"%d".__mod__

    def _cut_string(self, value: bytes, length: int | None) -> bytes:
        """A label or a string value, with quotes or escapes, cut or padded to its length."""
        if self.attributes.format is Format.FIXED:
            return _fitted(value, length or 0)
        escape = self.attributes.escape
        if escape:
            for special in (b"\\", self.attributes.separator, b'"'):
                value = value.replace(special, b"\\" + special)
        elif self.quoted:
            value = value.replace(b'"', b'""')
        if length is not None:
            room = max(0, abs(length) - 2) if self.quoted else abs(length)
            if len(value) > room:
                cut = _first if length > 0 else _last
                value = cut(value, room, b"\\" if escape else b'"' if self.quoted else b"")
        field = b'"' + value + b'"' if self.quoted and value else value
        return field if length is None else _fitted(field, length)


def json_string(text: bytes) -> bytes:
    r"""``text`` as a JSON string; bytes that are not UTF-8 become U+FFFD, since JSON is UTF-8.

    >>> print(json_string(b'a"b\xff').decode())
    "a\"b�"
    """
    if not text.isascii():
        text = text.decode("utf-8", "replace").encode()
    return b'"' + _JSON_UNSAFE.sub(_json_escape, text) + b'"'


def _json_escape(match: re.Match[bytes]) -> bytes:
    return _JSON_SHORT.get(match[0]) or b"\\u%04x" % match[0][0]


def _json_printer(column: OutputColumn, bare: Callable[[Any], bytes], *, is_number: bool) -> Callable[[Any], bytes]:
    name = json_string(_bytes_of(column.label)) + b":"
    if not is_number:
        return lambda value: name + json_string(bare(value))
    # JSON has no infinity and no NaN.
    return lambda value: name + (b"null" if value != value or value in _INFINITE else bare(value))


_INFINITE = (float("inf"), float("-inf"))


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b'"', b'""') + b'"' if value else b""


def _first(value: bytes, room: int, mark: bytes) -> bytes:
    """The first bytes of a value in which ``mark`` makes pairs, but no half of a pair."""
    value = value[:room]
    return value[:-1] if mark and (len(value) - len(value.rstrip(mark))) % 2 else value


def _last(value: bytes, room: int, mark: bytes) -> bytes:
    before, value = value[: len(value) - room], value[len(value) - room :]
    return value[1:] if mark and (len(before) - len(before.rstrip(mark))) % 2 else value


def _fitted(value: bytes, length: int) -> bytes:
    """The first bytes of a value, or with a negative length the last ones; blanks make up for what it lacks."""
    if length < 0:
        return value[length:].rjust(-length)
    return value[:length].ljust(length)


def _bytes_of(label: str) -> bytes:
    return label.encode("utf-8", "surrogateescape")


def _names(columns: Sequence[OutputColumn], where: str) -> list[str]:
    """The labels as names of columns, ``Vec.Col`` as ``Vec_Col``.

    Raises:
        OptionError: If one is no name, or a name comes twice: the reader of the output could not use it.
    """
    names = [column.label.replace(".", "_") for column in columns]
    seen: set[str] = set()
    for name in names:
        if not valid_name(name) or name.lower() in seen:
            what = "comes twice" if name.lower() in seen else "is no column name"
            hint = "choose names, e.g. -c ColName:NewName"
            raise OptionError(f"the label '{name}' of an 'aq' output {what}", where=where, hint=hint)
        seen.add(name.lower())
    return names
