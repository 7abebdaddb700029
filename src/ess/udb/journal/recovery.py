"""Recovery of a database at the start of a server: the last snapshot, and the logs since then.

The logs are read as they were written: what was committed is done in the order in which it was
committed. An undecided stage is dropped if this server decides, and is otherwise in
doubt: the decider is asked. A folder that is damaged gives an error, never less than there was.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ess.errors import EssError, SystemFailure, UdbRequestError
from ess.schema.batch import Batch
from ess.udb.journal.folder import log_path, numbers, remove_left_over, snapshot_path
from ess.udb.journal.journal import Journal, Prepared
from ess.udb.journal.log_file import Record, cut, damaged, read_body, read_records
from ess.udb.journal.rows_file import read_checked, rows_of
from ess.udb.journal.snapshot import SNAPSHOT_META, read_snapshot_meta
from ess.udb.shard.changes import Change, Forget, decode_batch, decode_changes
from ess.udb.shard.shard import Import, Shard
from ess.udb.spec.spec import Definition
from ess.udb.spec.spec_file import parse_definition
from ess.udb.wire.protocol import SessionRequest, StageRequest, read_request
from ess.udb.wire.transactions import remember


@dataclass(frozen=True)
class Doubt:
    """Something prepared that another server decides: an import's rows, or a session's changes."""

    request: StageRequest | SessionRequest
    rows: tuple[Batch, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass
class State:
    """A database as far as it is known at some place of the logs."""

    shard: Shard
    birth: str = ""
    #: How often something was committed since the database was defined.
    commits: int = 0
    #: The attempt that was committed of each identity.
    identities: OrderedDict[str, str] = field(default_factory=OrderedDict)
    doubts: list[Doubt] = field(default_factory=list)
    #: The attempt that has cleared the database as a whole.
    forgotten: str = ""

    def facts(self) -> dict[str, Any]:
        """The facts in a snapshot besides the rows."""
        return {"birth": self.birth, "commits": self.commits, "identities": list(self.identities.items())}


def recover(folder: Path) -> tuple[State, Journal]:
    """Read the folder of a database, and open its log for writing.

    Raises:
        EssError: If something is damaged or missing.
    """
    snapshots, logs = numbers(folder, "snapshot"), numbers(folder, "log")
    base = snapshots[-1] if snapshots else 0
    logs = [number for number in logs if number >= base]
    if not logs or logs != list(range(base, logs[-1] + 1)):
        missing = next((n for n in range(base, base + len(logs) + 1) if n not in logs), base)
        raise SystemFailure(
            "a file of the database is missing", where=str(log_path(folder, missing)), hint="restore it from a copy"
        )
    replay = _Replay(folder, _from_snapshot(folder, base) if snapshots else State(Shard(Definition((), ()))))
    for number in logs:
        path = log_path(folder, number)
        records, end = read_records(path)
        size = path.stat().st_size
        if number == base and not (records if number == 0 else end):
            raise damaged(path, end)  # its beginning was made safe before there was anything to lose
        if end < size:
            if number != logs[-1]:  # it was made safe as a whole before the next one was begun
                raise damaged(path, end)
            cut(path, end)
        for record in records:
            replay.take(path, record)
    state = replay.finish()
    remove_left_over(folder, base, replay.files)
    total = sum(log_path(folder, number).stat().st_size for number in logs) + replay.bytes_of_files
    return state, Journal(folder, logs[-1], len(records), total, replay.files)


def _from_snapshot(folder: Path, number: int) -> State:
    path = snapshot_path(folder, number)
    try:
        meta = read_snapshot_meta(path)
        definition = parse_definition(meta["definition"], source=str(path)) if meta["definition"] else _EMPTY
        frames: dict[str, Batch] = {}
        for name, file in meta["files"].items():
            frames[name] = rows_of(read_checked(path / file["file"], file["length"], file["checksum"]))
        keys = frames.pop("")
        identities = OrderedDict((str(name), str(attempt)) for name, attempt in meta["identities"])
        return State(Shard.restored(definition, keys, frames), str(meta["birth"]), int(meta["commits"]), identities)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path / SNAPSHOT_META) from error


_EMPTY = Definition((), ())


@dataclass(frozen=True)
class _Open:
    prepared: Prepared
    body: bytes


class _Replay:
    def __init__(self, folder: Path, state: State) -> None:
        self._folder = folder
        self._state = state
        self._open: dict[str, _Open] = {}
        self.files: list[str] = []
        self.bytes_of_files = 0

    def take(self, path: Path, record: Record) -> None:
        body = read_body(path, record)
        line, _, rest = body.partition(b"\n")
        try:
            fields = json.loads(line)
            self._do(fields, rest, path)
        except (ValueError, KeyError, TypeError) as error:
            raise SystemFailure(
                "the log has a record that this version of Essentia does not know", where=f"{path} byte {record.start}"
            ) from error

    def finish(self) -> State:
        for found in self._open.values():
            request = found.prepared.request
            if request.decider:
                rows, changes = self._contents(found)
                self._state.doubts.append(Doubt(request, rows, changes))
        return self._state

    def _do(self, fields: dict[str, Any], rest: bytes, path: Path) -> None:
        state = self._state
        kind = fields["is"]
        if kind == "defined":
            definition = parse_definition(fields["definition"], source=str(path)) if fields["definition"] else _EMPTY
            state.shard.extend(definition)
            state.birth = fields["birth"] or state.birth
        elif kind == "prepared":
            request: StageRequest | SessionRequest
            if "import" in fields:
                request = read_request(StageRequest, fields["import"])
            else:
                request = read_request(SessionRequest, fields["session"])
            prepared = Prepared(request, fields["rows"], fields["file"], fields["length"], fields["checksum"])
            self._open[request.attempt] = _Open(prepared, rest)
            if prepared.file:
                self.files.append(prepared.file)
                self.bytes_of_files += prepared.length
        elif kind == "dropped":
            self._open.pop(fields["attempt"], None)
        elif kind == "committed":
            self._commit(self._open.pop(fields["attempt"]))
        elif kind == "changed":
            self._change(decode_changes(rest))
        elif kind == "settled":
            state.shard.settle()
        else:
            raise KeyError(kind)

    def _commit(self, found: _Open) -> None:
        state = self._state
        request = found.prepared.request
        rows, changes = self._contents(found)
        if isinstance(request, SessionRequest):
            self._change(changes)
            remember(state.identities, session_identity(request), request.attempt)
            if any(isinstance(change, Forget) for change in changes):
                state.forgotten = request.attempt
            return
        state.shard.append(import_of(state.shard.definition, request, rows))
        remember(state.identities, request.identity, request.attempt)
        state.commits += 1

    def _change(self, changes: list[Change] | tuple[Change, ...]) -> None:
        for change in changes:
            self._state.shard.apply(change)
        self._state.commits += 1

    def _contents(self, found: _Open) -> tuple[tuple[Batch, ...], tuple[Change, ...]]:
        prepared = found.prepared
        if isinstance(prepared.request, SessionRequest):
            return (), tuple(decode_changes(found.body))
        if prepared.file:
            return (rows_of(read_checked(self._folder / prepared.file, prepared.length, prepared.checksum)),), ()
        if not prepared.rows:
            return (), ()
        return (decode_batch(found.body),), ()


def session_identity(request: SessionRequest) -> str:
    """The identity under which a session is committed."""
    return f"session:{request.attempt}"


def import_of(definition: Definition, request: StageRequest, rows: tuple[Batch, ...]) -> Import:
    """The rows of an import as the shard takes them."""
    table = definition.get(request.table, where=request.database) if request.table else None
    return Import(table, rows, request.job, request.sequence, request.only_known, request.only_new)


def broken(error: EssError) -> UdbRequestError:
    """The error that every request gets to a database whose files are damaged."""
    return UdbRequestError(
        f"the database could not be read at the start: {error.what}", where=error.where, hint=error.hint
    )
