"""Dates of many names, most of which differ only where no date stands.

The answers are those of :class:`ess.lake.dates.DateFinder`, several times as fast: names of one shape (the same but
for the digits) have their dates in the same place, and what stands there repeats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from ess.lake.dates import (
    NO_DATE,
    DateFinder,
    DateRule,
    DateRuleKind,
    FileDate,
    automatic_date,
    deciding_part,
    epoch_date,
)

_LETTERS = bytes(range(ord("a"), ord("z") + 1))
#: All digits become a 1, see :func:`ess.lake.dates.deciding_part`, and letters small ones.
_SHAPE = bytes.maketrans(b"0123456789" + _LETTERS.upper(), b"1" * 10 + _LETTERS)
#: All letters become the same but for the T before a time.
_COARSE = bytes.maketrans(_LETTERS.replace(b"t", b""), b"a" * 25)
#: Shapes of names that may hold a date: every alternative of the automatic rule has one of these in it.
_MAYBE_DATE = re.compile(
    rb"1{8}|1111[-_./]?(?:w|11|ja|fe|ma|ap|ju|au|se|oc|no|de)|11[-_./]1111|=1111|(?:ex|in|nc)1111"
    rb"|(?:an|ry|eb|ar|ch|pr|il|ay|un|ne|ul|ly|ug|st|ep|er|ct|ov|ec)[-_./]?1111"
)
#: Shapes in which the automatic rule may read a word: a month, a week, the name of a part of a date, or of IIS.
_MAYBE_WORD = re.compile(rb"w|=|u_|ex|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec")
_MAYBE_EPOCH = re.compile(rb"(?<!1)1{10}(?:111)?(?!1)")
#: Shapes and dates that are remembered before all are forgotten.
_REMEMBERED = 100_000


@dataclass
class _Shape:
    """The part of names of a shape that decides their date, the dates that were found there; what else may be one."""

    part: slice | None = None
    epoch: bool = False
    dates: dict[str, FileDate | None] = field(default_factory=dict)


_WITHOUT = _Shape()
#: Names of many shapes are looked at one by one.
_VARIED = _Shape(epoch=True)
_SOME = 500


class RepeatedDates:
    """A date rule for many paths; raises OptionError if the rule is not valid."""

    def __init__(self, rule: DateRule) -> None:
        self._finder = DateFinder(rule)
        self._automatic = rule.kind is DateRuleKind.AUTO
        self._shapes: dict[bytes, _Shape] = {}
        self._folders: dict[int, dict[str, FileDate | None]] = {}
        self._known = self._names = self._new = 0

    def find(self, path: str, base_length: int = 0) -> FileDate:
        """The date or number of ``path``, see :meth:`ess.lake.dates.DateFinder.find`."""
        if not self._automatic:
            return self._finder.find(path, base_length)
        name_at = path.rfind("/") + 1
        name = path[name_at:]
        key = name.encode("utf-8", "surrogatepass").translate(_SHAPE)
        self._names += 1
        shape = self._shapes.get(key) or self._new_shape(key)
        if shape.part is not None:
            part = name[shape.part]
            try:
                found = shape.dates[part]
            except KeyError:
                self._count()
                found = shape.dates[part] = _known_date(automatic_date(name, start=shape.part.start))
            if found is not None:
                return found
        elif shape is _VARIED and (date := automatic_date(name)) is not None:
            return FileDate(date)
        if base_length < name_at:
            folder = path[:name_at]
            try:
                found = self._folders[base_length][folder]
            except KeyError:
                self._count()
                found = _known_date(automatic_date(folder, base_length))
                self._folders.setdefault(base_length, {})[folder] = found
            if found is not None:
                return found
        if not shape.epoch:
            return _known_date(epoch_date(path[base_length:name_at])) or _NONE
        return FileDate(epoch_date(name) or epoch_date(path[base_length:name_at]) or NO_DATE)

    def _new_shape(self, key: bytes) -> _Shape:
        """The shape of a name that no name had yet; names whose words cannot be parts of a date share one."""
        if b"1111" not in key:
            return _WITHOUT
        dated = _MAYBE_DATE.search(key) is not None
        if not dated and b"1111111111" not in key:
            if self._new <= _SOME or self._new * 2 <= self._names:
                self._new += 1
                self._count()
                self._shapes[key] = _WITHOUT
            return _WITHOUT
        if self._new > _SOME and self._new * 2 > self._names:
            return _VARIED
        self._new += 1
        short = key.translate(_COARSE) if _MAYBE_WORD.search(key) is None else key
        found = self._shapes.get(short)
        if found is None:
            self._count()
            part = deciding_part(short.decode("utf-8", "surrogatepass")) if dated else None
            found = _Shape(slice(*part) if part is not None else None, _MAYBE_EPOCH.search(key) is not None)
            self._shapes[short] = found
        self._count()
        self._shapes[key] = found
        return found

    def _count(self) -> None:
        self._known += 1
        if self._known > _REMEMBERED:
            self._shapes.clear()
            self._folders.clear()
            self._known = 0


_NONE = FileDate()


def _known_date(date: datetime | None) -> FileDate | None:
    return None if date is None else FileDate(date)
