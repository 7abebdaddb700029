"""``ess create``, ``drop``, ``use``, ``server`` and ``udbd``: parse, call, render."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from ess import api
from ess.cli.render import shown

if TYPE_CHECKING:
    from ess.udb.admin.admin import DatabaseSummary

create = typer.Typer(help="Make a database, or a table, vector or variables of the active one.", no_args_is_help=False)
drop = typer.Typer(
    help="Remove a database, or a table, vector or the variables of the active one.", no_args_is_help=True
)
server = typer.Typer(help="All databases of the working folder and their servers.", no_args_is_help=False)
udbd = typer.Typer(help="The database servers: start, stop, and see what they do.", no_args_is_help=False)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to ``ess``."""
    app.add_typer(create, name="create")
    app.add_typer(drop, name="drop")
    app.command("use")(use)
    app.add_typer(server, name="server")
    app.add_typer(udbd, name="udbd")


_Columns = Annotated[
    list[str], typer.Argument(help="columns as Type[,Attribute...]:Name, e.g. s,pkey:user f,+add:total")
]
_Name = Annotated[str, typer.Argument(help="its name")]


@create.command("database")
def create_database(
    dbname: Annotated[str, typer.Argument(help="its name")],
    ports: Annotated[int, typer.Option(help="number of servers on each node; 0: one")] = 1,
    volatile: Annotated[bool, typer.Option("--volatile", help="keep it in memory only")] = False,
) -> None:
    """Make a database and use it."""
    api.create_database(dbname, ports=ports, volatile=volatile)


@create.command("table")
def create_table(name: _Name, columns: _Columns) -> None:
    """Make a table: any number of rows for a key."""
    api.create_table(name, columns)


@create.command("vector")
def create_vector(name: _Name, columns: _Columns) -> None:
    """Make a vector: one row for a key, merged from what is imported."""
    api.create_vector(name, columns)


@create.command("variable")
def create_variable(columns: _Columns) -> None:
    """Make the database's variables, which belong to no key."""
    api.create_variable(columns)


@drop.command("database")
def drop_database(dbname: Annotated[str, typer.Argument(help="its name")]) -> None:
    """Remove a database, and what the servers hold of it."""
    api.drop_database(dbname)


@drop.command("table")
def drop_table(name: _Name) -> None:
    """Remove a table, and its rows from the servers."""
    api.drop_table(name)


@drop.command("vector")
def drop_vector(name: _Name) -> None:
    """Remove a vector, and its rows from the servers."""
    api.drop_vector(name)


@drop.command("variable")
def drop_variable() -> None:
    """Remove the database's variables."""
    api.drop_variable()


def use(dbname: Annotated[str, typer.Argument(help="its name")]) -> None:
    """Choose the database that tables are created in."""
    api.use(dbname)


@server.command()
def reset() -> None:
    """Stop the servers and remove all databases."""
    api.server_reset(say=_print)


@server.command("restart")
def restart_servers() -> None:
    """Empty all databases: stop the servers, remove what they have, start them; the definitions stay."""
    api.server_restart(say=_print)


@server.command()
def commit() -> None:
    """Check the database definitions and make them known to the workers."""
    _print_all(api.server_commit())


@server.command()
def summary(
    name: Annotated[str | None, typer.Option(help="the database to show, instead of all")] = None,
) -> None:
    """Show the databases and what runs."""
    _print_all(summary_lines(api.server_summary(name)))
    api.udbd("status", say=_print)


@udbd.command()
def start() -> None:
    """Start the servers of all databases."""
    _udbd("start")


@udbd.command()
def stop(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="end the server of this port, also if its folder was removed")
    ] = None,
) -> None:
    """Stop the servers; what was committed to them is on their disks."""
    api.udbd("stop", port=port, say=_print)


@udbd.command()
def restart() -> None:
    """Stop and start the servers; they come back with what was committed."""
    _udbd("restart")


@udbd.command()
def status() -> None:
    """Show what runs."""
    _udbd("status")


@udbd.command()
def ckmem() -> None:
    """Show how much memory the servers use."""
    _udbd("ckmem")


@udbd.command()
def cklog() -> None:
    """Show the last lines of the servers' logs."""
    _udbd("cklog")


def summary_lines(databases: Iterable[DatabaseSummary]) -> list[str]:
    """The lines of ``ess server summary`` about databases."""
    lines: list[str] = []
    for database in databases:
        lines.append(f"DATABASE : {database.name}{' (active)' if database.active else ''}")
        for label, objects in (("TABLE", database.tables), ("VECTOR", database.vectors)):
            shown_objects = [f"{name}\t{' '.join(columns)}" for name, columns in sorted(objects)] or ["(none)"]
            lines += [f"{label:>8} : {text}" for text in shown_objects]
        lines += [f"{'VAR':>8} : {' '.join(database.variables) or '(none)'}", ""]
    return lines


def _udbd(verb: str) -> None:
    api.udbd(verb, say=_print)


def _print_all(lines: Iterable[str]) -> None:
    for line in lines:
        _print(line)


def _print(line: str) -> None:
    # A tab between a table's name and its columns is ours.
    typer.echo("\t".join(shown(part) for part in line.split("\t")))
