"""The databases of one server: found, made, cleared, and read from disk at the start."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ess.errors import EssError, UdbRequestError
from ess.schema.columns import valid_name
from ess.settings import make_private_folder, write_private
from ess.udb.journal.folder import remove_folder
from ess.udb.journal.journal import Journal
from ess.udb.journal.recovery import State, broken, recover
from ess.udb.server.database import Database
from ess.udb.server.pending import Pending
from ess.udb.server.verdicts import Ask
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec import Definition
from ess.udb.spec.spec_file import parse_definition
from ess.udb.wire.protocol import DAMAGED, CreateRequest, VerdictRequest
from ess.udb.wire.transactions import Phase, Verdict

log = logging.getLogger("udbd")

#: Clients that import say something now and then; those that are not heard of for so long are gone.
SILENT_SECONDS = 90.0

_FORGOTTEN = ".forgotten"


class Catalog:
    """The databases. Its methods may be called from any thread.

    Args:
        folder: Where they are logged, each in a folder of its own; None: all are volatile.
        ask: How to ask another server about what it decides.
    """

    def __init__(self, folder: Path | None, ask: Ask) -> None:
        self._folder = folder
        self._ask = ask
        self._lock = threading.Lock()
        self._databases: dict[str, Database] = {}
        self._broken: dict[str, EssError] = {}
        self._forgotten: dict[str, str] = {}
        if folder is not None:
            self._load(make_private_folder(folder))

    def find(self, name: str) -> Database | None:
        """The database of that name, if there is one."""
        with self._lock:
            if name in self._broken:
                raise self._broken[name]
            return self._databases.get(name)

    def get(self, name: str, definition: str) -> Database:
        """The database of that name, defined as a client has it.

        Args:
            name: Its name.
            definition: The text of a spec; blank: any will do.

        Raises:
            UdbRequestError: If there is none, or it is defined otherwise.
        """
        if not valid_name(name):
            raise UdbRequestError("bad database name")
        found = self.find(name)
        if found is None:
            raise UdbRequestError(
                f"database '{name}' is not defined here yet",
                hint=f"import into it, or define it empty with: aq_udb -crt {name}",
            )
        if definition:
            found.agree_on(parse_definition(definition, source=f"database {name}"))
        return found

    def create(self, request: CreateRequest) -> Database:
        """Make a database, unless it is there.

        One that is there and has never had anything committed takes over the birth of the request.

        Raises:
            UdbRequestError: If it is there with another definition or another past.
            SystemFailure: If it cannot be written to disk.
        """
        name = request.database
        if not valid_name(name):
            raise UdbRequestError("bad database name")
        definition = parse_definition(request.definition, source=f"database {name}")
        with self._lock:
            if name in self._broken:
                raise self._broken[name]
            found = self._databases.get(name)
            if found is not None and request.birth not in ("", found.birth):
                if found.commits:
                    raise UdbRequestError(
                        f"the server holds another database '{name}'", hint=f"clear both with: aq_udb -clr {name}"
                    )
                self._remove(name)
                found = None
            if found is None:
                found = self._databases[name] = self._made(request, definition)
                log.info("database %s defined", name)
                return found
        found.agree_on(definition)
        return found

    def remove(self, name: str) -> None:
        """Clear a database as a whole, also one that is damaged.

        Raises:
            SystemFailure: If its files cannot be removed.
        """
        with self._lock:
            self._remove(name)

    def forget(self, database: Database, session: Pending) -> None:
        """Remove a database that a session has cleared, and remember who it was, for servers that are in doubt."""
        with self._lock:
            if self._databases.get(database.name) is not database:
                return
            if session.stage.decides:
                self._remember(database.name, session.stage.attempt)
            self._remove(database.name)

    def statuses(self) -> dict[str, dict[str, Any]]:
        """The facts that clients need about each database: its identity, and whether anything was committed to it."""
        with self._lock:
            found: dict[str, dict[str, Any]] = {
                name: {
                    "birth": database.birth,
                    "commits": database.commits,
                    "volatile": database.is_volatile,
                    "waiting": database.waiting,
                }
                for name, database in self._databases.items()
            }
            # One that is damaged says so itself to every request.
            found |= {name: {"birth": DAMAGED, "commits": 0, "volatile": False, "waiting": 0} for name in self._broken}
        return dict(sorted(found.items()))

    def verdict(self, request: VerdictRequest) -> Verdict:
        """The verdict of this server."""
        with self._lock:
            forgotten = self._forgotten.get(request.database)
        if forgotten == request.attempt:
            return Verdict.COMMITTED
        database = self.find(request.database)
        return Verdict.NEVER if database is None else database.verdict(request.identity, request.attempt)

    def resolve(self, database: Database, pending: Pending) -> None:
        """Find out about something that is in doubt, however long it takes; in a thread of its own."""
        threading.Thread(target=self._resolve, args=(database, pending), daemon=True).start()

    def drop_silent(self) -> None:
        """Drop what clients have left open that have not been heard of for long."""
        since = time.monotonic() - SILENT_SECONDS
        for database in self._all():
            for identity in database.drop_silent(since):
                log.warning("import %s of %s: the client is silent, it was dropped", identity, database.name)

    def take_snapshots(self, *, least: int = 0, wanted: bool = True) -> None:
        """Write a snapshot of each database.

        Args:
            least: The minimum size of the log, in bytes.
            wanted: Only where the log has grown so much that it pays.
        """
        for database in self._all():
            if wanted and not database.wants_snapshot:
                continue
            try:
                if database.take_snapshot(least=least):
                    log.info("snapshot of database %s written", database.name)
            except EssError as error:
                log.warning("no snapshot of database %s: %s", database.name, error)

    def _resolve(self, database: Database, pending: Pending) -> None:
        stage = pending.stage
        pause, told = 0.05, -60.0
        while stage.phase is Phase.PREPARED and not database.is_forgotten:
            try:
                verdict = database.learn_verdict(pending)
                if verdict is Verdict.NEVER:
                    database.drop(pending)
                if verdict is not Verdict.OPEN:
                    log.info("import %s of %s was in doubt: %s", stage.identity, database.name, verdict.value)
            except EssError as error:
                if time.monotonic() > told + 60:
                    told = time.monotonic()
                    log.warning("import %s of %s is in doubt: %s", stage.identity, database.name, error)
            if stage.phase is Phase.PREPARED:
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
        if stage.outcome and pending.clears_all:
            with contextlib.suppress(EssError):
                self.forget(database, pending)

    def _made(self, request: CreateRequest, definition: Definition) -> Database:
        birth = request.birth or secrets.token_hex(8)
        journal = None
        if self._folder is not None and not request.volatile:
            journal = Journal.create(self._folder / request.database, definition, birth)
        return Database(request.database, State(Shard(definition), birth), journal, self._ask)

    def _remove(self, name: str) -> None:
        if self._folder is not None:
            remove_folder(self._folder / name)
        self._broken.pop(name, None)
        found = self._databases.pop(name, None)
        if found is not None:
            found.end()
            log.info("database %s cleared", name)

    def _remember(self, name: str, attempt: str) -> None:
        self._forgotten[name] = attempt
        if self._folder is not None:
            write_private(self._folder / f"{name}{_FORGOTTEN}", attempt.encode())

    def _load(self, folder: Path) -> None:
        for path in folder.glob(f"*{_FORGOTTEN}"):
            self._forgotten[path.name.removesuffix(_FORGOTTEN)] = path.read_text("ascii").strip()
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                with contextlib.suppress(EssError):
                    remove_folder(path)
            elif path.is_dir() and valid_name(path.name):
                self._load_database(path)

    def _load_database(self, folder: Path) -> None:
        name = folder.name
        started = time.monotonic()
        try:
            state, journal = recover(folder)
        except EssError as error:
            log.error("database %s: %s", name, error)
            self._broken[name] = broken(error)
            return
        if state.forgotten:
            self._remember(name, state.forgotten)
            remove_folder(folder)
            return
        database = self._databases[name] = Database(name, state, journal, self._ask)
        log.info("database %s: read in %.1f s, %d commits", name, time.monotonic() - started, state.commits)
        for pending in database.doubts:
            self.resolve(database, pending)

    def _all(self) -> list[Database]:
        with self._lock:
            return list(self._databases.values())


@contextlib.contextmanager
def housekeeping(catalog: Catalog, seconds: float = 2.0) -> Iterator[None]:
    """Look after the databases now and then, in a thread of its own, while this is open."""
    ended = threading.Event()

    def look_after() -> None:
        while not ended.wait(seconds):
            try:
                catalog.drop_silent()
                catalog.take_snapshots()
            except Exception:  # whatever it is, the next round may go better
                log.exception("housekeeping failed")

    thread = threading.Thread(target=look_after, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
