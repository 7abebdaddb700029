"""One database on one server: the shard, its imports, and the lock that puts work on them in order."""

from __future__ import annotations

import threading
import time

from ess.engines.batch import PHYSICAL, Batch
from ess.errors import OptionError, UdbRequestError
from ess.udb.protocol import OrderRequest, ScanRequest, StageRequest
from ess.udb.scan import Scan
from ess.udb.spec import Definition, TableColumn
from ess.udb.store import Import, Shard
from ess.udb.transactions import Ending, Stage, Transactions, Verdict


class Database:
    """A database. Its methods may be called from any thread."""

    def __init__(self, name: str, definition: Definition) -> None:
        self.name = name
        #: When it was defined here, by the clock of the machine, so that servers can be compared.
        self.defined = time.time()
        self._lock = threading.RLock()
        self._shard = Shard(definition)
        self._transactions = Transactions()
        self._cleared = False

    def agree_on(self, definition: Definition) -> None:
        """Make sure that a client means the same database.

        A client may know fewer tables than there are, or more, which are then added.

        Raises:
            UdbRequestError: If the definitions contradict each other.
        """
        with self._lock:
            mine = self._shard.definition
            if mine.extends(definition):
                return
            if definition.extends(mine):
                self._shard.extend(definition)
                return
        raise UdbRequestError(
            f"the server holds database '{self.name}' with another definition",
            hint=f"to start anew with the present one: aq_udb -clr {self.name}",
        )

    # Imports ------------------------------------------------------------------------------------------------------

    def begin(self, request: StageRequest) -> Stage:
        """Open an import."""
        with self._lock:
            self._columns(request.table)
            return self._transactions.begin(request.identity, request.attempt, decides=not request.decider)

    def stage_rows(self, request: StageRequest, stage: Stage, rows: Batch) -> None:
        """Stage rows, which must have exactly the table's columns."""
        expected = {column.key: PHYSICAL[column.type] for column in self._columns(request.table)}
        if dict(rows.schema) != expected:
            raise UdbRequestError("the rows do not have the table's columns", where=request.table)
        if any(rows.null_count().row(0)):
            raise UdbRequestError("the rows have missing values", where=request.table)
        stage.add(rows)

    def prepare(self, stage: Stage, rows: int) -> None:
        """The client has sent everything."""
        with self._lock:
            self._transactions.prepare(stage, rows)

    def commit(self, request: StageRequest, stage: Stage) -> bool:
        """Make the rows count; False if they have counted already."""
        with self._lock:
            if self._cleared:
                raise UdbRequestError(
                    f"database '{self.name}' was cleared during the import", hint="run the import again"
                )
            if not self._transactions.commit(stage):
                return False
            table = self._shard.definition.get(request.table, where=self.name) if request.table else None
            self._shard.append(
                Import(table, tuple(stage.batches), request.job, request.sequence, request.only_known, request.only_new)
            )
            return True

    def drop(self, stage: Stage) -> None:
        """Forget an import."""
        with self._lock:
            self._transactions.drop(stage)

    def end_of_stream(self, stage: Stage) -> Ending:
        """The client has gone."""
        with self._lock:
            return self._transactions.end_of_stream(stage)

    def verdict(self, identity: str, attempt: str) -> Verdict:
        """What has become of an import that this server decides."""
        with self._lock:
            return self._transactions.verdict(identity, attempt)

    # Everything else ----------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Keys, and rows a table."""
        with self._lock:
            return self._shard.counts()

    def forget(self) -> None:
        """The database is cleared as a whole; imports under way must not seem to succeed."""
        with self._lock:
            self._cleared = True

    def clear(self, table: str) -> None:
        """Remove a table's rows, or make a vector blank."""
        with self._lock:
            self._shard.clear(self._shard.definition.get(table, where=self.name))

    def order(self, request: OrderRequest) -> None:
        """Sort rows within their keys, or the keys."""
        with self._lock:
            definition = self._shard.definition
            if not request.table and request.columns:
                parts = [self._key_column(name) for name in request.columns]
                self._shard.order_keys(parts, descending=request.descending, ignore_case=request.ignore_case)
                return
            for table in [definition.get(request.table, where=self.name)] if request.table else definition.tables:
                by = [table.get(name, where="-ord") for name in request.columns]
                if not by and table.time_column is not None:
                    by = [table.time_column]
                elif not by and request.table:
                    raise OptionError(
                        f"{table.label} has no tkey column", where="-ord", hint="name the columns to sort by"
                    )
                self._shard.order_rows(table, by, descending=request.descending, ignore_case=request.ignore_case)

    def export(self, request: ScanRequest) -> Batch:
        """The rows that a scan lets through."""
        with self._lock:
            return Scan(self._shard, request).export()

    def count(self, request: ScanRequest) -> tuple[int, int]:
        """The keys and the rows that a scan lets through."""
        with self._lock:
            return Scan(self._shard, request).count()

    def _columns(self, table: str) -> tuple[TableColumn, ...]:
        definition = self._shard.definition
        return definition.get(table, where=self.name).columns if table else definition.key

    def _key_column(self, name: str) -> TableColumn:
        for column in self._shard.definition.key:
            if column.key == name.lower():
                return column
        known = " ".join(column.name for column in self._shard.definition.key)
        raise OptionError(f"'{name}' is not a column of the key", where="-ord", hint=f"the key is {known}")
