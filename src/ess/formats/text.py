"""Columns of a batch as text: what each type looks like when it is printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ess.formats.print_format import PrintFormat
from ess.formats.values import address_text
from ess.schema.types import ColumnType

_JSON_UNSAFE = re.compile(rb'["\\\x00-\x1f]')
_JSON_SHORT = {b'"': b'\\"', b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t", b"\b": b"\\b", b"\f": b"\\f"}


def column_text(
    values: pl.Series, kind: ColumnType, print_format: PrintFormat | None = None, *, short_floats: bool = False
) -> pa.Array:
    """The printed form of a column, without quotes or escapes, as an Arrow ``binary`` array.

    Integers are printed in decimal; floats as C's ``%.17g`` (or ``%g``) does, so that reading gives the same
    number back; addresses as dotted or colon text; a ``print_format`` overrides what a number looks like.
    """
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


def json_string(text: bytes) -> bytes:
    r"""``text`` as a JSON string; bytes that are not UTF-8 stay as they are.

    >>> print(json_string(b'a"b').decode())
    "a\"b"
    """
    return b'"' + _JSON_UNSAFE.sub(_json_escape, text) + b'"'


def _json_escape(match: re.Match[bytes]) -> bytes:
    return _JSON_SHORT.get(match[0]) or b"\\u%04x" % match[0][0]


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
