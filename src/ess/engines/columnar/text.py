"""ASCII case folding over columns of bytes.

Polars has case functions for UTF-8 text only, and theirs fold all of Unicode. A batch whose
column is plain ASCII goes through them; any other goes through Python's byte strings.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from ess.engines.columnar.distinct import map_distinct
from ess.engines.columnar.plan import Kernel


def as_text(column: pl.Series) -> pl.Series | None:
    """The column as UTF-8 text, or None if a value is not UTF-8."""
    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:
        return None


def as_ascii(column: pl.Series) -> pl.Series | None:
    """The column as text, or None unless every value is ASCII."""
    text = as_text(column)
    if text is None or not (text.str.len_bytes() == text.str.len_chars()).all():
        return None
    return text


def _folded(text_function: Callable[[pl.Series], pl.Series], byte_function: Callable[[bytes], bytes]) -> Kernel:
    def kernel(arguments: tuple[pl.Series, ...]) -> pl.Series:
        text = as_ascii(arguments[0])
        if text is None:
            return map_distinct(byte_function, arguments, pl.Binary)
        return text_function(text).cast(pl.Binary)

    return kernel


ascii_lower: Kernel = _folded(lambda text: text.str.to_lowercase(), bytes.lower)
ascii_upper: Kernel = _folded(lambda text: text.str.to_uppercase(), bytes.upper)
