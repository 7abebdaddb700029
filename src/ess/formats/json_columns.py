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
_OF_KEY_SPECS = frozenset(".[]\"'\\")


def json_columns(
    samples: Sequence[bytes], type_of: Callable[[Sequence[str]], ColumnType]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    r"""The column specs of the objects in some samples, in the order in which the keys first stand.

    The members of an object within an object are columns of their own; an array is one column, a string of JSON, but
    records in an array that holds nothing else are told apart.

    Args:
        samples: JSON objects one after the other, as beginnings of files.
        type_of: The type of a column with these values, which are numbers or addresses in JSON's spelling.

    Returns:
        The column specs, and the keys that are left out, because no key spec can hold their names.

    >>> json_columns([b'{"ts": 1, "app": {"v": "1.4"}, "tags": [], "a b": 1}\n'], lambda _: ColumnType.I)
    (('I:ts:ts', 'S:app_v:app.v', 'S:tags:tags'), ('a b',))
    """
    values: dict[str, list[object]] = {}
    left_out: dict[str, None] = {}
    for sample in samples:
        for number, record in enumerate(_objects(sample.decode("utf-8", "surrogateescape"))):
            if number == _MOST_OBJECTS:
                break
            for key, value in _of_each(record, left_out):
                if key in values or len(values) < _MOST_KEYS:
                    values.setdefault(key, []).append(value)
    # A key that is an object in some records, and something else in others, has columns below it as well.
    names = CATEGORY.names([key.encode("utf-8", "surrogateescape").decode("latin-1") for key in values])
    specs = tuple(
        f"{_type(found, type_of).name}:{name}:{key}" for name, (key, found) in zip(names, values.items(), strict=True)
    )
    return specs, tuple(left_out)


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


def _of_each(value: object, left_out: dict[str, None]) -> Iterator[tuple[str, object]]:
    """The keys and values of a record; of an array of records, or an object with nothing else, those of each."""
    before = ""
    if isinstance(value, dict) and len(value) == 1:
        ((name, only),) = value.items()
        if _are_records(only) and _can_be_a_key(name):
            value, before = only, name
    if _are_records(value):
        for record in value:
            yield from _members(record, f"{before}[*].", _DEEPEST, left_out)
    elif isinstance(value, dict):
        yield from _members(value, "", _DEEPEST, left_out)


def _are_records(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _members(
    record: dict[str, object], before: str, depth: int, left_out: dict[str, None]
) -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if not _can_be_a_key(name):
            left_out.setdefault(f"{before}{name}")
        elif isinstance(value, dict) and value and depth:
            yield from _members(value, f"{before}{name}.", depth - 1, left_out)
        else:
            yield f"{before}{name}", value


def _type(values: Sequence[object], type_of: Callable[[Sequence[str]], ColumnType]) -> ColumnType:
    """The type of a column; null says nothing."""
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return type_of([json.dumps(value) for value in given])
    texts = [_as_probed(value) for value in given if isinstance(value, str)]
    if given and len(texts) == len(given) and type_of(texts) is ColumnType.IP:
        return ColumnType.IP
    return ColumnType.S


def _as_probed(text: str) -> str:
    """A text as probing sees it: its bytes as Latin-1; halves of a surrogate pair have none."""
    return text.encode("utf-8", "replace").decode("latin-1")


def _can_be_a_key(name: str) -> bool:
    """True if a key spec in a column spec can hold the name of a member."""
    return bool(name) and name.isprintable() and not _OF_KEY_SPECS & set(name) and not any(map(str.isspace, name))
