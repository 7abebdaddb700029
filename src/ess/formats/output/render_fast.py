"""Printing large batches of separated formats, column by column: the same bytes as `ess.formats.output.render`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ess.formats.output.columns import OutputLayout
from ess.formats.output.line_pieces import Lookup, Piece, joined
from ess.formats.output.print_format import PrintFormat
from ess.formats.values import address_text
from ess.schema.batch import Batch
from ess.schema.types import ColumnType

#: Rows are printed in slices of about this many bytes, because Arrow offsets have 32 bits.
_SLICE_BYTES = 64 << 20

#: Integers are printed once each if they lie so close together that at least this share of them comes up.
_DENSE = 4 / 3

_QUOTE_OR_NOT = pa.array([b"", b'"'], pa.binary())


def rendered(layout: OutputLayout, batch: Batch) -> list[bytes | memoryview]:
    """The rows of ``batch``, in some consecutive parts."""
    step = max(1, batch.height * _SLICE_BYTES // max(1, int(batch.estimated_size())))
    return [part for at in range(0, batch.height, step) for part in _rendered_slice(layout, batch.slice(at, step))]


def _rendered_slice(layout: OutputLayout, batch: Batch) -> list[bytes | memoryview]:
    pieces: list[Piece] = []
    for index, (column, number_format) in enumerate(zip(layout.columns, layout.number_formats, strict=True)):
        if index:
            pieces.append(layout.attributes.separator)
        values = batch[column.key]
        if column.type is ColumnType.S:
            pieces.extend(_string_pieces(layout, _arrow(values).cast(pa.binary())))
        else:
            pieces.append(_text(values, column.type, number_format, short_floats=layout.attributes.short_floats))
    pieces.append(b"\n")
    return joined(pieces)


def _text(
    values: pl.Series, kind: ColumnType, print_format: PrintFormat | None, *, short_floats: bool
) -> pa.Array | Lookup:
    """The printed form of a column of numbers or addresses."""
    if kind is ColumnType.IP:
        return _over_distinct(_arrow(values), lambda distinct: [address_text(one) for one in distinct])
    if print_format is not None:
        printer = print_format.printer()
        return _over_distinct(_bits(values), lambda distinct: [printer(one) for one in distinct], values.dtype)
    if kind is ColumnType.F:
        form = "%g\n" if short_floats else "%.17g\n"
        return _over_distinct(_bits(values), lambda distinct: _all_formatted(form, distinct), values.dtype)
    return _integers(values)


def _integers(values: pl.Series) -> pa.Array | Lookup:
    if values.dtype == pl.Int128:
        return pa.array([b"%d" % value for value in values.to_list()], type=pa.binary())
    numbers = values.to_numpy()
    lowest, highest = numbers.min(), numbers.max()
    count = int(highest) - int(lowest) + 1
    if count > len(numbers) / _DENSE:
        return pa.array(numbers).cast(pa.string()).cast(pa.binary())
    every = lowest + np.arange(count, dtype=numbers.dtype)
    return Lookup(pa.array(every).cast(pa.string()).cast(pa.binary()), numbers - lowest)


def _string_pieces(layout: OutputLayout, text: pa.Array) -> list[Piece]:
    if layout.attributes.escape:
        for special in (b"\\", layout.attributes.separator, b'"'):
            text = _replaced(text, special, b"\\" + special)
    elif layout.quoted:
        text = _replaced(text, b'"', b'""')
    if not layout.quoted:
        return [text]
    lengths = pc.binary_length(text)
    if pc.min(lengths).as_py() > 0:
        return [b'"', text, b'"']
    quote = Lookup(_QUOTE_OR_NOT, (lengths.to_numpy() > 0).view(np.uint8))
    return [quote, text, quote]


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
) -> Lookup:
    """Print every distinct value once: logs repeat themselves."""
    encoded = array.dictionary_encode()
    distinct = encoded.dictionary
    if dtype == pl.Float64:
        distinct = distinct.view(pa.float64())
    return Lookup(pa.array(print_all(distinct.to_pylist()), pa.binary()), encoded.indices.to_numpy())


def _replaced(text: pa.Array, pattern: bytes, replacement: bytes) -> pa.Array:
    # The look for the pattern in all bytes at once is far cheaper than a replacement that finds nothing.
    content = text.buffers()[2]
    if content is None or pattern not in memoryview(content).tobytes():
        return text
    return pc.replace_substring(text, pattern=pattern, replacement=replacement)
