"""The commands that answer a question: ``ess top``, ``hist``, ``days``, ``sessions``, ``head`` and ``schema``."""

from __future__ import annotations

import csv
import io
import sys
from typing import Annotated, Any

import typer

from ess import api
from ess.cli import tables, terminal
from ess.cli.stream import tell_failures, tell_sums

Category = Annotated[str, typer.Argument(metavar="CATEGORY", help="Name of the category.", show_default=False)]
Columns = Annotated[
    str, typer.Argument(metavar="COLUMN", help="Column, or several with commas between them.", show_default=False)
]
Lower = Annotated[str, typer.Argument(help="First date, or '*'.")]
Upper = Annotated[str, typer.Argument(help="Last date, or '*'.")]
By = Annotated[
    str, typer.Option(help="count, sum(COLUMN), avg(COLUMN), min, max, stddev, or distinct: how many different values.")
]
Where = Annotated[str, typer.Option(metavar="EXPRESSION", help="Only rows for which it holds, as -filt takes it.")]
Let = Annotated[
    list[str] | None, typer.Option(metavar="NAME=EXPRESSION", help="A further column. May be given several times.")
]
Time = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN|EXPRESSION", help="Time of a row in seconds since 1970, if the format does not bring it."
    ),
]
Rows = Annotated[int, typer.Option("-n", help="The most rows.")]
Exclude = Annotated[str | None, typer.Option(help="Leave out files that match this pattern.")]
Limit = Annotated[int | None, typer.Option(help="The maximum number of files.")]
Label = Annotated[str | None, typer.Option(metavar="LABEL", help="Datastore to use.")]
Show = Annotated[bool, typer.Option("--show", help="Print the line of commands that this stands for, and run nothing.")]


def top(
    category: Category,
    columns: Columns,
    lower: Lower = "*",
    upper: Upper = "*",
    by: By = "count",
    n: Rows = 10,
    let: Let = None,
    where: Where = "",
    exclude: Exclude = None,
    limit: Limit = None,
    label: Label = None,
    show: Show = False,
) -> None:
    """Print the values of a column that occur most often, or have the most of something."""
    _answer(
        "top", category, lower, upper, {"columns": columns, "by": by, "n": n}, let, where, exclude, limit, label, show
    )


def hist(
    category: Category,
    column: Annotated[str, typer.Argument(metavar="COLUMN", help="Column.", show_default=False)],
    lower: Lower = "*",
    upper: Upper = "*",
    bin: Annotated[  # noqa: A002 - the option
        float | None, typer.Option(metavar="WIDTH", help="Width of the ranges; else about twenty are made.")
    ] = None,
    let: Let = None,
    where: Where = "",
    exclude: Exclude = None,
    limit: Limit = None,
    label: Label = None,
    show: Show = False,
) -> None:
    """Count the rows of each value of a column, or of each range of its numbers."""
    arguments = {"column": column, "bin": bin}
    _answer("hist", category, lower, upper, arguments, let, where, exclude, limit, label, show, bars="count")


def days(
    category: Category,
    lower: Lower = "*",
    upper: Upper = "*",
    by: By = "count",
    time: Time = None,
    let: Let = None,
    where: Where = "",
    exclude: Exclude = None,
    limit: Limit = None,
    label: Label = None,
    show: Show = False,
) -> None:
    """Count the rows of each day, in UTC, or sum up something of them."""
    arguments = {"by": by, "time": time}
    _answer("days", category, lower, upper, arguments, let, where, exclude, limit, label, show, bars="day")


def sessions(
    category: Category,
    lower: Lower = "*",
    upper: Upper = "*",
    user: Annotated[
        str,
        typer.Option(metavar="COLUMN", help="Column that says whose row it is, or several with commas between them."),
    ] = ...,  # type: ignore[assignment]
    gap: Annotated[str, typer.Option(help="Longest pause within a session: seconds, or 30m, 2h, 1d.")] = "30m",
    time: Time = None,
    let: Let = None,
    where: Where = "",
    exclude: Exclude = None,
    limit: Limit = None,
    label: Label = None,
    show: Show = False,
) -> None:
    """Find the sessions of each user: rows without a long pause between them."""
    arguments = {"user": user, "gap": gap, "time": time}
    _answer("sessions", category, lower, upper, arguments, let, where, exclude, limit, label, show)


def head(
    category: Category,
    lower: Lower = "*",
    upper: Upper = "*",
    columns: Annotated[
        str, typer.Option("-c", "--columns", metavar="COLUMNS", help="Columns with commas between them, if not all.")
    ] = "",
    n: Rows = 10,
    let: Let = None,
    where: Where = "",
    exclude: Exclude = None,
    limit: Limit = None,
    label: Label = None,
    show: Show = False,
) -> None:
    """Print the first rows."""
    _answer("head", category, lower, upper, {"columns": columns, "n": n}, let, where, exclude, limit, label, show)


def schema(category: Category, label: Label = None) -> None:
    """Print the columns: name, type and what they hold."""
    rows = [[each.name, each.type, each.help] for each in api.columns_of(category, label=label)]
    titles = ["column", "type", "holds"]
    if sys.stdout.isatty():
        _print(tables.table(titles, rows, width=terminal.columns()))
    else:
        csv.writer(sys.stdout, lineterminator="\n").writerows([titles, *rows])


def _answer(
    verb: str,
    category: str,
    lower: str,
    upper: str,
    arguments: dict[str, Any],
    let: list[str] | None,
    where: str,
    exclude: str | None,
    limit: int | None,
    label: str | None,
    show: bool,
    *,
    bars: str = "",
) -> None:
    """Ask, and print the answer: a table on a terminal, CSV elsewhere."""
    from ess.cli.progress import ProgressDisplay

    question = api.question(
        verb, category, lower, upper, arguments, let=let or (), where=where, exclude=exclude, limit=limit, label=label
    )
    if show:
        print(question.line)
        return
    on_terminal = sys.stdout.isatty()
    kept = io.BytesIO()
    display = ProgressDisplay(always=False)
    try:
        found = api.answer(
            question,
            progress=display.show,
            stdout=kept if on_terminal else display.around(sys.stdout.buffer),
            stderr=display.around(sys.stderr.buffer),
        )
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:
        display.clear()
    if on_terminal:
        text = io.StringIO(kept.getvalue().decode("utf-8", "surrogateescape"), newline="")
        rows = list(csv.reader(text))
        numbers = [column.type.is_numeric for column in question.columns]
        size, blocks = terminal.columns(), terminal.can_show("█▏…")
        _print(
            tables.table(rows[0], rows[1:], width=size, numbers=numbers, bars=bool(bars), blocks=blocks) if rows else []
        )
    if found.result is not None:
        tell_failures(found.result.failure_lines)
        tell_sums(found.result, category, lower, upper, label, first_only=True)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _print(lines: list[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def add_commands(app: typer.Typer) -> None:
    """Add the commands of this module to ``ess``."""
    for command in (top, hist, days, sessions, head, schema):
        app.command(command.__name__, rich_help_panel="Questions")(command)
