"""Categories: named groups of files, with the rules that find them and the layout of their data.

They are kept as JSON beside their datastore. The layout (compression, delimiter, header,
columns) is found or given when a category is made, and stays until the user changes it.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ess import settings
from ess.errors import CategoryExists, OptionError
from ess.lake import index
from ess.lake.datastores import Datastore, datastore
from ess.lake.dates import DateRule, DateRuleKind
from ess.lake.patterns import quote_pattern
from ess.schema import parse_column

VERSION = 1
_LONGEST_NAME = 100
#: A column spec; quotes hold spaces together, as in ``sep:" ["``.
_SPEC_WORD = re.compile(r'(?:[^\s"]|"(?:\\.|[^"\\])*")+')


@dataclass(frozen=True)
class Stats:
    """The number of files of a category at the last scan, their bytes, and the range of their dates.

    ``first`` and ``last`` are dates, or whole numbers if the files are numbered, as text for people.
    """

    count: int = 0
    size: int = 0
    first: str = ""
    last: str = ""


@dataclass(frozen=True)
class Category:
    """A category.

    ``patterns`` are absolute globs and ``exclude`` is as typed. ``archive`` are globs too: if there are any, its files
    are those that match in archives. ``compression`` is what the user
    forces (``none``: take the bytes as they are); blank: each file's first bytes decide.
    ``found_compression`` is what the sample files have (``mixed`` if it differs). ``delimiter``
    is one character, blank if records are not delimited or that is not known. ``header`` says
    whether the first line of each file names the columns. ``format`` is what ``-f`` takes if the format of
    the records has a name; blank if not. ``columns`` are column specs such as
    ``S:userID``. ``probed`` is false after ``--noprobe``. ``lines`` are the first lines of a
    sample file, and ``remarks`` are sentences about columns that are strings only because of
    some dirt.
    """

    name: str
    datastore: str
    patterns: tuple[str, ...]
    exclude: str | None = None
    date_rule: DateRule = DateRule(DateRuleKind.AUTO)  # noqa: RUF009 - frozen
    archive: str = ""
    compression: str = ""
    found_compression: str = ""
    delimiter: str = ""
    header: bool = False
    format: str = ""
    columns: tuple[str, ...] = ()
    preprocess: str = ""
    pkey: str = ""
    usecache: bool = False
    comment: str = ""
    probed: bool = True
    lines: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    stats: Stats = Stats()

    @property
    def columnspec(self) -> str:
        """The column specs as one text, e.g. ``S:eventDate I:userID``."""
        return " ".join(self.columns)

    @property
    def rules(self) -> str:
        """All that decides which files it has, and what their dates are."""
        rule = self.date_rule
        return json.dumps([self.patterns, self.exclude, rule.kind.value, rule.text, *filter(None, [self.archive])])

    @property
    def shown_delimiter(self) -> str:
        """The delimiter as text for people, see :func:`shown_delimiter`."""
        return shown_delimiter(self.delimiter)

    @property
    def pattern(self) -> str:
        """The patterns as a user would type them."""
        return " ".join(quote_pattern(text) for text in self.patterns)


def check_name(name: str, *, where: str) -> str:
    """``name`` if it can name a category.

    Raises:
        OptionError: If it cannot.
    """
    if not name or name[0] in ".-" or not all(char.isalnum() or char in "_.-" for char in name):
        raise OptionError(
            f"bad category name '{name}'", where=where, hint="use letters, digits, '_', '-' and '.', without spaces"
        )
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        raise OptionError(f"the category name is longer than {_LONGEST_NAME} bytes", where=where, hint="shorten it")
    return name


def parse_columnspec(text: str, *, where: str) -> tuple[str, ...]:
    """Split a column spec into columns and check each.

    Raises:
        OptionError: If one is not valid, or a name is given twice.

    >>> parse_columnspec("S:day  i:count X", where="--columnspec")
    ('S:day', 'i:count', 'X')
    """
    words = tuple(_SPEC_WORD.findall(text))
    if _SPEC_WORD.sub("", text).strip():
        raise OptionError(f"a quote is not closed in '{text}'", where=where, hint="close it")
    if not words:
        raise OptionError("the column spec is empty", where=where, hint="write it as 'S:name I:count'")
    seen: set[str] = set()
    for word in words:
        if word.lower().startswith("sep:"):
            continue
        column = parse_column(word, where=where, with_path=True)
        if column.wanted and column.key in seen:
            raise OptionError(f"the column '{column.name}' is given twice", where=where, hint="rename one of them")
        seen.add(column.key)
    return words


def parse_delimiter(text: str, *, where: str = "--delimiter") -> str:
    r"""The delimiter that ``text`` means: one character, ``\t`` or ``\xHH``.

    Raises:
        OptionError: If it is not one single-byte character.

    >>> parse_delimiter(r"\x7c")
    '|'
    """
    named = {r"\t": "\t", "tab": "\t", "tsv": "\t"}
    character = named.get(text.lower(), text)
    if len(text) == 4 and text[:2] == r"\x":
        try:
            character = chr(int(text[2:], 16))
        except ValueError:
            character = ""
    if len(character) != 1 or character in '"\r\n' or not character.isascii():
        raise OptionError(f"bad delimiter '{text}'", where=where, hint=r"give one character, \t or \xHH")
    return character


def shown_delimiter(delimiter: str) -> str:
    r"""A delimiter as ``sep=`` takes it: itself, or ``\xHH`` if it cannot be seen."""
    return delimiter if not delimiter or delimiter.isprintable() else f"\\x{ord(delimiter):02x}"


# --- state ----------------------------------------------------------------------------------


def _path(store: Datastore) -> Path:
    return store.folder / "categories.json"


def categories(store: Datastore) -> dict[str, Category]:
    """The categories of a datastore by name, in the order they were made.

    Raises:
        InitializationError: If the settings are damaged.
    """
    state = settings.read_state(_path(store), VERSION)
    try:
        return {name: _from_json(name, store.label, entry) for name, entry in state.get("categories", {}).items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise settings.damaged(_path(store)) from error


def _save(store: Datastore, content: Mapping[str, Category]) -> None:
    state = {"categories": {name: _to_json(category) for name, category in content.items()}}
    settings.write_state(_path(store), VERSION, state)


def category(name: str, *, label: str | None = None) -> Category:
    """The category of that name in a datastore (the selected one without ``label``).

    Raises:
        OptionError: If there is none; the error names the nearest.
    """
    return _known(categories(datastore(label)), name)


def _known(content: Mapping[str, Category], name: str) -> Category:
    if not isinstance(name, str):
        raise OptionError(f"{name!r} is not a name", where="category", hint="give the name as a string")
    if name in content:
        return content[name]
    close = difflib.get_close_matches(name, list(content), n=1)
    hint = (
        f"did you mean '{close[0]}'?" if close else "see ess summary for the categories, or make it: ess category add"
    )
    raise OptionError(f"no category '{name}'", where="category", hint=hint)


def put(new: Category, *, label: str | None = None, overwrite: bool = False) -> None:
    """Store a category.

    Raises:
        OptionError: If the name is taken and ``overwrite`` is not given.
    """
    store = datastore(label)
    with settings.lock(store.folder):
        known = categories(store)
        if new.name in known and not overwrite:
            raise taken(new.name)
        _save(store, {**known, new.name: new})


def put_all(new: Sequence[Category], store: Datastore, *, overwrite: bool = False) -> None:
    """Store categories of one datastore, all or none.

    Raises:
        CategoryExists: If a name is taken and ``overwrite`` is not given.
    """
    with settings.lock(store.folder):
        known = categories(store)
        both = [each.name for each in new if each.name in known]
        if both and not overwrite:
            raise CategoryExists(
                f"there are such categories already: {', '.join(both)}; nothing is imported",
                where="category import",
                hint="add --overwrite to replace them, name the categories to import, or give --as NewName",
            )
        _save(store, {**known, **{each.name: each for each in new}})
    for name in both:
        index.forget(store.folder, name)


def taken(name: str) -> CategoryExists:
    """The error for a name that another category has."""
    return CategoryExists(
        f"the category '{name}' exists", where="category", hint="add --overwrite or take another name"
    )


def copy(source: str, target: str, *, label: str | None = None) -> Category:
    """Make a category with the same settings under another name.

    Raises:
        OptionError: If ``source`` does not exist, or ``target`` does.
    """
    check_name(target, where="category copy")
    store = datastore(label)
    with settings.lock(store.folder):
        known = categories(store)
        new = dataclasses.replace(_known(known, source), name=target)
        if target in known:
            raise OptionError(
                f"the category '{target}' exists", where="category", hint="delete it or take another name"
            )
        _save(store, {**known, target: new})
    return new


def delete(name: str, *, label: str | None = None) -> None:
    """Forget a category; its files stay untouched.

    Raises:
        OptionError: If it does not exist.
    """
    store = datastore(label)
    with settings.lock(store.folder):
        known = categories(store)
        _known(known, name)
        _save(store, {other: kept for other, kept in known.items() if other != name})
    index.forget(store.folder, name)


def change(name: str, edit: Callable[[Category], Category], *, label: str | None = None) -> Category:
    """Store and return what ``edit`` makes of a category; other commands wait meanwhile.

    Raises:
        OptionError: If it does not exist.
    """
    store = datastore(label)
    with settings.lock(store.folder):
        known = categories(store)
        new = edit(_known(known, name))
        _save(store, {**known, name: new})
    return new


def _to_json(content: Category) -> dict[str, Any]:
    state: dict[str, Any] = {
        item.name: getattr(content, item.name)
        for item in dataclasses.fields(content)
        if item.name not in ("name", "datastore", "date_rule", "stats")
    }
    return state | {
        "date_rule": {"kind": content.date_rule.kind.value, "text": content.date_rule.text},
        "stats": dataclasses.asdict(content.stats),
    }


def _from_json(name: str, label: str, state: Mapping[str, Any]) -> Category:
    """A category from its state; an attribute that an older version did not write has its default."""
    known = {
        item.name: _READ[str(item.type)](state[item.name])
        for item in dataclasses.fields(Category)
        if item.name in state and item.name not in ("name", "datastore")
    }
    return Category(name=name, datastore=label, **known)


#: How an attribute of each type is read from the state.
_READ: dict[str, Callable[[Any], Any]] = {
    "str": str,
    "str | None": lambda value: None if value is None else str(value),
    "bool": bool,
    "tuple[str, ...]": lambda values: tuple(map(str, values)),
    "DateRule": lambda rule: DateRule(DateRuleKind(rule["kind"]), str(rule["text"])),
    "Stats": lambda stats: Stats(int(stats["count"]), int(stats["size"]), str(stats["first"]), str(stats["last"])),
}
