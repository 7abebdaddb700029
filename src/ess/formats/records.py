r"""The exact record parser: it defines where records and fields begin and end.

Separated records (``csv``, ``sep=``, ``tsv``):

* LF and CRLF end a record, and so does the end of the input. A CR elsewhere, a NUL and bytes that
  are not UTF-8 are data. An empty line is a record of one blank field.
* With quoting, a field that begins with ``"`` ends at the next ``"`` that is not doubled; it may
  hold separators and line ends. A quote inside a field that does not begin with one is data.
* A quote that is not closed within the record limit or before the end of the input, or that is closed
  before anything but a separator or a line end, spoils the record up to the end of the line
  on which that quote stands. Reading goes on with the next line, so one stray quote costs one record.
* Fields beyond the columns are split in the same way, so where records end does not depend on the columns.
* With ``esc`` (or ``clf`` on the column) a separator or quote after a backslash is data; a line end is not.

Divided records (``div``) and fixed records (``fix``) are lines.

`ess.formats.split` does the same to the plain lines of a block at once; a test compares the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from ess.errors import OptionError
from ess.formats.attributes import Format, InputAttributes
from ess.formats.blocks import LENGTH_KNOWN
from ess.formats.nested.json_keys import KeyTree, parse_keys
from ess.formats.values import shown
from ess.schema.columns import Column

_LF = 0x0A
_CR = 0x0D
_QUOTE = 0x22
_BACKSLASH = 0x5C
_QUOTE_OR_BACKSLASH = re.compile(rb'["\\]')
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_COMMON_LOG = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([rntvf\"\\]))")
_COMMON_LOG_LETTERS = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"v": b"\v", b"f": b"\f", b'"': b'"', b"\\": b"\\"}


class Record(NamedTuple):
    """One record: the position after it, and its raw field values or why it has none.

    ``fields`` holds as many values as there are columns, unwanted ones included, with quotes and
    escapes undone. ``column`` is the 0-based column where a bad record went wrong.
    """

    end: int
    fields: tuple[bytes, ...]
    column: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Layout:
    """Attributes and columns of an input together.

    ``separators`` is for ``div``: one before each column and one after the last, blank for none.
    ``keys`` is for ``jsn`` and ``xml``: where the columns stand in a record.
    """

    attributes: InputAttributes
    columns: tuple[Column, ...]
    separators: tuple[bytes, ...] = ()
    keys: KeyTree | None = None

    def escapes(self, column: int) -> bool:
        """True if a backslash has a meaning in that column (also beyond the last)."""
        if self.attributes.escape:
            return True
        if column >= len(self.columns):
            return False
        own = self.columns[column].attributes
        return own.escape or own.common_log

    @cached_property
    def any_escape(self) -> bool:
        """True if a backslash has a meaning somewhere."""
        return any(self.escapes(index) for index in range(len(self.columns) + 1))

    @cached_property
    def any_length(self) -> bool:
        """True if a column has ``n=Len``."""
        return any(column.attributes.extract_length is not None for column in self.columns)


def make_layout(
    attributes: InputAttributes, columns: tuple[Column, ...], separators: tuple[bytes, ...], *, where: str
) -> Layout:
    """A checked `Layout`.

    Raises:
        OptionError: If there are no columns, or the columns do not say how to tell their values apart.
    """
    if not columns:
        raise OptionError("no columns are given", where=where, hint="give them with -d, e.g. -d s:name i:count")
    if attributes.format is Format.FIXED:
        for column in columns:
            if column.attributes.extract_length is None:
                raise OptionError(
                    f"column '{column.name or 'X'}' of a 'fix' input has no length", where=where, hint="e.g. s,n=5:name"
                )
    elif attributes.format is Format.DIVIDED:
        if len(separators) != len(columns) + 1:
            raise OptionError("a 'div' input needs separators between its columns", where=where, hint="e.g. sep:' - '")
        for left, separator in zip(columns, separators[1:-1], strict=False):
            if not separator and left.attributes.extract_length is None:
                raise OptionError(
                    f"nothing separates column '{left.name or 'X'}' from the next",
                    where=where,
                    hint="put sep:Text between them, or give the column a length n=Len",
                )
    elif attributes.format is Format.TABLE or attributes.format.has_keys or not attributes.format.is_text:
        _refuse_bytes(attributes, columns, where)
    elif attributes.format is Format.PATTERN and any(column.attributes.extract_length for column in columns):
        raise OptionError("n=Len is not for lines with a pattern", where=where, hint="leave it out")
    if attributes.format.has_keys:
        keys = parse_keys(columns, attributes.base, format_name=attributes.format.value, where=where)
        return Layout(attributes, columns, keys=keys)
    if any(separators) and attributes.format is not Format.DIVIDED:
        raise OptionError("sep:Text is for 'div' inputs only", where=where, hint="give -f,div or -f,sep=c")
    return Layout(attributes, columns, separators)


def _refuse_bytes(attributes: InputAttributes, columns: tuple[Column, ...], where: str) -> None:
    """Values that are not separated bytes have no length and no backslashes of their own."""
    for column in columns:
        own = column.attributes
        if attributes.escape or own.escape or own.common_log or own.extract_length is not None:
            raise OptionError(
                f"n=Len, esc and clf are not for '{attributes.format.value}' inputs", where=where, hint="leave them out"
            )


def parse_record(data: bytes, start: int, end: int, *, final: bool, layout: Layout) -> Record | None:
    """The record that begins at ``start``.

    Args:
        data: The input; only ``data[start:end]`` is looked at.
        start: Less than ``end``.
        end: Behind a LF unless ``final``.
        final: Whether the input ends at ``end``.
        layout: How to read it.

    Returns:
        The record, or None if it goes on behind ``end``.
    """
    if layout.attributes.format is Format.SEPARATED:
        return _parse_separated(data, start, end, final, layout)
    next_start, content_end = line_at(data, start, end)
    if content_end - start > layout.attributes.record_limit:
        return too_long(next_start, content_end - start, layout)
    parse = _parse_fixed if layout.attributes.format is Format.FIXED else _parse_divided
    return parse(data, start, content_end, next_start, layout)


def line_at(data: bytes, start: int, end: int) -> tuple[int, int]:
    """The beginning of the next line, and the end of this line's content."""
    newline = data.find(b"\n", start, end)
    next_start, content_end = (newline + 1, newline) if newline >= 0 else (end, end)
    if content_end > start and data[content_end - 1] == _CR:
        content_end -= 1
    return next_start, content_end


def too_long(next_start: int, length: int, layout: Layout, column: int = 0, field: int = 0) -> Record:
    """A record of that length, or whose field in ``column`` alone has the length ``field``, if that is too long."""
    limit = layout.attributes.record_limit
    known = limit + LENGTH_KNOWN
    is_field = field > limit
    size = f"{field if is_field else length} bytes long" if length <= known else f"longer than {known} bytes"
    what = "field" if is_field else "record"
    reason = f"the {what} is {size}, and a record may have {limit}; bz=Bytes allows more"
    return Record(next_start, (), column if is_field else 0, reason)


@lru_cache
def short_reason(found: int, width: int) -> str:
    """The reason why a record with too few fields is rejected."""
    return f"the record has {found} of {width} fields"


def _parse_separated(data: bytes, start: int, end: int, final: bool, layout: Layout) -> Record | None:
    attributes = layout.attributes
    separator, quoted = attributes.separator, attributes.quoted
    limit = start + attributes.record_limit
    width = len(layout.columns)
    next_start, content_end = line_at(data, start, end)
    if not layout.any_length and content_end <= limit:
        line = data[start:content_end]
        if not (quoted and b'"' in line) and not (layout.any_escape and b"\\" in line):
            # Nothing but separators has a meaning in this line; this is what the loop below would do.
            return _plain_record(line.split(separator), next_start, layout)
    fields: list[bytes] = []
    count = 0
    longest = 0, 0  # the length of a field, and its column
    position = start
    while True:
        escapes = layout.escapes(count)
        length = layout.columns[count].attributes.extract_length if count < width else None
        if length is not None:
            stop = position + length
            if stop > content_end or (stop < content_end and data[stop : stop + 1] != separator):
                return Record(next_start, (), count, f"the field is not {length} bytes long")
            raw = data[position:stop]
        elif quoted and position < content_end and data[position] == _QUOTE:
            close = _closing_quote(data, position + 1, min(end, limit), escapes)
            if close < 0:
                if end < limit and not final:
                    return None
                if position >= limit:  # of a line that is too long, a block may hold the beginning only
                    return too_long(
                        line_at(data, position, end)[0], content_end - start, layout, longest[1], longest[0]
                    )
                if content_end > limit:  # its end is not looked for behind the limit
                    size = content_end - position
                    return too_long(line_at(data, position, end)[0], content_end - start, layout, count, size)
                return Record(line_at(data, position, end)[0], (), count, "a quote is not closed")
            if close >= content_end:
                next_start, content_end = line_at(data, close + 1, end)
            stop = close + 1
            if stop < content_end and data[stop : stop + 1] != separator:
                reason = f"{shown(data[stop : min(stop + 10, content_end)])} follows a closing quote"
                return Record(line_at(data, position, end)[0], (), count, reason)
            raw = data[position + 1 : close]
            if b'"' in raw:
                raw = _undouble(raw, escapes)
        else:
            stop = _bare_end(data, position, content_end, separator, escapes)
            raw = data[position:stop]
        longest = max(longest, (stop - position, count))
        if count < width:
            fields.append(unescaped(raw, layout, count))
        count += 1
        if stop >= content_end:
            break
        position = stop + 1
    if content_end - start > attributes.record_limit:
        return too_long(next_start, content_end - start, layout, longest[1], longest[0])
    if count < width:
        return Record(next_start, (), count, short_reason(count, width))
    if count > width and attributes.no_extra:
        return Record(next_start, (), width - 1, _extra_reason(width))
    return Record(next_start, tuple(fields))


def _plain_record(fields: list[bytes], next_start: int, layout: Layout) -> Record:
    width = len(layout.columns)
    if len(fields) < width:
        return Record(next_start, (), len(fields), short_reason(len(fields), width))
    if len(fields) > width and layout.attributes.no_extra:
        return Record(next_start, (), width - 1, _extra_reason(width))
    return Record(next_start, tuple(fields[:width]))


def _extra_reason(width: int) -> str:
    return f"the record has more than {width} fields (nox)"


def _closing_quote(data: bytes, position: int, end: int, escapes: bool) -> int:
    """The position of the quote that closes a field; -1 if it is not before ``end``."""
    while True:
        if escapes:
            match = _QUOTE_OR_BACKSLASH.search(data, position, end)
            if match is None:
                return -1
            at = match.start()
            if data[at] == _BACKSLASH:
                position = at + 2
                continue
        else:
            at = data.find(b'"', position, end)
            if at < 0:
                return -1
        if data[at + 1 : at + 2] != b'"':
            return at
        position = at + 2


def _bare_end(data: bytes, position: int, content_end: int, separator: bytes, escapes: bool) -> int:
    """The end of a field without quotes: at a separator or with the line."""
    if not escapes or data.find(b"\\", position, content_end) < 0:
        at = data.find(separator, position, content_end)
        return content_end if at < 0 else at
    at = _find_separator(data, position, content_end, separator, escapes=True)
    return content_end if at < 0 else at


def _undouble(raw: bytes, escapes: bool) -> bytes:
    if not escapes:
        return raw.replace(b'""', b'"')
    # A backslash keeps its next byte, so that \"" is an escaped quote and the one that pairs with a third.
    return re.sub(rb'(\\.)|""', lambda match: match[1] or b'"', raw, flags=re.DOTALL)


def unescaped(raw: bytes, layout: Layout, column: int) -> bytes:
    """A field with its escapes undone, if a backslash has a meaning in its column."""
    if b"\\" not in raw or not layout.escapes(column):
        return raw
    if layout.columns[column].attributes.common_log:
        return _COMMON_LOG.sub(_common_log_byte, raw)
    return _ESCAPED.sub(rb"\1", raw)


def _common_log_byte(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode("ascii")) if match[1] else _COMMON_LOG_LETTERS[match[2]]


def _parse_fixed(data: bytes, start: int, content_end: int, next_start: int, layout: Layout) -> Record:
    fields: list[bytes] = []
    position = start
    for index, column in enumerate(layout.columns):
        stop = position + (column.attributes.extract_length or 0)
        if stop > content_end:
            return Record(next_start, (), index, f"the record ends after {content_end - start} bytes")
        fields.append(unescaped(data[position:stop], layout, index))
        position = stop
    if position < content_end:
        return Record(next_start, (), len(fields) - 1, f"the record has {content_end - position} bytes too many")
    return Record(next_start, tuple(fields))


def _parse_divided(data: bytes, start: int, content_end: int, next_start: int, layout: Layout) -> Record:
    first = layout.separators[0]
    if (first and data[start : start + len(first)] != first) or start + len(first) > content_end:
        return Record(next_start, (), 0, f"the record does not begin with {shown(first)}")
    position = start + len(first)
    fields: list[bytes] = []
    for index, column in enumerate(layout.columns):
        separator = layout.separators[index + 1]
        length = column.attributes.extract_length
        if length is not None:
            stop = position + length
            if stop > content_end or not data.startswith(separator, stop, content_end):
                return Record(next_start, (), index, f"the field is not {length} bytes long")
        elif separator:
            stop = _find_separator(data, position, content_end, separator, layout.escapes(index))
            if stop < 0:
                return Record(next_start, (), index, f"{shown(separator)} does not follow the field")
        else:
            stop = content_end
        fields.append(unescaped(data[position:stop], layout, index))
        position = stop + len(separator)
    if position < content_end:
        rest = shown(data[position:content_end])
        return Record(next_start, (), len(fields) - 1, f"{rest} follows the last separator")
    return Record(next_start, tuple(fields))


def _find_separator(data: bytes, position: int, end: int, separator: bytes, escapes: bool) -> int:
    if not escapes:
        return data.find(separator, position, end)
    while position < end:
        if data.startswith(separator, position, end):
            return position
        position += 2 if data[position] == _BACKSLASH else 1
    return -1
