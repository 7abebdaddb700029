"""Plain values: what JSON has, with tuples for its lists, and no numbers with a fraction."""

from __future__ import annotations

from typing import NewType

Plain = str | int | bool | None | tuple["Plain", ...]

#: A list that travels in a request: rules, or variables with values.
PlainList = NewType("PlainList", tuple[Plain, ...])

#: How deep lists may stand in lists: groups of rules, rules, their expressions, steps, words.
_DEEPEST = 8
_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1


def plain_list(value: object) -> PlainList | None:
    r"""A list of plain values as a request holds it; None if it is none.

    >>> plain_list([["get", "count"], [1, None, True]])
    (('get', 'count'), (1, None, True))
    >>> plain_list([1.5]) is plain_list([{}]) is plain_list(["\ud800"]) is plain_list([1 << 64]) is None
    True
    """
    try:
        return PlainList(_tuple(value, _DEEPEST))
    except ValueError:
        return None


def _tuple(value: object, depth: int) -> tuple[Plain, ...]:
    if not isinstance(value, list) or not depth:
        raise ValueError
    return tuple(_plain(part, depth) for part in value)


def _plain(value: object, depth: int) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        value.encode("utf-8", "surrogateescape")  # JSON can have half a character
        return value
    if isinstance(value, int):
        if not _SMALLEST <= value <= _LARGEST:
            raise ValueError
        return value
    return _tuple(value, depth - 1)
