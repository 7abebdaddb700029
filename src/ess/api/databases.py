"""Databases in the memory of the cluster."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import polars as pl

    from ess.udb.admin.admin import DatabaseSummary

__all__ = [
    "create_database",
    "create_table",
    "create_variable",
    "create_vector",
    "drop_database",
    "drop_table",
    "drop_variable",
    "drop_vector",
    "export",
    "server_commit",
    "server_reset",
    "server_restart",
    "server_summary",
    "udbd",
    "use",
]


def create_database(name: str, *, ports: int = 1, volatile: bool = False) -> None:
    """Make a database and use it.

    Args:
        name: Letters, digits and ``_``, no digit first.
        ports: How many servers it has on each node.
        volatile: Its servers keep it in memory only.

    Raises:
        OptionError: If the name is bad or taken, or there are not enough ports.
    """
    from ess.udb.admin import admin

    admin.create_database(name, ports=ports, nodes=_hosts(), volatile=volatile)


def create_table(name: str, columns: Sequence[str]) -> None:
    """Make a table of the database in use: any number of rows for a key.

    Args:
        name: Its name.
        columns: Column specs, e.g. ``["s,pkey:user", "i,tkey:time", "f:price"]``.

    Raises:
        OptionError: If a column spec is wrong, the name is taken, or its key is not the database's.

    >>> import ess
    >>> ess.create_database("wood")
    >>> ess.create_table("allsales", ["s,pkey:userid", "i,tkey:ptime", "f:price"])
    >>> ess.create_vector("usersales", ["s,pkey:userid", "f,+add:total"])
    >>> [name for name, columns in ess.server_summary()[0].tables]
    ['allsales']
    >>> ess.drop_database("wood")
    """
    from ess.udb.admin import admin

    _refuse_one_text("columns", columns, "create_table")
    admin.create_table(name, columns)


def create_vector(name: str, columns: Sequence[str]) -> None:
    """Make a vector of the database in use: one row for a key, merged from what is imported."""
    from ess.udb.admin import admin

    _refuse_one_text("columns", columns, "create_vector")
    admin.create_vector(name, columns)


def create_variable(columns: Sequence[str]) -> None:
    """Make the variables of the database in use, which belong to no key."""
    from ess.udb.admin import admin

    _refuse_one_text("columns", columns, "create_variable")
    admin.create_variable(columns)


def drop_database(name: str) -> None:
    """Remove a database, and what running servers hold of it."""
    from ess.udb.admin import admin

    admin.drop_database(name)


def drop_table(name: str) -> None:
    """Remove a table of the database in use, and its rows from running servers."""
    from ess.udb.admin import admin

    admin.drop_table(name)


def drop_vector(name: str) -> None:
    """Remove a vector of the database in use, and its rows from running servers."""
    from ess.udb.admin import admin

    admin.drop_vector(name)


def drop_variable() -> None:
    """Remove the variables of the database in use."""
    from ess.udb.admin import admin

    admin.drop_variable()


def use(name: str) -> None:
    """Choose the database that tables are created in."""
    from ess.udb.admin import admin

    admin.use(name)


def server_summary(name: str | None = None) -> list[DatabaseSummary]:
    """The databases with their tables, vectors and variables, or one of them."""
    from ess.udb.admin import admin

    return admin.server_summary(name)


def server_commit() -> list[str]:
    """Check the database definitions and make them known to the workers; returns what was done, in lines."""
    from ess.cluster import node_databases
    from ess.udb.admin import admin

    hosts = node_databases.far_hosts()
    return node_databases.commit(hosts) if hosts else admin.server_commit()


def server_restart(*, say: Callable[[str], None] | None = None) -> list[str]:
    """Empty all databases by stopping and starting their servers; returns what was done, in lines.

    Args:
        say: Called with each line as soon as it is known.
    """
    from ess.udb.admin import admin

    return _said(admin.server_restart(_hosts()), say)


def server_reset(*, say: Callable[[str], None] | None = None) -> list[str]:
    """Stop the servers and remove all databases; returns what was done, in lines.

    Args:
        say: Called with each line as soon as it is known.
    """
    from ess.udb.admin import admin

    return _said(admin.server_reset(), say)


def udbd(verb: str, *, port: int | None = None, say: Callable[[str], None] | None = None) -> list[str]:
    """Start or stop the database servers, or tell what they do.

    Args:
        verb: ``start``, ``stop``, ``restart``, ``status``, ``ckmem`` or ``cklog``.
        port: For ``stop``: that of the one server to end, whatever its working folder is.
        say: Called with each line as soon as it is known; starting and stopping take their time.

    Returns:
        What was done or found, in lines.

    Raises:
        OptionError: For another verb, or a port that no server of yours has.
        InitializationError: If a server cannot start or stop.
    """
    from ess.udb.admin import admin

    if port is not None:
        from ess.errors import OptionError
        from ess.udb.admin import service

        if verb != "stop":
            raise OptionError("a port is for stop", where="port")
        return _said(service.stop_port(port), say)
    if verb in ("start", "stop", "restart", "cklog"):
        from ess.cluster import node_databases

        if hosts := node_databases.far_hosts():
            return _said(node_databases.on_hosts(verb, hosts), say)
    return _said(admin.udbd(verb, _hosts()), say)


def export(
    target: str,
    *,
    columns: Sequence[str] = (),
    filter: str | None = None,  # noqa: A002 - the name of the option
    sort: Sequence[str] = (),
    descending: bool = False,
    top: int | None = None,
) -> pl.DataFrame:
    """The rows of a table or vector, or the keys of a database, from all of its servers.

    Args:
        target: ``database:table``, or ``database`` for the keys.
        columns: The columns to give, as ``-c`` of ``aq_udb`` takes them; without any, all.
        filter: What a row must be, e.g. ``"price > 2 && refid != 0"``.
        sort: Columns to sort by.
        descending: Whether to sort from high to low.
        top: The maximum number of rows, from the first.

    Returns:
        One row for each row of the table. Strings are ``String`` if the whole column is valid
        UTF-8, else ``Binary``; addresses are text.

    Raises:
        OptionError: If the database, table or a column does not exist, or an expression is wrong.
        UdbConnectError: If a server does not answer. There is never a smaller answer.
    """
    from ess.formats.output.frames import user_frame
    from ess.udb.command.query import export_batch

    _refuse_one_text("columns", columns, "export")
    _refuse_one_text("sort", sort, "export")
    rows, shown = export_batch(target, columns=columns, filter=filter, sort=sort, descending=descending, top=top)
    return user_frame(rows, shown)


def _said(lines: Iterable[str], say: Callable[[str], None] | None) -> list[str]:
    """The lines, each told when it comes: the work is done while they are read."""
    said: list[str] = []
    for line in lines:
        said.append(line)
        if say is not None:
            say(line)
    return said


def _refuse_one_text(name: str, value: Sequence[str], function: str) -> None:
    """A text is a sequence of texts to Python, but ``sort="ab"`` means one column, not ``a`` and ``b``."""
    if isinstance(value, str):
        from ess.errors import OptionError

        raise OptionError(f"{name} must be a list or tuple of str, not str", where=f"ess.{function}")


def _hosts() -> list[str]:
    from ess.cluster.providers import nodes

    return [node.host for node in nodes()]
