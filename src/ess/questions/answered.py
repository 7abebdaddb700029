"""The answer of a question as a frame."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ess.formats.attributes import parse_input_attributes
from ess.formats.output.frames import user_frame
from ess.formats.reader import read_opened
from ess.schema import Column
from ess.schema.batch import join_batches, make_batch

if TYPE_CHECKING:
    import polars as pl


def answer_frame(output: bytes, columns: Sequence[Column]) -> pl.DataFrame:
    """CSV with titles, as the last tool prints it, with the types of :func:`user_frame`."""
    attributes = parse_input_attributes(["csv", "+1"], where="answer")
    plain = [Column(column.name, column.type) for column in columns]
    batches = [batch.frame for batch in read_opened(io.BytesIO(output), "answer", attributes, plain)]
    empty = make_batch([(column.key, column.type, ()) for column in plain], 0)
    rows = join_batches(batches) if batches else empty
    return user_frame(rows, [(column.key, column.name, column.type) for column in plain])
