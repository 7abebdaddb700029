"""Reading from all servers of a database: rows in server order, sorted rows merged, counts added up."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow as pa

from ess.language.tree import Slot
from ess.schema.batch import Batch, blank, make_batch
from ess.udb.client.limits import Cut
from ess.udb.client.pool import Pool
from ess.udb.scan.reading import changes_nothing
from ess.udb.shard.merge import KEY_NUMBER, merge_rows
from ess.udb.shard.shard import empty_frame
from ess.udb.shard.sorting import order_of
from ess.udb.spec.spec import Table, TableColumn
from ess.udb.wire.protocol import ScanRequest

#: Sorted rows that are put together at once.
_ROWS_AT_ONCE = 1 << 16


def export(pool: Pool, request: ScanRequest, sort: Sequence[Slot], cut: Cut | None) -> Iterator[Batch]:
    """The rows of a scan over all servers. The first batch may be empty; it tells the columns.

    Unsorted, they come server by server, each in its own order. Sorted, all rows that can be in the result are
    collected here and sorted; the servers sort only to find those.
    """
    if cut is None:
        request = dataclasses.replace(request, sort=())
    else:
        if cut.from_end:
            request = dataclasses.replace(request, last=cut.reach)
        else:
            request = dataclasses.replace(request, first=cut.reach)
    streams = _scanned(pool, _shares(request, len(pool.connections)))
    batches = ((_frame(batch) for batch in stream) for stream in streams)
    if not sort and (cut is None or not cut.from_end):
        yield from _cut_stream((batch for stream in batches for batch in stream), cut)
        return
    servers = [pl.concat(list(stream)) for stream in batches]
    if not servers:
        return
    rows = pl.concat(servers)
    places = slice(0, rows.height) if cut is None else cut.places(rows.height)
    if not sort:
        yield rows[places]
        return
    by = [TableColumn(slot.key, slot.type) for slot in sort]
    if request.descending:
        # Rows that compare equal stand in the reverse of their order; servers that sort see to that for their own.
        rows = rows.reverse() if cut is None else pl.concat(servers[::-1])
    rows = rows.rechunk()  # of a column of many chunks Polars takes rows ten times as slowly
    order = order_of(rows, by, descending=request.descending, ignore_case=request.ignore_case)
    # A part at a time, so that the first ones are printed while the next ones are put together.
    for start in range(places.start, max(places.stop, places.start + 1), _ROWS_AT_ONCE):
        yield rows[order[start : min(start + _ROWS_AT_ONCE, places.stop)]]


def export_variables(pool: Pool, request: ScanRequest, table: Table, *, separately: bool) -> Batch:
    """The Var vector: the servers' rows merged by its merge attributes, or (``asis``) one after the other."""
    # All columns: a few of them could not be merged as rows.
    request = dataclasses.replace(request, outputs=tuple(column.name for column in table.columns))
    streams = _scanned(pool, [request] * len(pool.connections))
    frames = [pl.concat([empty_frame(table.columns), *map(_frame, stream)]) for stream in streams]
    initial = make_batch([(c.key, c.type, [blank(c.type)]) for c in table.columns], 1)
    if request.rules:  # a server goes through its row even if nobody has set it; where none came, it was filtered
        initial = initial.clear()
    if separately and frames:
        return pl.concat([frame if frame.height else initial for frame in frames])
    rows = pl.concat([empty_frame(table.columns), *frames])
    if not rows.height:
        return initial
    numbered = rows.select(pl.lit(0, dtype=pl.UInt32).alias(KEY_NUMBER), *(pl.col(c.key) for c in table.columns))
    return merge_rows(table, numbered).drop(KEY_NUMBER)


def _scanned(pool: Pool, shares: Sequence[ScanRequest]) -> list[Iterator[pa.RecordBatch]]:
    """The answers of all servers, about one state of the database; the rows may follow later."""
    if not shares:
        return []
    first = shares[0]
    with pool.session(first.database, first.definition, changing=not changes_nothing(first)) as session:
        return pool.each(lambda place, server: server.scan(dataclasses.replace(shares[place], session=session)))


def _shares(request: ScanRequest, servers: int) -> list[ScanRequest]:
    """``-lim_key`` and ``-lim_rec`` dealt out to the servers; each gives no more than its share."""

    def share(limit: int, place: int) -> int:
        return limit if limit < 0 else limit // servers + (place < limit % servers)

    return [
        dataclasses.replace(request, keys=share(request.keys, place), rows=share(request.rows, place))
        for place in range(servers)
    ]


def _frame(batch: object) -> Batch:
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _cut_stream(batches: Iterator[Batch], cut: Cut | None) -> Iterator[Batch]:
    if cut is None:
        yield from batches
        return
    position = 0
    for batch in batches:
        before = max(0, cut.start - 1 - position)
        left = cut.reach - position
        position += batch.height
        yield batch.head(max(0, left)).slice(before)
