"""The texts of a column where they stand in their block, so that all of them can be looked at at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from ess.formats.field_views import INLINE, FieldViews
from ess.formats.fields import BACK, FRONT, Flags, Positions

_WORD = 8
_LENGTHS = np.uint64(0xFFFFFFFF)
_OFFSETS = np.uint64(32)
_TEXT_VIEWS = (pa.binary_view(), pa.string_view())


@dataclass(frozen=True)
class TextPlaces:
    """Texts and where they stand.

    Args:
        texts: The texts themselves.
        content: As `ess.formats.fields.Fields.content`.
        starts: Where they begin behind the front; 0 for those that stand elsewhere.
        lengths: How long they are.
        placed: Those that stand there: the others have at most ``INLINE`` bytes.
    """

    texts: pl.Series
    content: pa.Buffer
    starts: Positions
    lengths: Positions
    placed: Flags

    def words(self, places: Positions) -> NDArray[np.uint64]:
        """The eight bytes from some places on, the first one is the lowest."""
        count = self.content.size - FRONT - _WORD + 1
        words: NDArray[np.void] = np.ndarray((count,), dtype="V8", buffer=self.content, offset=FRONT, strides=(1,))
        return words[places].view(np.uint64)

    def bytes_at(self, places: Positions) -> NDArray[np.uint8]:
        """The bytes at some places."""
        return np.frombuffer(self.content, dtype=np.uint8)[FRONT:][places]

    def piece(self, start: int, length: int) -> bytes:
        """Some bytes."""
        piece: bytes = self.content.slice(FRONT + start, length).to_pybytes()
        return piece

    def some(self, rows: Positions) -> list[bytes]:
        """The texts of some rows."""
        return self.texts.gather(pl.Series(rows)).to_list()

    def cut(self, starts: Positions, lengths: Positions) -> pl.Series:
        """The pieces at other places of the same bytes."""
        views = FieldViews(self.content)
        return views.series(views.views(starts, lengths))


def places_of(texts: pl.Series) -> TextPlaces | None:
    """The places of texts; None if they are not pieces of the bytes of one block, or all are short.

    Args:
        texts: A Binary series without nulls.
    """
    if texts.n_chunks() != 1:
        return None
    array: pa.Array = texts.to_arrow(compat_level=pl.CompatLevel.newest())
    buffers: Sequence[pa.Buffer | None] = array.buffers()
    if array.type not in _TEXT_VIEWS or len(buffers) != 3 or array.null_count:
        return None
    _, views, content = buffers
    if views is None or content is None:
        return None
    words = np.frombuffer(views, dtype=np.uint64).reshape(-1, 2)[array.offset : array.offset + len(array)]
    lengths = (words[:, 0] & _LENGTHS).view(np.int64)
    placed: Flags = lengths > INLINE
    starts = (words[:, 1] >> _OFFSETS).view(np.int64) - FRONT
    if not placed.all():
        starts[~placed] = 0
        if not placed.any():
            return None
    # Others than the blocks' readers leave no room around the texts.
    if starts.min() < 0 or (starts + lengths)[placed].max() > content.size - FRONT - BACK:
        return None
    return TextPlaces(texts, content, starts, lengths, placed)
