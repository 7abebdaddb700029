"""Writes docs/compatibility.md, docs/reference and the policies of docs/aws from the tables that the programs run by.

    python scripts/pages.py            write them
    python scripts/pages.py --check    say which are stale, and fail then

Nothing in them is written by hand: an option, function, setting or exit code is described where it is defined, and the
state of a name of the reference manuals is found out by trying it (``compatibility``). A test runs the check.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup

import ess.language.functions
import ess.tools
from compatibility.page import compatibility_page
from ess import errors
from ess.cli.app import whole
from ess.cluster.cloud.permissions import LAPTOP, MASTER, NODES, policy
from ess.engines.columnar.support import support
from ess.formats.attributes import INPUT_ATTRIBUTES, OUTPUT_ATTRIBUTES
from ess.formats.known.table import FORMATS
from ess.language.function import Function
from ess.pipeline.options import Option, OptionTable
from ess.pipeline.page import function_entry
from ess.settings import SETTINGS
from ess.udb.spec.import_attributes import IMPORT_ATTRIBUTES

FOLDER = Path(__file__).resolve().parent.parent / "docs"
NOTICE = "<!-- Made by `make pages` from the tables in the source; do not edit. -->"


def page(title: str, *blocks: str) -> str:
    """A page of blocks with a blank line between them."""
    return "\n\n".join([f"# {title}", NOTICE, *(block for block in blocks if block)]) + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def tool_page(options: OptionTable) -> str:
    """A tool's options by group, and what it does not have yet."""
    groups: dict[str, list[Option]] = {}
    for option in options.options:
        if not option.obsolete:
            groups.setdefault(option.group or "General", []).append(option)
    blocks = [options.summary]
    for name, members in groups.items():
        blocks.append(f"## {name}")
        blocks.append("\n".join(f"- `{option.synopsis}`: {option.help}" for option in members))
    if options.missing:
        blocks.append("## Not available yet")
        blocks.append(table(("option", "instead"), ((f"`{name}`", hint) for name, hint in options.missing)))
    if any(option.obsolete for option in options.options):
        blocks.append(
            "Older spellings, with which published scripts still run, are listed on the page "
            f"[compatibility](../compatibility.md#{options.tool}), there also under *ChangeLog*."
        )
    return page(options.tool, *blocks)


def option_tables() -> list[OptionTable]:
    """The option tables of all tools."""
    modules = (importlib.import_module(f"ess.tools.{info.name}") for info in pkgutil.iter_modules(ess.tools.__path__))
    found = (getattr(module, "OPTIONS", None) for module in modules)
    return [options for options in found if isinstance(options, OptionTable)]


def attributes_page() -> str:
    """The attributes of -f, -o and -imp."""
    blocks: list[str] = []
    for option, rows in (("-f", INPUT_ATTRIBUTES), ("-o", OUTPUT_ATTRIBUTES), ("-imp", IMPORT_ATTRIBUTES)):
        blocks.append(f"## {option}")
        blocks.append(table(("attribute", "meaning"), ((f"`{name}`", text) for name, text in rows.items())))
    return page("Attributes of input and output", *blocks)


def formats_page() -> str:
    """The formats that have a name, each with its columns."""
    blocks = [
        "`-f,Name` reads lines of a format, and `ess category add` recognises it or takes `--format Name`. The columns "
        "are there without `-d`, which picks some (`-d status url`), also with another type or name "
        "(`-d s:code:status`). See the [manual](../manual/formats.md#formats-that-have-a-name).",
        table(
            ("format", "lines", "defined by"),
            ((f"[`{known.name}`](#{known.name})", known.summary, f"[source]({known.source})") for known in FORMATS),
        ),
    ]
    for known in FORMATS:
        blocks.append(f"## {known.name}")
        helps = [*(field.help for field in known.fields), *(each.help for each in known.made)]
        rows = zip(known.columns, helps, strict=True)
        blocks.append(
            table(("column", "type", "meaning"), ((f"`{each.name}`", each.type.value, text) for each, text in rows))
        )
    return page("Formats that have a name", *blocks)


def function_block(function: Function) -> str:
    """One function's entry, as ``aq_pp -h Function`` prints it."""
    entry = function_entry(function)
    lines = [
        f"### {function.name}",
        "",
        f"`{entry.signature}`",
        "",
        entry.summary,
        "",
        entry.types[:1].upper() + entry.types[1:] + ".",
    ]
    for words in entry.words:
        name, _, listed = words.partition(": ")
        lines += ["", f"`{name}`: " + " ".join(f"`{word}`" for word in listed.split())]
    for note in entry.notes:
        lines += ["", note]
    if entry.examples:
        lines += ["", "```", *entry.examples, "```"]
    return "\n".join(lines)


def functions_page() -> str:
    """All functions of the expression language, by the module that defines them."""
    blocks: list[str] = []
    for info in pkgutil.iter_modules(ess.language.functions.__path__):
        module = importlib.import_module(f"ess.language.functions.{info.name}")
        functions: tuple[Function, ...] = getattr(module, "FUNCTIONS", ())
        if functions:
            blocks.append(f"## {info.name.capitalize().replace('_', ' ')}")
            blocks += [function_block(function) for function in functions]
    return page("Functions", *blocks)


def engines_page() -> str:
    """The page of constructs that run over whole columns, and of those left to the row engine."""
    rows = ((f"`{each.name}`", "columns" if each.compiled else "rows", each.note) for each in support())
    return page(
        "Engines",
        "A command runs over whole columns where all it needs can, and row by row otherwise. Both give the same bytes; "
        "`ESS_ENGINE=row` or `columnar` chooses (what only rows can do still runs row by row).",
        table(("construct", "runs over", "note"), rows),
    )


def settings_page() -> str:
    """The environment variables."""
    public = [row for row in SETTINGS.values() if not row.internal]
    internal = [row for row in SETTINGS.values() if row.internal]
    return page(
        "Environment",
        table(
            ("variable", "default", "secret", "meaning"),
            ((f"`{s.variable}`", s.default, "yes" if s.secret else "", s.meaning) for s in public),
        ),
        "The commands that you start yourself use what is secret. Programs that are started for you do not get it: "
        "commands of `ess stream` and `ess exec`, workers, database servers. Messages have its name in its place. The "
        "same holds for other variables whose names speak of a secret, such as `GITHUB_TOKEN`, `PGPASSWORD`, "
        "`AZURE_CLIENT_SECRET` or `MYSQL_PWD`, but not of the place of one (`..._FILE`, `..._PATH`).",
        "Set by the task runner for the commands it starts:",
        table(("variable", "meaning"), ((f"`{s.variable}`", s.meaning) for s in internal)),
    )


def exit_codes_page() -> str:
    """The exit codes, from the error classes."""
    classes = [
        member for _, member in inspect.getmembers(errors, inspect.isclass) if issubclass(member, errors.EssError)
    ]
    by_code: dict[int, str] = {0: "Success.", 130: "Ctrl-C ended it."}
    for member in sorted(classes, key=lambda member: member is not errors.EssError):
        first = (inspect.getdoc(member) or "").splitlines()[0]
        by_code[member.exit_code] = first.split(" (exit code")[0].rstrip(".") + "."
    return page("Exit codes", table(("code", "meaning"), ((str(code), by_code[code]) for code in sorted(by_code))))


def command_blocks(command: object, name: str) -> list[str]:
    """A command's entry and, if it is a group, those of its commands."""
    if isinstance(command, TyperGroup):
        return [
            block
            for verb in sorted(command.commands)
            for block in command_blocks(command.commands[verb], f"{name} {verb}")
        ]
    if not isinstance(command, TyperCommand):
        raise TypeError(f"{name} is {command!r}, which has no page")
    context = typer.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    rows = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    lines = [f"## {name}", "", f"`{usage}`", "", inspect.cleandoc(command.help or "").split("\f")[0].strip()]
    if rows:
        lines += ["", table(("argument", "meaning"), ((f"`{shape}`", text) for shape, text in rows))]
    return ["\n".join(lines)]


def pages() -> dict[str, str]:
    """Every page by its path below docs."""
    reference = {
        **{f"{options.tool}.md": tool_page(options) for options in option_tables()},
        "attributes.md": attributes_page(),
        "formats.md": formats_page(),
        "functions.md": functions_page(),
        "engines.md": engines_page(),
        "ess.md": page("ess", *command_blocks(whole(), "ess")),
        "environment.md": settings_page(),
        "exit-codes.md": exit_codes_page(),
    }
    return {
        **{f"reference/{name}": text for name, text in reference.items()},
        "compatibility.md": compatibility_page(NOTICE),
        **{f"aws/{name}.json": policy(name) for name in (MASTER, LAPTOP, NODES)},
    }


#: Pages which no table stands behind: measurements by `make bench` and by hand, and recipes.
_BY_HAND = ("benchmarks.md", "performance.md", "cookbook.md")


def stale(wanted: dict[str, str]) -> list[str]:
    """The pages that differ from the tables, are missing, or have no table behind them."""
    present = [*FOLDER.glob("*.md"), *FOLDER.glob("reference/*.md"), *FOLDER.glob("aws/*.json")]
    present = [path for path in present if path.name not in _BY_HAND]
    found = {path.relative_to(FOLDER).as_posix(): path.read_text("utf-8") for path in present}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def main() -> None:
    """Write or check."""
    wanted = pages()
    old = stale(wanted)
    if sys.argv[1:] == ["--check"]:
        if old:
            sys.exit(f"stale pages in docs: {' '.join(old)}; run: make pages")
        return
    for name in old:
        path = FOLDER / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], "utf-8")
        else:
            path.unlink()


if __name__ == "__main__":
    main()
