"""``aq_udb -save`` and ``-load``: a database as Parquet files in a folder or a store, one state of all servers.

The location (:mod:`.location`) holds ``manifest.json``, which is replaced in one step when everything else
is there, and one folder for each save that it can name. A file has a table's columns, key columns included, in the
order of the rows; strings are UTF-8 text unless a table has other bytes in that column, addresses are text. ``keys``
lists the keys, in order, also those without rows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ess.errors import EssError, InputDataError, InputOpenError, OptionError, OutputWriteError
from ess.language.values import format_address, parse_address
from ess.schema.batch import PHYSICAL, Batch
from ess.schema.types import ColumnType
from ess.stores.store import Sink
from ess.udb.checkpoint.location import MANIFEST, Location
from ess.udb.client.pool import Pool
from ess.udb.client.stage_stream import StageStream, kept_alive
from ess.udb.shard.merge import is_zero
from ess.udb.shard.shard import empty_frame
from ess.udb.spec.placement import key_hashes, servers_of
from ess.udb.spec.spec import Definition, Kind, Table, TableColumn
from ess.udb.spec.spec_file import format_definition, parse_definition
from ess.udb.spec.target import Target
from ess.udb.wire.protocol import DatabaseRequest, LoadRequest, ScanRequest

FORMAT = 1
_KEYS = "keys"


def save(target: Target, pool: Pool, location: Location) -> int:
    """Write one state of a whole database; how many rows of tables and vectors there are.

    Raises:
        EssError: If a server is lost, or a file cannot be written, or another one saves there. The checkpoint
            before stays.
    """
    try:
        with location.held():
            return _save(target, pool, location)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]  # Parquet's own errors have text only
        raise OutputWriteError(f"cannot save the database ({reason})", where=location.address) from error


def _save(target: Target, pool: Pool, location: Location) -> int:
    definition = target.spec.definition
    text = format_definition(definition, key_apart=target.spec.key_apart)
    part = f"data-{secrets.token_hex(8)}"
    manifest: dict[str, Any] = {"format": FORMAT, "database": target.database, "definition": text}
    naming = False
    try:
        with pool.session(target.database, text, changing=False, held=True) as session:
            files: dict[str, Any] = {}
            for name, columns in _parts(definition):
                request = ScanRequest(target.database, text, "" if name == _KEYS else name, session=session)
                request = dataclasses.replace(request, outputs=tuple(column.name for column in columns))
                files[name] = _save_table(pool, request, columns, _Part(location, part), name)
        manifest |= {"servers": len(pool.connections), "folder": part, "files": files}
        location.settle(part, {file["file"]: file["bytes"] for found in files.values() for file in found})
        before = _named(location)
        naming = True
        location.name(json.dumps(manifest, indent=1).encode())
    except BaseException:
        # Once the manifest may name it, or may still come to, it stays.
        if not (naming and (location.late or _named(location) == part)):
            location.remove(part)
        raise
    location.remove_others(part, before)
    return sum(int(file["rows"]) for name, found in files.items() if name != _KEYS for file in found)


def load(target: Target, pool: Pool, location: Location) -> int:
    """Put what was saved into an empty database, on any number of servers, as a whole or not at all; how many rows.

    While another one saves there, it is what was saved before, or after, as a whole, or an error.

    Raises:
        OptionError: If the database is not empty, or is defined otherwise.
        EssError: If a file is missing or damaged, or a server is lost.
    """
    with location.loading():
        return _load(target, pool, location)


def _load(target: Target, pool: Pool, location: Location) -> int:
    manifest = _manifest(location)
    definition = target.spec.definition
    text = format_definition(definition, key_apart=target.spec.key_apart)
    saved = parse_definition(str(manifest["definition"]), source=location.at(MANIFEST))
    if {name for name, _ in _parts(saved)} != set(manifest["files"]):
        raise InputDataError("the manifest is damaged: it does not list all tables", where=location.at(MANIFEST))
    if not definition.extends(saved):
        raise OptionError(
            f"the tables that were saved are not those of database '{target.database}'",
            where=location.address,
            hint="define them as the manifest says",
        )
    if not pool.has(target.database):
        pool.define(target.database, text, volatile=target.spec.volatile)
    rows = 0
    with pool.session(target.database, text, changing=True, held=True) as session:
        about = DatabaseRequest(target.database, text, "", session)
        for answer in pool.call("counts", about):
            if any(number for name, number in answer["counts"].items() if name != "var"):
                raise OptionError(
                    f"database '{target.database}' is not empty",
                    where="-load",
                    hint=f"clear it first with: aq_udb -clr {target.database}",
                )
        for name, columns in _parts(definition):
            table = definition.find(name) if name != _KEYS else None
            request = LoadRequest(target.database, "" if table is None else name, session)
            files = _Files(_Part(location, str(manifest["folder"])), manifest["files"].get(name, []), columns)
            rows += _load_table(pool, request, files, table, definition)
    return rows


# Saving ---------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Part:
    """The files of one save, at its location."""

    location: Location
    name: str

    def at(self, file: str) -> str:
        return self.location.at(self.name, file)


def _named(location: Location) -> str | None:
    """The part that the manifest names now; None if none can be read."""
    with contextlib.suppress(EssError):
        return str(_manifest(location)["folder"])
    return None


def _parts(definition: Definition) -> Iterator[tuple[str, tuple[TableColumn, ...]]]:
    yield _KEYS, definition.key
    for table in definition.tables:
        yield table.key, table.columns


def _save_table(
    pool: Pool, request: ScanRequest, columns: tuple[TableColumn, ...], part: _Part, name: str
) -> list[dict[str, Any]]:
    """One file a server; a column that is not UTF-8 somewhere is bytes everywhere."""
    as_bytes: set[str] = set()
    while True:
        try:
            return [
                _save_file(connection.scan(request), columns, as_bytes, part, f"{name}-{number}.parquet")
                for number, connection in enumerate(pool.connections)
            ]
        except _NotText as found:
            as_bytes.add(found.column)


class _NotText(Exception):
    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class _Summed:
    """A file that is written, with its checksum so far and its bytes; what pyarrow asks of one."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.checksum = 0
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        self.checksum = zlib.crc32(data, self.checksum)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing; the opener of the file flushes it at the end."""

    def close(self) -> None:
        """See :meth:`flush`."""


def _save_file(
    batches: Iterator[pa.RecordBatch], columns: tuple[TableColumn, ...], as_bytes: set[str], part: _Part, name: str
) -> dict[str, Any]:
    fields = [pa.field(column.name, _arrow_type(column, as_bytes), nullable=False) for column in columns]
    rows = 0
    with part.location.create(part.name, name) as sink:
        summed = _Summed(sink)
        with pq.ParquetWriter(pa.PythonFile(summed, mode="w"), pa.schema(fields), compression="zstd") as writer:
            for batch in batches:
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                arrays = [_to_arrow(frame[column.key], column, as_bytes) for column in columns]
                writer.write_table(pa.table(arrays, schema=pa.schema(fields)))
                rows += frame.height
    return {"file": name, "rows": rows, "bytes": summed.bytes, "checksum": summed.checksum}


def _arrow_type(column: TableColumn, as_bytes: set[str]) -> pa.DataType:
    if column.type is ColumnType.IP:
        return pa.string()
    if column.type is ColumnType.S:
        return pa.large_binary() if column.key in as_bytes else pa.large_string()
    return pl.Series([], dtype=PHYSICAL[column.type]).to_arrow().type


def _to_arrow(values: pl.Series, column: TableColumn, as_bytes: set[str]) -> pa.Array:
    if column.type is ColumnType.IP:
        return pa.array([format_address(value).decode("ascii") for value in values.to_list()], pa.string())
    array = values.to_arrow()
    if column.type is not ColumnType.S:
        return array
    array = array.cast(pa.large_binary())
    if column.key in as_bytes:
        return array
    try:
        return array.cast(pa.large_string())
    except pa.ArrowInvalid:
        raise _NotText(column.key) from None


# Loading --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Files:
    part: _Part
    described: list[dict[str, Any]]
    columns: tuple[TableColumn, ...]

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """Each batch with the number of the server that it comes from."""
        for server, described in enumerate(self.described):
            name = Path(str(described["file"])).name
            where = self.part.at(name)
            rows = 0
            with self.part.location.open(self.part.name, name) as opened:
                try:
                    _require_unchanged(opened, described, where)
                    with pq.ParquetFile(opened) as file:
                        for batch in file.iter_batches(batch_size=1 << 17):
                            frame = self._frame(batch, where)
                            rows += frame.height
                            yield server, frame
                except (OSError, pa.ArrowException) as error:
                    reason = str(error).splitlines()[0]
                    raise InputOpenError(f"cannot read a file of the checkpoint ({reason})", where=where) from error
            if rows != int(described["rows"]):
                raise InputDataError(f"the file has {rows} rows, the manifest says {described['rows']}", where=where)

    def _frame(self, batch: pa.RecordBatch, where: str) -> Batch:
        made: list[pl.Series] = []
        for column in self.columns:
            if column.name not in batch.schema.names:
                raise InputDataError(f"there is no column '{column.name}'", where=where)
            values = pl.Series(column.key, batch.column(column.name))
            if column.type is ColumnType.IP:
                packed = [parse_address(text.encode()) for text in values.to_list()]
                values = pl.Series(column.key, packed, dtype=pl.Binary)
            made.append(values.cast(PHYSICAL[column.type]))
        return pl.DataFrame(made)


def _require_unchanged(file: BinaryIO, described: dict[str, Any], where: str) -> None:
    """See that a file is what was written, and go back to its beginning."""
    if "checksum" not in described:
        return  # saved by a version that noted none
    size = checksum = 0
    while piece := file.read(1 << 20):
        size += len(piece)
        checksum = zlib.crc32(piece, checksum)
    if size != described.get("bytes") or checksum != described["checksum"]:
        raise InputDataError("the file of the checkpoint is damaged", where=where, hint="restore it from a copy")
    file.seek(0)


def _load_table(pool: Pool, request: LoadRequest, files: _Files, table: Table | None, definition: Definition) -> int:
    schema = empty_frame(files.columns).to_arrow().schema
    weights = [connection.server.weight for connection in pool.connections]
    streams: list[StageStream] = []
    rows = 0
    try:
        for connection in pool.connections:
            streams.append(StageStream(connection, request, schema))
        for stream in streams:
            stream.wait()
        with kept_alive(streams):
            for server, batch in files.batches():
                if table is not None and table.kind is Kind.VAR:
                    # As many servers as there were: each has its own again. Otherwise one has them all, merged.
                    same = len(files.described) == len(streams)
                    _send(streams[server if same else 0], batch)
                    continue
                kept = batch.filter(_given(batch, table)) if table is not None and table.kind is Kind.VECTOR else batch
                places = servers_of(key_hashes(kept, definition.key), weights)
                for number, stream in enumerate(streams):
                    _send(stream, kept[np.flatnonzero(places == number)])
                rows += kept.height if table is not None else 0
            for stream in streams:
                stream.say("prepare")
            for stream in streams:
                stream.wait()
    finally:
        for stream in streams:
            stream.close()
    return rows


def _given(batch: Batch, table: Table) -> pl.Series:
    """The rows of a vector that hold anything: a blank one stays one that a +first will fill."""
    given = np.zeros(batch.height, dtype=bool)
    for column in table.values:
        given |= ~is_zero(column, batch[column.key])
    return pl.Series(given)


def _send(stream: StageStream, rows: Batch) -> None:
    if rows.height:
        stream.write(rows.to_arrow())


def _manifest(location: Location) -> dict[str, Any]:
    where = location.at(MANIFEST)
    content = location.manifest()
    if content is None:
        raise InputOpenError("no database was saved there", where=where, hint="see: aq_udb -save")
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise InputOpenError(f"cannot read the manifest ({error})", where=where) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputOpenError(
            f"the checkpoint is not of format {FORMAT}", where=where, hint="load it with the version that saved it"
        )
    with contextlib.suppress(KeyError, TypeError):
        if re.fullmatch(r"data-[0-9a-f]{16}", manifest["folder"]) and isinstance(manifest["files"], dict):
            return manifest
    raise InputDataError("the manifest is damaged", where=where)
