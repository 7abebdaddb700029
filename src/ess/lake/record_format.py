"""The format of a category's records, if it has a name: what ``--format`` takes, and its columns."""

from __future__ import annotations

import csv

from ess.errors import OptionError
from ess.formats.attributes import Format, InputAttributes, parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.titles import CATEGORY
from ess.lake.categories import Category
from ess.schema import parse_column

#: Words in the place of a name: the format is recognised; records are divided by a delimiter.
AUTO, NONE = "auto", "none"
_WHERE = "--format"


def check_format(text: str | None, *, where: str = _WHERE) -> str:
    """The format as ``-f`` takes it, blank if none is named.

    Raises:
        OptionError: If there is no such format.
    """
    word = (text or "").strip()
    if word.lower() in ("", AUTO, NONE):
        return ""
    attributes_of(word, where=where)
    return word


def attributes_of(word: str, *, where: str) -> InputAttributes:
    """The attributes of an input of that format.

    Raises:
        OptionError: If it is not the name or description of one that brings its columns.
    """
    attributes = parse_input_attributes([word], where=where)
    if attributes.known is None and attributes.format not in (Format.JSON, Format.PARQUET):
        raise OptionError(
            f"'{word}' does not bring its columns",
            where=where,
            hint="name a format of the page on formats, e.g. combined, or give --delimiter and --columnspec",
        )
    return attributes


def columns_of(word: str, specs: tuple[str, ...], *, where: str) -> tuple[str, ...]:
    """The column specs of a format: all, or the given ones if it has them.

    Raises:
        OptionError: If it has not.

    >>> columns_of("clf", (), where="--format")[:2], columns_of("clf", ("S:url",), where="--format")
    (('S:host', 'S:ident'), ('S:url',))
    """
    attributes = attributes_of(word, where=where)
    if attributes.known is None and not specs:
        return ()  # they are found in the files
    columns = parse_input_columns(specs, attributes, where=where).columns
    return specs or tuple(f"{column.type.name}:{column.name}" for column in columns)


def have_keys(columns: tuple[str, ...]) -> bool:
    """True if all columns that are wanted say where in a record they stand."""
    parsed = [parse_column(spec, where="columns", with_path=True) for spec in columns]
    return bool(parsed) and all(column.path for column in parsed if column.wanted)


def read_by_title(category: Category) -> bool:
    """True if the columns of a category still have the names that the titles of its first file make.

    Columns that were given other names are read in their order.
    """
    if not (category.header and category.delimiter and category.lines):
        return False
    line = category.lines[0]
    titles = next(csv.reader([line], delimiter=category.delimiter), [])
    names = [
        name.lower()
        for name in CATEGORY.names([title.encode("utf-8", "surrogateescape").decode("latin-1") for title in titles])
    ]
    columns = [parse_column(spec, where=f"category {category.name}", with_path=True) for spec in category.columns]
    return len(columns) == len(names) and all(
        column.key == name and column.path is None for column, name in zip(columns, names, strict=True) if column.wanted
    )


def _as_probed(title: str) -> str:
    """A title as probing sees it: its bytes as Latin-1."""
    return title.encode("utf-8", "surrogateescape").decode("latin-1")
