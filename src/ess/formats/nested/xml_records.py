"""Records of an ``xml`` input, read as a stream with expat, in constant memory.

Keys begin with the outermost element; any number of documents may follow each other. ``name[*]`` makes a row for each
element of that name when it ends (unless rows were made inside of it), ``name[0]`` takes the first, and ``name`` the
last one. A column takes all text in its element, or an attribute (``name.@attribute``). A document whose outermost
element no key names has no rows.

Bytes that are not UTF-8 pass through, whatever encoding the document declares; UTF-16 is converted. Nothing outside of
the document is ever fetched; an entity must be short and hold no other entity.

Malformed XML is rejected, up to the next beginning of a record: of the element of the last ``[*]`` that all
columns share, else of an outermost element. The search starts behind the beginning of the bad record, so that
a missing end tag costs one record, too (within what a budget of repeated work allows).

The result does not depend on how the input is cut into blocks: limits are looked at where a multiple of 64 KB ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.parsers import expat

from ess.formats.blocks import RawBlock
from ess.formats.nested.key_rows import KeyRows
from ess.formats.nested.xml_keys import State, record_path
from ess.formats.nested.xml_text import TextCleaner, original_bytes
from ess.formats.parse_exact import Block
from ess.formats.records import Layout

#: How many times as long as the record limit a record or a tag may be (1 MB by default).
_LIMITS = 16
_PIECE = 1 << 16
_DEEPEST = 1000
#: A file begins with the right to read so many record limits twice; each new byte adds one more.
_BUDGET = 8
_LONGEST_ENTITY = 1024
_MOST_ENTITIES = 10_000
#: After this many bytes a new parser forgets the names that the old one has collected.
_RENEWAL = 1 << 28
_NO_ELEMENTS = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]
_INVALID = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
_MISPLACED = expat.errors.codes[expat.errors.XML_ERROR_MISPLACED_XML_PI]
_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_TOO_DEEP = f"elements are nested deeper than {_DEEPEST}"
_OUTSIDE = "text outside of an element"
_BLANKS = " \t\r\n\ufeff"


class _StoppedError(Exception):
    """Parsing ends at a place: what is wrong there, or nothing if the record there is for a new parser.

    expat goes on to the end of its piece all the same, so the place must be known from the beginning.
    """

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place


@dataclass(slots=True)
class _Element:
    """An open element that keys speak of."""

    name: str
    state: State
    text_from: int
    made: bool = False
    counts: dict[str, int] | None = None


class XmlParser:
    """Parses the blocks of one file."""

    def __init__(self, layout: Layout) -> None:
        assert layout.keys is not None
        attributes = layout.attributes
        self._found = KeyRows(layout.columns, to_skip=attributes.skip if attributes.skip_unit == "r" else 0)
        self._outside = layout.keys.outside
        self._path, self._bounded = record_path(layout.keys)
        self._top = State([layout.keys.root], [], along=0, record=False)
        self._value_limit = attributes.record_limit
        self._limit = attributes.record_limit * _LIMITS
        names = [*layout.keys.root.members]
        self._outermost = _beginning(names, rb"|<!DOCTYPE\s")
        self._inner = _beginning(self._path, b"")
        self._depths = {name: depth for depth, name in enumerate(self._path)}
        self._longest = 16 + max(len(name.encode()) for name in [*names, *self._path])
        self._cleaner = TextCleaner()
        # Clean bytes that may be needed again, where they begin, and up to where they are parsed.
        self._data, self._begin, self._at = b"", 0, 0
        # After an error: where the search for a record begins, and whether it is for one inside of the same document.
        self._search: int | None = None
        self._within = False
        self._furthest = self._repeated = 0
        self._spelling: dict[int, str] = {}
        self._open(0, natural=True)

    def parse(self, raw: RawBlock, start: int) -> Block:
        """The rows of a block from ``start``; all of them but the last byte is taken, to learn of the end."""
        end = raw.end if raw.final else max(start, raw.end - 1)
        self._data += self._cleaner.clean(raw.data[start:end], final=raw.final)
        self._run(raw.final)
        needed = self._begin_of_needed()
        if needed > self._begin:
            self._data, self._begin = self._data[needed - self._begin :], needed
        return self._found.take(end)

    def _run(self, final: bool) -> None:
        end = self._begin + len(self._data)
        while True:
            if self._search is not None and not self._resume(final):
                return
            if self._at == end:
                if not final or self._finish():
                    return
                continue
            boundary = (self._at // _PIECE + 1) * _PIECE
            stop = min(boundary, end)
            try:
                self._parser.Parse(self._data[self._at - self._begin : stop - self._begin])
            except (expat.ExpatError, _StoppedError) as error:
                self._handle(error)
                continue
            self._at = stop
            if stop == boundary:
                self._check_limits()

    def _open(self, at: int, *, natural: bool, within: tuple[str, ...] = ()) -> None:
        """Go on with a new parser: of a document with declarations, else of elements ``within`` others."""
        self._parser = parser = expat.ParserCreate("utf-8")
        if hasattr(parser, "SetReparseDeferralEnabled"):  # tokens must be found as soon as they are there
            parser.SetReparseDeferralEnabled(False)
        prefix = b"" if natural else b"".join(b"<%s>" % name.encode() for name in ("_", *within))
        if prefix:
            parser.Parse(prefix)
        self._natural = natural
        self._opened, self._origin, self._at = at, at - len(prefix), at
        self._ignored = self._entities = 0
        # Where the outermost element ends if it is a single tag; what expat says of its end is ambiguous.
        self._empty_end = 0
        self._text: list[str] = []
        self._size = self._captures = 0
        self._doctype: int | None = None
        self._record: int | None = None
        self._elements = [_Element("", self._top, 0)]
        for name in within:
            self._start(name, {})
        self._record = None
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._start_doctype
        parser.EndDoctypeDeclHandler = self._end_doctype
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._external
        parser.SkippedEntityHandler = self._skipped

    @property
    def _place(self) -> int:
        """The parser's position: the beginning of what it takes next."""
        return self._origin + max(0, self._parser.CurrentByteIndex)

    @property
    def _depth(self) -> int:
        return len(self._elements) - 1 + self._ignored

    # What expat calls

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._ignored:
            self._ignored += 1
            if self._ignored > _DEEPEST:
                raise _StoppedError(self._place, _TOO_DEEP)
            return
        elements = self._elements
        outer = elements[-1]
        outermost = len(elements) == 1
        if outermost and self._natural:
            tag = _TAG.match(self._data, self._place - self._begin)
            self._empty_end = self._begin + tag.end() if tag and tag[0].endswith(b"/>") else 0
        lowered = name.lower()
        number = 0
        if lowered in outer.state.numbered and not outermost:
            outer.counts = outer.counts or {}
            number = outer.counts.get(lowered, 0)
            outer.counts[lowered] = number + 1
        state = outer.state.inside(lowered, number, self._path)
        if state is None:
            self._ignored = 1
            return
        if len(elements) > _DEEPEST:
            raise _StoppedError(self._place, _TOO_DEEP)
        if state.along > 0:
            self._spelling[state.along] = name
        if state.record or (outermost and not self._path):
            self._begin_record()
        elements.append(_Element(name, state, len(self._text)))
        if state.columns:
            self._captures += 1
        if state.attributes:
            for key, value in attributes.items():
                for column in state.attributes.get(key.lower(), ()):
                    self._take(column, value)

    def _end(self, name: str) -> None:
        if self._ignored:
            self._ignored -= 1
            if self._ignored:
                return
        elif len(self._elements) == 1:
            raise _StoppedError(self._place, "an end tag without a beginning")
        else:
            self._leave()
        if len(self._elements) == 1:
            self._end_document()

    def _end_document(self) -> None:
        self._elements[0].made, self._record = False, None
        self._found.clear_all()
        if self._natural:
            # Whatever follows is for a parser that takes any number of elements.
            end = self._empty_end or self._begin + self._data.index(b">", self._place - self._begin) + 1
            raise _StoppedError(end, "")

    def _leave(self) -> None:
        element = self._elements.pop()
        state, outer = element.state, self._elements[-1]
        if state.columns:
            text = "".join(self._text[element.text_from :])
            for column in state.columns:
                self._take(column, text)
            self._captures -= 1
            if not self._captures:
                self._text.clear()
                self._size = 0
        if state.repeated:
            if not element.made:
                self._found.add()
            self._found.clear(state.below)
            outer.made = True
        elif element.made:
            outer.made = True
        elif len(self._elements) == 1 and self._outside:
            self._found.add()
        if state.record:
            self._record = None

    def _take(self, column: int, text: str) -> None:
        if len(text) > self._value_limit or self._size > self._value_limit:
            self._found.spoil(column, f"a value is longer than {self._value_limit} bytes; bz=Bytes allows more")
        self._found.now[column] = original_bytes(text.encode())

    def _characters(self, text: str) -> None:
        if self._captures:
            # The kept text is bounded, even if an element never ends.
            if self._size <= self._value_limit:
                self._text.append(text)
            self._size += len(text)
        elif not self._depth and (rest := text.lstrip(_BLANKS)):
            blanks = len(text[: -len(rest)].encode())
            raise _StoppedError(self._place + blanks, _OUTSIDE)

    def _begin_record(self) -> None:
        place = self._place
        if place - self._opened > _RENEWAL and not self._entities:
            raise _StoppedError(place, "")
        self._record, self._rows_before = place, self._found.rows

    def _start_doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        self._doctype = self._place

    def _end_doctype(self) -> None:
        self._doctype = None

    def _entity(
        self,
        name: str,
        parameter: bool,
        value: str | None,
        base: str | None,
        system: str | None,
        public: str | None,
        notation: str | None,
    ) -> None:
        self._entities += 1
        if self._entities > _MOST_ENTITIES:
            raise _StoppedError(self._place, f"more than {_MOST_ENTITIES} entities are declared")
        if value is not None and (len(value) > _LONGEST_ENTITY or "&" in value):
            raise _StoppedError(self._place, "an entity is declared that is long or holds another (refused)")

    def _external(self, context: str, base: str | None, system: str | None, public: str | None) -> int:
        raise _StoppedError(self._place, "an entity is outside of the document (never fetched)")

    def _skipped(self, name: str, parameter: bool) -> None:
        if not parameter:
            raise _StoppedError(self._place, "an entity is not declared in the document")

    # Errors, and how to go on

    def _handle(self, error: expat.ExpatError | _StoppedError) -> None:
        if isinstance(error, expat.ExpatError):
            place = self._place
            if self._depth or not self._next_document(error.code, place):
                # Whether text before an invalid token is told of first depends on where a piece ends.
                outside = not (self._depth or self._natural) and error.code == _INVALID
                self._broken(_OUTSIDE if outside else f"no XML: {expat.ErrorString(error.code)}", place)
        elif error.args[0]:
            self._broken(error.args[0], error.place)
        else:
            self._open(error.place, natural=False, within=tuple(element.name for element in self._elements[1:]))

    def _next_document(self, code: int, place: int) -> bool:
        """True if the error at ``place``, outside of elements, only means that another document begins."""
        if self._natural:
            return False
        if code == _MISPLACED:
            self._open(place, natural=True)
        elif self._data[place - self._begin - 2 : place - self._begin + 1] == b"<!D":
            self._open(place - 2, natural=True)
        else:
            return False
        return True

    def _broken(self, reason: str, place: int) -> None:
        """Reject a record for what was found at ``place``, and choose where the next one is looked for."""
        where = ".".join(element.name for element in self._elements[1:])
        self._found.clear_all()
        self._found.reject(0, f"{reason}, in {where}" if where else reason)
        self._search = max(place + 1, self._opened + 1)
        if self._record is not None and place > self._furthest and self._found.rows == self._rows_before:
            again = place - self._record
            if self._repeated + again <= self._limit * _BUDGET + place:
                self._repeated += again
                self._search = self._record + 1
        self._furthest = max(self._furthest, place)
        # Records of the same document follow, if it has begun and the spelling of the elements around them is known.
        known = all(depth in self._spelling for depth in range(1, len(self._path)))
        self._within = bool(self._path[1:]) and known and any(e.state.along > 0 for e in self._elements[1:])

    def _resume(self, final: bool) -> bool:
        """Go on at the next record, if there is one."""
        assert self._search is not None
        match = (self._inner if self._within else self._outermost).search(self._data, self._search - self._begin)
        if match is None:
            # The end of the block may cut what is looked for.
            end = self._begin + len(self._data)
            self._search = end if final else max(self._search, end - self._longest)
            self._at = end
            return False
        place = self._begin + match.start()
        self._search = None
        if match[1]:
            depth = self._depths[match[1].decode().lower()] if self._within else 0
            self._open(place, natural=False, within=tuple(self._spelling[outer] for outer in range(1, depth + 1)))
        else:
            self._open(place, natural=True)
        return True

    def _check_limits(self) -> None:
        begin = self._place
        what = "a tag or comment"
        if self._doctype is not None:
            begin, what = self._doctype, "the document type declaration"
        elif self._record is not None and self._at - self._record > self._limit:
            if self._bounded:
                begin, what = self._record, "the record"
            else:
                self._record = None
        if self._at - begin > self._limit:
            self._broken(f"{what} is longer than {self._limit} bytes ({_LIMITS} times bz)", self._at - 1)

    def _finish(self) -> bool:
        """The input ends here; whether that is all."""
        if self._depth:
            self._broken("the document does not end", self._at)
            return False
        self._parser.EndElementHandler = None
        try:
            self._parser.Parse(b"" if self._natural else b"</_>", True)
        except expat.ExpatError as error:
            if error.code != _NO_ELEMENTS:
                self._handle(error)
                return False
        except _StoppedError as error:
            self._handle(error)
            return False
        return True

    def _begin_of_needed(self) -> int:
        """From where on bytes may be looked at again."""
        if self._search is not None:
            return max(self._begin, min(self._search, self._begin + len(self._data)))
        needed = min(self._place, self._at)
        if self._record is not None:
            needed = min(needed, self._record)
        return max(self._begin, needed - 2)


def _beginning(names: list[str], more: bytes) -> re.Pattern[bytes]:
    """The beginning of an element of one of the names (the match's first group), or of a document with declarations."""
    choice = b"|".join(re.escape(name.encode()) for name in names)
    return re.compile(rb"<(?:(" + choice + rb")(?=[\s/>])|\?xml\s)" + more, re.IGNORECASE)
