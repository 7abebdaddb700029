"""The definition of a format that has a name: its columns, and how a record is divided into them."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from functools import cached_property

from ess.formats.attributes import Format
from ess.formats.known.titles import find_title
from ess.formats.titles import CATEGORY
from ess.schema.columns import Column, ColumnAttributes
from ess.schema.types import ColumnType


@dataclass(frozen=True)
class Field:
    """A field of a record.

    Args:
        title: Its name in the format's own documents; the column's name is made of it.
        type: The type of the column.
        help: What it holds.
        escaped: Whether a backslash escapes bytes in it, as in the logs of web servers.
    """

    title: str
    type: ColumnType = ColumnType.S
    help: str = ""
    escaped: bool = False


@dataclass(frozen=True)
class Made:
    """A column that is made of fields.

    Args:
        name: Its name.
        type: Its type.
        help: What it holds.
        rule: What makes it, a name in ``ess.formats.known.made.RULES``.
        of: The titles of the fields that it is made of.
    """

    name: str
    type: ColumnType
    help: str
    rule: str
    of: tuple[str, ...]


class Titles(enum.Enum):
    """The ways in which a file names its columns."""

    NONE = "none"  #: not at all
    FIRST = "first"  #: its first record does
    DIRECTIVE = "directive"  #: lines ``#Fields:`` do
    KEYS = "keys"  #: each record names those that it has
    LINE = "line"  #: its first line does, if it holds nothing but names of fields; else they are in the usual order


@dataclass(frozen=True)
class KnownFormat:
    """A format that has a name.

    Args:
        name: What stands behind ``-f``.
        summary: What it is, for people.
        source: Where it is defined.
        format: How its records are read: ``DIVIDED``, ``PATTERN``, ``JSON``, or ``SEPARATED`` below titles.
        fields: The fields of a record, in order; below titles those whose types are known.
        made: Further columns.
        separators: For ``DIVIDED``: the text before each field, and behind the last.
        pattern: For ``PATTERN``: a regular expression for a whole line; its groups, in order, are the fields. A field
            without a match is blank.
        signature: A regular expression for a line by which the format is recognised; blank if it is not.
        groups: For ``PATTERN``: the groups of each field, of which the first that is not blank counts; none if the
            fields are the groups in order.
        base: For ``JSON``: what stands before the key of every field, which is its title.
        titles: How a file names its columns.
        order: The titles of a file that has none.
        separator: What divides fields below titles; blank if the attributes say it, or the data do.
        quoted: Whether fields below titles may stand in quotes.
    """

    name: str
    summary: str
    source: str
    format: Format
    fields: tuple[Field, ...]
    made: tuple[Made, ...] = ()
    separators: tuple[bytes, ...] = ()
    pattern: str = ""
    signature: str = ""
    groups: tuple[tuple[int, ...], ...] = ()
    base: str = ""
    titles: Titles = Titles.NONE
    order: tuple[str, ...] = ()
    separator: bytes = b""
    quoted: bool = False

    @property
    def is_open(self) -> bool:
        """True if records may have further fields, which ``-d`` can take."""
        return self.titles is not Titles.NONE or self.format is Format.JSON

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that the fields are, in order."""
        return tuple(CATEGORY.names([field.title for field in self.fields]))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns; ``path`` of each is its name in the format."""
        direct = (self.column(number) for number in range(len(self.fields)))
        return (*direct, *(Column(each.name, each.type, path=each.name) for each in self.made))

    @cached_property
    def expression(self) -> re.Pattern[bytes]:
        """The pattern, compiled."""
        return re.compile(self.pattern.encode("utf-8", "surrogateescape"), re.DOTALL)

    def column(self, number: int) -> Column:
        """The column of a field, by its number from 0."""
        field = self.fields[number]
        attributes = ColumnAttributes(common_log=field.escaped)
        return Column(self.names[number], field.type, attributes, path=self.names[number])

    def field_of(self, title: str) -> int | None:
        """The number of the field that a user means by a title or name, or None."""
        return find_title(title, [field.title for field in self.fields])

    def made_of(self, title: str) -> Made | None:
        """The further column of that name, or None."""
        return next((each for each in self.made if each.name.lower() == title.lower()), None)
