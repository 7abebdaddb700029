"""The options of a category as options of commands, made from their table."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ess import api
from ess.api.commands import category_options
from ess.cli.render import shown
from ess.errors import OptionError

if TYPE_CHECKING:
    from ess.lake.category_options import OptionRow

Command = Callable[..., None]


def with_category_options(command: Command) -> Command:
    """A command whose ``**options`` are those of ``ess category add``."""
    return with_parameters(command, [_option(row) for row in category_options()])


def change_of(row: OptionRow) -> Command:
    """The command ``ess category change`` for an option."""
    name = Annotated[str, typer.Argument(metavar="CATEGORY", help="Name of the category.", show_default=False)]
    label = next(_option(other) for other in category_options() if other.name == "label")

    def change(**given: Any) -> None:
        if given[row.name] is None:
            hint = f"add --{row.name} or --{row.off}"
            raise OptionError("nothing to change to", where=f"category change {row.name}", hint=hint)
        changed = api.category_change(given["category"], row.name, given[row.name], label=given["label"])
        if row.name in ("dateregex", "dateformat"):
            for remark in changed.remarks:
                print(f"ess: {shown(remark)}", file=sys.stderr)

    def turn_on(**given: Any) -> None:
        api.category_change(given["category"], row.name, True, label=given["label"])

    category = Parameter("category", Parameter.KEYWORD_ONLY, annotation=name)
    if row.is_switch and not row.off:
        return with_parameters(turn_on, [category, label])
    return with_parameters(change, [category, _new_value(row), label])


def _option(row: OptionRow) -> Parameter:
    """An option of ``ess category add``."""
    info = typer.Option(f"--{row.name}", help=row.help, metavar=row.metavar)
    annotation = Annotated[bool, info] if row.is_switch else Annotated[str | None, info]
    return Parameter(row.name, Parameter.KEYWORD_ONLY, default=row.default, annotation=annotation)


def _new_value(row: OptionRow) -> Parameter:
    """The new value in ``ess category change``: an argument, or one of two words."""
    if row.is_switch:
        words = typer.Option(f"--{row.name}/--{row.off}", help=row.change_help)
        return Parameter(row.name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[bool | None, words])
    value = typer.Argument(help=row.change_help, show_default=False)
    return Parameter(row.name, Parameter.KEYWORD_ONLY, annotation=Annotated[str, value])


def with_parameters(command: Command, more: list[Parameter]) -> Command:
    """The command with these parameters in place of its ``**options``, as the parser of command lines reads them."""
    own = [
        each for each in inspect.signature(command, eval_str=True).parameters.values() if each.kind.name[:3] != "VAR"
    ]

    @functools.wraps(command)
    def made(**given: Any) -> None:
        command(**given)

    made.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
    return made
