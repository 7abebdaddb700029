"""Looking at a database, and changing it: in a session, or by itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ess.errors import UdbRequestError
from ess.udb.server.database import Database
from ess.udb.server.pending import Pending
from ess.udb.shard.shard import Shard
from ess.udb.wire.protocol import SessionRequest

Answer = TypeVar("Answer")


@contextmanager
def looking(database: Database, attempt: str = "") -> Iterator[Shard]:
    """A state to look at: that of a session, or the present one."""
    if not attempt:
        yield database.present()
        return
    with database.busy(attempt) as session:
        assert session.shard is not None
        yield session.shard.copy()


def change(database: Database, work: Callable[[Shard], Answer], attempt: str = "") -> Answer:
    """Do something that changes a database: in a session, or by itself.

    Args:
        database: The database.
        work: Gets a copy of the shard to work on; what it changes there is logged and taken over.
        attempt: Of the session; blank: none.

    Raises:
        EssError: Of ``work``, or if the change cannot be logged. Then nothing is changed.
    """
    if attempt:
        with database.busy(attempt) as session:
            return _work(database, session, work)
    request = SessionRequest(database.name, "", secrets.token_hex(16), "", database.birth)
    session = database.open_session(request)
    try:
        with database.busy(request.attempt):
            answer = _work(database, session, work)
        if session.changes:
            database.prepare(session, 0)
            database.commit(session)
        return answer
    finally:
        database.end_of_stream(session)


def _work(database: Database, session: Pending, work: Callable[[Shard], Answer]) -> Answer:
    assert session.shard is not None
    shard = session.shard.copy()
    answer = work(shard)
    changes = shard.changes()
    if changes and not session.holds_gate:
        raise UdbRequestError("a session that was released cannot change anything", where=database.name)
    session.changes = (*session.changes, *changes)
    session.shard = shard.copy()
    return answer
