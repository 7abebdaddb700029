"""A block of input to a batch, record by record: slow, simple, and the definition.

`ess.formats.parse_fast` gives the same result; this one serves small blocks, and those with quotes and ``n=Len``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ess.formats.records import Layout, parse_record
from ess.formats.values import BadValueError, Value, converter
from ess.schema.batch import Batch, make_batch


class BlockReject(NamedTuple):
    """A rejected record of a block: the good rows before it, its 0-based number, its column and why."""

    before_row: int
    record: int
    column: int
    reason: str


@dataclass(frozen=True)
class Block:
    """The result of a block: good rows, rejected records, and the beginning of the first unfinished record."""

    frame: Batch
    rejects: Sequence[BlockReject]
    consumed: int

    @property
    def records(self) -> int:
        """The records that the block held."""
        return self.frame.height + len(self.rejects)


def parse_block_exactly(data: bytes, start: int, end: int, *, final: bool, layout: Layout) -> Block:
    """The records of ``data[start:end]``; arguments as in `ess.formats.records.parse_record`."""
    wanted = [(index, column, converter(column)) for index, column in enumerate(layout.columns) if column.wanted]
    values: list[list[Value]] = [[] for _ in wanted]
    rejects: list[BlockReject] = []
    rows = 0
    position = start
    while position < end:
        record = parse_record(data, position, end, final=final, layout=layout)
        if record is None:
            break
        position = record.end
        if record.reason:
            rejects.append(BlockReject(rows, rows + len(rejects), record.column, record.reason))
            continue
        row: list[Value] = []
        for index, _, convert in wanted:
            try:
                row.append(convert(record.fields[index]))
            except BadValueError as error:
                rejects.append(BlockReject(rows, rows + len(rejects), index, str(error)))
                break
        else:
            for target, value in zip(values, row, strict=True):
                target.append(value)
            rows += 1
    columns = zip(wanted, values, strict=True)
    typed = [(column.key, column.type, target) for (_, column, _), target in columns if column.used]
    return Block(make_batch(typed, rows), tuple(rejects), position)
