"""The commands that answer a question: ``ess top``, ``hist``, ``days``, ``sessions``, ``head`` and ``schema``."""

from __future__ import annotations

import csv
import io
import sys
from inspect import signature
from typing import Annotated, Any

import typer

from ess import api
from ess.cli import tables, terminal
from ess.cli.category_options import with_parameters
from ess.cli.stream import tell_failures, tell_sums

Category = Annotated[str, typer.Argument(metavar="CATEGORY", help="Name of the category.", show_default=False)]
Columns = Annotated[
    str, typer.Argument(metavar="COLUMN", help="Column, or several with commas between them.", show_default=False)
]
By = Annotated[
    str, typer.Option(help="count, sum(COLUMN), avg(COLUMN), min, max, stddev, or distinct: how many different values.")
]
Time = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN|EXPRESSION", help="Time of a row in seconds since 1970, if the format does not bring it."
    ),
]
Rows = Annotated[int, typer.Option("-n", help="The most rows.")]
Label = Annotated[str | None, typer.Option(metavar="LABEL", help="Datastore to use.")]


def _of_all(
    lower: Annotated[str, typer.Argument(help="First date, or '*'.")] = "*",
    upper: Annotated[str, typer.Argument(help="Last date, or '*'.")] = "*",
    let: Annotated[
        list[str] | None, typer.Option(metavar="NAME=EXPRESSION", help="A further column. May be given several times.")
    ] = None,
    where: Annotated[
        str, typer.Option(metavar="EXPRESSION", help="Only rows for which it holds, as -filt takes it.")
    ] = "",
    exclude: Annotated[str | None, typer.Option(help="Leave out files that match this pattern.")] = None,
    limit: Annotated[int | None, typer.Option(help="The maximum number of files.")] = None,
    label: Label = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print the line of commands that this stands for, and run nothing.")
    ] = False,
) -> None:
    """The parameters that all questions take."""


def top(category: Category, columns: Columns, by: By = "count", n: Rows = 10, **asked: Any) -> None:
    """Print the values of a column that occur most often, or have the most of something."""
    _answer("top", category, {"columns": columns, "by": by, "n": n}, **asked)


def hist(
    category: Category,
    column: Annotated[str, typer.Argument(metavar="COLUMN", help="Column.", show_default=False)],
    bin: Annotated[  # noqa: A002 - the option
        float | None, typer.Option(metavar="WIDTH", help="Width of the ranges; else about twenty are made.")
    ] = None,
    **asked: Any,
) -> None:
    """Count the rows of each value of a column, or of each range of its numbers."""
    _answer("hist", category, {"column": column, "bin": bin}, bars=True, **asked)


def days(category: Category, by: By = "count", time: Time = None, **asked: Any) -> None:
    """Count the rows of each day, in UTC, or sum up something of them."""
    _answer("days", category, {"by": by, "time": time}, bars=True, **asked)


def sessions(
    category: Category,
    user: Annotated[
        str,
        typer.Option(metavar="COLUMN", help="Column that says whose row it is, or several with commas between them."),
    ],
    gap: Annotated[str, typer.Option(help="Longest pause within a session: seconds, or 30m, 2h, 1d.")] = "30m",
    time: Time = None,
    **asked: Any,
) -> None:
    """Find the sessions of each user: rows without a long pause between them."""
    _answer("sessions", category, {"user": user, "gap": gap, "time": time}, **asked)


def head(
    category: Category,
    columns: Annotated[
        str, typer.Option("-c", "--columns", metavar="COLUMNS", help="Columns with commas between them, if not all.")
    ] = "",
    n: Rows = 10,
    **asked: Any,
) -> None:
    """Print the first rows."""
    _answer("head", category, {"columns": columns, "n": n}, **asked)


def schema(category: Category, label: Label = None) -> None:
    """Print the columns: name, type and what they hold."""
    rows = [[each.name, each.type, each.help] for each in api.columns_of(category, label=label)]
    titles = ["column", "type", "holds"]
    if sys.stdout.isatty():
        _print(tables.fitted(titles, rows, width=terminal.columns()))
    else:
        csv.writer(sys.stdout, lineterminator="\n").writerows([titles, *rows])


def _answer(
    verb: str,
    category: str,
    arguments: dict[str, Any],
    *,
    lower: str,
    upper: str,
    let: list[str] | None,
    label: str | None,
    show: bool,
    bars: bool = False,
    **files: Any,
) -> None:
    """Ask, and print the answer: a table on a terminal, CSV elsewhere."""
    from ess.cli.progress import ProgressDisplay

    question = api.question(verb, category, lower, upper, arguments, let=let or (), label=label, **files)
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
        if rows:
            _print(tables.fitted(rows[0], rows[1:], width=size, numbers=numbers, bars=bars, blocks=blocks))
    if found.result is not None:
        tell_failures(found.result.failure_lines)
        tell_sums(found.result, category, lower, upper, label, first_only=True)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _print(lines: list[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def add_commands(app: typer.Typer) -> None:
    """Add the commands of this module to ``ess``."""
    shared = [each.replace(kind=each.KEYWORD_ONLY) for each in signature(_of_all, eval_str=True).parameters.values()]
    for command in (top, hist, days, sessions, head):
        app.command(command.__name__, rich_help_panel="Questions")(with_parameters(command, shared))
    app.command("schema", rich_help_panel="Questions")(schema)
