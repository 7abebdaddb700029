"""Printing large batches of separated formats, column by column: the same bytes as `ess.formats.render`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ess.engines.batch import Batch
from ess.formats.print_format import PrintFormat
from ess.formats.render import Renderer
from ess.formats.values import address_text
from ess.schema.types import ColumnType

#: Rows are printed in slices of about this many bytes, because Arrow offsets have 32 bits.
_SLICE_BYTES = 64 << 20

_Parts = list[bytes | pa.Array]


def rendered(renderer: Renderer, batch: Batch) -> list[memoryview]:
    """The rows of ``batch``, in slices."""
    step = max(1, batch.height * _SLICE_BYTES // max(1, int(batch.estimated_size())))
    return [_rendered_slice(renderer, batch.slice(at, step)) for at in range(0, batch.height, step)]


def _rendered_slice(renderer: Renderer, batch: Batch) -> memoryview:
    parts: _Parts = []
    for index, (column, number_format) in enumerate(zip(renderer.columns, renderer.number_formats, strict=True)):
        if index:
            parts.append(renderer.attributes.separator)
        text = _text(batch[column.key], column.type, number_format, short_floats=renderer.attributes.short_floats)
        parts.extend(_string_parts(renderer, text) if column.type is ColumnType.S else [text])
    parts.append(b"\n")
    return _joined(parts)


def _text(values: pl.Series, kind: ColumnType, print_format: PrintFormat | None, *, short_floats: bool) -> pa.Array:
    """The printed form of a column, without quotes or escapes, as an Arrow ``binary`` array."""
    if kind is ColumnType.S:
        return _arrow(values).cast(pa.binary())
    if kind is ColumnType.IP:
        return _over_distinct(_arrow(values), lambda distinct: [address_text(one) for one in distinct])
    if print_format is not None:
        printer = print_format.printer()
        return _over_distinct(_bits(values), lambda distinct: [printer(one) for one in distinct], values.dtype)
    if kind is ColumnType.F:
        form = "%g\n" if short_floats else "%.17g\n"
        return _over_distinct(_bits(values), lambda distinct: _all_formatted(form, distinct), values.dtype)
    return _arrow(values).cast(pa.string()).cast(pa.binary())


def _string_parts(renderer: Renderer, text: pa.Array) -> _Parts:
    """A string column as constants and arrays, so that all columns are put together at once."""
    if renderer.attributes.escape:
        for special in (b"\\", renderer.attributes.separator, b'"'):
            text = _replaced(text, special, b"\\" + special)
    elif renderer.quoted:
        text = _replaced(text, b'"', b'""')
    if not renderer.quoted:
        return [text]
    if pc.min(pc.binary_length(text)).as_py() > 0:
        return [b'"', text, b'"']
    quoted = _join_arrays([b'"', text, b'"'])
    return [pc.if_else(pc.equal(pc.binary_length(text), 0), pa.scalar(b"", pa.binary()), quoted)]


def _all_formatted(form: str, numbers: Sequence[float]) -> list[bytes]:
    # One formatting of all numbers takes two thirds of the time of one each.
    return ((form * len(numbers)) % tuple(numbers)).encode("ascii").split(b"\n")[:-1]


def _arrow(values: pl.Series) -> pa.Array:
    array = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _bits(values: pl.Series) -> pa.Array:
    # Floats are told apart by their bits: 0.0 and -0.0 are equal but print differently.
    array = _arrow(values)
    return array.view(pa.int64()) if values.dtype == pl.Float64 else array


def _over_distinct(
    array: pa.Array, print_all: Callable[[list[Any]], list[bytes]], dtype: pl.DataType | None = None
) -> pa.Array:
    """Print every distinct value once: logs repeat themselves."""
    encoded = array.dictionary_encode()
    distinct = encoded.dictionary
    if dtype == pl.Float64:
        distinct = distinct.view(pa.float64())
    texts = pa.array(print_all(distinct.to_pylist()), pa.binary())
    return pc.take(texts, encoded.indices)


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


def _joined(parts: Sequence[bytes | pa.Array]) -> memoryview:
    """All rows one after the other: the content of the array of the rows."""
    merged: _Parts = []
    for part in parts:
        if isinstance(part, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    rows = _join_arrays(merged)
    _, offsets, content = rows.buffers()
    bounds = memoryview(offsets).cast("i")
    return memoryview(content)[bounds[rows.offset] : bounds[rows.offset + len(rows)]]
