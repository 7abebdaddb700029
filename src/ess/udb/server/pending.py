"""An import or a session on its way, with what is needed to commit it and to log it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import polars as pl

from ess.udb.journal.journal import Prepared
from ess.udb.journal.rows_file import RowsFile
from ess.udb.shard.changes import Change, Forget, encode_batch, encode_changes
from ess.udb.shard.shard import Shard
from ess.udb.wire.protocol import SessionRequest, StageRequest
from ess.udb.wire.transactions import Stage


@dataclass
class Pending:
    """An import or a session on its way, and what is needed to commit it."""

    request: StageRequest | SessionRequest
    stage: Stage
    shard: Shard | None = None
    changes: tuple[Change, ...] = ()
    file: RowsFile | None = None
    holds_gate: bool = False
    deciding: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_session(self) -> bool:
        """True for a session, False for an import."""
        return isinstance(self.request, SessionRequest)

    @property
    def clears_all(self) -> bool:
        """True if it clears the database as a whole."""
        return any(isinstance(change, Forget) for change in self.changes)


def record_of(pending: Pending) -> tuple[Prepared, bytes]:
    """The log record of something prepared."""
    stage = pending.stage
    if pending.is_session:
        return Prepared(pending.request), encode_changes(pending.changes)
    file = pending.file
    if file is not None:
        return Prepared(pending.request, stage.rows, file.path.name, file.length, file.checksum), b""
    return Prepared(pending.request, stage.rows), encode_batch(pl.concat(stage.batches)) if stage.batches else b""
