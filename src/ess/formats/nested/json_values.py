"""One JSON value: finding where it ends, and taking what the columns want of it."""

from __future__ import annotations

import json
import re
from typing import Any

from ess.formats.nested.json_keys import KeyNode
from ess.formats.nested.key_rows import KeyRows

_FIRST_PIECE = 4096
#: A word (``-Infinity``) or an escaped pair that the block's end cuts is an error at its beginning.
_LONGEST_WORD = 16
#: How much of a bad record is there for its message.
SHOWN = 64
_MORE_DIGITS = re.compile(r"(?:\.|[eE][+-]?)?")


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


_DECODER = json.JSONDecoder(strict=False, parse_int=_Number, parse_float=_Number, parse_constant=_Number)


class BrokenRecordError(Exception):
    """Raised for invalid text at a place."""


class LongValueError(Exception):
    """A value does not end within the limit."""


def decode(text: str, position: int, limit: int, *, final: bool) -> tuple[Any, int] | None:
    """The value at ``position`` and where it ends; None if it may go on behind the text.

    It is looked for in longer and longer pieces, because an error costs time in proportion to the piece.

    Raises:
        BrokenRecordError: If it is no JSON.
        LongValueError: If it has more than ``limit`` characters.
    """
    size = _FIRST_PIECE
    while True:
        size = min(size, limit)
        piece = text[position : position + size]
        at_end = position + len(piece) == len(text)
        try:
            value, after = _DECODER.raw_decode(piece)
            # More digits may follow a number.
            cut = not isinstance(value, dict | list) and _MORE_DIGITS.fullmatch(piece, after) is not None
            if not cut or (at_end and final):
                return value, position + after
            what = "is no JSON object"
        except json.JSONDecodeError as error:
            cut = error.msg.startswith("Unterminated") or error.pos >= len(piece) - _LONGEST_WORD
            cut = cut or len(piece) < SHOWN
            what = "is no JSON"
        except RecursionError:
            raise BrokenRecordError("is nested too deep") from None
        if cut and len(piece) == limit and not (at_end and final):
            raise LongValueError
        if not cut or (at_end and final):
            raise BrokenRecordError(what)
        if at_end:
            return None
        size *= 8


def walk(value: Any, node: KeyNode, found: KeyRows) -> bool:
    """Take what ``node`` wants from ``value``; whether that made rows."""
    for column in node.columns:
        found.now[column] = text_of(value)
        found.met[column] = 1
    made = False
    if isinstance(value, dict):
        if node.members:
            for name, member in value.items():
                for spelling, wanted in node.folded.get(name.lower(), ()):
                    # A member that is spelled as in the key wins over one that differs in case.
                    if spelling == name or spelling not in value:
                        made |= walk(member, wanted, found)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            below = node.items.get(number)
            if below is not None:
                made |= walk(item, below, found)
            if node.every is not None:
                if not walk(item, node.every, found):
                    found.add()
                made = True
                found.clear(node.every.below())
    return made


def text_of(value: Any) -> bytes:
    """The text that a column gets of a JSON value."""
    if value is None:
        return b""
    text = value if isinstance(value, str) else _compact(value)
    # A half of a surrogate pair has no bytes of its own.
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _compact(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{_compact(v)}" for name, v in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
