"""Making and dropping databases, and the servers of this working folder: the verbs of ``ess``.

A database is a spec file ``Name.spec`` in the working folder. The one made or used last is the
active one, which tables, vectors and variables are created in.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ess.errors import EssError, OptionError
from ess.schema.columns import valid_name
from ess.settings import lock, make_private_folder, udb_port, work_dir, write_private
from ess.udb.admin.ports import PortInUse
from ess.udb.spec.spec import VAR, Definition, Kind, Server, Spec, Table, make_definition, make_table
from ess.udb.spec.spec_file import format_column, format_definition, format_spec
from ess.udb.spec.target import databases, is_local, load_spec, local_address, spec_path
from ess.udb.wire.access import access_folder, udb_folder

_LOOPBACK = "127.0.0.1"
_ACTIVE = "active"

#: More servers a node than this is a slip of the finger.
_MOST_PORTS = 256

UDBD_VERBS = ("start", "stop", "restart", "status", "ckmem", "cklog")


@dataclass(frozen=True)
class DatabaseSummary:
    """A database as ``ess server summary`` shows it; columns are written as specs."""

    name: str
    active: bool
    servers: tuple[str, ...]
    tables: tuple[tuple[str, tuple[str, ...]], ...]
    vectors: tuple[tuple[str, tuple[str, ...]], ...]
    variables: tuple[str, ...]


def create_database(name: str, *, ports: int = 1, nodes: Sequence[str] = (_LOOPBACK,), volatile: bool = False) -> None:
    """Make a database, and make it the active one.

    Args:
        name: As a column's name.
        ports: Servers for each node; 0 for one.
        nodes: The hosts of the nodes, in order. Nodes on one host get ports one after the other,
            from ``ESS_UDB_PORT`` on.
        volatile: Its servers keep it in memory only.

    Raises:
        OptionError: If the name is bad or taken, or there are not enough ports.
    """
    where = f"create database {name}"
    if not valid_name(name):
        raise OptionError(
            f"bad name '{name}'",
            where=where,
            hint="a name has letters, digits and '_', and does not begin with a digit",
        )
    ports = ports or 1
    if not 1 <= ports <= _MOST_PORTS:
        raise OptionError(f"bad number of ports {ports}", where=where, hint=f"give a number from 1 to {_MOST_PORTS}")
    servers: list[Server] = []
    for node, host in enumerate(nodes):
        for _ in range(ports):
            port = udb_port() + sum(server.host == host for server in servers)
            if port > 65535:
                raise OptionError(
                    "there are not enough ports", where=where, hint="set ESS_UDB_PORT to a smaller number"
                )
            servers.append(Server(host, port, node=node))
    with _changing():
        if spec_path(name).exists():
            raise OptionError(f"database '{name}' exists", where=where, hint=f"drop it with: ess drop database {name}")
        _write(name, Spec(tuple(servers), Definition((), ()), udb_port(), volatile=volatile))
        _activate(name)


def create_table(name: str, columns: Sequence[str]) -> None:
    """Make a table in the active database, ``create_table("sales", ["s,pkey:user", "i,tkey:time"])``.

    Raises:
        OptionError: If a column spec is wrong, the name is taken, or the keys of the tables differ.
    """
    _create(name, Kind.TABLE, columns)


def create_vector(name: str, columns: Sequence[str]) -> None:
    """Make a vector in the active database; as :func:`create_table`."""
    _create(name, Kind.VECTOR, columns)


def create_variable(columns: Sequence[str]) -> None:
    """Make the Var vector of the active database; as :func:`create_table`, without a key."""
    _create(VAR, Kind.VAR, columns)


def drop_database(name: str) -> None:
    """Remove a database, and what running servers hold of it.

    Raises:
        OptionError: If there is none of that name.
    """
    with _changing():
        spec = load_spec(name, where=f"drop database {name}")
        _clear_on_servers(name, spec, "")
        spec_path(name).unlink()
        if _active_name() == name:
            (udb_folder() / _ACTIVE).unlink(missing_ok=True)


def drop_table(name: str) -> None:
    """Remove a table from the active database, and its rows from running servers.

    Raises:
        OptionError: If there is no table of that name.
    """
    _drop(name, Kind.TABLE)


def drop_vector(name: str) -> None:
    """Remove a vector; as :func:`drop_table`."""
    _drop(name, Kind.VECTOR)


def drop_variable() -> None:
    """Remove the Var vector; as :func:`drop_table`."""
    _drop(VAR, Kind.VAR)


def use(name: str) -> None:
    """Make a database the active one.

    Raises:
        OptionError: If there is none of that name.
    """
    with _changing():
        load_spec(name, where=f"use {name}")
        _activate(name)


def active_database() -> str:
    """The active database.

    Raises:
        OptionError: If there is none.
    """
    name = _active_name()
    if name:
        return name
    known = databases()
    hint = f"choose one with: ess use {known[0]}" if known else "create one with: ess create database Name"
    raise OptionError("no database is active", where=str(work_dir()), hint=hint)


def server_summary(name: str | None = None) -> list[DatabaseSummary]:
    """The summaries of all databases, or of one of them.

    Raises:
        OptionError: If there is none of that name, or a spec file is wrong.
    """
    active = _active_name()
    return [_summary(each, active) for each in ([name] if name is not None else databases())]


def server_commit() -> list[str]:
    """Check all spec files, so that workers can use them; the lines to print.

    Workers on this machine read the same working folder, so nothing is copied.

    Raises:
        OptionError: If one is wrong.
    """
    lines: list[str] = []
    for name in databases():
        spec = load_spec(name, where="server commit")
        others = [server.address for server in spec.servers if not is_local(server)]
        if others:
            raise OptionError(
                "specs cannot be copied to other machines yet",
                where=f"{name}: {' '.join(others)}",
                hint="copy it yourself",
            )
        count = len(spec.servers)
        lines.append(f"{name}: {count} server{'s' * (count != 1)}, ready")
    return lines or ["there is no database"]


def server_restart(nodes: Sequence[str] = (_LOOPBACK,)) -> Iterator[str]:
    """Empty all databases by stopping and starting the servers; definitions stay in the spec files.

    Raises:
        OptionError: If there are servers on other machines.
        EssError: If a server cannot be ended, emptied or started.
    """
    if others := _servers_elsewhere():
        raise OptionError(
            "it would empty the servers of this machine only",
            where=" ".join(server.address for server in others),
            hint="empty each database with: aq_udb -clr DbName",
        )
    yield from udbd("stop")
    from ess.udb.admin import processes

    folder = udb_folder()
    for port in processes.known_data(folder):
        processes.remove_data(folder, port)
    yield from udbd("start", nodes)


def server_reset() -> Iterator[str]:
    """Stop all servers and remove all databases, spec files included.

    Raises:
        EssError: If a server cannot be ended.
    """
    yield from udbd("stop")
    with _changing():
        for name in databases():
            spec_path(name).unlink(missing_ok=True)
    shutil.rmtree(udb_folder(), ignore_errors=True)


def udbd(verb: str, nodes: Sequence[str] = (_LOOPBACK,)) -> Iterator[str]:
    """``start``, ``stop``, ``restart``, ``status``, ``ckmem`` or ``cklog`` for the servers of all databases.

    Args:
        verb: What to do.
        nodes: The hosts of the nodes, for ``start`` while there is no database: one server each.

    Returns:
        Lines to print, as it goes on.

    Raises:
        OptionError: For another verb, or to start servers that are all on other machines.
        InitializationError: If a server cannot start or stop.
    """
    if verb not in UDBD_VERBS:
        raise OptionError(f"unknown verb '{verb}'", where="udbd", hint=f"use one of {' '.join(UDBD_VERBS)}")
    from ess.udb.admin import service  # loads the transport

    folder = udb_folder()
    if verb == "start":
        lines = _start(folder, nodes)
    elif verb == "restart":
        # Also where nothing runs yet: after it, the servers are there.
        lines = _restart(folder, nodes)
    else:
        ways = {"stop": service.stop, "status": service.status, "ckmem": service.memory, "cklog": service.logs}
        lines = ways[verb](folder, ())
    host = socket.gethostname()
    for line in lines:
        yield f"{host}: {line}"
    others = _servers_elsewhere()
    if verb in ("status", "ckmem") and others:
        for host, line in service.elsewhere(others, memory=verb == "ckmem"):
            yield f"{host}: {line}"
    else:
        for server in others:
            yield f"{server.host}: udbd-{server.port} is on another machine; run there: ess udbd {verb}"


def _start(folder: Path, nodes: Sequence[str]) -> Iterator[str]:
    from ess.udb.admin import service

    wanted = _wanted_ports(nodes)
    try:
        for host in dict.fromkeys(wanted.values()):
            ports = [port for port in wanted if wanted[port] == host]
            yield from service.start(folder, ports, service.start_options(len(wanted), host=host))
    except PortInUse as error:
        if error.folder:
            raise
        raise PortInUse(error.port, owner=error.owner, hint=f"stop it, or {_way_to_other_ports(error.port)}") from None
    if _servers_elsewhere():
        return  # who uses the database first defines it, when all of them run
    for name in databases():
        _define_on_servers(name, load_spec(name, where="udbd"))


def _way_to_other_ports(port: int) -> str:
    for name in databases():
        if any(server.port == port for server in load_spec(name, where="udbd").servers):
            return (
                f"edit the @Server lines of {spec_path(name)}, "
                f"or drop database {name} and create it again with ESS_UDB_PORT set"
            )
    return "choose another port with ESS_UDB_PORT"


def _restart(folder: Path, nodes: Sequence[str]) -> Iterator[str]:
    from ess.udb.admin import service

    if service.running_ports(folder):
        yield from service.stop(folder, ())
    yield from _start(folder, nodes)


def _wanted_ports(nodes: Sequence[str]) -> dict[int, str]:
    """The ports of the servers of this machine, and the address that each listens on."""
    first = udb_port()  # also where it does not count, so that a wrong one is never passed over
    wanted: dict[int, str] = {}
    others = []
    for server in _all_servers():
        host = local_address(server)
        if not host:
            others.append(server)
            continue
        host = _LOOPBACK if host.lower() == "localhost" else host
        if wanted.setdefault(server.port, host) != host:
            raise OptionError(
                f"port {server.port} is used at {wanted[server.port]} and at {host}",
                where="udbd start",
                hint="give the servers of this machine different ports",
            )
    if others and not wanted:
        raise OptionError(
            "all servers are on other machines", where=others[0].address, hint="run there: ess udbd start"
        )
    return dict(sorted(wanted.items())) or dict.fromkeys(range(first, first + max(1, len(nodes))), _LOOPBACK)


def _all_servers() -> list[Server]:
    """The servers of all databases, each once."""
    found = {
        (server.host, server.port): server for name in databases() for server in load_spec(name, where="udbd").servers
    }
    return list(found.values())


def _servers_elsewhere() -> list[Server]:
    return [server for server in _all_servers() if not is_local(server)]


# Spec files -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _changing() -> Iterator[None]:
    make_private_folder(work_dir())
    make_private_folder(udb_folder())
    with lock(udb_folder()):
        yield


def _create(name: str, kind: Kind, columns: Sequence[str]) -> None:
    where = f"create {_WORDS[kind]}" if kind is Kind.VAR else f"create {_WORDS[kind]} {name}"
    if kind is not Kind.VAR and (not valid_name(name) or name.lower() in (VAR, "pkey")):
        raise OptionError(
            f"bad name '{name}'",
            where=where,
            hint="a name has letters, digits and '_', does not begin with a digit, and is not var or pkey",
        )
    # One argument with blanks in it is as good as several.
    words = [word for column in columns for word in column.split()]
    if not words:
        raise OptionError("no columns are given", where=where, hint="write e.g. s,pkey:user i:count")
    with _changing():
        database = active_database()
        spec = load_spec(database, where=where)
        if kind is not Kind.VAR and (there := spec.definition.find(name)) is not None:
            raise OptionError(
                f"{there.label} exists in database '{database}'",
                where=where,
                hint=f"remove it with its rows: ess drop {_WORDS[there.kind]} {there.name}",
            )
        table = make_table(name, kind, words, where=where)
        changed = replace(spec, definition=_with(spec, [*_own_tables(spec), table], where))
        _write(database, changed)
        if not spec.definition.key:
            # It has had no place for rows, so none can have been lost: it is empty wherever its servers run.
            _define_on_servers(database, changed)


def _drop(name: str, kind: Kind) -> None:
    where = f"drop {_WORDS[kind]} {name}"
    with _changing():
        database = active_database()
        spec = load_spec(database, where=where)
        table = spec.definition.get(name, where=where)
        if table.kind is not kind:
            raise OptionError(f"{table.label} is no {_WORDS[kind]}", where=where)
        _clear_on_servers(database, spec, table.key)
        left = [other for other in _own_tables(spec) if other.key != table.key]
        _write(database, replace(spec, definition=_with(spec, left, where)))


_WORDS = {Kind.TABLE: "table", Kind.VECTOR: "vector", Kind.VAR: "variable"}


def _own_tables(spec: Spec) -> list[Table]:
    """The tables as the spec writes them: without the key's columns, where these have a section of their own."""
    if not spec.key_apart:
        return list(spec.definition.tables)
    return [Table(table.name, table.kind, table.values) for table in spec.definition.tables]


def _with(spec: Spec, tables: Sequence[Table], where: str) -> Definition:
    return make_definition(spec.definition.key if spec.key_apart else (), tables, where=where)


def _write(name: str, spec: Spec) -> None:
    write_private(spec_path(name), format_spec(spec).encode())


def _activate(name: str) -> None:
    write_private(udb_folder() / _ACTIVE, f"{name}\n".encode())


def _active_name() -> str:
    try:
        name = (udb_folder() / _ACTIVE).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    known = databases()
    if name in known:
        return name
    return known[0] if len(known) == 1 else ""


def _summary(name: str, active: str) -> DatabaseSummary:
    spec = load_spec(name, where="server summary")

    def listed(kind: Kind) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return tuple(
            (t.name, tuple(format_column(c, as_given=True) for c in t.columns)) for t in spec.definition.of_kind(kind)
        )

    variables = listed(Kind.VAR)
    return DatabaseSummary(
        name,
        name == active,
        tuple(server.address for server in spec.servers),
        listed(Kind.TABLE),
        listed(Kind.VECTOR),
        variables[0][1] if variables else (),
    )


def _define_on_servers(name: str, spec: Spec) -> None:
    """Make a database known, so that it is empty and not unknown; not where some servers have rows of it already."""
    if not spec.definition.key or not access_folder().is_dir():
        return  # nothing to define, or no server was ever started from here
    from ess.udb.client.pool import Pool

    # A failure is reported by the first command that needs the database.
    with contextlib.suppress(EssError), Pool(spec.servers) as pool:
        pool.reach(name)
        if not pool.has(name):
            text = format_definition(spec.definition, key_apart=spec.key_apart)
            pool.define(name, text, volatile=spec.volatile)


def _clear_on_servers(name: str, spec: Spec, table: str) -> None:
    """Clear what is dropped on the servers; those that do not run and have nothing on disk hold nothing.

    Raises:
        EssError: If a server that has it cannot be reached, or refuses.
    """
    if not access_folder().is_dir():
        return  # no server was ever started from here
    from ess.udb.admin.processes import data_folder, state
    from ess.udb.client.pool import Pool
    from ess.udb.command.perform import clear_all
    from ess.udb.journal.folder import remove_folder
    from ess.udb.wire.protocol import DatabaseRequest

    folder = udb_folder()
    stopped = [s for s in spec.servers if is_local(s) and not state(folder, s.port).pid]
    there = [s for s in spec.servers if s not in stopped]
    with_rows = [s for s in stopped if (data_folder(folder, s.port) / name).is_dir()]
    if table:
        there += with_rows  # to be told that they must run for that
    else:
        for server in with_rows:
            remove_folder(data_folder(folder, server.port) / name)
    request = DatabaseRequest(name, format_definition(spec.definition, key_apart=spec.key_apart), table)
    try:
        with Pool(there) as pool:
            holding = [status for status in pool.hello() if name in status["databases"]]
            if not holding:
                return
            left = spec.definition.without(table).tables
            # The keys belong to all tables: without the last one nothing of the database is left.
            if table and any(other.kind is not Kind.VAR for other in left):
                pool.change("drop", request)
            else:
                clear_all(pool, request)
    except EssError as error:
        verb = f"drop {table or 'database ' + name}"
        raise type(error)(error.what, where=f"{verb}: {error.where}", hint=error.hint) from error
