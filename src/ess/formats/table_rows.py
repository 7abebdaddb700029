"""Records of a ``tab`` input: the rows of HTML tables.

A row begins at the first ``<td ...>`` and ends at ``</tr>``; pages that leave closing tags out end it at the next
``<tr>`` or ``</table>``, too, and a cell at the next one. Tags in a cell are taken out (``<br>`` becomes a blank),
and so are comments; character references stand for their character; white space is data. Anything outside ``<td>``
cells is skipped, so rows of ``<th>`` are not records. A table inside a cell ends the row around it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import polars as pl

from ess.formats.blocks import RawBlock
from ess.formats.parse_exact import Block, BlockReject
from ess.formats.records import Layout, short_reason
from ess.formats.values import BadValueError, Value, converter
from ess.schema.batch import make_batch

#: The tags that matter outside rows: a cell, or the beginning of a part that hides cells.
_OUTSIDE = re.compile(rb"<(?:(td)(?=[\s/>])|(!--)|(script|style)(?=[\s/>]))", re.IGNORECASE)
_ENDS = {
    b"!--": re.compile(rb"-->"),
    b"script": re.compile(rb"</script", re.I),
    b"style": re.compile(rb"</style", re.I),
}
#: No end of a hidden part and no beginning in ``_OUTSIDE`` is longer.
_LONGEST_START = 8
#: A tag with its attributes, no further than the next ``<``; where quotes do not match, up to the first ``>``.
_TAG = re.compile(
    rb"""<(?:(!--)|(/?[a-z][a-z0-9:-]*)(?=[\s/>])(?:(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+>|[^<>]*+>))""", re.IGNORECASE
)
_ROW_ENDS = re.compile(rb"<(?:/?tr|/table)(?=[\s/>])", re.IGNORECASE)


class TableParser:
    """Parses the blocks of one file; it remembers whether it is in a comment or behind a bad row."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._limit = layout.attributes.record_limit
        self._to_skip = layout.attributes.skip if layout.attributes.skip_unit == "r" else 0
        self._wanted = [(i, column, converter(column)) for i, column in enumerate(layout.columns) if column.wanted]
        self._until: re.Pattern[bytes] | None = None

    def parse(self, raw: RawBlock, start: int) -> Block:
        """The rows of a block from ``start``."""
        rows: list[list[Value]] = []
        rejects: list[BlockReject] = []
        for cells, why in self.cells(raw, start):
            column, reason = self._misfit(cells, why)
            values: list[Value] = []
            if not reason:
                for index, _, convert in self._wanted:
                    try:
                        values.append(convert(cells[index]))
                    except BadValueError as error:
                        column, reason = index, str(error)
                        break
            if reason:
                rejects.append(BlockReject(len(rows), len(rows) + len(rejects), column, reason))
            else:
                rows.append(values)
        if not self._wanted:
            return Block(pl.DataFrame(height=len(rows)), tuple(rejects), raw.consumed)
        typed = [(column.key, column.type, [row[n] for row in rows]) for n, (_, column, _) in enumerate(self._wanted)]
        return Block(make_batch(typed, len(rows)), tuple(rejects), raw.consumed)

    def cells(self, raw: RawBlock, start: int) -> Iterator[tuple[list[bytes], str]]:
        """The cells of each row of a block from ``start``, and what is wrong with it; marks what it has consumed."""
        data, end, position = raw.data, raw.end, start
        last = data.rfind(b"<", start, end)
        certain = end if raw.final or end - last > self._limit else last
        while True:
            position, found = self._next_row(data, position, end, raw.final)
            raw.consumed = position
            if not found:
                return
            row = self._row(data, position, end, certain, raw.final)
            if row is None:
                return
            position, cells, reason = row
            if self._to_skip:
                self._to_skip -= 1
            else:
                yield cells, reason

    def _next_row(self, data: bytes, position: int, end: int, final: bool) -> tuple[int, bool]:
        """The beginning of the next row, or the first place where it may begin."""
        while True:
            match = (self._until or _OUTSIDE).search(data, position, end)
            if match is None:
                # The end of the block may cut what is looked for.
                return (end if final else max(position, end - _LONGEST_START)), False
            if self._until is not None:
                position, self._until = match.end(), None
            elif match[1]:
                return match.start(), True
            else:
                position, self._until = match.end(), _ENDS[(match[2] or match[3]).lower()]

    def _row(self, data: bytes, start: int, end: int, certain: int, final: bool) -> tuple[int, list[bytes], str] | None:
        """The row at ``start``: where it ends, its cells, what is wrong with it; None if it may go on.

        A tag is certain once the next one begins (or nothing does for long), so that blocks do not matter.
        ``certain`` is up to where they are.
        """
        cells: list[bytes] = []
        pieces: list[bytes] | None = None
        position = text = start
        while (match := _TAG.search(data, position, certain)) is not None and match.start() - start <= self._limit:
            if pieces is not None:
                pieces.append(data[text : match.start()])
            position = text = match.end()
            if match[1]:
                position = text = data.find(b"-->", position, certain) + 3
                if position < 3:
                    break
                continue
            name = match[2].lower()
            if name in (b"td", b"/td", b"th", b"tr", b"/tr", b"/table"):
                if pieces is not None:
                    cells.append(_text(b"".join(pieces)))
                pieces = [] if name == b"td" else None
                if name in (b"tr", b"/tr", b"/table"):
                    if position - start > self._limit:
                        break
                    return position, cells, ""
            elif name == b"br" and pieces is not None:
                pieces.append(b" ")
        if certain - start > self._limit:
            self._until = _ROW_ENDS
            return start + self._limit, [], f"the row is longer than {self._limit} bytes; bz=Bytes allows more"
        return (end, [], "the row does not end") if final else None

    def _misfit(self, cells: list[bytes], reason: str) -> tuple[int, str]:
        """The column and the reason if the number of cells is wrong."""
        width = len(self._layout.columns)
        if reason:
            return 0, reason
        if len(cells) < width:
            return len(cells), short_reason(len(cells), width)
        if len(cells) > width and self._layout.attributes.no_extra:
            return width - 1, f"the record has more than {width} fields (nox)"
        return 0, ""


def _text(raw: bytes) -> bytes:
    """A cell's text with its character references resolved."""
    if b"&" not in raw:
        return raw
    return html.unescape(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
