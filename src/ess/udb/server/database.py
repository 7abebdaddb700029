"""One database on one server: the shard, its imports and sessions, and its log.

Its locks are explained in :mod:`ess.udb.server.gate`. A commit is in the log before it is in the
shard, and safe on disk before anybody is told of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ess.errors import EssError, UdbRequestError
from ess.schema.batch import Batch
from ess.udb.journal.journal import LARGE_IMPORT, Journal, Position
from ess.udb.journal.recovery import Doubt, State, import_of, session_identity
from ess.udb.server.gate import Gate
from ess.udb.server.pending import Pending, record_of
from ess.udb.server.verdicts import Ask, Verdicts
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec import VAR, Definition, TableColumn
from ess.udb.wire.protocol import SessionRequest, StageRequest
from ess.udb.wire.transactions import Ending, Phase, Transactions, Verdict

log = logging.getLogger("udbd")


class Database:
    """A database. Its methods may be called from any thread.

    Args:
        name: Its name.
        state: What it is at the beginning.
        journal: Its log; None: it is volatile.
        ask: How to ask another server about what it decides.
    """

    def __init__(self, name: str, state: State, journal: Journal | None, ask: Ask) -> None:
        self.name = name
        self.birth = state.birth
        self._commits = state.commits
        self._journal = journal
        self._gate = Gate(name)
        self._lock = self._gate.lock
        self._verdicts = Verdicts(name, ask, self._do_decided)
        self._shard = state.shard
        self._shard.settled = self._note_settled
        self._transactions = Transactions(state.identities)
        self._pending: dict[str, Pending] = {}
        self._compacting = threading.Lock()
        #: Why nothing can be done with it any more.
        self._ended: EssError | None = None
        self.doubts = [self._restored(doubt) for doubt in state.doubts]

    @property
    def commits(self) -> int:
        """The number of commits since it was defined."""
        return self._commits

    @property
    def definition(self) -> Definition:
        """The definition."""
        return self._shard.definition

    @property
    def is_volatile(self) -> bool:
        """True if it is not logged."""
        return self._journal is None

    @property
    def waiting(self) -> int:
        """The number of committed rows that have not been merged in yet."""
        return self._shard.waiting

    def settle(self) -> None:
        """Merge waiting imports in, so that the next reader need not wait for it.

        Raises:
            UdbRequestError: If the database is gone.
        """
        with self._lock:
            self._require_usable()
            with suppress(EssError):  # a full disk, on which it cannot be noted, is the next reader's error
                self._shard.settle()

    def _settle_behind(self) -> None:
        with suppress(EssError):  # the database is gone
            self.settle()

    def agree_on(self, definition: Definition) -> None:
        """Make sure that a client means the same database.

        A client need not know all tables that there are, and may know others, which are then added.

        Raises:
            UdbRequestError: If the definitions contradict each other.
        """
        with self._lock:
            self._require_usable()
            if self._shard.definition.extends(definition):
                return
        with self._lock:
            self._gate.wait_until_free()
            self._require_usable()
            mine = self._shard.definition
            if mine.extends(definition):
                return
            joined = mine.joined(definition)
            if joined is not None:
                if self._journal is not None:
                    self._journal.defined(joined)
                self._shard.extend(joined)
                return
        only_var = mine.without(VAR).joined(definition.without(VAR)) is not None
        raise UdbRequestError(
            f"the server holds database '{self.name}' with another definition" + " of @Var" * only_var,
            hint=f"to take over the present one: aq_udb -alt {self.name}"
            if only_var
            else f"to start anew with the present one: aq_udb -clr {self.name}",
        )

    def require_birth(self, birth: str) -> None:
        """Make sure that a client means this database, and not one of that name that has been cleared.

        Raises:
            UdbRequestError: If it does not.
        """
        if birth and birth != self.birth:
            raise UdbRequestError(f"database '{self.name}' was cleared and made anew", hint="run the command again")

    # Imports ------------------------------------------------------------------------------------------------------

    def begin(self, request: StageRequest) -> Pending:
        """Open an import."""
        with self._lock:
            self._require_usable()
            self.require_birth(request.birth)
            self.columns(request.table)
            stage = self._transactions.begin(request.identity, request.attempt, decides=not request.decider)
            pending = self._pending[request.attempt] = Pending(request, stage)
            return pending

    def stage_rows(self, pending: Pending, rows: Batch) -> None:
        """Stage rows, which have exactly the table's columns."""
        stage = pending.stage
        stage.heard = time.monotonic()
        stage.add(rows)
        if self._journal is None:
            return
        if pending.file is not None:
            pending.file.write(rows)
        elif stage.size > LARGE_IMPORT:
            pending.file = self._journal.rows_file(stage.attempt)
            for batch in stage.batches:
                pending.file.write(batch)

    def columns(self, table: str) -> tuple[TableColumn, ...]:
        """The columns of a table, or of the key (blank).

        Raises:
            OptionError: If there is no such table.
        """
        definition = self._shard.definition
        return definition.get(table, where=self.name).columns if table else definition.key

    def prepare(self, pending: Pending, rows: int) -> None:
        """The client has sent everything, or asked for all changes."""
        stage = pending.stage
        self._transactions.require_whole(stage, rows)
        if self._journal is None:
            with self._lock:
                self._transactions.prepare(stage, rows)
            return
        if pending.file is not None:
            pending.file.finish()
        record, body = record_of(pending)
        with self._lock:
            self._require_usable()
            self._transactions.require_whole(stage, rows)
            if pending.is_session:
                self._shard.settle()  # what it began with, if that could not be noted then
            position = self._journal.prepared(record, body)
            self._transactions.prepare(stage, rows)
        if not stage.decides:
            position.secure()  # the decider makes it safe together with the commit

    def commit(self, pending: Pending) -> bool:
        """Make it count; False if the same import has counted already.

        Raises:
            UdbRequestError: If it was not prepared, or the database is gone.
            SystemFailure: If it cannot be logged; then it does not count.
            UdbRequestError: Also if it is logged and the disk does not say whether it is safe. Then nobody is shown
                anything of this database until a restart has found out.
        """
        stage = pending.stage
        with self._lock:
            self._gate.wait(lambda: stage.outcome is not None or self._gate.lets(pending))
            if stage.outcome is None:
                self._apply(pending)
            position = self._here()
        if stage.decides and stage.outcome and position is not None:
            try:
                position.secure()
            except UdbRequestError as error:
                hint = f"{error.hint}; then look: it is there as a whole or not at all"
                what = f"{error.what} before it was known whether what was sent counts"
                raise UdbRequestError(what, where=error.where, hint=hint) from error
        return bool(stage.outcome)

    def _apply(self, pending: Pending) -> None:
        """Log the commit, then do it. The lock is held."""
        stage = pending.stage
        self._require_usable()
        counts = self._transactions.will_count(stage)
        if self._journal is not None:
            if counts:
                self._journal.committed(stage.attempt)
            else:
                self._journal.dropped(stage.attempt)
        self._transactions.commit(stage)
        if counts:
            self._commits += 1
            if pending.is_session:
                assert pending.shard is not None
                self._shard.adopt(pending.shard)
                if pending.clears_all:
                    self._ended = _cleared(self.name)
                    if self._journal is not None:
                        self._journal.give_up()
            else:
                request = pending.request
                assert isinstance(request, StageRequest)
                self._shard.append(import_of(self._shard.definition, request, tuple(stage.batches)))
        elif pending.file is not None:
            pending.file.remove()
        stage.batches = []
        self._forget(pending)

    def drop(self, pending: Pending) -> None:
        """Forget an import or a session."""
        with self._lock:
            stage = pending.stage
            if stage.phase is not Phase.ENDED:
                if stage.phase is Phase.PREPARED and self._journal is not None and self._ended is None:
                    with suppress(EssError):  # without this record, a restart asks the decider once more
                        self._journal.dropped(stage.attempt)
                self._transactions.drop(stage)
            if pending.file is not None and not stage.outcome:
                pending.file.remove()
            self._forget(pending)

    def end_of_stream(self, pending: Pending) -> Ending:
        """Take note that the client has gone."""
        with self._lock:
            stage = pending.stage
            if stage.phase is Phase.PREPARED and not stage.decides:
                return Ending.IN_DOUBT
            ending = Ending.SETTLED if stage.phase is Phase.ENDED else Ending.DROPPED
            self.drop(pending)
            # Not while other imports come in, which would wait for it, and be merged in next.
            is_worth_settling = not self._pending and self._shard.is_worth_settling
        if is_worth_settling:
            # Now and not at the commit, because the client waits for the end of its stream.
            threading.Thread(target=self._settle_behind, name="settle", daemon=True).start()
        return ending

    def verdict(self, identity: str, attempt: str) -> Verdict:
        """The verdict on something that this server decides."""
        with self._lock:
            found = self._transactions.verdict(identity, attempt)
            position = self._here()
        if found is Verdict.COMMITTED and position is not None:
            position.secure()
        return found

    def drop_silent(self, since: float) -> list[str]:
        """Drop what clients have left open that were last heard of before some moment; the identities."""
        with self._lock:
            silent = self._transactions.silent(since)
            for stage in silent:
                self.drop(self._pending[stage.attempt])
            return [stage.identity for stage in silent]

    # Sessions -----------------------------------------------------------------------------------------------------

    def open_session(self, request: SessionRequest) -> Pending:
        """Open a session: nothing else is committed until it is released, committed or dropped.

        Decisions of other servers that this one does not know yet are carried out first.

        Raises:
            UdbRequestError: If something else is being committed for too long, or a decider cannot be asked.
        """
        with self._lock:
            self._require_usable()
            self.require_birth(request.birth)
            self._gate.wait_until_free()
            self._require_usable()
            stage = self._transactions.begin(session_identity(request), request.attempt, decides=not request.decider)
            session = self._pending[request.attempt] = Pending(request, stage)
            self._gate.take(session)
        try:
            # Earlier decisions are carried out first; with the gate held nothing new is decided meanwhile.
            self._verdicts.learn_all(self._doubtful)
            with self._lock:
                session.shard = self._shard.copy()
                position = self._here()
            if position is not None:
                position.sync()  # what is looked at must not be gone after a crash
        except BaseException:
            self.drop(session)
            raise
        return session

    def release(self, session: Pending) -> None:
        """Let others commit. The session goes on looking at its state, and cannot change it any more."""
        with self._lock:
            if session.holds_gate and session.stage.phase is Phase.STAGING:
                self._gate.free(session)

    def find_session(self, attempt: str) -> Pending:
        """The session of an attempt.

        Raises:
            UdbRequestError: If it is not open.
        """
        with self._lock:
            session = self._pending.get(attempt)
        if session is None or session.shard is None or session.stage.phase is not Phase.STAGING:
            raise UdbRequestError("the session is not open any more", where=self.name, hint="run the command again")
        return session

    @contextmanager
    def busy(self, attempt: str) -> Iterator[Pending]:
        """The session of an attempt, which is not taken for silent while this is open.

        Raises:
            UdbRequestError: If it is not open.
        """
        session = self.find_session(attempt)
        with self._gate.busy(session.stage):
            yield session

    def present(self) -> Shard:
        """The present state, to look at; it is not gone after a crash."""
        with self._lock:
            self._require_usable()
            shard = self._shard.copy()
            position = self._here()
        if position is not None:
            position.sync()
        return shard

    def learn_verdict(self, pending: Pending) -> Verdict:
        """Ask the decider about something prepared, and do it if it is committed; see :meth:`Verdicts.learn`."""
        return self._verdicts.learn(pending)

    def _doubtful(self) -> list[Pending]:
        with self._lock:
            return [self._pending[stage.attempt] for stage in self._transactions.prepared() if not stage.decides]

    def _do_decided(self, pending: Pending) -> bool:
        with self._lock:
            holder = self._gate.holder
            if holder is not None and holder is not pending and holder.shard is not None:
                return False  # the session has begun before this was decided, so its turn is before
            if pending.stage.phase is Phase.PREPARED:
                self._apply(pending)
            return True

    def _restored(self, doubt: Doubt) -> Pending:
        """The imports and sessions that were prepared when the server ended; their decider may have committed them."""
        request = doubt.request
        is_session = isinstance(request, SessionRequest)
        identity = session_identity(request) if isinstance(request, SessionRequest) else request.identity
        stage = self._transactions.begin(identity, request.attempt, decides=False)
        for rows in doubt.rows:
            stage.add(rows)
        stage.phase = Phase.PREPARED
        pending = self._pending[request.attempt] = Pending(request, stage, changes=doubt.changes)
        if is_session:
            pending.shard = self._shard.copy()
            for change in doubt.changes:
                pending.shard.apply(change)
            self._gate.take(pending)
        return pending

    # The end, and snapshots ---------------------------------------------------------------------------------------

    def end(self) -> None:
        """End the database, which is cleared as a whole; imports under way must not seem to succeed."""
        with self._lock:
            self._ended = self._ended or _cleared(self.name)
            # Not left to the collector of garbage: a log that is removed takes room on the disk as long as it is open.
            self._journal = None
            self._shard = Shard(self._shard.definition)

    @property
    def is_forgotten(self) -> bool:
        """True if a session has cleared it as a whole."""
        return self._ended is not None

    @property
    def wants_snapshot(self) -> bool:
        """True if its log has grown so much that a snapshot pays."""
        return self._journal is not None and self._ended is None and self._journal.is_large

    def take_snapshot(self, *, least: int = 0) -> bool:
        """Write the state as a snapshot, and begin a new log; whether it was done.

        Args:
            least: Not when the log is smaller.

        Raises:
            SystemFailure: If it cannot be written; nothing is lost then.
        """
        journal = self._journal
        if journal is None or not self._compacting.acquire(blocking=False):
            return False
        try:
            with self._lock:
                if self._ended is not None or journal.since_snapshot < least:
                    return False
                self._shard.settle()  # raises where a copy would not
                shard = self._shard.copy()
                state = State(shard, self.birth, self._commits, self._transactions.identities())
                prepared = [self._pending[stage.attempt] for stage in self._transactions.prepared()]
                open_records = [record_of(pending) for pending in prepared]
                number, superfluous = journal.rotate(open_records)
            journal.write_snapshot(number, shard, state.facts(), superfluous)
            return True
        finally:
            self._compacting.release()

    # Inside ---------------------------------------------------------------------------------------------------------

    def _forget(self, pending: Pending) -> None:
        self._pending.pop(pending.stage.attempt, None)
        pending.shard = None
        self._gate.free(pending)

    def _require_usable(self) -> None:
        if self._ended is not None:
            raise self._ended

    def _here(self) -> Position | None:
        return self._journal.here() if self._journal is not None else None

    def _note_settled(self) -> None:
        if self._journal is not None and self._ended is None:
            self._journal.settled()


def _cleared(name: str) -> EssError:
    return UdbRequestError(f"database '{name}' was cleared meanwhile", hint="run the command again")
