"""Records of ``logfmt``: lines of ``key=value``, where a value may stand in quotes.

A key without a value is ``true``. Keys are found as titles are: as written, or by the name that they make. Of a key
that stands twice, the last value counts. A line that has no value, or anything between pairs, is rejected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ess.formats.attributes import Format, InputAttributes
from ess.formats.blocks import RawBlock
from ess.formats.known.definition import KnownFormat, Titles
from ess.formats.known.raw_rows import RawRows
from ess.formats.known.titles import name_of
from ess.formats.parse_exact import Block
from ess.formats.records import Layout, too_long
from ess.formats.values import shown
from ess.schema.columns import Column

_PAIR = re.compile(rb'[ \t]*+([^\s="]+)(?:(=)(?:"((?:[^"\\]|\\.)*+)"|([^\s"]*)))?(?=[ \t]|\Z)', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
#: So many keys are remembered.
_MOST_KEYS = 10_000
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_SIGNATURE = r'(?:[A-Za-z_][^\s="]*=(?:"(?:[^"\\]|\\.)*+"|[^\s"]*)(?:[ \t]+|\Z)){2,}'

LOGFMT = KnownFormat(
    "logfmt",
    "lines of key=value, as programs in Go and on Heroku write them; each key is a column",
    "https://brandur.org/logfmt",
    Format.LOGFMT,
    (),
    titles=Titles.KEYS,
    signature=_SIGNATURE,
)


def pairs_of(line: bytes) -> Iterator[tuple[bytes, bytes]] | None:
    r"""The keys and values of a line without its end, None if it is none of this form.

    >>> list(pairs_of(rb'level=info msg="a \"b\"" ok') or ())
    [(b'level', b'info'), (b'msg', b'a "b"'), (b'ok', b'true')]
    >>> pairs_of(b"no pairs"), pairs_of(b'a="b')
    (None, None)
    """
    found: list[tuple[bytes, bytes]] = []
    position, valued = 0, False
    end = len(line.rstrip(b" \t"))
    while position < end:
        match = _PAIR.match(line, position)
        if match is None:
            return None
        key, given, quoted, bare = match.groups()
        valued = valued or given is not None
        found.append((key, _value(quoted, bare)))
        position = match.end()
    return iter(found) if valued else None


def _value(quoted: bytes | None, bare: bytes | None) -> bytes:
    if quoted is None:
        return b"true" if bare is None else bare
    if b"\\" not in quoted:
        return quoted
    return _ESCAPED.sub(lambda match: _LETTERS.get(match[1], match[1]), quoted)


def keys_of(text: bytes) -> list[str]:
    """The keys of some lines, in the order in which they first stand."""
    keys: dict[bytes, None] = {}
    for line in text.splitlines():
        keys.update((key, None) for key, _ in pairs_of(line) or ())
    return [key.decode("utf-8", "surrogateescape") for key in keys]


class LogfmtParser:
    """Parses the blocks of one file.

    Args:
        attributes: Those of the input.
        targets: The columns to find, each with its key as ``path``.
    """

    def __init__(self, attributes: InputAttributes, targets: Sequence[Column]) -> None:
        self._layout = Layout(attributes, tuple(targets))
        titles = [target.path or target.name for target in targets]
        self._names = {name_of(title).lower(): index for index, title in enumerate(titles)}
        self._places: dict[bytes, int | None] = {
            title.encode("utf-8", "surrogateescape"): index for index, title in enumerate(titles)
        }

    def name(self, index: int) -> str:
        """The name of a column, for messages; blank if a record has no fields."""
        return self._layout.columns[index].name.removeprefix("#") if index >= 0 else ""

    def parse(self, raw: RawBlock, start: int) -> Block:
        """The records of a block from ``start``."""
        rows = RawRows(self._layout.columns)
        width, limit = len(self._layout.columns), self._layout.attributes.record_limit
        lines = raw.data[start : raw.end].split(b"\n")
        if not lines[-1]:
            lines.pop()
        for line in lines:
            line = line.removesuffix(b"\r")
            if len(line) > limit:
                rows.reject(-1, too_long(0, len(line), self._layout).reason)
                continue
            pairs = pairs_of(line)
            if pairs is None:
                rows.reject(-1, f"{shown(line)} is no line of key=value")
                continue
            values = [b""] * width
            for key, value in pairs:
                place = self._place(key)
                if place is not None:
                    values[place] = value
            rows.add(values)
        return rows.take(raw.end)

    def _place(self, key: bytes) -> int | None:
        """The column of a key, None if it is not wanted."""
        try:
            return self._places[key]
        except KeyError:
            place = self._names.get(name_of(key.decode("utf-8", "surrogateescape")).lower())
            if len(self._places) < _MOST_KEYS:
                self._places[key] = place
            return place
