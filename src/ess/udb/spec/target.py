"""Finding a database: its spec file, the table that is meant, and the servers to talk to."""

from __future__ import annotations

import contextlib
import functools
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ess.errors import OptionError
from ess.schema.columns import valid_name
from ess.settings import setting, work_dir
from ess.udb.spec.spec import MAX_SEGMENTS, Server, Spec, Table
from ess.udb.spec.spec_file import parse_server, read_spec

SUFFIX = ".spec"

#: The spec of a database without a name, in the current folder.
LOCAL_SPEC = "udb.spec"

#: More are no number that could be meant.
_DIGITS = 100

_NODE = re.compile(r"([0-9]+)(?:/([1-9][0-9]*))?\Z")
_SEGMENT = re.compile(r"seg=([0-9]+)(?:-([0-9]+))?/([0-9]+)(?::([0-9]+))?\Z")


@dataclass(frozen=True)
class Target:
    """A database, and the table meant; ``table`` None means the keys."""

    database: str
    spec: Spec
    table: Table | None

    @property
    def table_name(self) -> str:
        """The table's name, blank for the keys, as requests have it."""
        return self.table.key if self.table else ""


def spec_path(database: str) -> Path:
    """The spec file of a database."""
    return work_dir() / f"{database}{SUFFIX}"


def databases() -> list[str]:
    """The names of the databases of this working folder."""
    folder = work_dir()
    names = [path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")] if folder.is_dir() else []
    return sorted(name for name in names if valid_name(name))


def load_spec(database: str, *, where: str) -> Spec:
    """The spec of a database.

    Raises:
        OptionError: If there is no such database, or its spec is wrong.
    """
    path = spec_path(database)
    if not valid_name(database) or not path.is_file():
        known = databases()
        hint = f"known: {' '.join(known)}" if known else "create one with: ess create database Name"
        raise OptionError(f"there is no database '{database}'", where=where, hint=hint)
    return read_spec(path)


def find_target(text: str, *, where: str, spec_file: str = "") -> Target:
    """The target that ``DbName[:TabName]`` means.

    Args:
        text: A table of ``.`` or none at all means the keys; no database means ``udb.spec`` in the
            current folder, and so does the name of one of its tables alone, unless there is a database of that name.
        where: The option, for errors.
        spec_file: The file of ``spec=UdbSpec``, instead of the database's own.

    Raises:
        OptionError: If the database or the table is not there.
    """
    database, colon, name = text.partition(":")
    if not colon and not spec_file and _is_local_table(database):
        database, name = "", database
    if not database:
        database, spec_file = "udb", spec_file or LOCAL_SPEC
    if spec_file and not valid_name(database):
        raise OptionError(f"bad database name '{database}'", where=where)
    spec = read_spec(Path(spec_file)) if spec_file else load_spec(database, where=where)
    if not spec.definition.key:
        raise OptionError(
            f"database '{database}' has no table yet",
            where=where,
            hint="create one with: ess create table Name Columns",
        )
    table = spec.definition.get(name, where=f"{where} {text}") if name not in ("", ".") else None
    return Target(database, spec, table)


def spec_attribute(word: str, *, where: str) -> str:
    """The file of ``spec=UdbSpec``; blank for another word.

    Raises:
        OptionError: If no file is given.
    """
    if not word.lower().startswith("spec="):
        return ""
    if len(word) == 5:
        raise OptionError("spec= lacks its file", where=where, hint="the form is spec=UdbSpec")
    return word[5:]


def _is_local_table(name: str) -> bool:
    """True if a name that is no database is a table of ``udb.spec``, as in ``aq_udb -exp var``."""
    if not valid_name(name) or spec_path(name).is_file() or not Path(LOCAL_SPEC).is_file():
        return False
    return read_spec(Path(LOCAL_SPEC)).definition.find(name) is not None


def chosen_servers(
    spec: Spec, *, given: Sequence[str] = (), local: bool = False, own_node: bool = False
) -> tuple[Server, ...]:
    """The servers to talk to.

    Args:
        spec: Names the servers of the database.
        given: Addresses of ``-server``, which replace them.
        local: Only those of this machine (``-local``).
        own_node: Only those of the node that this command runs on, if it runs on one (``ESS_UDB_NODE``, ``i/n``:
            node ``i`` of ``n``; the sections of the spec are dealt out to the nodes).

    Raises:
        OptionError: If none is left.
    """
    servers = spec.servers
    if given:
        servers = tuple(parse_server(text, where="-server", default_port=spec.port) for text in given)
    elif own_node and setting("ESS_UDB_NODE"):
        servers = _of_node(servers, setting("ESS_UDB_NODE"))
    if local:
        servers = tuple(server for server in servers if is_local(server))
        if not servers:
            raise OptionError("no server of the database runs on this machine", where="-local")
    return servers


def is_local(server: Server) -> bool:
    """True if a server's address, or its alternate one, is of this machine.

    >>> is_local(Server("127.0.0.1", 10010)), is_local(Server("192.0.2.1", 10010))
    (True, False)
    """
    return bool(local_address(server))


def local_address(server: Server) -> str:
    """The address of a server, or its alternate one, if that is of this machine; blank: neither is."""
    addresses = (host for host in (server.host, server.alternate) if host)
    return next((host for host in addresses if _is_of_this_machine(host)), "")


def parse_segments(word: str, *, where: str) -> tuple[int, int, int, int] | None:
    """``seg=N1[-N2]/N[:V]`` as first, last, number and variant; None for another word.

    >>> parse_segments("seg=2-4/10", where="-exp")
    (2, 4, 10, 0)
    """
    if not word.startswith("seg="):
        return None
    match = _SEGMENT.match(word)
    if match is None:
        raise OptionError(f"bad attribute '{word}'", where=where, hint="the form is seg=N1[-N2]/N[:V]")
    if max(len(digits or "") for digits in match.groups()) > _DIGITS:  # thousands of them are no number to Python
        raise OptionError("a number behind seg= is too large", where=where, hint=f"the largest is {MAX_SEGMENTS}")
    first, count = int(match[1]), int(match[3])
    last = int(match[2]) if match[2] else first
    if not 1 <= first <= last <= count:
        raise OptionError(f"'{word}' selects no segment", where=where, hint="segments are numbered from 1")
    variant = int(match[4] or 0)
    if max(count, variant) > MAX_SEGMENTS:
        raise OptionError(f"a number in '{word}' is too large", where=where, hint=f"the largest is {MAX_SEGMENTS}")
    return first, last, count, variant


def _of_node(servers: tuple[Server, ...], text: str) -> tuple[Server, ...]:
    match = _NODE.match(text)
    if match is None:
        raise OptionError(f"bad node '{text}'", where="ESS_UDB_NODE", hint="the form is i or i/n")
    node, count = int(match[1]), int(match[2] or 0)
    return tuple(server for server in servers if (server.node % count if count else server.node) == node)


@functools.cache
def _is_of_this_machine(host: str) -> bool:
    """True if a name or address is of this machine: one that the system lets a socket be bound to."""
    if host.lower() in ("localhost", socket.gethostname().lower()):
        return True
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    for family, kind, protocol, _, address in entries:
        with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
            return True
    return False
