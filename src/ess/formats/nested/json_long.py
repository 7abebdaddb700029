"""A JSON value that is too long to be held: its members and items are taken one by one.

So a file that is one object with an array of many small ones takes no more memory than the small ones alone.
The values and their order are those of a value that is held (`json_values.walk`); but errors are found later,
when rows of the text before them have been made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from ess.formats.nested.json_keys import KeyNode
from ess.formats.nested.json_values import BrokenRecordError, LongValueError, decode, walk
from ess.formats.nested.key_rows import KeyRows
from ess.formats.values import KEPT_OF_A_STRING

_BLANK = re.compile("[ \t\r\n]*")
_REST_OF_STRING = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_NEXT_ITEM = re.compile(r"\n[ \t\r]*[{\[]")


class _Expects(Enum):
    FIRST = auto()  # a member or item, or the end
    NEXT = auto()  # a comma, or the end
    ITEM = auto()  # a member or item


@dataclass
class _Container:
    """An object or array that has begun and not ended.

    Args:
        closing: The character that ends it.
        node: What is wanted of it; None for nothing.
        every: Whether it is an item that stands for a row.
        expects: What may come now.
        number: Of an array's next item.
        made: Whether it has made rows.
        names: The names of members so far that are spelled as in a key.
    """

    closing: str
    node: KeyNode | None
    every: bool
    expects: _Expects = _Expects.FIRST
    number: int = 0
    made: bool = False
    names: set[str] = field(default_factory=set)


class LongValue:
    """Reads one long value.

    Args:
        opening: Its first character.
        node: What is wanted of it; None if it is to be passed over.
        found: Gets values and rows.
        limit: How many characters a value may have that is decoded as a whole.
        reject: Gets what is wrong, the text, and where in it, when an item of an array is left out.
    """

    def __init__(
        self, opening: str, node: KeyNode | None, found: KeyRows, limit: int, reject: Callable[[str, str, int], None]
    ) -> None:
        self._open: list[_Container] = []
        self._found = found
        self._limit = limit
        self._reject = reject
        self._in_string = False
        self._lost = False
        self._begin(opening, node, every=False)
        self.at = 0  #: where in the text the last item begins
        self.made = False  #: whether it has made rows, once it has ended

    @property
    def ended(self) -> bool:
        """True if its end was met."""
        return not self._open

    def scan(self, text: str, position: int, *, final: bool) -> int:
        """Take what is there from ``position`` on; where the first unfinished item begins, or the value has ended.

        Raises:
            BrokenRecordError: If it is no JSON, outside of the items of arrays.
        """
        while self._open:
            if self._lost:
                match = _NEXT_ITEM.search(text, position)
                if match is None:
                    newline = text.rfind("\n", position)
                    return len(text) if final or newline < 0 else newline
                position, self._lost = match.end() - 1, False
            self.at = position
            try:
                if self._in_string:
                    position, ended = self._pass_string(text, position, final=final)
                    if not ended:
                        return position
                    continue
                after = self._step(text, position, final=final)
            except BrokenRecordError as error:
                if not self._give_up_item():
                    raise
                position = self.at
                self._reject(str(error), text, position)
                continue
            if after is None:
                return position
            position = after
        return position

    def _give_up_item(self) -> bool:
        """Go back to the outermost array whose items stand for rows; whether there is one."""
        for depth, container in enumerate(self._open):
            if container.closing == "]" and container.node is not None and container.node.every is not None:
                del self._open[depth + 1 :]
                self._in_string, self._lost = False, True
                container.expects = _Expects.ITEM
                container.made = True
                self._found.clear(container.node.every.below())
                return True
        return False

    def _step(self, text: str, position: int, *, final: bool) -> int | None:
        """Take one member, item, comma or end; where it ends, None if that is not there yet."""
        container = self._open[-1]
        self.at = position = _end_of(_BLANK, text, position)
        if position == len(text):
            if final:
                raise BrokenRecordError("is no JSON")
            return None
        if container.expects is not _Expects.ITEM and text[position] == container.closing:
            self._close()
            return position + 1
        if container.expects is _Expects.NEXT:
            if text[position] != ",":
                raise BrokenRecordError("is no JSON")
            container.expects = _Expects.ITEM
            return position + 1
        name = ""
        if container.closing == "}":
            member = self._name(text, position, final=final)
            if member is None:
                return None
            name, position = member
        try:
            decoded = decode(text, position, self._limit, final=final)
        except LongValueError:
            return self._descend(text, position, name)
        if decoded is None:
            return None
        try:
            self._take(container, name, decoded[0])
        except RecursionError:
            raise BrokenRecordError("is nested too deep") from None
        container.number += 1
        after = decoded[1]
        if text.startswith(",", after):
            container.expects = _Expects.ITEM
            return after + 1
        container.expects = _Expects.NEXT
        return after

    def _name(self, text: str, position: int, *, final: bool) -> tuple[str, int] | None:
        """The name of a member and where its value begins; None if that is not there yet."""
        if text[position] != '"':
            raise BrokenRecordError("is no JSON")
        try:
            decoded = decode(text, position, self._limit, final=final)
        except LongValueError:
            raise BrokenRecordError("has a name without end") from None
        if decoded is None:
            return None
        colon = _end_of(_BLANK, text, decoded[1])
        value = _end_of(_BLANK, text, colon + 1) if text[colon : colon + 1] == ":" else colon
        if value == len(text) and not final:
            return None
        if value == colon or value == len(text):
            raise BrokenRecordError("is no JSON")
        return decoded[0], value

    def _take(self, container: _Container, name: str, value: object) -> None:
        node = container.node
        if node is None:
            return
        below, every = _below(container, name)
        if below is not None:
            container.made |= walk(value, below, self._found)
        if every is not None:
            self._end_item(container, made=walk(value, every, self._found))

    def _descend(self, text: str, position: int, name: str) -> int:
        """Begin a member or item that is long itself."""
        container = self._open[-1]
        below, every = _below(container, name)
        if below is not None and every is not None:
            raise BrokenRecordError(f"does not end within {self._limit} characters (64 times bz)")
        wanted = below or every
        container.number += 1
        container.expects = _Expects.NEXT
        if wanted is not None:
            for column in wanted.columns:
                self._found.met[column] = 1
                self._found.now[column] = text[position : position + KEPT_OF_A_STRING].encode(
                    "utf-8", "surrogateescape"
                )
        if text[position] == '"':
            self._in_string = True
            if every is not None:
                self._end_item(container, made=False)
        elif text[position] in "{[":
            self._begin(text[position], wanted, every=every is not None)
        else:
            raise BrokenRecordError("is no JSON")
        return position + 1

    def _begin(self, opening: str, node: KeyNode | None, *, every: bool) -> None:
        self._open.append(_Container("}" if opening == "{" else "]", node, every))

    def _close(self) -> None:
        ended = self._open.pop()
        if not self._open:
            self.made = ended.made
        elif ended.every:
            self._end_item(self._open[-1], made=ended.made)
        else:
            self._open[-1].made |= ended.made

    def _end_item(self, container: _Container, *, made: bool) -> None:
        """The end of an item that stands for a row."""
        if not made:
            self._found.add()
        container.made = True
        assert container.node is not None
        assert container.node.every is not None
        self._found.clear(container.node.every.below())

    def _pass_string(self, text: str, position: int, *, final: bool) -> tuple[int, bool]:
        """Pass over the rest of a long string, or what is there of it: to where, and whether that is its end."""
        end = _end_of(_REST_OF_STRING, text, position)
        if text[end : end + 1] == '"':
            self._in_string = False
            return end + 1, True
        if final:
            raise BrokenRecordError("is no JSON")
        return end, False


def _below(container: _Container, name: str) -> tuple[KeyNode | None, KeyNode | None]:
    """The wanted part of a member or of an item by its number, and of an item because all are wanted."""
    node = container.node
    if node is None:
        return None, None
    if container.closing == "}":
        exact = node.members.get(name)
        if exact is not None:
            container.names.add(name)
            return exact, None
        # A member that is spelled as in the key wins over one that differs in case, if it came before.
        others = (below for spelling, below in node.folded.get(name.lower(), ()) if spelling not in container.names)
        return next(others, None), None
    return node.items.get(container.number), node.every


def _end_of(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    assert match is not None  # the patterns match nothing, too
    return match.end()
