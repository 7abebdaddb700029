"""The ``udb.spec`` file format: sections that begin with a keyword, words between blanks and line ends."""

from __future__ import annotations

import codecs
import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ess.errors import OptionError
from ess.schema.columns import valid_name
from ess.udb.spec.spec import (
    DEFAULT_PORT,
    MAX_COLUMNS,
    MAX_WEIGHT,
    VAR,
    Definition,
    Kind,
    Server,
    Spec,
    Table,
    TableColumn,
    make_definition,
    make_table,
)

MAX_LINE_BYTES = 2046

#: A longer definition is parsed each time that it is stated.
_REMEMBERED = 1 << 16

_COMMENT = re.compile(r"(?:^|(?<=[^A-Za-z0-9]))#")
_SERVER = re.compile(
    r"(?P<host>\[[^\]]*\]|[^|:*\[\]]+)(?:\|(?P<alternate>\[[^\]]*\]|[^:*\[\]|]+))?(?::(?P<port>[0-9]+))?(?:\*(?P<weight>[0-9]+))?\Z"
)
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")
_LONGEST_HOST = 253  # of DNS; and with its port it fits into a line
_KEYWORD = re.compile(r"@(?P<word>[A-Za-z]+):?(?P<rest>.*)\Z")


@dataclass(frozen=True)
class _Word:
    text: str
    where: str


@dataclass
class _Section:
    keyword: str
    name: str
    where: str
    words: list[_Word]


def read_spec(path: Path) -> Spec:
    """Read a spec file.

    Raises:
        OptionError: If it cannot be read, or is wrong: with file and line.
    """
    try:
        raw = path.read_bytes().removeprefix(codecs.BOM_UTF8)  # some editors put it there
        text = raw.decode("utf-8")
    except OSError as error:
        raise OptionError(f"cannot read the database spec ({error.strerror})", where=str(path)) from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise OptionError(
            "the database spec is not UTF-8", where=f"{path} line {line}", hint="save it as UTF-8"
        ) from error
    return parse_spec(text, source=str(path))


def parse_spec(text: str, *, source: str, needs_servers: bool = True) -> Spec:
    """Parse the text of a spec file; ``source`` names it in errors.

    Raises:
        OptionError: With the line, if a section, a server or a column is wrong.

    >>> spec = parse_spec("@Server: 127.0.0.1 @PKey: s:user @Vector:sums f,+add:total", source="wood.spec")
    >>> spec.servers[0].address, [column.name for column in spec.definition.tables[0].columns]
    ('127.0.0.1:10010', ['user', 'total'])
    """
    port = DEFAULT_PORT
    servers: list[tuple[_Word, int]] = []
    key: list[TableColumn] = []
    tables: list[Table] = []
    places: list[str] = []
    seen: dict[str, str] = {}
    key_apart = False
    volatile = False
    node = -1
    for section in _sections(text, source):
        if section.keyword in ("port", "pkey", "volatile", VAR):
            if section.keyword in seen:
                raise OptionError(f"a second @{section.keyword} section", where=section.where)
            seen[section.keyword] = section.where
        if section.keyword == "server":
            node += 1
            servers.extend((word, node) for word in section.words)
        elif section.keyword == "port":
            port = _port(section)
        elif section.keyword == "volatile":
            volatile = _volatile(section)
        elif section.keyword == "pkey":
            key_apart = True
            key = _key_columns(section)
        else:
            tables.append(_table(section))
            places.append(section.where)
    definition = make_definition(key, tables, where=source, places=places)
    made = _servers(servers, port)
    if needs_servers and not made:
        raise OptionError("there is no server in the spec", where=source, hint="add a section: @Server: 127.0.0.1")
    return Spec(made, definition, port, key_apart, volatile)


def parse_definition(text: str, *, source: str) -> Definition:
    """The definition in a spec text that need not name servers."""
    return (_parsed if len(text) <= _REMEMBERED else _parsed.__wrapped__)(text, source)


@lru_cache(maxsize=16)
def _parsed(text: str, source: str) -> Definition:
    """Each request of an import states it again."""
    return parse_spec(text, source=source, needs_servers=False).definition


def format_spec(spec: Spec) -> str:
    """The text of a spec file; reading it gives an equal spec."""
    lines = ["# Database spec (udb.spec format). One @Server section a machine."]
    # Also of a section without servers, as the number of a section says which machine it is.
    for node in range(max((server.node for server in spec.servers), default=-1) + 1):
        lines += ["@Server:", *(f"  {format_server(server)}" for server in spec.servers if server.node == node)]
    lines.append(f"@Port:{spec.port}")
    lines += ["@Volatile:"] * spec.volatile
    return "\n".join(lines) + "\n" + format_definition(spec.definition, key_apart=spec.key_apart, as_given=True)


def format_definition(definition: Definition, *, key_apart: bool = False, as_given: bool = False) -> str:
    """The sections of a definition; ``as_given`` as in ``format_column``."""
    lines: list[str] = []
    if key_apart:
        lines += ["@PKey:", *(f"  {column.type.value.lower()}:{column.name}" for column in definition.key)]
    for table in definition.tables:
        lines.append("@Var:" if table.kind is Kind.VAR else f"@{table.kind.value}:{table.name}")
        shown = table.values if key_apart else table.columns
        lines += [f"  {format_column(column, as_given=as_given)}" for column in shown]
    return "\n".join(lines) + "\n" if lines else ""


def definition_text(definition: Definition) -> str:
    """A definition as servers and checkpoints have it: by itself, whichever tables there are."""
    keyed = any(table.kind is not Kind.VAR for table in definition.tables)
    return format_definition(definition, key_apart=not keyed)


def format_column(column: TableColumn, *, as_given: bool = False) -> str:
    """A column as a spec writes it, ``f,+add:total``: in one way, or with type and attributes as the user gave them."""
    if as_given and column.given:
        return f"{column.given}:{column.name}"
    words = [column.type.value.lower()]
    words += ["pkey"] * column.primary + ["tkey"] * column.time + ["+key"] * column.merge_key
    if column.merge.value != "+last" or column.skip_zero:
        words.append(column.merge.value)
    words += ["+nozero"] * column.skip_zero
    return f"{','.join(words)}:{column.name}"


def format_server(server: Server) -> str:
    """A server as a spec writes it, with its port always."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    alternate = f"|[{server.alternate}]" if ":" in server.alternate else f"|{server.alternate}" * bool(server.alternate)
    weight = f"*{server.weight}" if server.weight != 1 else ""
    return f"{host}{alternate}:{server.port}{weight}"


def parse_server(text: str, *, where: str, default_port: int = DEFAULT_PORT, node: int = 0) -> Server:
    """A server spec, ``Host[|Alternate][:Port][*Weight]``.

    Raises:
        OptionError: If it is not of that form, or the port or weight is out of range.

    >>> parse_server("[::1]:10012*3", where="-server")
    Server(host='::1', port=10012, alternate='', weight=3, node=0)
    """
    match = _SERVER.match(text)
    if match is None:
        raise OptionError(f"bad server '{text}'", where=where, hint="the form is Host[|Alternate][:Port][*Weight]")
    host = _host(match["host"], text, where)
    alternate = _host(match["alternate"], text, where) if match["alternate"] else ""
    # Nine digits are too large already, and thousands of them are no number to Python.
    port = int(match["port"][:9]) if match["port"] else default_port
    weight = int(match["weight"][:9]) if match["weight"] else 1
    if not 0 < port < 65536:
        raise OptionError(f"bad port in server '{text}'", where=where, hint="a port is from 1 to 65535")
    if not 0 < weight <= MAX_WEIGHT:
        raise OptionError(f"bad weight in server '{text}'", where=where, hint=f"it is from 1 to {MAX_WEIGHT}")
    return Server(host, port, alternate, weight, node)


def _host(written: str, text: str, where: str) -> str:
    """A host name or address of a server; an IPv6 one is written in brackets."""
    if written.startswith("["):
        try:
            ipaddress.IPv6Address(written[1:-1])
        except ValueError:
            raise OptionError(f"bad IPv6 address in server '{text}'", where=where) from None
        return written[1:-1]
    if not _HOST.match(written) or len(written) > _LONGEST_HOST:
        raise OptionError(f"bad host name in server '{text}'", where=where)
    return written


def _sections(text: str, source: str) -> list[_Section]:
    sections: list[_Section] = []
    pending_name = False
    for word in _words(text, source):
        match = _KEYWORD.match(word.text)
        if match is None:
            if not sections:
                raise OptionError(
                    f"'{word.text}' comes before any section", where=word.where, hint="begin with @Server:"
                )
            if pending_name and ":" not in word.text:
                sections[-1].name = word.text
            else:
                sections[-1].words.append(word)
            pending_name = False
            continue
        keyword = match["word"].lower()
        if keyword not in ("server", "port", "pkey", "table", "vector", "volatile", VAR):
            raise OptionError(
                f"unknown section '{word.text}'",
                where=word.where,
                hint="known: @Server: @Port: @PKey: @Table: @Vector: @Var: and @Volatile:",
            )
        named = keyword in ("port", "table", "vector")
        sections.append(_Section(keyword, match["rest"] if named else "", word.where, []))
        if keyword == VAR and match["rest"] and ":" not in match["rest"]:
            raise OptionError(
                f"'{word.text}': the Var vector has no name of its own",
                where=word.where,
                hint="write @Var: and its columns behind it, each as Type:Name",
            )
        if not named and match["rest"]:
            sections[-1].words.append(_Word(match["rest"], word.where))
        pending_name = named and not match["rest"]
    return sections


def _words(text: str, source: str) -> list[_Word]:
    words: list[_Word] = []
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{source} line {number}"
        if len(line.encode("utf-8", "surrogatepass")) > MAX_LINE_BYTES:
            raise OptionError(
                f"the line is longer than {MAX_LINE_BYTES} bytes", where=where, hint="break it at a blank"
            )
        comment = _COMMENT.search(line)
        kept = line[: comment.start()] if comment else line
        words.extend(_Word(part, where) for part in kept.split())
    return words


def _port(section: _Section) -> int:
    text = section.name
    if section.words or not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise OptionError("bad @Port section", where=section.where, hint="write @Port:10010")
    return int(text)


def _volatile(section: _Section) -> bool:
    if section.words:
        raise OptionError("bad @Volatile section", where=section.where, hint="write @Volatile: and nothing behind it")
    return True


def _key_columns(section: _Section) -> list[TableColumn]:
    columns: list[TableColumn] = []
    for word in section.words:
        table = make_table("key", Kind.VAR, [word.text], where=word.where)
        column = table.columns[0]
        if column != TableColumn(column.name, column.type):
            raise OptionError(f"'{word.text}': a key column has no attributes", where=word.where)
        if any(other.key == column.key for other in columns):
            raise OptionError(f"key column '{column.name}' is defined twice", where=word.where)
        columns.append(TableColumn(column.name, column.type, primary=True))
    if not columns:
        raise OptionError("the key has no column", where=section.where, hint="write e.g. @PKey: s:userid")
    if len(columns) > MAX_COLUMNS:
        raise OptionError(f"the key has more than {MAX_COLUMNS} columns", where=section.where)
    return columns


def _table(section: _Section) -> Table:
    kind = {"table": Kind.TABLE, "vector": Kind.VECTOR, VAR: Kind.VAR}[section.keyword]
    name = VAR if kind is Kind.VAR else section.name
    if not valid_name(name) or (kind is not Kind.VAR and name.lower() in (VAR, "pkey")):
        raise OptionError(
            f"bad name '{name}' for a {kind.value.lower()}",
            where=section.where,
            hint="a name has 1 to 31 letters, digits and '_', does not begin with a digit, and is not 'var' or 'pkey'",
        )
    columns: list[TableColumn] = []
    known: set[str] = set()
    for word in section.words:
        column = make_table(name, kind, [word.text], where=word.where).columns[0]
        if column.key in known:
            raise OptionError(f"column '{column.name}' is defined twice", where=word.where)
        known.add(column.key)
        columns.append(column)
    if not columns:
        raise OptionError(f"{kind.value.lower()} '{name}' has no column", where=section.where)
    # Once more as a whole: some rules concern the columns together.
    return make_table(name, kind, [format_column(column, as_given=True) for column in columns], where=section.where)


def _servers(words: list[tuple[_Word, int]], port: int) -> tuple[Server, ...]:
    made: list[Server] = []
    for word, node in words:
        server = parse_server(word.text, where=word.where, default_port=port, node=node)
        if any(other.address == server.address for other in made):
            raise OptionError(f"server {server.address} is in the spec twice", where=word.where)
        made.append(server)
    return tuple(made)
