"""Older spellings of options that published scripts use, turned into those of today.

The change logs of the reference manuals tell most of them. A word that was renamed is respelled
before it is looked up; an option that became an attribute is an obsolete row of the tables, and
its use is taken out and written into the option that it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from ess.errors import OptionError
from ess.pipeline.options import Option, OptionTable, Use

#: Options that have another name now: old -> new, with attributes.
_RENAMED = {"-evlc": "-eval", "-maprx": "-map,rx", "-mapfrx": "-mapf,rx"}

#: ``-f+1,eok``: the comma before a number of lines to skip was often left out.
_SKIP_WITHOUT_COMMA = re.compile(r"(-f|-cat|-sub|-grep|-cmb)(\+[0-9]+[brl]?(?:,.*)?)\Z", re.DOTALL)

#: The formats that ``sep:`` specs contradict.
_FORMATS = ("csv", "tsv", "fix", "div", "tab", "jsn", "xml", "bin", "aq", "auto")

_INPUTS = ("-f", "-cat", "-sub", "-grep", "-cmb")
_OUTPUTS = ("-o", "-ovar")

#: The options that name a table of a database.
_ON_TABLES = ("-imp", "-exp", "-cnt", "-scn", "-ord", "-clr")

#: A row for every tool that reads records.
BUFFER = Option("-bz", "The old form of -f,bz=BufSize.", ("BufSize",), obsolete=True)

#: Rows for the table of every tool that reads records and prints some.
COMMON = (
    Option("-notitle", "The old form of -o,notitle.", obsolete=True),
    BUFFER,
)

#: A row for tools that sort.
DESCENDING = Option("-dec", "The old form of -sort,dec.", obsolete=True)

#: A row for tools whose tables are of one database.
DATABASE = Option("-db", "The old form of -imp DbName:TabName.", ("DbName",), obsolete=True)

#: Rows for tools with imports.
IMPORTS = (
    Option("-udb", "The old way to begin an import.", more="DbName", obsolete=True),
    Option("-ddef", "The old form of -imp,ddef.", obsolete=True),
    Option("-spec", "The old form of -imp,spec=UdbSpec.", ("UdbSpec",), obsolete=True),
    DATABASE,
    Option("-seg", "The old form of -imp,seg=N1-N2/N.", ("Segments",), obsolete=True),
    Option("-nobnk", "The old form of -imp,nobnk.", obsolete=True),
    Option("-nonew", "The old form of -imp,nonew.", obsolete=True),
)


def parse_command_line(table: OptionTable, argv: Sequence[str]) -> list[Use]:
    """The options of a command line in their order, older spellings written as today.

    Raises:
        OptionError: For what is no command line of the table's tool.
    """
    return modern(table.parse(argv, respelled), table.find("-f"), table.find("-cat"))


def respelled(word: str) -> str:
    """An option word as it is written today.

    >>> respelled("-evlc"), respelled("-maprx,ncas"), respelled("-f+1,eok"), respelled("-eval")
    ('-eval', '-map,rx,ncas', '-f,+1,eok', '-eval')
    """
    name, comma, rest = word.partition(",")
    if name in _RENAMED:
        return _RENAMED[name] + comma + rest
    found = _SKIP_WITHOUT_COMMA.match(word)
    return f"{found[1]},{found[2]}" if found else word


def modern(uses: Sequence[Use], files: Option | None, added: Option | None = None) -> list[Use]:
    """The uses without old spellings.

    Args:
        uses: The options of a command line.
        files: The row of ``-f``, for a command line that has none of it but says how to read; None where there is none.
        added: The row of ``-cat``, which is what a second ``-f`` of other attributes means; None where there is none.

    Raises:
        OptionError: If an option stands without the one that it belongs to.
    """
    result = [_unquoted(use) for use in uses]
    result = _divided(result, files)
    result = _added_inputs(_one_input(result), added)
    for name, rewrite in _REWRITES.items():
        while (at := next((n for n, use in enumerate(result) if use.name == name and use.option.obsolete), -1)) >= 0:
            old = result.pop(at)
            rewrite(result, at, old, files)
    return _columns_behind(result)


def _columns_behind(uses: list[Use]) -> list[Use]:
    """A ``-c`` directly before an ``-o`` without one of its own belongs to it, and stands behind it today."""
    result = list(uses)
    for at in range(len(result) - 1):
        names = ["", *(use.name for use in result), ""]  # so that names[at + 1] is that of ``at``
        before, first, second, after = names[at : at + 4]
        if (first, second) == ("-c", "-o") and before not in _OUTPUTS and after != "-c":
            result[at : at + 2] = result[at + 1], result[at]
    return result


def _unquoted(use: Use) -> Use:
    """``noq``: strings without quotes around them are those of a separated format that is not ``csv``."""
    if use.name not in (*_INPUTS, *_OUTPUTS) or "noq" not in use.attributes:
        return use
    words = tuple(word for word in use.attributes if word not in ("noq", "csv"))
    return replace(use, attributes=words if any(map(_is_separator, words)) else ("sep=,", *words))


def _is_separator(word: str) -> bool:
    return word == "tsv" or word.startswith("sep=")


def _divided(uses: list[Use], files: Option | None) -> list[Use]:
    """``sep:`` specs say what ``div`` says today."""
    if files is None or not any(use.name == "-d" and any(map(_is_divider, use.arguments)) for use in uses):
        return uses
    at = next((n for n, use in enumerate(uses) if use.name == "-f"), -1)
    if at < 0:
        return [Use(files, ("div",), ("-",), "-f,div"), *uses]
    given = uses[at].attributes
    if any(_is_separator(word) or word in _FORMATS for word in given):
        return uses
    return [*uses[:at], replace(uses[at], attributes=("div", *given)), *uses[at + 1 :]]


def _is_divider(spec: str) -> bool:
    return spec[:4].lower() == "sep:"


def _one_input(uses: list[Use]) -> list[Use]:
    """Several ``-f`` of the same attributes are one with all files."""
    first = next((n for n, use in enumerate(uses) if use.name == "-f"), -1)
    more = [use for n, use in enumerate(uses) if use.name == "-f" and n != first]
    if not more or any(use.attributes != uses[first].attributes for use in more):
        return uses
    files = tuple(file for use in uses if use.name == "-f" for file in use.arguments)
    return [replace(use, arguments=files) if n == first else use for n, use in enumerate(uses) if use not in more]


def _added_inputs(uses: list[Use], added: Option | None) -> list[Use]:
    """Another ``-f`` of other attributes adds its files, with the columns of ``-d``, as ``-cat`` does today."""
    columns = next((use.arguments for use in uses if use.name == "-d"), ())
    if added is None or not columns:
        return uses
    first = next((n for n, use in enumerate(uses) if use.name == "-f"), -1)
    return [
        Use(added, use.attributes, (*use.arguments, *columns), use.where) if use.name == "-f" and n != first else use
        for n, use in enumerate(uses)
    ]


def _onto_last(names: Sequence[str], word: Callable[[Use], str]) -> _Rewrite:
    """The old option says something of the last of ``names`` before it."""

    def rewrite(uses: list[Use], at: int, old: Use, _files: Option | None) -> None:
        before = next((n for n in range(at - 1, -1, -1) if uses[n].name in names), -1)
        if before < 0:
            raise OptionError(f"{old.name} without {names[0]} before it", where=old.where, hint=old.option.help)
        uses[before] = replace(uses[before], attributes=(*uses[before].attributes, word(old)))

    return rewrite


def _buffer(uses: list[Use], _at: int, old: Use, files: Option | None) -> None:
    word = f"bz={old.arguments[0]}"
    at = next((n for n, use in enumerate(uses) if use.name == "-f"), -1)
    if at >= 0:
        uses[at] = replace(uses[at], attributes=(*uses[at].attributes, word))
    elif files is not None:
        uses.insert(0, Use(files, (word,), ("-",), "-f"))


def _spec_of_imports(uses: list[Use], at: int, old: Use, _files: Option | None) -> None:
    for n in range(at, len(uses)):
        if uses[n].name == "-imp":
            uses[n] = replace(uses[n], attributes=(*uses[n].attributes, f"spec={old.arguments[0]}"))


def _database_of_tables(uses: list[Use], at: int, old: Use, _files: Option | None) -> None:
    for n in range(at, len(uses)):
        if uses[n].name in _ON_TABLES and ":" not in uses[n].arguments[0]:
            table, *more = uses[n].arguments
            uses[n] = replace(uses[n], arguments=(f"{old.arguments[0]}:{table}", *more))


_Rewrite = Callable[[list[Use], int, Use, Option | None], None]

_REWRITES: dict[str, _Rewrite] = {
    "-notitle": _onto_last(_OUTPUTS, lambda _old: "notitle"),
    "-bz": _buffer,
    "-dec": _onto_last(("-sort",), lambda _old: "dec"),
    "-spec": _spec_of_imports,
    "-db": _database_of_tables,
    "-seg": _onto_last(("-imp",), lambda old: f"seg={old.arguments[0]}"),
    "-nobnk": _onto_last(("-imp",), lambda _old: "nobnk"),
    "-nonew": _onto_last(("-imp",), lambda _old: "nonew"),
}
