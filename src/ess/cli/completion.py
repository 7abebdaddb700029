"""``ess completion``: the completion of all commands in bash and zsh, made from the option tables.

The scripts hold everything they need, so that a press of the tabulator key starts no Python. Their tables are shell
functions of one ``case`` each; their logic is in the ``.sh`` files beside this one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from ess.api import commands as api
from ess.errors import OptionError

if TYPE_CHECKING:
    from ess.pipeline.options import Option

SHELLS = ("bash", "zsh")

#: Argument name in an option table -> what completes it: file, spec, column, table, database, or nothing.
KINDS: dict[str, str] = {
    "": "",
    "Address": "",
    "AdrSpec": "",
    "AltName": "",
    "BufSize": "",
    "ColId": "column",
    "ColName": "column",
    "ColName|STATS:ColName": "column",
    "ColSpec": "spec",
    "ColSpec|ColName": "spec+column",
    "ColSpec|ColName[+]": "spec+column",
    "ColSpec|ColName|-": "spec+column",
    "DbName": "database",
    "DbName[:TabName]": "table",
    "DefRgxAtr": "",
    "DestSpec": "",
    "Expr": "column",
    "FilPrefix": "file",
    "File": "file",
    "File|ColSpec": "file+spec",
    "FilterSpec": "column",
    "Folder": "file",
    "KeyName": "column",
    "KiloBytes": "",
    "MapFrom": "",
    "MapTo": "",
    "ModSpec": "",
    "ModSrc": "file",
    "Module": "",
    "NewName": "",
    "Num": "",
    "NumRec": "",
    "NumRows": "",
    "Num|N:M": "",
    "Percent": "",
    "Place": "file",
    "RandSeed": "",
    "Segments": "",
    "Spec": "file",
    "TabName": "",
    "UdbSpec": "file",
    "Val": "",
    "Value": "",
}


def script(shell: str, commands: TyperGroup) -> str:
    """The completion script for a shell.

    Args:
        shell: ``bash`` or ``zsh``.
        commands: The commands of ``ess``.

    Raises:
        OptionError: For another shell.
    """
    if shell not in SHELLS:
        raise OptionError(f"there is no completion for '{shell}'", where="ess completion", hint="use bash or zsh")
    tables = api.option_tables()
    names = shlex.join(("ess", *(table.tool for table in tables)))
    rows = [
        (f"{table.tool} {option.name}", _row(option))
        for table in tables
        for option in table.options
        if not option.obsolete
    ]
    shown = [
        (table.tool, "printf '%s\\n' " + shlex.join(option.name for option in table.options if not option.obsolete))
        for table in tables
    ]
    return "".join(
        (
            "#compdef ess\n" if shell == "zsh" else "",
            _function("_essentia_row", '"$1 $2"', rows, "need= more= attributes= count=0\n"),
            _function("_essentia_options", '"$1"', shown, ""),
            _function("_essentia_verbs", '"$1"', [*_verbs(commands, "ess")], ""),
            _function("_essentia_first", '"$1"', [("udbd", "printf '%s\\n' " + shlex.join(api.udbd_verbs()))], ""),
            _text("completion.sh"),
            _text(f"completion_{shell}.sh"),
            f"complete -F _essentia_bash {names}\n" if shell == "bash" else f"compdef _essentia_zsh {names}\n",
        )
    )


def _row(option: Option) -> str:
    need = [KINDS[argument] or "none" for argument in option.arguments]
    values = {
        "need": " ".join(need),
        "more": KINDS[option.more],
        "attributes": " ".join(attribute_word(name) for name in api.attributes_of(option)),
        "count": str(len(need)),
    }
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())


def attribute_word(name: str) -> str:
    """The word offered for an attribute: ``sep=`` for ``sep=c``, ``eok`` for ``eok[=Num]``, ``+1`` for ``+Num``."""
    word, equals, _ = name.partition("[")[0].partition("=")
    return "+1" if word.startswith("+") else word + equals


def _verbs(command: object, path: str) -> Iterator[tuple[str, str]]:
    """The rows of ``ess`` and of each of its commands: what may follow it, and its options."""
    verbs = sorted(command.commands) if isinstance(command, TyperGroup) else []
    parameters = getattr(command, "params", ())
    options = [word for each in parameters for word in getattr(each, "opts", ()) if word.startswith("--")]
    if not getattr(command, "hidden", False):
        yield path, f"verbs={shlex.quote(' '.join(verbs))} options={shlex.quote(' '.join([*options, '--help']))}"
    if isinstance(command, TyperGroup):
        for verb in verbs:
            yield from _verbs(command.commands[verb], f"{path} {verb}")


def _function(name: str, word: str, rows: list[tuple[str, str]], before: str) -> str:
    lines = "".join(f"        {shlex.quote(key)}) {action} ;;\n" for key, action in rows)
    return f"{name}() {{\n{before and '    ' + before}    case {word} in\n{lines}    esac\n}}\n\n"


def _text(name: str) -> str:
    return files("ess.cli").joinpath(name).read_text("utf-8")


def add_commands(app: typer.Typer) -> None:
    """Add ``ess completion``."""
    app.command("completion")(_completion)


def _completion(
    context: typer.Context, shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash or zsh")]
) -> None:
    """Print the completion of all commands for a shell; in ~/.bashrc: source <(ess completion bash)."""
    root = context.find_root().command
    if not isinstance(root, TyperGroup):
        raise TypeError(f"ess is {root!r}")
    typer.echo(script(shell, root), nl=False)
