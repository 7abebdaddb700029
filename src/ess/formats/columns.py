"""Column specs of an input: ``-d`` as its format wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.formats.attributes import Format, InputAttributes
from ess.formats.records import make_layout
from ess.schema.columns import Column, parse_column

if TYPE_CHECKING:
    from ess.formats.known.definition import KnownFormat

_BASE = "base="


@dataclass(frozen=True)
class InputColumns:
    """The columns of an input and, for ``div``, the separators between them.

    ``separators`` has one entry before each column and one after the last, blank for none; it is
    empty for the other formats.
    """

    columns: tuple[Column, ...]
    separators: tuple[bytes, ...] = ()


def parse_input_columns(
    words: Sequence[str], attributes: InputAttributes, *, where: str, extra: frozenset[str] = frozenset()
) -> InputColumns:
    """The columns that ``-d`` gives.

    Args:
        words: The arguments of ``-d``.
        attributes: Those of the input.
        where: The option, for errors.
        extra: Further column attributes that the caller accepts.

    Raises:
        OptionError: If a spec is wrong, a name comes twice, a separator is out of place, or the columns do not fit the
            format.

    >>> from ess.formats.attributes import parse_input_attributes
    >>> divided = parse_input_attributes(["div"], where="-f")
    >>> parse_input_columns(["s:a", "sep: - ", "i:b"], divided, where="-d").separators
    (b'', b' - ', b'')
    """
    if attributes.known is not None:
        return _named_columns(words, attributes, attributes.known, where, extra)
    columns: list[Column] = []
    separators: list[bytes] = [b""]
    names: set[str] = set()
    divided = attributes.format is Format.DIVIDED
    has_keys = attributes.format.has_keys
    if has_keys:
        extra |= {_BASE}
    with_path = has_keys or attributes.format is Format.PARQUET
    for word in words:
        if word[:4].lower() == "sep:":
            if not divided:
                raise OptionError(
                    f"'{word}' is for 'div' inputs only", where=where, hint="give -f,div, or -f,sep=c for one separator"
                )
            if separators[-1] or not word[4:]:
                raise OptionError(f"'{word}' is out of place", where=where, hint="one separator between two columns")
            separators[-1] = word[4:].encode("utf-8", "surrogateescape")
            continue
        column = parse_column(word, where=where, extra=extra, with_path=with_path, stray="files go after -f")
        if column.wanted and column.key in names:
            raise OptionError(f"column '{column.name}' is given twice", where=where, hint="give it another name")
        if column.wanted:
            names.add(column.key)
        columns.append(column)
        separators.append(b"")
    if has_keys:
        columns = _with_base(columns, attributes, where)
    result = InputColumns(tuple(columns), tuple(separators) if divided else ())
    if columns:
        # A misfit with the format is reported now, not when the first file is read.
        make_layout(attributes, result.columns, result.separators, where=where)
    return result


def _named_columns(
    words: Sequence[str], attributes: InputAttributes, known: KnownFormat, where: str, extra: frozenset[str]
) -> InputColumns:
    """The columns that ``-d`` picks of a format that has a name; all without words."""
    from ess.formats.known.columns import picked_columns
    from ess.formats.known.definition import Titles
    from ess.formats.known.reading import KnownColumns

    columns = picked_columns(words, known, where=where, extra=extra)
    read = KnownColumns(known, columns, where=where).read
    if known.titles is Titles.NONE:
        make_layout(attributes, read, known.separators, where=where)
    return InputColumns(columns)


def _with_base(columns: list[Column], attributes: InputAttributes, where: str) -> list[Column]:
    """The columns with the base that one of them gives for all in front of their keys."""
    bases = {word.removeprefix(_BASE) for c in columns for word in c.attributes.others if word.startswith(_BASE)}
    if not bases:
        return columns
    if attributes.base or len(bases) > 1:
        raise OptionError("there is more than one base=", where=where, hint="give it once, e.g. -f,jsn,base=list[*]")
    base = bases.pop()
    return [replace(c, path=".".join(part for part in (base, c.path) if part)) for c in columns]
