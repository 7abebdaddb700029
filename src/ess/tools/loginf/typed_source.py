"""Inputs whose columns are told (``bin`` and ``aq``), or are cells (``tab``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ess.formats.attributes import Format, InputAttributes
from ess.language.values import format_address, format_float, format_integer
from ess.schema.types import ColumnType
from ess.tools.loginf.profile import Profile, can_be_labels

if TYPE_CHECKING:
    from ess.formats.blocks import ByteSource

#: How much is read of a table at a time, and how many records are added together.
_BLOCK_BYTES = 1 << 20
_ROWS = 4096

AddRows = Callable[[Sequence[Sequence[bytes]]], None]


def analyse_binary(stream: ByteSource, name: str, attributes: InputAttributes, profile: Profile, add: AddRows) -> None:
    """Add what another tool wrote with ``-o,aq`` or ``-o,bin``; its columns have the types that are told there.

    Raises:
        InputReadError: If it is something else, or damaged.
    """
    from ess.formats.binary import Replayed, read_head, read_streams

    head = read_head(stream, name)
    again = Replayed(head.data, stream)  # type: ignore[arg-type]
    left = attributes.skip
    for batch in read_streams(again, head.columns, name, where="-f", named=True):
        rows = batch.slice(left)
        left = max(0, left - batch.height)
        for start in range(0, rows.height, _ROWS):
            part = rows.slice(start, _ROWS)
            texts = [list(map(_TEXTS[column.type], part.get_column(column.key).to_list())) for column in head.columns]
            add(list(zip(*texts, strict=True)))
    for number, column in enumerate(head.columns, 1):
        if (known := profile.columns.get(number)) is not None:
            known.label = known.label or column.name.encode()
            known.declared = column.type.name


def table_records(stream: ByteSource, attributes: InputAttributes) -> Iterator[tuple[list[bytes], str]]:
    """The cells of each row of the HTML tables in an input, and what is wrong with it."""
    from ess.formats.blocks import blocks
    from ess.formats.records import Layout
    from ess.formats.table_rows import TableParser

    parser = TableParser(Layout(attributes, ()))
    for raw in blocks(stream, _BLOCK_BYTES, attributes.record_limit, lines=False):
        yield from parser.cells(raw, 0)


def analyse_table(
    stream: ByteSource,
    name: str,
    attributes: InputAttributes,
    profile: Profile,
    add: AddRows,
    *,
    titled: bool,
    say: Callable[[str], None],
) -> None:
    """Add the rows of HTML tables; where ``titled``, the first one labels the columns."""
    labels: list[bytes] | None = None
    rows: list[list[bytes]] = []
    unreadable = 0
    for number, (cells, reason) in enumerate(table_records(stream, attributes), 1):
        if reason:
            if not unreadable:
                say(f"{name}: record {number} is left out: {reason}")
            unreadable += 1
            continue
        if titled and labels is None:
            labels = cells if can_be_labels(cells) else []
            if labels:
                continue
        rows.append(cells)
        if len(rows) == _ROWS:
            add(rows)
            rows = []
    add(rows)
    if unreadable > 1:
        say(f"{name}: {unreadable} records are left out")
    for number, column in profile.columns.items():
        if labels is not None and number <= len(labels) and not column.label:
            column.label = labels[number - 1]


def sizes(rows: Sequence[Sequence[bytes]]) -> Counter[int]:
    """The number of records of each size: the bytes of the values, and one between two of them."""
    return Counter(sum(map(len, row)) + max(0, len(row) - 1) for row in rows)


FORMATS = frozenset({Format.BINARY, Format.AQ, Format.TABLE})

_TEXTS: dict[ColumnType, Callable[[Any], bytes]] = {
    ColumnType.S: bytes,
    ColumnType.IP: format_address,
    ColumnType.F: format_float,
    **dict.fromkeys((ColumnType.L, ColumnType.LS, ColumnType.I, ColumnType.IS), format_integer),
}
