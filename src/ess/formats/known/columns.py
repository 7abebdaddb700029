"""The columns of an input whose format has a name: all of them, or those that ``-d`` picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ess.errors import OptionError
from ess.formats.attributes import Format
from ess.formats.known.definition import KnownFormat, Made, Titles
from ess.formats.known.titles import find_title, name_of
from ess.formats.titles import CATEGORY
from ess.language.nearest import choice_hint
from ess.schema.columns import Column, parse_column, valid_name
from ess.schema.types import ColumnType


def picked_columns(
    words: Sequence[str], known: KnownFormat, *, where: str, extra: frozenset[str] = frozenset()
) -> tuple[Column, ...]:
    """The columns that ``-d`` picks by name; ``path`` of each says what it takes.

    A word is a name (which has the documented type), ``Type:Name`` or ``Type:NewName:Name``.

    Args:
        words: The arguments of ``-d``; none for all columns.
        known: The format.
        where: The option, for errors.
        extra: Further column attributes that the caller accepts.

    Raises:
        OptionError: If a word is no such spec, or the format has no such column.
    """
    if not words:
        return () if known.titles is not Titles.NONE else known.columns
    columns: list[Column] = []
    names: set[str] = set()
    for word in words:
        if word[:4].lower() == "sep:":
            raise OptionError(f"'{word}' is for 'div' inputs only", where=where, hint=f"'{known.name}' needs none")
        column = _picked(word, known, where, extra)
        if column.wanted and column.key in names:
            raise OptionError(f"column '{column.name}' is given twice", where=where, hint="give it another name")
        names.add(column.key)
        columns.append(column)
    return tuple(columns)


def _picked(word: str, known: KnownFormat, where: str, extra: frozenset[str]) -> Column:
    is_open = known.is_open
    if ":" not in word and (found := _found(word, known)) is not None:
        return found
    if ":" not in word and known.titles is not Titles.NONE and not valid_name(word):
        return Column(name_of(word), ColumnType.S, path=word)
    column = parse_column(word, where=where, extra=extra, with_path=True, stray="files go after -f")
    if not column.wanted:
        return column
    title = column.path or column.name
    found = _found(title, known)
    if found is None and is_open:
        return replace(column, path=title)
    if found is None:
        names = [each.name for each in known.columns]
        raise OptionError(
            f"'{known.name}' has no column '{title}'",
            where=where,
            hint=choice_hint(title, names),
        )
    if known.titles is not Titles.NONE:
        return replace(column, path=title if known.made_of(title) is None else found.path)
    own = replace(column.attributes, common_log=column.attributes.common_log or found.attributes.common_log)
    return replace(column, path=found.path, attributes=own)


def _found(title: str, known: KnownFormat) -> Column | None:
    number = known.field_of(title)
    if number is not None:
        return known.column(number)
    made = known.made_of(title)
    return None if made is None else Column(made.name, made.type, path=made.name)


@dataclass(frozen=True)
class Picture:
    """An input's columns, and those of its records that they are made of.

    Args:
        read: The columns of a record, in order: what ``-d`` picks, and hidden ones.
        made: Each further column with what makes it, and the keys of the read columns that it is made of.
        keys: The keys of the columns to deliver, in order.
    """

    read: tuple[Column, ...]
    made: tuple[tuple[Column, Made, tuple[str, ...]], ...]
    keys: tuple[str, ...]


def columns_below(titles: Sequence[str], known: KnownFormat) -> tuple[Column, ...]:
    """All columns of a file with these titles, with the types that the format knows, and what can be made of them."""
    columns: list[Column] = []
    for name, title in zip(CATEGORY.names(titles), titles, strict=True):
        number = known.field_of(title)
        columns.append(Column(name, ColumnType.S if number is None else known.fields[number].type, path=title))
    names = {column.key for column in columns}
    for rule in known.made:
        if rule.name not in names and all(find_title(title, titles) is not None for title in rule.of):
            columns.append(Column(rule.name, rule.type, path=rule.name))
    return tuple(columns)


def picture_below_titles(columns: Sequence[Column], known: KnownFormat, *, where: str) -> Picture:
    """The same as `picture_of` where titles say which column is which: the columns to find, and hidden ones.

    Raises:
        OptionError: If a title is picked twice, or something is made of one that is no string.
    """
    wanted = [column for column in columns if column.wanted]
    made = [column for column in wanted if _is_made(column, known)]
    read = [column for column in wanted if column not in made]
    places: dict[str, int] = {}
    for place, column in enumerate(read):
        title = name_of(column.path or column.name).lower()
        if title in places:
            raise OptionError(
                f"'{column.path}' is taken twice, as {read[places[title]].name} and {column.name}",
                where=where,
                hint="take it once and copy it with -eval",
            )
        places[title] = place
    recipes: list[tuple[Column, Made, tuple[str, ...]]] = []
    for column in made:
        rule = known.made_of(column.path or column.name)
        assert rule is not None
        _check_type(column, rule, where)
        keys: list[str] = []
        for title in rule.of:
            name = name_of(title).lower()
            if name not in places:
                places[name] = len(read)
                read.append(Column(f"#{name}", ColumnType.S, path=title, used=column.used))
            elif column.used:
                read[places[name]] = replace(read[places[name]], used=True)
            source = read[places[name]]
            if source.type is not ColumnType.S:
                raise OptionError(
                    f"{column.name} is made of {title}, which must be S then", where=where, hint="leave one of them out"
                )
            keys.append(source.key)
        recipes.append((column, rule, tuple(keys)))
    return Picture(tuple(read), tuple(recipes), tuple(column.key for column in wanted if column.used))


def _is_made(column: Column, known: KnownFormat) -> bool:
    title = column.path or column.name
    return known.made_of(title) is not None and known.field_of(title) is None


def picture_of(columns: Sequence[Column], known: KnownFormat, *, where: str) -> Picture:
    """The columns to read for some columns of ``picked_columns``.

    Raises:
        OptionError: If a field is picked twice, or something is made of one that is no string.
    """
    wanted = [column for column in columns if column.wanted]
    read: list[Column] = [
        replace(known.column(number), wanted=False, used=False) for number in range(len(known.fields))
    ]
    made: list[tuple[Column, Made]] = []
    for column in wanted:
        title = column.path or column.name
        number = known.field_of(title)
        rule = known.made_of(title) if number is None else None
        if number is None and rule is None:  # ``picked_columns`` has looked it up
            read.append(replace(column, path=_key(title, known)))
        elif rule is not None:
            _check_type(column, rule, where)
            made.append((column, rule))
        elif number is not None and read[number].wanted:
            raise OptionError(
                f"'{title}' is taken twice, as {read[number].name} and {column.name}",
                where=where,
                hint="take it once and copy it with -eval",
            )
        elif number is not None:
            read[number] = column
    recipes: list[tuple[Column, Made, tuple[str, ...]]] = []
    for column, rule in made:
        keys: list[str] = []
        for title in rule.of:
            number = known.field_of(title)
            assert number is not None
            if not read[number].wanted:
                read[number] = replace(known.column(number), name=f"#{known.names[number]}", used=column.used)
            elif column.used:
                read[number] = replace(read[number], used=True)
            if read[number].type is not known.fields[number].type:
                raise OptionError(
                    f"{column.name} is made of {title}, which must be {known.fields[number].type.value} then",
                    where=where,
                    hint="leave one of them out",
                )
            keys.append(read[number].key)
        recipes.append((column, rule, tuple(keys)))
    if known.format is Format.JSON:
        fields = known.fields
        read[: len(fields)] = [
            replace(column, path=_key(field.title, known)) for column, field in zip(read, fields, strict=False)
        ]
    return Picture(tuple(read), tuple(recipes), tuple(column.key for column in wanted if column.used))


def _key(title: str, known: KnownFormat) -> str:
    """The place of a value in a JSON record."""
    return ".".join(part for part in (known.base, title) if part)


def _check_type(column: Column, rule: Made, where: str) -> None:
    """Refuse a type that does not hold every value of what is made."""
    numbers = (ColumnType.L, ColumnType.LS, ColumnType.F)
    if column.type not in (rule.type, ColumnType.S, *(numbers if rule.type.is_numeric else ())):
        raise OptionError(
            f"{column.name} is made of others, as {rule.type.value}, and cannot be {column.type.value}",
            where=where,
            hint=f"write {rule.type.value.lower()}:{column.name}",
        )
