"""The locks that put work on one database in order.

Two of them: the *lock*, for the moment in which something is looked at or changed, and the *gate*,
which a session holds while nothing else may be committed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ess.errors import UdbRequestError
from ess.udb.server.pending import Pending
from ess.udb.wire.transactions import Stage

#: How long something waits until what goes before it is decided.
GATE_SECONDS = 60.0


class Gate:
    """The lock and the gate of one database; everything but ``busy`` is called inside ``with gate.lock``.

    Args:
        database: Its name, for errors.
    """

    def __init__(self, database: str) -> None:
        self.lock = threading.RLock()
        #: The session that holds it.
        self.holder: Pending | None = None
        self._database = database
        self._freed = threading.Condition(self.lock)

    def wait(self, free: Callable[[], bool]) -> None:
        """Wait, without the lock, until something is so.

        Raises:
            UdbRequestError: If that takes too long.
        """
        if not self._freed.wait_for(free, GATE_SECONDS):
            raise UdbRequestError(
                f"database '{self._database}' is busy with another change", hint="try again when that is done"
            )

    def lets(self, pending: Pending) -> bool:
        """True if something may be committed: nobody else holds the gate."""
        return self.holder is None or self.holder is pending

    def wait_until_free(self) -> None:
        """Wait until no session holds it."""
        self.wait(lambda: self.holder is None)

    def take(self, session: Pending) -> None:
        """Give it to a session, now that nobody holds it."""
        session.holds_gate = True
        self.holder = session

    def free(self, pending: Pending) -> None:
        """Let others commit, if this one keeps them from it."""
        if pending.holds_gate:
            pending.holds_gate = False
            self.holder = None
            self._freed.notify_all()

    @contextmanager
    def busy(self, stage: Stage) -> Iterator[None]:
        """Note that work for a client is in progress, which can say nothing meanwhile."""
        with self.lock:
            stage.busy += 1
        try:
            yield
        finally:
            with self.lock:
                stage.busy -= 1
                stage.heard = time.monotonic()
