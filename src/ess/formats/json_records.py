"""Records of a ``jsn`` input.

A record is a JSON object; commas and white space between records are passed over, and so are the brackets of
an array around them. Columns take values in the order in which they stand in the data: with ``[*]`` in key
specs there is a row for each value of an innermost array, in which columns from behind that array are
still blank. A string gives its text, a number its digits, ``null`` nothing, an object or array its compact text.

What is no JSON is rejected up to the next line that begins with ``{`` or ``[``.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ess.formats.blocks import RawBlock
from ess.formats.exact import Block
from ess.formats.json_keys import KeyNode
from ess.formats.key_rows import KeyRows
from ess.formats.records import Layout
from ess.formats.values import shown

#: A record that is longer than so many record limits (16 MB by default) is bad, even if it may yet end well.
_LIMITS = 256
_FIRST_PIECE = 4096
#: A word (``-Infinity``) or an escaped pair that the block's end cuts is an error at its beginning.
_LONGEST_WORD = 16
#: How much of a bad record is there for its message.
_SHOWN = 64
_MORE_DIGITS = re.compile(r"(?:\.|[eE][+-]?)?")
_BETWEEN = re.compile("[ \t\r\n,\ufeff]*")
_NEXT_RECORD = re.compile(r"\n[ \t\r]*[{\[]")


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


_DECODER = json.JSONDecoder(strict=False, parse_int=_Number, parse_float=_Number, parse_constant=_Number)


class _BrokenRecordError(Exception):
    """What is wrong with the text at a place."""


class JsonParser:
    """Parses the blocks of one file; it remembers whether it is inside an array or behind a bad record."""

    def __init__(self, layout: Layout) -> None:
        assert layout.keys is not None
        self._keys = keys = layout.keys
        self._limit = layout.attributes.record_limit * _LIMITS
        self._to_skip = layout.attributes.skip if layout.attributes.skip_unit == "r" else 0
        self._found = KeyRows(layout.columns)
        root = keys.root
        # The values of an outermost array are records of their own, unless keys tell them apart by number.
        self._streams_arrays = not root.items and (root.every is None or not root.members)
        self._in_array = False
        self._lost = False

    def parse(self, raw: RawBlock, start: int) -> Block:
        """The records of a block from ``start``."""
        text = raw.data[start : raw.end].decode("utf-8", "surrogateescape")
        position = self._scan(text, raw.final, self._found)
        consumed = start + (position if text.isascii() else len(text[:position].encode("utf-8", "surrogateescape")))
        return self._found.take(consumed)

    def _scan(self, text: str, final: bool, found: KeyRows) -> int:
        """Parse record after record; returns where the first unfinished one begins."""
        position = 0
        while True:
            if self._lost:
                match = _NEXT_RECORD.search(text, position)
                if match is None:
                    newline = text.rfind("\n", position)
                    return len(text) if final or newline < 0 else newline
                position, self._lost = match.end() - 1, False
            position = _end_of(_BETWEEN.match(text, position))
            if position == len(text):
                return position
            if text[position] == "[" and self._streams_arrays and not self._in_array:
                self._in_array, position = True, position + 1
                continue
            if text[position] == "]" and self._in_array:
                self._in_array, position = False, position + 1
                continue
            try:
                decoded = self._decode(text, position, final)
            except _BrokenRecordError as error:
                self._reject(found, str(error), text, position)
                continue
            if decoded is None:
                return position
            value, position = decoded
            if self._to_skip:
                self._to_skip -= 1
                continue
            try:
                self._extract(value, found)
            except RecursionError:
                found.reject(0, "a value is nested too deep")
                found.clear_all()

    def _decode(self, text: str, position: int, final: bool) -> tuple[Any, int] | None:
        """The value at ``position`` and where it ends; None if it may go on behind the text.

        It is looked for in longer and longer pieces, because an error costs time in proportion to the piece.
        """
        size = _FIRST_PIECE
        while True:
            size = min(size, self._limit)
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
                cut = cut or len(piece) < _SHOWN
                what = "is no JSON"
            except RecursionError:
                raise _BrokenRecordError("is nested too deep") from None
            if cut and len(piece) == self._limit and not (at_end and final):
                raise _BrokenRecordError(f"does not end within {size} characters (256 times bz)")
            if not cut or (at_end and final):
                raise _BrokenRecordError(what)
            if at_end:
                return None
            size *= 8

    def _reject(self, found: KeyRows, what: str, text: str, position: int) -> None:
        self._lost = True
        if self._to_skip:
            self._to_skip -= 1
        else:
            found.reject(0, f"{shown(text[position : position + _SHOWN].encode('utf-8', 'surrogateescape'))} {what}")

    def _extract(self, value: Any, found: KeyRows) -> None:
        root = self._keys.root
        if self._in_array and root.every is not None:
            if not _walk(value, root.every, found):
                found.add()
        elif not isinstance(value, dict | list):
            found.reject(0, f"{shown(_text(value))} is no JSON object")
        elif not _walk(value, root, found) and self._keys.outside:
            found.add()
        found.clear_all()


def _walk(value: Any, node: KeyNode, found: KeyRows) -> bool:
    """Take what ``node`` wants from ``value``; whether that made rows."""
    for column in node.columns:
        found.now[column] = _text(value)
    made = False
    if isinstance(value, dict):
        if node.members:
            for name, member in value.items():
                below = node.members.get(name.lower())
                if below is not None:
                    made |= _walk(member, below, found)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            below = node.items.get(number)
            if below is not None:
                made |= _walk(item, below, found)
            if node.every is not None:
                if not _walk(item, node.every, found):
                    found.add()
                made = True
                found.clear(node.every.below())
    return made


def _text(value: Any) -> bytes:
    """What a column gets of a JSON value."""
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


def _end_of(match: re.Match[str] | None) -> int:
    assert match is not None  # the pattern matches nothing, too
    return match.end()
