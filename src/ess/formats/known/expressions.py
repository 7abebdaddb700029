"""Lines that a regular expression with named groups describes."""

from __future__ import annotations

import re

from ess.errors import OptionError
from ess.formats.attributes import Format
from ess.formats.known.definition import Field, KnownFormat
from ess.schema.columns import valid_name

_SOURCE = "https://docs.python.org/3/library/re.html#regular-expression-syntax"


def expression_format(text: str, *, where: str) -> KnownFormat:
    """The format of lines that a regular expression matches as a whole; its named groups are the fields, all strings.

    Raises:
        OptionError: If it is no regular expression, or has no named group.

    >>> expression_format("(?P<user>[^ ]+) (?P<count>[0-9]+)", where="-f").names
    ('user', 'count')
    """
    try:
        pattern = re.compile(text.encode("utf-8", "surrogateescape"), re.DOTALL)
    except (re.error, OverflowError) as error:
        raise OptionError(f"bad regular expression: {error}", where=where, hint=f"see {_SOURCE}") from None
    fields: list[Field] = []
    for name, _ in sorted(pattern.groupindex.items(), key=lambda item: item[1]):
        if not valid_name(name):
            raise OptionError(f"the group '{name}' cannot name a column", where=where, hint="use at most 31 letters")
        fields.append(Field(name))
    if not fields:
        raise OptionError(
            "the regular expression has no named group", where=where, hint="e.g. rx='(?P<user>[^ ]+) (?P<count>[0-9]+)'"
        )
    if len({field.title.lower() for field in fields}) < len(fields):
        raise OptionError("two groups have the same name", where=where, hint="give one another name")
    return KnownFormat(
        "rx", "lines that a regular expression describes", _SOURCE, Format.PATTERN, tuple(fields), pattern=text
    )
