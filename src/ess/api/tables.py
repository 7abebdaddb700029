"""Databases as objects: their tables give Polars frames and Arrow batches, and take them."""

from __future__ import annotations

from ess.api.databases import export

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl
    import pyarrow as pa

__all__ = ["Database", "Table", "udb"]


class Table:
    """A table or vector of a database, its variables, or (no name) its keys. Only what is asked for is fetched."""

    def __init__(self, database: str, name: str = "") -> None:
        self.database = database
        self.name = name

    def __repr__(self) -> str:
        return f"ess.udb({self.database!r}).table({self.name!r})"

    @property
    def target(self) -> str:
        """``database:table``, as ``aq_udb`` has it."""
        return f"{self.database}:{self.name}" if self.name else self.database

    def frame(
        self,
        *,
        columns: Sequence[str] = (),
        filter: str | None = None,  # noqa: A002 - the name of the option
        sort: Sequence[str] = (),
        descending: bool = False,
        top: int | None = None,
    ) -> pl.DataFrame:
        """The rows as a Polars frame. The servers filter, sort and cut; only the result travels.

        The arguments, the result and the errors are those of :func:`ess.export`.
        """
        return export(self.target, columns=columns, filter=filter, sort=sort, descending=descending, top=top)

    def batches(
        self,
        *,
        columns: Sequence[str] = (),
        filter: str | None = None,  # noqa: A002
        rows: int = 65536,
    ) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow record batches of one schema, which other libraries can read.

        Args:
            columns: As for :meth:`frame`.
            filter: As for :meth:`frame`.
            rows: The maximum number of rows in a batch, 1 or more.

        Raises:
            OptionError: At the call, if ``rows`` is no such number; the others when the first batch is asked for.
        """
        if not hasattr(rows, "__index__") or isinstance(rows, bool) or rows < 1:
            from ess.errors import OptionError

            raise OptionError(f"rows must be an int of 1 or more, not {rows!r}", where=f"{self!r}.batches")
        return self._batches(columns, filter, int(rows))

    def _batches(self, columns: Sequence[str], condition: str | None, rows: int) -> Iterator[pa.RecordBatch]:
        yield from self.frame(columns=columns, filter=condition).rechunk().to_arrow().to_batches(max_chunksize=rows)

    def count(self, filter: str | None = None) -> int:  # noqa: A002
        """The number of rows, or of those that pass a filter; counted by the servers."""
        from ess.udb.command.query import count_rows

        return count_rows(self.target, filter=filter)

    def append(self, rows: object, *, fill_missing: bool = False, identity: str = "") -> int:
        """Import rows into the table; all of them count, or none.

        Args:
            rows: A Polars frame; anything that Arrow data can be taken from, such as a pyarrow table; or an iterable of
                these. Columns are found by name, in any case. Missing values are 0 or blank.
            fill_missing: Columns of the table that the rows lack are 0 or blank, too; else it is an error.
            identity: A name for this import. An import into this database that has counted is recognised by its
                identity alone, not by its rows or its table: a second one of the same identity adds nothing, even if
                its rows are others. Without one, every call adds its rows.

        Returns:
            How many rows were added; 0 if an import of this identity has counted before.

        Raises:
            OptionError: If a column is missing, or is none of the table's, or a value does not fit its type. Nothing
                is imported then.
            UdbConnectError: If a server does not answer.
        """
        from ess.udb.client.appending import append_rows

        return append_rows(self.target, rows, fill_missing=fill_missing, identity=identity)


class Database:
    """A database of the working folder."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"ess.udb({self.name!r})"

    def table(self, name: str) -> Table:
        """A table or vector, or ``var`` for the variables.

        Raises:
            OptionError: If there is none of that name.
        """
        from ess.udb.spec.target import find_target

        found = find_target(f"{self.name}:{name}", where="ess.udb").table
        return Table(self.name, found.name if found is not None else "")

    def keys(self) -> Table:
        """The keys."""
        return Table(self.name)


def udb(name: str) -> Database:
    """A database of the working folder.

    Args:
        name: As it was given to :func:`ess.create_database`.

    Raises:
        OptionError: If there is none of that name.

    >>> import ess
    >>> ess.create_database("wood")
    >>> ess.create_table("allsales", ["s,pkey:userid", "i,tkey:ptime", "f:price"])
    >>> ess.udb("wood").table("AllSales")
    ess.udb('wood').table('allsales')
    >>> ess.drop_database("wood")
    """
    from ess.udb.spec.target import load_spec

    load_spec(name, where="ess.udb")
    return Database(name)
