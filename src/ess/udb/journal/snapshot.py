"""Snapshots: the state of a database at the beginning of a log, as a folder that is there completely or not at all."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ess.errors import SystemFailure
from ess.schema.batch import Batch
from ess.udb.journal.folder import snapshot_path
from ess.udb.journal.log_file import damaged, disk_failure, sync_folder
from ess.udb.journal.rows_file import RowsFile
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec_file import definition_text

SNAPSHOT_FORMAT = 2
SNAPSHOT_META = "snapshot.json"
_ROWS_AT_ONCE = 1 << 18


def write_snapshot(folder: Path, number: int, shard: Shard, facts: Mapping[str, Any]) -> Path:
    """Write the state at the beginning of log ``number``; the folder of the snapshot.

    Args:
        folder: That of the database.
        number: That of the log.
        shard: The state at that moment.
        facts: More that a restart must know, as JSON.

    Raises:
        SystemFailure: If it cannot be written; then everything is as before.
    """
    final = snapshot_path(folder, number)
    new = folder / f".{final.name}.new"
    shutil.rmtree(new, ignore_errors=True)
    keys, tables = shard.contents()
    try:
        new.mkdir(mode=0o700)
        files = {"": _write_frame(new / "keys.arrow", keys)}
        for place, (name, rows) in enumerate(tables.items()):
            files[name] = _write_frame(new / f"table-{place}.arrow", rows)
        meta = {"format": SNAPSHOT_FORMAT, "definition": definition_text(shard.definition), **facts, "files": files}
        text = json.dumps(meta).encode()
        _write_file(new / SNAPSHOT_META, b"%s\n%d\n" % (text, zlib.crc32(text)))
        sync_folder(new)
        new.rename(final)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        raise disk_failure(error, final) from None
    sync_folder(folder)
    return final


def read_snapshot_meta(folder: Path) -> dict[str, Any]:
    """The facts that a snapshot states about itself.

    Raises:
        SystemFailure: If it is damaged, or of another version.
    """
    path = folder / SNAPSHOT_META
    try:
        text, _, checksum = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise SystemFailure(f"cannot read a file of the database ({error.strerror})", where=str(path)) from error
    if checksum and checksum != b"%d\n" % zlib.crc32(text):
        raise damaged(path)
    try:  # the first format had no checksum
        meta = json.loads(text)
        if not checksum and meta["format"] == SNAPSHOT_FORMAT:
            raise damaged(path, len(text))
        if meta["format"] != SNAPSHOT_FORMAT:
            raise SystemFailure(
                f"the snapshot has format {meta['format']}, this version of Essentia reads {SNAPSHOT_FORMAT}",
                where=str(folder),
                hint="start the version that wrote it, save the database there and load it here",
            )
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path) from error
    return dict(meta)


def _write_frame(path: Path, rows: Batch) -> dict[str, Any]:
    file = RowsFile(path)
    for start in range(0, max(1, rows.height), _ROWS_AT_ONCE):
        file.write(rows[start : start + _ROWS_AT_ONCE])
    file.finish()
    return {"file": path.name, "length": file.length, "checksum": file.checksum}


def _write_file(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)
