"""Learning what a decider has decided about what was prepared on this server (see :mod:`ess.udb.wire.transactions`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ess.errors import EssError, SystemFailure, UdbRequestError
from ess.udb.server.pending import Pending
from ess.udb.wire.protocol import VerdictRequest
from ess.udb.wire.transactions import Phase, Verdict

#: How long to wait for a decider before the one who waits is told.
_SECONDS = 10.0

#: Asks the server of an address for its verdict.
Ask = Callable[[str, VerdictRequest], Verdict]


class Verdicts:
    """The verdicts on what one database has prepared.

    Args:
        database: Its name.
        ask: How to ask another server.
        do: Commits something here that its decider has committed; False if it is not its turn yet.
    """

    def __init__(self, database: str, ask: Ask, do: Callable[[Pending], bool]) -> None:
        self._database = database
        self._ask = ask
        self._do = do

    def learn(self, pending: Pending) -> Verdict:
        """Ask the decider about something prepared, and do it if it is committed.

        Raises:
            EssError: If the decider cannot be asked, or the commit cannot be logged.
        """
        stage = pending.stage
        with pending.deciding:
            if stage.phase is not Phase.PREPARED:
                return Verdict.COMMITTED if stage.outcome else Verdict.NEVER
            question = VerdictRequest(self._database, stage.identity, stage.attempt)
            verdict = self._ask(pending.request.decider, question)
            if verdict is Verdict.COMMITTED and not self._done(pending):
                return Verdict.OPEN
            return verdict

    def _done(self, pending: Pending) -> bool:
        try:
            return self._do(pending)
        except SystemFailure as error:
            what = f"what the whole pool has committed cannot be noted here: {error.what}"
            raise SystemFailure(what, where=error.where, hint=error.hint) from error

    def learn_all(self, doubtful: Callable[[], Sequence[Pending]]) -> None:
        """Do what is decided. Called with the gate held, so that nothing new is decided meanwhile.

        Args:
            doubtful: What is prepared here and decided elsewhere.

        Raises:
            UdbRequestError: If a decider cannot be asked.
            SystemFailure: If what is decided cannot be logged. That is at once: a disk does not get free by waiting.
        """
        deadline = time.monotonic() + _SECONDS
        while True:
            unknown: EssError | None = None
            for pending in doubtful():
                try:
                    self.learn(pending)
                except SystemFailure:
                    raise
                except EssError as error:
                    unknown = error
            if unknown is None:
                return
            if time.monotonic() > deadline:
                raise UdbRequestError(
                    "an import waits for the decision of another server", where=self._database, hint=str(unknown)
                )
            time.sleep(0.1)
