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
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ess.engines.batch import Batch
from ess.errors import UdbRequestError


class Phase(enum.Enum):
    """How far a stage has come."""

    STAGING = "staging"
    PREPARED = "prepared"
    ENDED = "ended"


class Ending(enum.Enum):
    """What the end of a stream means."""

    DROPPED = "dropped"
    IN_DOUBT = "in doubt"
    SETTLED = "settled"


class Verdict(enum.Enum):
    """What a decider says about an attempt."""

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

    def add(self, batch: Batch) -> None:
        """Stage rows."""
        if self.phase is not Phase.STAGING:
            raise UdbRequestError("rows after the import was prepared", where=self.identity)
        self.batches.append(batch)
        self.rows += batch.height


class Transactions:
    """The imports of one database on one server."""

    def __init__(self) -> None:
        self._committed: dict[str, str] = {}
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

    def prepare(self, stage: Stage, rows: int) -> None:
        """Check that everything has arrived; from now on the stage can be committed.

        Raises:
            UdbRequestError: If the number of rows is another one.
        """
        if stage.phase is not Phase.STAGING:
            raise UdbRequestError("the import cannot be prepared twice", where=stage.identity)
        if stage.rows != rows:
            raise UdbRequestError(
                f"{rows} rows were sent, {stage.rows} arrived", where=stage.identity, hint="run the import again"
            )
        stage.phase = Phase.PREPARED

    def commit(self, stage: Stage) -> bool:
        """End a prepared stage; whether its rows count (else they are a duplicate).

        Raises:
            UdbRequestError: If it has not been prepared.
        """
        if stage.phase is not Phase.PREPARED:
            raise UdbRequestError("the import was not prepared", where=stage.identity)
        self._end(stage)
        return self._committed.setdefault(stage.identity, stage.attempt) == stage.attempt

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
        """What has become, or may still become, of an attempt, on the server that decides."""
        if self._committed.get(identity) == attempt:
            return Verdict.COMMITTED
        return Verdict.OPEN if attempt in self._stages else Verdict.NEVER

    def open_stages(self) -> int:
        """How many imports are under way."""
        return len(self._stages)

    def _end(self, stage: Stage) -> None:
        stage.phase = Phase.ENDED
        self._stages.pop(stage.attempt, None)
