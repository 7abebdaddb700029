"""The columns of JSON objects: their keys, with the types of the values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TypeGuard

from ess.formats.titles import CATEGORY
from ess.schema.types import ColumnType

#: So many objects and keys are looked at; objects within objects are divided down to this depth.
_MOST_OBJECTS, _MOST_KEYS, _DEEPEST = 2000, 200, 8
#: Characters of a name that a key spec takes for its own.
_OF_KEY_SPECS = frozenset(".[]")


def json_columns(samples: Sequence[bytes], type_of: Callable[[Sequence[str]], ColumnType]) -> tuple[str, ...]:
    r"""The column specs of the objects in some samples, in the order in which the keys first stand.

    The members of an object within an object are columns of their own; an array is one column, a string of JSON, but
    records in an array that holds nothing else are told apart. A key whose name a key spec cannot hold is left out.

    Args:
        samples: JSON objects one after the other, as beginnings of files.
        type_of: The type of a column with these values, which are numbers or addresses in JSON's spelling.

    >>> json_columns([b'{"ts": 1, "app": {"v": "1.4"}, "tags": []}\n'], lambda _: ColumnType.I)
    ('I:ts:ts', 'S:app_v:app.v', 'S:tags:tags')
    """
    values: dict[str, list[object]] = {}
    for sample in samples:
        for number, record in enumerate(_objects(sample.decode("utf-8", "surrogateescape"))):
            if number == _MOST_OBJECTS:
                break
            for key, value in _of_each(record):
                if key in values or len(values) < _MOST_KEYS:
                    values.setdefault(key, []).append(value)
    # A key that is an object in some records, and something else in others, has columns below it as well.
    names = CATEGORY.names([key.encode("utf-8", "surrogateescape").decode("latin-1") for key in values])
    return tuple(
        f"{_type(found, type_of).name}:{name}:{key}" for name, (key, found) in zip(names, values.items(), strict=True)
    )


def _objects(text: str) -> Iterator[object]:
    """The objects and arrays one after the other, up to one that is cut; lines that are no JSON are left out."""
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            position = text.find("\n", position) + 1 or len(text)
            continue
        yield value


def _of_each(value: object) -> Iterator[tuple[str, object]]:
    """The keys and values of a record; of an array of records, or an object with nothing else, those of each."""
    before = ""
    if isinstance(value, dict) and len(value) == 1:
        ((name, only),) = value.items()
        if _are_records(only) and not _OF_KEY_SPECS & set(name):
            value, before = only, name
    if _are_records(value):
        for record in value:
            yield from _members(record, f"{before}[*].", _DEEPEST)
    elif isinstance(value, dict):
        yield from _members(value, "", _DEEPEST)


def _are_records(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _members(record: dict[str, object], before: str, depth: int) -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if not name or _OF_KEY_SPECS & set(name):
            continue
        if isinstance(value, dict) and value and depth:
            yield from _members(value, f"{before}{name}.", depth - 1)
        else:
            yield f"{before}{name}", value


def _type(values: Sequence[object], type_of: Callable[[Sequence[str]], ColumnType]) -> ColumnType:
    """The type of a column; null says nothing."""
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return type_of([json.dumps(value) for value in given])
    if given and all(isinstance(value, str) for value in given):
        return ColumnType.IP if type_of([str(value) for value in given]) is ColumnType.IP else ColumnType.S
    return ColumnType.S
