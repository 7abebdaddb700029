"""Fields as pieces of the bytes that they stand in, in the form that Arrow calls a view."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from ess.formats.fields import BACK, FRONT, Positions

INLINE = 12  #: How many bytes an Arrow view holds itself.
#: For each length, which bits of a view's two words hold its content.
_LOW_MASKS = np.array([((1 << 8 * min(n, 4)) - 1) << 32 for n in range(INLINE + 1)], dtype=np.uint64)
_HIGH_MASKS = np.array([(1 << 8 * max(n - 4, 0)) - 1 for n in range(INLINE + 1)], dtype=np.uint64)


class FieldViews:
    """Cuts fields out of bytes without a copy.

    Args:
        content: As `ess.formats.fields.Fields.content`: ``FRONT`` bytes, those of the fields, ``BACK`` bytes.
    """

    def __init__(self, content: bytes | pa.Buffer) -> None:
        self._content = pa.py_buffer(content)
        # One entry for each position: the 4 bytes before it and the 12 bytes from it.
        count = max(0, len(content) - FRONT - BACK + 1)
        self._around: NDArray[np.void] = np.ndarray(
            (count,), dtype="V16", buffer=self._content, offset=FRONT - 4, strides=(1,)
        )

    def views(self, starts: Positions, lengths: Positions) -> NDArray[np.uint64]:
        """The fields as Arrow views, two words a field.

        A view is the length (4 bytes), then up to 12 bytes of content; of longer content the first 4,
        a buffer number and the offset in the buffer.
        """
        words = self._around[starts].view(np.uint64).reshape(-1, 2)
        if len(words) and lengths.min() > INLINE:
            words[:, 0] &= _LOW_MASKS[INLINE]
            words[:, 0] |= lengths.view(np.uint64)
            words[:, 1] = (starts + FRONT).view(np.uint64) << np.uint64(32)
            return words
        short = np.minimum(lengths, INLINE)
        words[:, 0] &= _LOW_MASKS[short]
        words[:, 0] |= lengths.view(np.uint64)
        words[:, 1] &= _HIGH_MASKS[short]
        long = np.flatnonzero(lengths > INLINE)
        if len(long):
            words[long, 1] = (starts[long] + FRONT).view(np.uint64) << np.uint64(32)
        return words

    def series(self, views: NDArray[np.uint64]) -> pl.Series:
        """The fields as a Binary series that refers to the bytes."""
        buffers = [None, pa.py_buffer(views), self._content]
        series = pl.from_arrow(pa.Array.from_buffers(pa.binary_view(), len(views), buffers))
        assert isinstance(series, pl.Series)
        return series
