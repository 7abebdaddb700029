"""Records of a ``jsn`` input.

A record is a JSON object; commas and white space between records are passed over, and so are the brackets of
an array around them. Columns take values in the order in which they stand in the data: with ``[*]`` in key
specs there is a row for each value of an innermost array, in which columns from behind that array are
still blank. A string gives its text, a number its digits, ``null`` nothing, an object or array its compact text.

Invalid JSON is rejected up to the next line that begins with ``{`` or ``[``. A record of more than some megabytes is
taken piece by piece (`ess.formats.nested.json_long`).
"""

from __future__ import annotations

import re
from typing import Any

from ess.formats.blocks import RawBlock
from ess.formats.nested.json_keys import KeyNode
from ess.formats.nested.json_long import LongValue
from ess.formats.nested.json_values import SHOWN, BrokenRecordError, LongValueError, decode, text_of, walk
from ess.formats.nested.key_rows import KeyRows
from ess.formats.nested.mistyped import Mistyped
from ess.formats.parse_exact import Block
from ess.formats.records import Layout
from ess.formats.values import shown
from ess.schema.batch import Batch

#: A value that is longer than this many record limits (4 MB by default) is not held as a whole ...
_LIMITS = 64
#: ... unless it is shorter than this.
_LEAST_LONG = 1 << 20
_BETWEEN = re.compile("[ \t\r\n,\ufeff]*")
_NEXT_RECORD = re.compile(r"\n[ \t\r]*[{\[]")


class JsonParser:
    """Parses the blocks of one file; it remembers whether it is inside an array or behind a bad record."""

    def __init__(self, layout: Layout) -> None:
        assert layout.keys is not None
        self._keys = keys = layout.keys
        self._limit = max(layout.attributes.record_limit * _LIMITS, _LEAST_LONG)
        self._to_skip = layout.attributes.skip if layout.attributes.skip_unit == "r" else 0
        self._found = KeyRows(layout.columns)
        self._mistyped = Mistyped(layout.columns, layout.attributes.base)
        root = keys.root
        # The values of an outermost array are records of their own, unless keys tell them apart by number.
        self._streams_arrays = not root.items and (root.every is None or not root.members)
        self._in_array = False
        self._lost = False
        self._long: LongValue | None = None

    def parse(self, raw: RawBlock, start: int) -> Block:
        """The records of a block from ``start``."""
        text = raw.data[start : raw.end].decode("utf-8", "surrogateescape")
        position = self._scan(text, raw.final, self._found)
        consumed = start + (position if text.isascii() else len(text[:position].encode("utf-8", "surrogateescape")))
        return self._found.take(consumed)

    def notes(self) -> tuple[str, ...]:
        """Sentences about keys that no record of the file had, and that are perhaps mistyped."""
        return self._mistyped.notes(self._found.met)

    def nothing(self) -> Batch:
        """The rows of no records."""
        return self._found.take(0).frame

    def _scan(self, text: str, final: bool, found: KeyRows) -> int:
        """Parse record after record; returns where the first unfinished one begins."""
        position = 0
        while True:
            if self._long is not None:
                position, ended = self._read_on(self._long, text, position, final)
                if not ended:
                    return position
                continue
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
                decoded = decode(text, position, self._limit, final=final)
            except BrokenRecordError as error:
                self._reject(str(error), text, position)
                continue
            except LongValueError:
                position = self._begin_long(text, position)
                continue
            if decoded is None:
                return position
            value, position = decoded
            if self._to_skip:
                self._to_skip -= 1
                continue
            self._mistyped.look(value)
            try:
                self._extract(value, found)
            except RecursionError:
                found.reject(0, "a value is nested too deep")
                found.clear_all()

    def _begin_long(self, text: str, position: int) -> int:
        if text[position] not in "{[":
            self._reject("is no JSON object", text, position)
            return position
        root = self._keys.root
        node = None if self._to_skip else root.every if self._of_array(root) else root
        self._long = LongValue(text[position], node, self._found, self._limit, self._tell)
        return position + 1

    def _read_on(self, value: LongValue, text: str, position: int, final: bool) -> tuple[int, bool]:
        """Read more of a long value: to where, and whether it has ended, well or not."""
        try:
            # One character stays, so that there is a last block, which tells that the value has no end.
            position = value.scan(text if final else text[:-1], position, final=final)
            if not value.ended:
                return position, False
            if self._to_skip:
                self._to_skip -= 1
            elif not value.made and (self._of_array(self._keys.root) or self._keys.outside):
                self._found.add()
        except BrokenRecordError as error:
            position = value.at
            self._reject(str(error), text, position)
        self._found.clear_all()
        self._long = None
        return position, True

    def _of_array(self, root: KeyNode) -> bool:
        """True if the next value is an item of an outermost array whose items are wanted as such."""
        return self._in_array and root.every is not None

    def _reject(self, what: str, text: str, position: int) -> None:
        self._lost = True
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._tell(what, text, position)

    def _tell(self, what: str, text: str, position: int) -> None:
        self._found.reject(0, f"{shown(text[position : position + SHOWN].encode('utf-8', 'surrogateescape'))} {what}")

    def _extract(self, value: Any, found: KeyRows) -> None:
        root = self._keys.root
        if root.every is not None and self._of_array(root):
            if not walk(value, root.every, found):
                found.add()
        elif not isinstance(value, dict | list):
            found.reject(0, f"{shown(text_of(value))} is no JSON object")
        elif not walk(value, root, found) and self._keys.outside:
            found.add()
        found.clear_all()


def _end_of(match: re.Match[str] | None) -> int:
    assert match is not None  # the pattern matches nothing, too
    return match.end()
