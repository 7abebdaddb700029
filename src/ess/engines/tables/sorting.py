"""Sorting and merging streams of batches, with files beyond what fits into memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import polars as pl

from ess.engines.ordering import sort_batch, sorted_pieces
from ess.engines.tables.arrow_file import read_run, write_run
from ess.engines.tables.sort_memory import HeldRows
from ess.errors import InputDataError
from ess.language.tree import Slot
from ess.schema.batch import Batch, join_batches

#: Rows that a run under merge has in memory, about, with much memory and with little.
_MERGE_ROWS = 16384
_LEAST_ROWS = 64
#: Bytes that a merge has in any case: with less it would be slow, and the process takes more by itself.
_LEAST_MERGE = 16 << 20
#: Rows of a batch that comes out of a sort.
_OUTPUT_ROWS = 131072
#: How often a piece of a run is in memory while it is merged: as what is left, what is next, joined, marked and sorted.
_COPIES_OF_A_PIECE = 8
#: Runs that are merged at once: each has a file open and some rows in memory.
_MOST_RUNS = 64


@dataclass(frozen=True)
class Order:
    """The order of rows; see ``ess.engines.ordering.sort_batch``."""

    keys: tuple[Slot, ...]
    descending: bool = False
    ignore_case: bool = False

    def sort(self, batch: Batch) -> Batch:
        """The rows in this order; descending, equal rows are in reverse."""
        return sort_batch(batch, self.keys, descending=self.descending, ignore_case=self.ignore_case)

    def sort_in_pieces(self, batch: Batch, rows: int) -> Iterator[Batch]:
        """The same in pieces of ``rows`` rows."""
        return sorted_pieces(batch, self.keys, rows, descending=self.descending, ignore_case=self.ignore_case)

    def sort_stably(self, batch: Batch) -> Batch:
        """The rows in this order; equal rows stay in theirs."""
        return self.sort(batch.reverse() if self.descending else batch)


def sort_all(batches: Iterable[Batch], order: Order, *, memory: int) -> Iterator[Batch]:
    """All rows in order.

    Args:
        batches: Batches of the same columns.
        order: The order.
        memory: How many bytes holding and sorting rows may take before they go to a temporary file.
    """
    runs = _Runs(order)
    held = HeldRows(order.keys)
    rows = _MERGE_ROWS
    for batch in batches:
        held.add(batch)
        if held.memory >= memory:
            # While runs are merged, one more piece of each is sorted.
            room = max(memory, _LEAST_MERGE) // (_MOST_RUNS * _COPIES_OF_A_PIECE)
            rows = max(_LEAST_ROWS, min(rows, room // held.row_bytes))
            runs.add(_spill(order.sort_in_pieces(held.take(), _OUTPUT_ROWS), rows), rows)
    if not runs:
        if held.rows:
            yield from order.sort_in_pieces(held.take(), _OUTPUT_ROWS)
        return
    if held.rows:
        runs.add(_spill(order.sort_in_pieces(held.take(), _OUTPUT_ROWS), rows), rows)
    yield from merge_runs(runs.take(rows), order, rows=rows)


class _Runs:
    """Sorted files, never many: as soon as there are enough of one size, they are merged into one of the next size.

    Args:
        order: Their order.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._sizes: list[list[IO[bytes]]] = []  # the first list has the runs that were sorted in memory

    def __bool__(self) -> bool:
        """True if there are any."""
        return bool(self._sizes)

    def take(self, rows: int) -> list[IO[bytes]]:
        """All files, those with the first rows first, and none but the last much smaller than the others.

        Of one large run beside many small ones a merge would get on by one piece at a time.
        """
        *smaller, largest = self._sizes
        rest: list[IO[bytes]] = []
        for files in smaller:
            files += rest
            rest = [_spill(merge_runs(files, self._order, rows=rows), rows)] if len(files) > 1 else [*files]
        return [*largest, *rest]

    def add(self, file: IO[bytes], rows: int) -> None:
        """Add a run; ``rows`` as in ``merge_runs``."""
        for files in self._sizes:
            files.append(file)
            if len(files) < _MOST_RUNS:
                return
            file = _spill(merge_runs(files, self._order, rows=rows), rows)
            files.clear()
        self._sizes.append([file])


def sort_blocks(
    batches: Iterable[Batch],
    order: Order,
    *,
    columns: Sequence[Slot],
    rows: int,
    open_block: Callable[[int], IO[bytes]],
) -> list[IO[bytes]]:
    """Sort blocks of ``rows`` rows, each on its own, into files in the ``bin`` format.

    Args:
        batches: Batches of the same columns.
        order: The order.
        columns: Those of the batches.
        rows: How many rows make a block.
        open_block: Opens the file for the block of a number, from 1, for writing and reading.

    Returns:
        The files, in order.
    """
    blocks: list[IO[bytes]] = []

    def finish(held: Sequence[Batch]) -> None:
        blocks.append(open_block(len(blocks) + 1))
        write_run(blocks[-1], [order.sort(join_batches(held))], columns)

    held: list[Batch] = []
    height = 0
    for batch in batches:
        while batch.height:
            part = batch.slice(0, rows - height)
            batch = batch.slice(part.height)
            held.append(part)
            height += part.height
            if height == rows:
                finish(held)
                held, height = [], 0
    if held:
        finish(held)
    return blocks


def merge_runs(files: Sequence[IO[bytes]], order: Order, *, rows: int = 0) -> Iterator[Batch]:
    """The rows of files that ``sort_all`` or ``sort_blocks`` has written one after the other, merged.

    Args:
        files: The files.
        order: The order.
        rows: How many rows of each run are in memory, about, if there are as many runs as may be; 0 for some that suit
            rows of any size.
    """
    # A descending sort turns equal rows around, so those of the last run come first.
    runs = [read_run(file) for file in (reversed(files) if order.descending else files)]
    while len(runs) > _MOST_RUNS:
        groups = [runs[start : start + _MOST_RUNS] for start in range(0, len(runs), _MOST_RUNS)]
        runs = [read_run(_spill(merge_sorted(group, order, rows=rows), rows or _MERGE_ROWS)) for group in groups]
    return merge_sorted(runs, order, rows=rows * _MOST_RUNS // max(1, len(runs)))


def merge_sorted(runs: Sequence[Iterator[Batch]], order: Order, *, rows: int = 0) -> Iterator[Batch]:
    """Merge runs whose rows are in order already; of equal rows, those of the first run come first.

    Only the next rows of each run are in memory. In each round they are sorted together: what stands up to
    the first row that is the last known one of its run cannot be preceded by any row still to come.

    Args:
        runs: The runs.
        order: Their order.
        rows: How many rows of each are in memory, about; 0 for some that suit rows of any size.
    """
    least = rows or _MERGE_ROWS
    ahead: list[list[Batch]] = [[] for _ in runs]
    open_runs = set(range(len(runs)))
    while True:
        for number, run in enumerate(runs):
            while number in open_runs and sum(batch.height for batch in ahead[number]) < least:
                batch = next(run, None)
                if batch is None:
                    open_runs.discard(number)
                else:
                    ahead[number].append(batch)
        pieces = [_marked(join_batches(ahead[n]), n, n in open_runs) for n in range(len(runs)) if ahead[n]]
        if not pieces:
            return
        ordered = order.sort_stably(pl.concat(pieces))
        ends = ordered.get_column("#end").arg_true()
        known = ends[0] + 1 if len(ends) else ordered.height
        yield from _slices(ordered.slice(0, known).drop("#run", "#end"))
        rest = ordered.slice(known)
        ahead = [
            [part.drop("#run", "#end")] if (part := rest.filter(pl.col("#run") == n)).height else []
            for n in range(len(runs))
        ]


def in_order(batches: Iterable[Batch], order: Order, *, where: str) -> Iterator[Batch]:
    """The batches, while they are in order.

    Raises:
        InputDataError: At the first row that is not; ``where`` names the input.
    """
    keys = [slot.key for slot in order.keys]
    before = 0
    last: list[Batch] = []
    for batch in batches:
        # The last row of the batch before must not come after the first of this one.
        probe = join_batches([*last, batch.select(keys)]).with_row_index("#row")
        found = order.sort_stably(probe).get_column("#row")
        misplaced = (found != probe.get_column("#row")).arg_true()
        if len(misplaced):
            # Where the sort first takes a row from further on, a row before that one is too early.
            row = before - len(last) + int(found[misplaced[0]]) + 1
            raise InputDataError("the input is not sorted", where=f"{where}: good record {row}", hint="leave out mrg")
        yield batch
        before += batch.height
        last = [batch.select(keys).tail(1)]


def _marked(batch: Batch, run: int, is_open: bool) -> Batch:
    last = pl.int_range(pl.len()) == pl.len() - 1
    return batch.with_columns(pl.lit(run).alias("#run"), (last & pl.lit(is_open)).alias("#end"))


def _slices(batch: Batch) -> Iterator[Batch]:
    return batch.iter_slices(_OUTPUT_ROWS)


def _spill(batches: Iterable[Batch], rows: int) -> IO[bytes]:
    """Batches in a temporary file, in pieces of ``rows`` rows; it is gone with the process whatever ends that."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - read_run closes it
    write_run(file, batches, piece_rows=rows)
    return file
