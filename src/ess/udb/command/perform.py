"""Carrying out an operation of ``aq_udb`` over all servers of a database."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import polars as pl

from ess.errors import UdbRequestError
from ess.formats.output.columns import OutputColumn
from ess.formats.output.writer import open_output
from ess.pipeline.outputs import Outputs
from ess.pipeline.sinks import RowOutput
from ess.schema.batch import Batch
from ess.schema.types import ColumnType
from ess.udb.checkpoint.location import checkpoint_location
from ess.udb.client.export import export, export_variables
from ess.udb.client.pool import Pool
from ess.udb.command.operations import Operation
from ess.udb.scan.reading import changes_nothing
from ess.udb.spec.spec import VAR, Kind
from ess.udb.wire.protocol import DatabaseRequest


def perform(operation: Operation, *, stdout: BinaryIO | None = None) -> int:
    """Do it; the number of rows that were exported, counted or gone through.

    Raises:
        EssError: If a server is missing or refuses, or the output cannot be written.
    """
    if operation.name == "-crt" and set(operation.servers) < set(operation.target.spec.servers):
        # A node that defines the database on its own server must not cover up that this one has lost its rows.
        with Pool(operation.target.spec.servers) as everywhere:
            everywhere.reach(operation.target.database)
    with Pool(operation.servers) as pool:
        if operation.name == "-clr" and operation.target.table is None:
            pool.hello()  # the way out when rows are lost
        else:
            # The definition that -alt brings is not the one the servers have.
            pool.reach(operation.target.database, "" if operation.name == "-alt" else operation.about.definition)
        return _WAYS[operation.name](operation, pool, stdout)


def reach(operation: Operation) -> None:
    """See that every server is there (``-test -test``).

    Raises:
        EssError: If one is not.
    """
    with Pool(operation.servers) as pool:
        pool.hello()


def memory(operation: Operation) -> list[tuple[str, int]]:
    """The address of each server and its resident memory in bytes.

    Raises:
        EssError: If one is not there.
    """
    with Pool(operation.servers) as pool:
        statuses = pool.hello()
    return [(server.address, int(status["memory"])) for server, status in zip(operation.servers, statuses, strict=True)]


def exported(operation: Operation, pool: Pool) -> Iterator[Batch]:
    """The rows of an ``-exp``, in batches whose columns are named by slot keys."""
    pool.require_whole(operation.target.database)
    table = operation.target.table
    if table is None or table.kind is not Kind.VAR:
        return export(pool, operation.scan, operation.sort, operation.cut)
    return iter([export_variables(pool, operation.scan, table, separately=operation.separately)])


def _export(operation: Operation, pool: Pool, stdout: BinaryIO | None) -> int:
    batches = exported(operation, pool)
    # Before the output is opened: what is there stays if a server is missing.
    batch = next(batches, None)
    rows = 0
    outputs = Outputs([RowOutput(0, operation.output, operation.attributes, operation.columns, ())], None, stdout)
    try:
        while batch is not None:
            outputs.write({0: batch})
            rows += batch.height
            batch = next(batches, None)
        outputs.close()
    except BaseException as error:
        outputs.abandon(at_once=isinstance(error, KeyboardInterrupt))
        raise
    return rows


def counted(operation: Operation, pool: Pool) -> Batch:
    """The counts of a ``-cnt``, as the columns ``field`` and ``count``."""
    pool.require_whole(operation.target.database)
    way = pool.look if changes_nothing(operation.scan) else pool.change
    answers = way("count", operation.scan)
    counts = [(int(answer["keys"]), int(answer["rows"])) for answer in answers]
    if not operation.separately:
        counts = [(sum(keys for keys, _ in counts), sum(rows for _, rows in counts))]
    lines: list[tuple[bytes, int]] = []
    for keys, rows in counts:
        lines.append((b"pkey", keys))
        if operation.target.table is not None:
            lines.append((b"row", rows))
    fields = pl.Series("field", [name for name, _ in lines], dtype=pl.Binary)
    numbers = pl.Series("count", [number for _, number in lines], dtype=pl.UInt64)
    return pl.DataFrame([fields, numbers])


def _count(operation: Operation, pool: Pool, stdout: BinaryIO | None) -> int:
    counts = counted(operation, pool)
    columns = [OutputColumn("field", "field", ColumnType.S), OutputColumn("count", "count", ColumnType.L)]
    _print(operation, columns, counts, stdout)
    counted_field = b"pkey" if operation.target.table is None else b"row"
    return sum(number for field, number in counts.rows() if field == counted_field)


def _information(operation: Operation, pool: Pool, stdout: BinaryIO | None) -> int:
    definition = operation.target.spec.definition
    tables = [*definition.of_kind(Kind.TABLE), *definition.of_kind(Kind.VECTOR)]
    names = ["pkey", VAR, *(table.key for table in tables)]
    answers: list[dict[str, int]] = [answer["counts"] for answer in pool.look("counts", operation.about)]
    if not operation.separately:
        merged = {name: sum(answer.get(name, 0) for answer in answers) for name in names}
        # However many servers hold a copy of it, there is one Var vector.
        merged[VAR] = min(merged[VAR], 1)
        answers = [merged]
    rows = [pl.Series(name, [answer.get(name, 0) for answer in answers], dtype=pl.UInt64) for name in names]
    labels = ["pkey", VAR, *(table.name for table in tables)]
    columns = [OutputColumn(name, label, ColumnType.L) for name, label in zip(names, labels, strict=True)]
    _print(operation, columns, pl.DataFrame(rows), stdout)
    return len(answers)


def _scan(operation: Operation, pool: Pool, _stdout: BinaryIO | None) -> int:
    way = pool.look if changes_nothing(operation.scan) else pool.change
    return sum(int(answer["rows"]) for answer in way("count", operation.scan))


def _order(operation: Operation, pool: Pool, _stdout: BinaryIO | None) -> int:
    pool.change("order", operation.order)
    return 0


def _shuffle(operation: Operation, pool: Pool, _stdout: BinaryIO | None) -> int:
    pool.change("shuffle", operation.shuffle)
    return 0


def _alter(operation: Operation, pool: Pool, _stdout: BinaryIO | None) -> int:
    pool.require_whole(operation.target.database)
    # Not pool.change: the session is one of the definition that the servers have.
    with pool.session(operation.target.database, changing=True) as session:
        pool.call("alter", dataclasses.replace(operation.about, session=session))
    return 0


def _create(operation: Operation, pool: Pool, _stdout: BinaryIO | None) -> int:
    target = operation.target
    pool.define(target.database, operation.about.definition, volatile=target.spec.volatile)
    return 0


def _clear(operation: Operation, pool: Pool, _stdout: BinaryIO | None) -> int:
    if operation.target.table is None:
        clear_all(pool, operation.about)
    else:
        pool.change("clear", operation.about)
    return 0


def clear_all(pool: Pool, request: DatabaseRequest) -> None:
    """Remove a database from all servers of a pool that was reached, whatever has become of it.

    Where all of it is there, it goes everywhere or nowhere.

    Raises:
        EssError: If a server refuses.
    """
    anything = dataclasses.replace(request, definition="", table="")
    try:
        pool.require_whole(request.database)
        whole = pool.has(request.database)
    except UdbRequestError:
        whole = False
    if whole:
        try:
            pool.change("clear", anything)
            return
        except UdbRequestError:
            pass  # e.g. a server whose files are damaged
    pool.call("remove", anything)


def _save(operation: Operation, pool: Pool, _stdout: BinaryIO | None) -> int:
    from ess.udb.checkpoint.checkpoint import save  # loads Parquet

    return save(operation.target, pool, checkpoint_location(operation.location))


def _load(operation: Operation, pool: Pool, _stdout: BinaryIO | None) -> int:
    from ess.udb.checkpoint.checkpoint import load  # loads Parquet

    return load(operation.target, pool, checkpoint_location(operation.location))


def _simply(action: str) -> Callable[[Operation, Pool, BinaryIO | None], int]:
    def do(operation: Operation, pool: Pool, _stdout: BinaryIO | None) -> int:
        pool.call(action, operation.about)
        return 0

    return do


def _print(operation: Operation, columns: Sequence[OutputColumn], rows: Batch, stdout: BinaryIO | None) -> None:
    with open_output(operation.output, operation.attributes, columns, stdout=stdout) as writer:
        writer.write(rows)


_WAYS: dict[str, Callable[[Operation, Pool, BinaryIO | None], int]] = {
    "-crt": _create,
    "-alt": _alter,
    "-clr": _clear,
    "-probe": _simply("probe"),
    "-inf": _information,
    "-ord": _order,
    "-shf": _shuffle,
    "-exp": _export,
    "-cnt": _count,
    "-scn": _scan,
    "-save": _save,
    "-load": _load,
}
