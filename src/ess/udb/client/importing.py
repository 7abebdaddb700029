"""Importing: rows are cut up by the hash of their key, staged on all servers, and committed on all.

See :mod:`ess.udb.wire.transactions` for the protocol.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from ess.errors import EssError, OptionError
from ess.language.nearest import choice_hint
from ess.language.tree import Slot, ValueType, value_type
from ess.pipeline.sinks import ImportRequest
from ess.schema.batch import PHYSICAL, Batch, blank
from ess.schema.types import ColumnType
from ess.udb.client.folding import can_fold, folded
from ess.udb.client.import_claims import ImportIdentity, claim, identity_from_environment, require_no_failure, settle
from ess.udb.client.pool import Pool
from ess.udb.client.stage_stream import StageStream, kept_alive
from ess.udb.client.two_phases import commit
from ess.udb.shard.conversion import converted
from ess.udb.shard.shard import empty_frame
from ess.udb.spec.import_attributes import IMPORT_ATTRIBUTES
from ess.udb.spec.placement import key_hashes, segments_of, servers_of
from ess.udb.spec.spec import Kind, Server, TableColumn
from ess.udb.spec.spec_file import format_definition, format_server
from ess.udb.spec.target import Target, chosen_servers, find_target, parse_segments, spec_attribute
from ess.udb.wire.access import Access
from ess.udb.wire.protocol import StageRequest


@dataclass(frozen=True)
class ImportOptions:
    """The attributes of ``-imp``."""

    spec_file: str = ""
    fill_missing: bool = False
    skip_blank_keys: bool = False
    only_known: bool = False
    only_new: bool = False
    segments: tuple[int, int, int, int] | None = None
    place: str = ""

    @property
    def about_keys(self) -> str:
        """The first attribute that looks at the key of a row; blank if none does."""
        given = {
            "seg=": self.segments is not None,
            "nobnk": self.skip_blank_keys,
            "nonew": self.only_known,
            "noold": self.only_new,
        }
        return next((word for word, is_given in given.items() if is_given), "")


def open_import(request: ImportRequest) -> Import:
    """The import that ``-imp`` asks for; nothing is connected yet.

    Raises:
        OptionError: If the database, the table or a column is not there, or types do not fit.
    """
    options = parse_import_attributes(request.attributes, where=request.where)
    target = find_target(request.target, where=request.where, spec_file=options.spec_file)
    servers = chosen_servers(target.spec, given=request.servers, local=request.local)
    identity = identity_from_environment(request.ordinal, options.place)
    return Import(target, servers, request.available, options, identity, where=f"{request.where} {request.target}")


def parse_import_attributes(words: Sequence[str], *, where: str) -> ImportOptions:
    """The words after ``-imp,``.

    Raises:
        OptionError: For an unknown word, or both ``nonew`` and ``noold``.
    """
    options = ImportOptions()
    for word in words:
        lowered = word.lower()
        segments = parse_segments(lowered, where=where)
        if segments is not None:
            if options.segments is not None:
                raise OptionError("seg= is given twice", where=where, hint="for several segments: seg=N1-N2/N")
            options = dataclasses.replace(options, segments=segments)
        elif lowered.startswith("spec="):
            options = dataclasses.replace(options, spec_file=spec_attribute(word, where=where))
        elif lowered.startswith("place="):
            if len(word) == len("place="):
                raise OptionError("place= lacks a name", where=where, hint="-imp,place=Name")
            options = dataclasses.replace(options, place=word[len("place=") :])
        elif lowered == "ddef":
            options = dataclasses.replace(options, fill_missing=True)
        elif lowered == "nobnk":
            options = dataclasses.replace(options, skip_blank_keys=True)
        elif lowered == "nonew":
            options = dataclasses.replace(options, only_known=True)
        elif lowered == "noold":
            options = dataclasses.replace(options, only_new=True)
        elif lowered != "nodelay":  # rows are never held back until a commit makes them visible
            raise OptionError(f"unknown attribute '{word}'", where=where, hint=choice_hint(word, IMPORT_ATTRIBUTES))
    if options.only_known and options.only_new:
        raise OptionError("nonew and noold exclude each other", where=where)
    return options


class Import:
    """An import under way. It counts when ``commit`` has returned, and not at all otherwise.

    Args:
        target: Where the rows go.
        servers: All servers of the database.
        available: What the caller can deliver; columns of the table are found among it by name.
        options: See the class.
        identity: See the class.
        where: The option, for errors.
        access: The access files' contents, if not those of the working folder.

    Raises:
        OptionError: If a column of the table is missing or is of another kind.
    """

    def __init__(
        self,
        target: Target,
        servers: Sequence[Server],
        available: Sequence[Slot],
        options: ImportOptions,
        identity: ImportIdentity,
        *,
        where: str,
        access: Access | None = None,
    ) -> None:
        self._target = target
        self._servers = tuple(servers)
        self._options = options
        self._identity = identity
        self._access = access
        self._where = where
        self._key = target.spec.definition.key
        self._columns = target.table.columns if target.table else self._key
        self._taken = _match(self._columns, available, options, where)
        self._pool: Pool | None = None
        self._streams: list[StageStream] = []
        self._alive = contextlib.ExitStack()
        self._rows = 0
        self._counted = False
        self._folds = can_fold(target.table)
        if target.table is not None and target.table.kind is Kind.VAR and (word := options.about_keys):
            raise OptionError(f"variables belong to no key, so {word} has no effect", where=where, hint="leave it out")
        if options.skip_blank_keys and (len(self._key) > 1 or self._key[0].type is not ColumnType.S):
            raise OptionError("nobnk needs a key of one string column", where=where)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots it takes, in order; ``write`` gets batches of these columns."""
        return tuple({slot.key: slot for slot in self._taken.values()}.values())

    def connect(self) -> None:
        """Reach every server and open the import there.

        Raises:
            UdbConnectError: If one cannot be reached; then the import does not begin.
        """
        if self._pool is not None:
            return
        claim(self._identity, database=self._target.database, where=self._where)
        self._pool = Pool(self._servers, self._access)
        self._pool.reach(self._target.database)
        if not self._pool.has(self._target.database):
            self._pool.define(self._target.database, self._definition(), volatile=self._target.spec.volatile)
        attempt = secrets.token_hex(16)
        schema = empty_frame(self._columns).to_arrow().schema
        for place, connection in enumerate(self._pool.connections):
            self._streams.append(StageStream(connection, self._request(attempt, place), schema))
        for stream in self._streams:
            stream.wait()
        self._alive.enter_context(kept_alive(tuple(self._streams)))

    def write(self, batch: Batch) -> None:
        """Stage rows; ``batch`` has the columns of ``slots``."""
        self.connect()
        rows = self._converted(batch)
        if self._options.skip_blank_keys:
            rows = rows.filter(pl.col(self._key[0].key).bin.size() > 0)
        if self._options.segments is not None:
            first, last, count, variant = self._options.segments
            numbers = segments_of(rows, self._key, count, variant)
            rows = rows.filter(pl.Series((numbers >= first) & (numbers <= last)))
        self._rows += rows.height
        if self._target.table is not None and self._folds:
            rows = folded(self._target.table, self._key, rows)
        if self._target.table is not None and self._target.table.kind is Kind.VAR:
            for stream in self._streams:  # every server has its own Var vector
                _send(stream, rows)
        elif len(self._streams) == 1:
            _send(self._streams[0], rows)
        else:
            places = servers_of(key_hashes(rows, self._key), [server.weight for server in self._servers])
            for place, stream in enumerate(self._streams):
                _send(stream, rows.filter(pl.Series(places == place)))

    def commit(self) -> int:
        """Make the rows count on all servers; how many they are, also where they have counted before."""
        self.connect()
        require_no_failure(self._identity, where=self._where)
        self._counted = commit(self._streams)
        self._end()
        settle(self._identity)
        return self._rows

    @property
    def counted(self) -> bool:
        """True if ``commit`` has added the rows; False if an import of the same identity has counted before."""
        return self._counted

    def abort(self) -> None:
        """Drop what was staged. Never raises."""
        for stream in self._streams:
            with contextlib.suppress(EssError):
                stream.say("abort")
        self._end()

    def _end(self) -> None:
        self._alive.close()
        for stream in self._streams:
            stream.close()
        self._streams.clear()
        if self._pool is not None:
            self._pool.close()

    def _definition(self) -> str:
        return format_definition(self._target.spec.definition, key_apart=self._target.spec.key_apart)

    def _request(self, attempt: str, place: int) -> StageRequest:
        assert self._pool is not None
        return StageRequest(
            database=self._target.database,
            definition=self._definition(),
            table=self._target.table_name,
            identity=self._identity.name,
            attempt=attempt,
            decider=format_server(self._servers[0]) if place else "",
            job=self._identity.job,
            sequence=self._identity.sequence,
            only_known=self._options.only_known,
            only_new=self._options.only_new,
            birth=self._pool.birth(self._target.database),
        )

    def _converted(self, batch: Batch) -> Batch:
        columns: list[pl.Expr] = []
        for column in self._columns:
            slot = self._taken.get(column.key)
            if slot is None:
                value: pl.Expr = pl.lit(blank(column.type), dtype=PHYSICAL[column.type])
            else:
                value = converted(pl.col(slot.key), slot.type, column.type)
            columns.append(value.alias(column.key))
        if self._taken:
            return batch.select(columns)
        return pl.DataFrame(height=batch.height).with_columns(columns)


def _match(
    columns: Sequence[TableColumn], available: Sequence[Slot], options: ImportOptions, where: str
) -> dict[str, Slot]:
    """The slot that each column is taken from, by column key; columns to fill are left out."""
    by_name = {slot.name.lower(): slot for slot in available}
    taken: dict[str, Slot] = {}
    for column in columns:
        slot = by_name.get(column.key)
        if slot is None:
            if options.fill_missing:
                continue
            raise OptionError(
                f"there is no column '{column.name}' to import",
                where=where,
                hint="name it so with -alias or -eval, or fill missing columns with -imp,ddef",
            )
        if _family(slot.type) != _family(column.type):
            raise OptionError(
                f"column '{column.name}' is of type {column.type.value}, what is imported is of type {slot.type.value}",
                where=where,
                hint="convert it with -eval and ToS(), ToI(), ToF() or ToIP()",
            )
        taken[column.key] = slot
    return taken


def _family(column_type: ColumnType) -> ValueType:
    kind = value_type(column_type)
    return ValueType.INTEGER if kind is ValueType.FLOAT else kind


def _send(stream: StageStream, rows: Batch) -> None:
    if rows.height:
        stream.write(rows.to_arrow())
