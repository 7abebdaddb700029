"""``aq_udb -save`` and ``-load``: a database as Parquet files in a folder, one state of all servers.

The folder holds ``manifest.json``, which is replaced in one step when everything else is there, and one folder for each
save that it can name; the one it does not name is removed. A file has a table's columns, key columns included, in the
order of the rows; strings are UTF-8 text unless a table has other bytes in that column, addresses are text.
``keys`` lists the keys, in order, also those without rows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ess.engines.batch import PHYSICAL, Batch
from ess.errors import EssError, InputDataError, InputOpenError, OptionError, OutputWriteError
from ess.language.values import format_address, parse_address
from ess.schema.types import ColumnType
from ess.settings import write_private
from ess.udb.merge import is_zero
from ess.udb.placement import key_hashes, servers_of
from ess.udb.pool import Pool
from ess.udb.protocol import DatabaseRequest, LoadRequest, ScanRequest
from ess.udb.spec import Definition, Kind, Table, TableColumn
from ess.udb.spec_file import format_definition, parse_definition
from ess.udb.stage_stream import StageStream, kept_alive
from ess.udb.store import empty_frame
from ess.udb.target import Target

MANIFEST = "manifest.json"
LOCK = ".lock"
FORMAT = 1
_KEYS = "keys"
_CLOUD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def checkpoint_folder(place: str) -> Path:
    """The folder of a checkpoint.

    Raises:
        OptionError: If it is not on a disk.
    """
    if place.lower().startswith("file://"):
        place = place[len("file://") :]
    if _CLOUD.match(place):
        raise OptionError("checkpoints in the cloud are not available yet", where=place, hint="give a folder")
    return Path(place).expanduser().absolute()


def save(target: Target, pool: Pool, folder: Path) -> int:
    """Write one state of a whole database; how many rows of tables and vectors there are.

    Raises:
        EssError: If a server is lost, or a file cannot be written, or another one saves there. What was saved there
            before stays.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            return _save(target, pool, folder)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]  # Parquet's own errors have text only
        raise OutputWriteError(f"cannot save the database ({reason})", where=str(folder)) from error


def _save(target: Target, pool: Pool, folder: Path) -> int:
    definition = target.spec.definition
    text = format_definition(definition, key_apart=target.spec.key_apart)
    part = f"data-{secrets.token_hex(8)}"
    manifest: dict[str, Any] = {"format": FORMAT, "database": target.database, "definition": text}
    try:
        (folder / part).mkdir()
        with pool.session(target.database, text, changing=False, held=True) as session:
            files: dict[str, Any] = {}
            for name, columns in _parts(definition):
                request = ScanRequest(target.database, text, "" if name == _KEYS else name, session=session)
                request = dataclasses.replace(request, outputs=tuple(column.name for column in columns))
                files[name] = _save_table(pool, request, columns, folder / part, name)
        manifest |= {"servers": len(pool.connections), "folder": part, "files": files}
        _sync(folder / part)
        write_private(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    except BaseException:
        if not _is_named(folder, part):
            shutil.rmtree(folder / part, ignore_errors=True)
        raise
    with _nobody_loads(folder) as alone:
        for old in folder.glob("data-*") if alone else ():
            if old.name != part:
                shutil.rmtree(old, ignore_errors=True)
    return sum(int(file["rows"]) for name, found in files.items() if name != _KEYS for file in found)


def load(target: Target, pool: Pool, folder: Path) -> int:
    """Put what was saved into an empty database, on any number of servers, as a whole or not at all; how many rows.

    While another one saves there, it is what was saved before, or after, as a whole.

    Raises:
        OptionError: If the database is not empty, or is defined otherwise.
        EssError: If a file is missing or damaged, or a server is lost.
    """
    with _loading(folder):
        return _load(target, pool, folder)


def _load(target: Target, pool: Pool, folder: Path) -> int:
    manifest = _manifest(folder)
    definition = target.spec.definition
    text = format_definition(definition, key_apart=target.spec.key_apart)
    saved = parse_definition(str(manifest["definition"]), source=str(folder / MANIFEST))
    if {name for name, _ in _parts(saved)} != set(manifest["files"]):
        raise InputDataError("the manifest is damaged: it does not list all tables", where=str(folder / MANIFEST))
    if not definition.extends(saved):
        raise OptionError(
            f"the tables that were saved are not those of database '{target.database}'",
            where=str(folder),
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
            files = _Files(folder / str(manifest["folder"]), manifest["files"].get(name, []), columns)
            rows += _load_table(pool, request, files, table, definition)
    return rows


# Saving ---------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let nobody else save there meanwhile: who comes to the end first would remove what the other one writes."""
    with (folder / LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system frees it when this process ends, however
        except BlockingIOError:
            raise OutputWriteError(
                "another -save into this folder is under way", where=str(folder), hint="try again when it is done"
            ) from None
        yield


@contextlib.contextmanager
def _loading(folder: Path) -> Iterator[None]:
    """Let nobody remove what the manifest names while this is open.

    The lock is one on the folder itself, so that it needs no right to write there.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # there is no folder, which the manifest's error says; or no locks on it
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            held.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_SH)  # waits for a save only while that removes what it has replaced
        yield


@contextlib.contextmanager
def _nobody_loads(folder: Path) -> Iterator[bool]:
    """Whether what the manifest does not name any more can be removed; a load that begins now waits for that."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False  # the next save removes it
        except OSError:
            yield True  # no locks on this file system
        else:
            yield True
    finally:
        os.close(handle)


def _is_named(folder: Path, part: str) -> bool:
    """Whether the manifest names it, which it may also when something fails after it was put there."""
    with contextlib.suppress(EssError):
        return bool(_manifest(folder)["folder"] == part)
    return False


def _parts(definition: Definition) -> Iterator[tuple[str, tuple[TableColumn, ...]]]:
    yield _KEYS, definition.key
    for table in definition.tables:
        yield table.key, table.columns


def _save_table(
    pool: Pool, request: ScanRequest, columns: tuple[TableColumn, ...], folder: Path, name: str
) -> list[dict[str, Any]]:
    """One file a server; a column that is not UTF-8 somewhere is bytes everywhere."""
    as_bytes: set[str] = set()
    while True:
        try:
            return [
                _save_part(connection.scan(request), columns, as_bytes, folder / f"{name}-{place}.parquet")
                for place, connection in enumerate(pool.connections)
            ]
        except _NotText as found:
            as_bytes.add(found.column)


class _NotText(Exception):
    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def _save_part(
    batches: Iterator[pa.RecordBatch], columns: tuple[TableColumn, ...], as_bytes: set[str], path: Path
) -> dict[str, Any]:
    fields = [pa.field(column.name, _arrow_type(column, as_bytes), nullable=False) for column in columns]
    rows = 0
    path.unlink(missing_ok=True)  # of a try in which a column was text
    with path.open("xb") as file, pq.ParquetWriter(file, pa.schema(fields), compression="zstd") as writer:
        for batch in batches:
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            arrays = [_to_arrow(frame[column.key], column, as_bytes) for column in columns]
            writer.write_table(pa.table(arrays, schema=pa.schema(fields)))
            rows += frame.height
    with path.open("rb") as written:
        os.fsync(written.fileno())
        return {"file": path.name, "rows": rows, "bytes": path.stat().st_size, "checksum": _checksum(written)}


def _checksum(file: BinaryIO) -> int:
    checksum = 0
    while part := file.read(1 << 20):
        checksum = zlib.crc32(part, checksum)
    return checksum


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


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# Loading --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Files:
    folder: Path
    described: list[dict[str, Any]]
    columns: tuple[TableColumn, ...]

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """Each batch with the place of the server that it comes from."""
        for place, described in enumerate(self.described):
            path = self.folder / Path(str(described["file"])).name
            rows = 0
            try:
                self._require_unchanged(path, described)
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(batch_size=1 << 17):
                        frame = self._frame(batch, path)
                        rows += frame.height
                        yield place, frame
            except (OSError, pa.ArrowException) as error:
                reason = str(error).splitlines()[0]
                raise InputOpenError(f"cannot read a file of the checkpoint ({reason})", where=str(path)) from error
            if rows != int(described["rows"]):
                raise InputDataError(
                    f"the file has {rows} rows, the manifest says {described['rows']}", where=str(path)
                )

    @staticmethod
    def _require_unchanged(path: Path, described: dict[str, Any]) -> None:
        if "checksum" not in described:
            return  # saved by a version that noted none
        with path.open("rb") as file:
            if path.stat().st_size != described.get("bytes") or _checksum(file) != described["checksum"]:
                raise InputDataError(
                    "the file of the checkpoint is damaged", where=str(path), hint="restore it from a copy"
                )

    def _frame(self, batch: pa.RecordBatch, path: Path) -> Batch:
        made: list[pl.Series] = []
        for column in self.columns:
            if column.name not in batch.schema.names:
                raise InputDataError(f"there is no column '{column.name}'", where=str(path))
            values = pl.Series(column.key, batch.column(column.name))
            if column.type is ColumnType.IP:
                packed = [parse_address(text.encode()) for text in values.to_list()]
                values = pl.Series(column.key, packed, dtype=pl.Binary)
            made.append(values.cast(PHYSICAL[column.type]))
        return pl.DataFrame(made)


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
            for place, batch in files.batches():
                if table is not None and table.kind is Kind.VAR:
                    # As many servers as there were: each has its own again. Else one has them all, merged.
                    same = len(files.described) == len(streams)
                    _send(streams[place if same else 0], batch)
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


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputOpenError("no database was saved there", where=str(path), hint="see: aq_udb -save") from error
    except (OSError, ValueError) as error:
        raise InputOpenError(f"cannot read the manifest ({error})", where=str(path)) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputOpenError(
            f"the checkpoint is not of format {FORMAT}", where=str(path), hint="load it with the version that saved it"
        )
    with contextlib.suppress(KeyError, TypeError):
        if re.fullmatch(r"data-[0-9a-f]{16}", manifest["folder"]) and isinstance(manifest["files"], dict):
            return manifest
    raise InputDataError("the manifest is damaged", where=str(path))
