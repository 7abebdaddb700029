"""``ess summary``: parse, call, render."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from ess import api
from ess.cli import render, terminal
from ess.errors import OptionError

if TYPE_CHECKING:
    from ess.cli.plot import Pen


class Parameter(enum.StrEnum):
    """The parts to which ``ess summary CATEGORY`` can be narrowed."""

    PKEY = "pkey"
    COLUMNSPEC = "columnspec"
    SCHEMA = "schema"
    DELIMITER = "delimiter"
    COMPRESSION = "compression"
    PREPROCESS = "preprocess"


def summary(
    category: Annotated[str | None, typer.Argument(help="A category.", show_default="all")] = None,
    parameter: Annotated[Parameter | None, typer.Argument(help="Show only this.", show_default=False)] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="LABEL", help="Datastore to use.", show_default=False)
    ] = None,
    scan: Annotated[
        bool,
        typer.Option("--scan", help="Look for files and update the numbers; of a category, read its files as well."),
    ] = False,
    short: Annotated[
        bool, typer.Option("--short", help="With --scan: show number of files and bytes only, and read no file.")
    ] = False,
    plot: Annotated[bool, typer.Option("--plot", help="Draw files and bytes a day, with the gaps.")] = False,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="With --scan: tell more of this column; may be repeated.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="With --scan: number of files a node reads at a time.")] = None,
    master: Annotated[
        bool, typer.Option("--master", help="With --scan: read on this machine, not on the worker nodes.")
    ] = False,
) -> None:
    """Show the categories of a datastore, or all about one of them."""
    _check(category, parameter, scan=scan, short=short, plot=plot, reading=bool(column or threads or master))
    if category is None:
        content = api.summary(scan=scan, label=label)
        if plot:
            from ess.cli.plot import datastore_plot

            names = sorted(item.name for item in content.categories)
            _show(datastore_plot([(name, api.days(name, label=label)) for name in names], _pen()))
        else:
            _show([f"{content.count} {content.size}"] if short else render.datastore_summary(content))
        return
    item = api.category(category, scan=scan, label=label)
    if short:
        _show([f"{item.stats.count} {item.stats.size}"])
    elif plot:
        _plot(category, label)
    elif parameter is None:
        if not column:
            _show(render.category_summary(item))
        if scan:
            if not column:
                _show([""])
            _scan(category, tuple(column or ()), threads, master=master, label=label)
    elif parameter is Parameter.SCHEMA:
        _show(render.schema(item))
    else:
        values = {
            Parameter.PKEY: item.pkey,
            Parameter.COLUMNSPEC: item.columnspec,
            Parameter.DELIMITER: item.shown_delimiter,
            Parameter.COMPRESSION: item.compression or item.found_compression,
            Parameter.PREPROCESS: item.preprocess,
        }
        _show([values[parameter]])


def _check(
    category: str | None, parameter: Parameter | None, *, scan: bool, short: bool, plot: bool, reading: bool
) -> None:
    """Refuse options that do not go together."""
    if short and not scan:
        raise OptionError("it needs --scan", where="--short", hint="add --scan")
    if plot and (short or parameter is not None):
        raise OptionError("it goes with neither --short nor a single field", where="--plot", hint="leave these out")
    if reading and (category is None or parameter is not None or not scan or short or plot):
        raise OptionError(
            "these are for reading the files of a category",
            where="--column, --threads, --master",
            hint="write: ess summary CATEGORY --scan --column NAME",
        )


def _scan(category: str, columns: tuple[str, ...], threads: int | None, *, master: bool, label: str | None) -> None:
    from ess.cli.contents import contents
    from ess.cli.progress import ProgressDisplay
    from ess.cli.stream import tell_failures

    display = ProgressDisplay(always=False)
    try:
        found = api.contents(
            category, columns=columns, threads=threads, master=master, progress=display.show, tell=_note, label=label
        )
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:
        display.clear()
    _show(contents(found, width=_width(), details=bool(columns)))
    tell_failures(found.failure_lines)
    if found.exit_code:
        sys.stdout.flush()
        raise typer.Exit(found.exit_code)


def _plot(category: str, label: str | None) -> None:
    from ess.cli.plot import category_plot

    days = api.days(category, label=label)
    stats = api.category(category, label=label).stats
    if not days:
        why = "no file is there" if not stats.count else "no file has a date in its name"
        hint = "see: ess summary" if not stats.count else f"try: ess category change dateregex {category} PATTERN"
        raise OptionError(why, where=f"--plot {category}", hint=hint)
    _show([f"{category}: {stats.count:,} files, {render.human_size(stats.size)}", "", *category_plot(days, _pen())])
    undated = stats.count - sum(day.files for day in days)
    if undated > 0:
        _note(f"{undated:,} files without a date in their names are not drawn")


def _pen() -> Pen:
    """The pen for what standard output can show; the width of a terminal, or what COLUMNS says."""
    from ess.cli.plot import Pen

    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Pen(terminal.columns(), terminal.can_show("▁█\u00d7·─└┤"), colours)


def _width() -> int | None:
    return terminal.columns() if sys.stdout.isatty() or "COLUMNS" in os.environ else None


def _show(lines: Iterable[str]) -> None:
    """Print lines to stdout in one go."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _note(text: str) -> None:
    """Tell the user something that is not the result."""
    print(f"ess: {render.shown(text)}", file=sys.stderr)
