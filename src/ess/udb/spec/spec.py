"""A database as data: its key, tables, vectors and the Var vector, and the servers that hold it.

Pure data with the rules that hold for it; :mod:`ess.udb.spec.spec_file` reads and writes the file format.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ess.errors import OptionError
from ess.schema.columns import ColumnAttributes, parse_column
from ess.schema.types import ColumnType

#: The port of a server that has none in the spec, and of the first server ``udbd`` starts.
DEFAULT_PORT = 10010
MAX_WEIGHT = 1000
MAX_COLUMNS = 2048
#: No number of segments, and no variant of them, is larger.
MAX_SEGMENTS = 2**31 - 1

#: The name of the vector that belongs to the database, not to a key.
VAR = "var"


class Kind(enum.Enum):
    """The kinds of column sets; the value is the keyword in a spec file."""

    TABLE = "Table"  #: any number of rows for a key
    VECTOR = "Vector"  #: one row for a key
    VAR = "Var"  #: one row on each server


class Merge(enum.Enum):
    """The ways to merge a column of a row into an existing one."""

    FIRST = "+first"
    LAST = "+last"
    ADD = "+add"
    BOR = "+bor"
    MIN = "+min"
    MAX = "+max"


_MERGES = {merge.value: merge for merge in Merge}
_FLAGS = ("pkey", "tkey", "+key", "+nozero")

#: Every attribute that a column of a spec may have.
ATTRIBUTES = frozenset({*_MERGES, *_FLAGS})
#: A type and attributes that a spec file can have as they were given.
_PLAIN = re.compile(r"[A-Za-z+,]+")
#: An older spelling of ``pkey``.
_OLD_FLAG = "hash"


@dataclass(frozen=True)
class TableColumn:
    """A column of a table or vector.

    ``primary``: it is (a part of) the database's key. ``time``: ``-ord`` without columns sorts by it.
    ``merge_key``: rows of one key that agree in all such columns are merged. ``skip_zero``
    (``+nozero``): an incoming 0 or blank changes nothing. ``given``: the type and attributes as the user wrote them,
    blank where nobody did.
    """

    name: str
    type: ColumnType
    primary: bool = False
    time: bool = False
    merge_key: bool = False
    merge: Merge = Merge.LAST
    skip_zero: bool = False
    given: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """The name as it is compared, and the column's name in batches."""
        return self.name.lower()


@dataclass(frozen=True)
class Table:
    """A table, a vector or the Var vector; ``columns`` are in export order and include the key's."""

    name: str
    kind: Kind
    columns: tuple[TableColumn, ...]

    @property
    def key(self) -> str:
        """The name as it is compared."""
        return self.name.lower()

    @property
    def merges(self) -> bool:
        """True if an incoming row can be merged with an existing one."""
        return self.kind is not Kind.TABLE or any(column.merge_key for column in self.columns)

    @property
    def identity(self) -> tuple[TableColumn, ...]:
        """The columns beside the key that rows must agree in to be merged."""
        return tuple(column for column in self.columns if column.merge_key)

    @property
    def values(self) -> tuple[TableColumn, ...]:
        """All columns but those of the key."""
        return tuple(column for column in self.columns if not column.primary)

    @property
    def time_column(self) -> TableColumn | None:
        """The ``tkey`` column."""
        return next((column for column in self.columns if column.time), None)

    def find(self, name: str) -> TableColumn | None:
        """The column of that name, in any case."""
        lowered = name.lower()
        return next((column for column in self.columns if column.key == lowered), None)

    def get(self, name: str, *, where: str) -> TableColumn:
        """As ``find``, but an unknown name is an OptionError that says which there are."""
        column = self.find(name)
        if column is None:
            known = " ".join(column.name for column in self.columns)
            raise OptionError(f"{self.label} has no column '{name}'", where=where, hint=f"it has {known}")
        return column

    @property
    def label(self) -> str:
        """Its name in errors, ``table allsales``."""
        return "the Var vector" if self.kind is Kind.VAR else f"{self.kind.value.lower()} {self.name}"


@dataclass(frozen=True)
class Server:
    """A server of the pool.

    ``alternate`` is an address under which it knows itself. ``node`` counts the ``@Server``
    sections of the spec: the servers of one section run on one machine of the cluster.
    """

    host: str
    port: int
    alternate: str = ""
    weight: int = 1
    node: int = 0

    @property
    def address(self) -> str:
        """``host:port``, as it is written for people and in URIs."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Definition:
    """The definition that clients and servers must agree on: the key and everything that belongs to it."""

    key: tuple[TableColumn, ...]
    tables: tuple[Table, ...]

    def find(self, name: str) -> Table | None:
        """The table or vector of that name, in any case."""
        lowered = name.lower()
        return next((table for table in self.tables if table.key == lowered), None)

    def get(self, name: str, *, where: str) -> Table:
        """As ``find``, but an unknown name is an OptionError that says what there is."""
        table = self.find(name)
        if table is None:
            known = " ".join(table.name for table in self.tables)
            hint = f"known: {known}" if known else "create one with: ess create table Name Columns"
            raise OptionError(f"there is no table or vector '{name}'", where=where, hint=hint)
        return table

    @property
    def var(self) -> Table | None:
        """The Var vector, if one is defined."""
        return self.find(VAR)

    def of_kind(self, kind: Kind) -> tuple[Table, ...]:
        """The tables of one kind, in order."""
        return tuple(table for table in self.tables if table.kind is kind)

    def extends(self, older: Definition) -> bool:
        """True if everything of ``older`` is here unchanged; there may be more.

        A definition that has no key yet, or only variables, says nothing about the key of another.
        """
        same_key = older.key in ((), self.key)
        return same_key and all(self.find(table.name) == table for table in older.tables)

    def without(self, name: str) -> Definition:
        """The definition without a table."""
        return Definition(self.key, tuple(table for table in self.tables if table.key != name.lower()))

    def joined(self, other: Definition) -> Definition | None:
        """This definition with the tables that only ``other`` has; None if they contradict each other."""
        if self.key and other.key not in ((), self.key):
            return None
        found = [self.find(table.name) for table in other.tables]
        if any(mine not in (None, table) for mine, table in zip(found, other.tables, strict=True)):
            return None
        new = (table for mine, table in zip(found, other.tables, strict=True) if mine is None)
        return Definition(self.key or other.key, (*self.tables, *new))


@dataclass(frozen=True)
class Spec:
    """A spec file: the servers and the definition.

    ``key_apart`` says that the key has a section of its own, ``volatile`` that servers do not log the database.
    """

    servers: tuple[Server, ...]
    definition: Definition
    port: int = DEFAULT_PORT
    key_apart: bool = False
    volatile: bool = False


def make_table(name: str, kind: Kind, columns: Sequence[str], *, where: str) -> Table:
    """A table from its column specs, ``s,pkey:userid i,tkey:ptime f,+add:total``.

    Raises:
        OptionError: For a wrong spec, a column named twice, or attributes that do not go together.
    """
    made: list[TableColumn] = []
    known: set[str] = set()
    for spec in columns:
        column = _make_column(spec, kind, where)
        if column.key in known:
            raise OptionError(f"column '{column.name}' is defined twice", where=where)
        known.add(column.key)
        made.append(column)
    if len(made) > MAX_COLUMNS:
        raise OptionError(f"more than {MAX_COLUMNS} columns", where=where)
    if sum(column.time for column in made) > 1:
        raise OptionError("more than one tkey column", where=where, hint="rows are sorted by one time")
    return Table(name, kind, tuple(made))


def _make_column(spec: str, kind: Kind, where: str) -> TableColumn:
    if ":" not in spec:
        hint = f"the form is Type[,Attribute...]:Name, e.g. {' '.join(f's:{word}' for word in spec.split(','))}"
        raise OptionError(f"column '{spec}' has no type", where=where, hint=hint)
    parsed = parse_column(spec, where=where, extra=ATTRIBUTES | {_OLD_FLAG})
    if not parsed.wanted:
        raise OptionError(f"a column of a database cannot be unwanted: '{spec}'", where=where, hint="leave it out")
    words = parsed.attributes.others
    if parsed.attributes != ColumnAttributes(others=words):
        raise OptionError(
            f"'{spec}' has an attribute for reading files",
            where=where,
            hint=f"a column of a database has {' '.join(sorted(ATTRIBUTES))}",
        )
    merges = [_MERGES[word] for word in words if word in _MERGES]
    column = TableColumn(
        parsed.name,
        parsed.type,
        primary="pkey" in words or _OLD_FLAG in words,
        time="tkey" in words,
        merge_key="+key" in words,
        merge=merges[0] if merges else Merge.LAST,
        skip_zero="+nozero" in words,
        given=head if _PLAIN.fullmatch(head := spec.partition(":")[0]) else "",
    )
    if len(merges) > 1:
        raise OptionError(f"'{spec}' has more than one merge attribute", where=where)
    if column.merge_key and kind is not Kind.TABLE:
        raise OptionError(f"'{spec}': only a table has merge keys", where=where, hint="a vector has one row for a key")
    if (column.primary or column.merge_key) and (merges or column.skip_zero):
        raise OptionError(f"'{spec}': a key column is never merged", where=where)
    if kind is Kind.VAR and (column.primary or column.time):
        word, why = ("pkey", "variables belong to no key") if column.primary else ("tkey", "variables are one row")
        raise OptionError(f"'{spec}': {why}", where=where, hint=f"leave {word} out")
    if not column.type.is_numeric and column.merge in (Merge.ADD, Merge.BOR, Merge.MIN, Merge.MAX):
        raise OptionError(f"'{spec}': {column.merge.value} needs a numeric column", where=where)
    if column.merge is Merge.BOR and not column.type.is_integer:
        raise OptionError(f"'{spec}': +bor needs an integer column", where=where)
    return column


def make_definition(
    key: Sequence[TableColumn], tables: Sequence[Table], *, where: str, places: Sequence[str] = ()
) -> Definition:
    """Join tables to a database.

    A key with a section of its own (``key``) is put in front of every table's columns; else
    each table names the key's columns itself with ``pkey``, alike in all of them.

    Args:
        key: The columns of a section of its own.
        tables: In order.
        where: What is being made, for errors.
        places: Where each table stands, for errors that concern it.

    Raises:
        OptionError: If names clash or the tables do not agree on the key.
    """
    apart = tuple(key)
    joined: list[Table] = []
    found = apart
    for number, table in enumerate(tables):
        where = places[number] if places else where
        if any(other.key == table.key for other in joined):
            raise OptionError(f"'{table.name}' is defined twice", where=where)
        if table.kind is not Kind.VAR:
            own = tuple(column for column in table.columns if column.primary)
            if apart and own:
                raise OptionError(
                    f"{table.label}: the key has a section of its own", where=where, hint="leave pkey out"
                )
            if apart:
                table = _with_key(table, apart, where)
            elif not own:
                raise OptionError(f"{table.label} has no key column", where=where, hint="mark it, as in s,pkey:userid")
            own = tuple(column for column in table.columns if column.primary)
            found = found or own
            if [(c.key, c.type) for c in own] != [(c.key, c.type) for c in found]:
                raise OptionError(
                    f"the key of {table.label} differs from that of the other tables",
                    where=where,
                    hint=f"it is {' '.join(f'{c.type.value.lower()},pkey:{c.name}' for c in found)}",
                )
        if len(table.columns) > MAX_COLUMNS:
            raise OptionError(
                f"{table.label} has {len(table.columns)} columns with those of the key",
                where=where,
                hint=f"{MAX_COLUMNS} is the most",
            )
        joined.append(table)
    return Definition(tuple(TableColumn(c.name, c.type, primary=True) for c in found), tuple(joined))


def _with_key(table: Table, key: tuple[TableColumn, ...], where: str) -> Table:
    for column in table.columns:
        if any(column.key == part.key for part in key):
            raise OptionError(
                f"{table.label}: '{column.name}' is a column of the key", where=where, hint="leave it out"
            )
    return Table(table.name, table.kind, key + table.columns)
