"""Lines put together from pieces: constants, texts of their own for each row, and texts chosen from a table.

Joining costs some nanoseconds for each row and piece, so constants go into the entries of the tables beside them,
and small neighbouring tables become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

#: A table with more entries than one in so many rows is not worth a change.
_ROWS_AN_ENTRY = 2
#: Two tables become one if it has at most one entry in so many rows.
_ROWS_A_PAIR = 8


@dataclass(frozen=True)
class Lookup:
    """For each row a text from a table.

    Args:
        texts: The table, an Arrow ``binary`` array.
        indices: For each row, which entry it has.
        before: The constant before each text.
        after: The constant after it.
    """

    texts: pa.Array
    indices: NDArray[Any]
    before: bytes = b""
    after: bytes = b""

    def framed(self) -> pa.Array:
        """The table with the constants around its texts."""
        if not (self.before or self.after):
            return self.texts
        return _join(
            [piece for piece in (self.before, self.texts, self.after) if not isinstance(piece, bytes) or piece]
        )

    def taken(self) -> pa.Array:
        """The rows' texts."""
        return pc.take(self.framed(), pa.array(self.indices), boundscheck=False)


Piece: TypeAlias = bytes | pa.Array | Lookup


def joined(pieces: Sequence[Piece]) -> list[bytes | memoryview]:
    """All rows one after the other, as some consecutive parts.

    Args:
        pieces: What a row is made of; arrays are Arrow ``binary`` and as long as there are rows. One is no constant.
    """
    first = pieces[0]
    if isinstance(first, bytes):
        # The first piece of a row may as well end the row before: it is joined with that row's last piece.
        content = _content([*pieces[1:], first])
        return [first, content[: len(content) - len(first)]]
    return [_content(pieces)]


def _content(pieces: Sequence[Piece]) -> memoryview:
    parts = [piece.taken() if isinstance(piece, Lookup) else piece for piece in _fewer(pieces)]
    rows: pa.Array = parts[0] if len(parts) == 1 else _join(parts)
    _, offsets, content = rows.buffers()
    bounds = memoryview(offsets).cast("i")
    return memoryview(content)[bounds[rows.offset] : bounds[rows.offset + len(rows)]]


def _fewer(pieces: Sequence[Piece]) -> list[Piece]:
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if isinstance(last, bytes) and isinstance(piece, bytes):
            merged[-1] = last + piece
        elif isinstance(last, bytes) and isinstance(piece, Lookup) and _is_small(piece):
            merged[-1] = replace(piece, before=last + piece.before)
            _pair(merged)
        elif isinstance(last, Lookup) and isinstance(piece, bytes) and _is_small(last):
            merged[-1] = replace(last, after=last.after + piece)
        else:
            merged.append(piece)
            _pair(merged)
    return merged


def _is_small(piece: Lookup) -> bool:
    return len(piece.texts) * _ROWS_AN_ENTRY <= len(piece.indices)


def _pair(merged: list[Piece]) -> None:
    """Make one table of the last two, if they are small."""
    if len(merged) < 2:
        return
    left, right = merged[-2], merged[-1]
    if not (isinstance(left, Lookup) and isinstance(right, Lookup)):
        return
    entries = len(left.texts) * len(right.texts)
    if entries * _ROWS_A_PAIR > len(left.indices):
        return
    every = np.arange(entries)
    texts = _join(
        [
            pc.take(left.framed(), pa.array(every // len(right.texts))),
            pc.take(right.framed(), pa.array(every % len(right.texts))),
        ]
    )
    indices = left.indices.astype(np.int64) * len(right.texts) + right.indices.astype(np.int64)
    merged[-2:] = [Lookup(texts, indices)]


def _join(parts: Sequence[bytes | pa.Array]) -> pa.Array:
    blank = pa.scalar(b"", pa.binary())
    return pc.binary_join_element_wise(
        *(pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in parts), blank
    )
