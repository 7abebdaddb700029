"""Imports as transactions: a state machine without input or output.

An import goes to several servers and must count on all of them or on none, whoever dies when.

1. The client opens a stream to every server and stages rows under an *attempt*, a number of its
   own. Nothing is visible.
2. It says *prepare* with the row count to every server; each checks that it has all rows.
3. It says *commit* to one server, the *decider*. That moment decides. Then it tells the others.

The end of a stream without a commit drops what was staged, except on a server that has prepared
and is not the decider: it is *in doubt*, because the decider may have committed. It asks the
decider, whose answer is final as soon as its own stream of that attempt has ended.

An import has an *identity* given by the caller, e.g. of the task that makes it. When an identity
has been committed once, later attempts of it are duplicates and are dropped.

The changes of a session (see :mod:`ess.udb.server.database`) are decided in the same way.
"""

from __future__ import annotations

import enum
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from ess.errors import UdbRequestError
from ess.schema.batch import Batch

#: Identities that were made up for one attempt are never asked for again, but by a server that was in doubt and away.
REMEMBERED_ONCE = 100_000
ONCE = ("once:", "session:")


class Phase(enum.Enum):
    """The progress of a stage."""

    STAGING = "staging"
    PREPARED = "prepared"
    ENDED = "ended"


class Ending(enum.Enum):
    """The meaning of the end of a stream."""

    DROPPED = "dropped"
    IN_DOUBT = "in doubt"
    SETTLED = "settled"


class Verdict(enum.Enum):
    """The answer of a decider about an attempt."""

    COMMITTED = "committed"
    OPEN = "open"
    NEVER = "never"


@dataclass
class Stage:
    """The rows of one attempt, on one server."""

    identity: str
    attempt: str
    decides: bool
    phase: Phase = Phase.STAGING
    batches: list[Batch] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    #: Set by the commit: whether it counts.
    outcome: bool | None = None
    #: When the client was last heard of, by the monotonic clock.
    heard: float = field(default_factory=time.monotonic)
    #: Requests that are being worked on for it.
    busy: int = 0

    def add(self, batch: Batch) -> None:
        """Stage rows."""
        if self.phase is Phase.ENDED:
            raise UdbRequestError("the import took too long and was ended", where=self.identity, hint="run it again")
        if self.phase is not Phase.STAGING:
            raise UdbRequestError("rows after the import was prepared", where=self.identity)
        self.batches.append(batch)
        self.rows += batch.height
        self.size += int(batch.estimated_size())


class Transactions:
    """The imports of one database on one server."""

    def __init__(self, committed: OrderedDict[str, str] | None = None) -> None:
        self._committed: OrderedDict[str, str] = committed if committed is not None else OrderedDict()
        self._stages: dict[str, Stage] = {}

    def begin(self, identity: str, attempt: str, *, decides: bool) -> Stage:
        """Open a stage.

        Raises:
            UdbRequestError: If the attempt is open already.
        """
        if attempt in self._stages:
            raise UdbRequestError("an import with this number is open already", where=identity)
        stage = Stage(identity, attempt, decides)
        self._stages[attempt] = stage
        return stage

    def require_whole(self, stage: Stage, rows: int) -> None:
        """Check that everything has arrived.

        Raises:
            UdbRequestError: If the number of rows is another one, or the stage cannot be prepared any more.
        """
        if stage.phase is Phase.ENDED:
            raise UdbRequestError("it took too long and was ended", where=stage.identity, hint="run it again")
        if stage.phase is not Phase.STAGING:
            raise UdbRequestError("the import cannot be prepared twice", where=stage.identity)
        if stage.rows != rows:
            raise UdbRequestError(
                f"{rows} rows were sent, {stage.rows} arrived", where=stage.identity, hint="run the import again"
            )

    def prepare(self, stage: Stage, rows: int) -> None:
        """Check that everything has arrived; from now on the stage can be committed.

        Raises:
            UdbRequestError: As :meth:`require_whole`.
        """
        self.require_whole(stage, rows)
        stage.phase = Phase.PREPARED

    def will_count(self, stage: Stage) -> bool:
        """True if the rows of a prepared stage would count if it were committed now.

        Raises:
            UdbRequestError: If it has not been prepared.
        """
        if stage.phase is not Phase.PREPARED:
            raise UdbRequestError("the import was not prepared", where=stage.identity)
        return self._committed.get(stage.identity, stage.attempt) == stage.attempt

    def commit(self, stage: Stage) -> bool:
        """End a prepared stage; whether its rows count (else they are a duplicate).

        Raises:
            UdbRequestError: If it has not been prepared.
        """
        stage.outcome = self.will_count(stage)
        self._end(stage)
        if stage.outcome:
            remember(self._committed, stage.identity, stage.attempt)
        return stage.outcome

    def prepared(self) -> list[Stage]:
        """The stages that are prepared and not decided."""
        return [stage for stage in self._stages.values() if stage.phase is Phase.PREPARED]

    def silent(self, since: float) -> list[Stage]:
        """The stages that could be dropped: their clients have not been heard of since some moment."""
        return [
            stage
            for stage in self._stages.values()
            if stage.heard < since and not stage.busy and (stage.phase is Phase.STAGING or stage.decides)
        ]

    def identities(self) -> OrderedDict[str, str]:
        """The committed attempt of each identity, the oldest first; a copy."""
        return OrderedDict(self._committed)

    def end_of_stream(self, stage: Stage) -> Ending:
        """The client is gone, on purpose or not."""
        if stage.phase is Phase.ENDED:
            return Ending.SETTLED
        if stage.phase is Phase.PREPARED and not stage.decides:
            return Ending.IN_DOUBT
        self.drop(stage)
        return Ending.DROPPED

    def drop(self, stage: Stage) -> None:
        """Forget what was staged."""
        self._end(stage)
        stage.batches.clear()

    def verdict(self, identity: str, attempt: str) -> Verdict:
        """The verdict on an attempt, on the server that decides: committed, still open, or never."""
        if self._committed.get(identity) == attempt:
            return Verdict.COMMITTED
        stage = self._stages.get(attempt)
        # A stage that waits for another server's decision is not decided here, even if that server asks (or this one).
        return Verdict.OPEN if stage is not None and stage.decides else Verdict.NEVER

    def open_stages(self) -> int:
        """The number of imports under way."""
        return len(self._stages)

    def _end(self, stage: Stage) -> None:
        stage.phase = Phase.ENDED
        self._stages.pop(stage.attempt, None)


def remember(committed: OrderedDict[str, str], identity: str, attempt: str) -> None:
    """Note what was committed, and forget the oldest of what nobody will ask for."""
    committed[identity] = attempt
    if len(committed) > 2 * REMEMBERED_ONCE:
        once = [name for name in committed if name.startswith(ONCE)]
        for name in once[:-REMEMBERED_ONCE]:
            del committed[name]
