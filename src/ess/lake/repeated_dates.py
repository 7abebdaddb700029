"""Dates of many names, most of which differ only where no date stands.

The answers are those of :class:`ess.lake.dates.DateFinder`, several times as fast: names of one shape (the same but
for the digits) have their dates in the same place, and what stands there repeats.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ess.lake.dates import (
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
    """The part of texts of a shape that decides their date, the dates that were found there; what else may be one."""

    part: slice | None = None
    epoch: bool = False
    dates: dict[str, FileDate | None] = field(default_factory=dict)


_WITHOUT = _Shape()
#: Texts of many shapes are looked at one by one.
_VARIED = _Shape(epoch=True)
_SOME = 500
_NONE = FileDate()


def _shape_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").translate(_SHAPE)


class _Texts:
    """The shapes of names, or of folders whose date must end behind so many characters."""

    def __init__(self, beyond: int = 0) -> None:
        self.shapes: dict[bytes, _Shape] = {}
        self.seen = 0
        self._beyond = beyond
        self._known = self._new = 0

    def shape(self, key: bytes) -> _Shape:
        self.seen += 1
        return self.shapes.get(key) or self._new_shape(key)

    def date(self, text: str, shape: _Shape) -> FileDate | None:
        """The date of a text by the automatic rule, seconds since 1970 excepted."""
        if shape.part is None:
            return _known_date(automatic_date(text, self._beyond)) if shape is _VARIED else None
        part = text[shape.part]
        try:
            return shape.dates[part]
        except KeyError:
            self._count()
            found = shape.dates[part] = _known_date(automatic_date(text, self._beyond, start=shape.part.start))
            return found

    def _new_shape(self, key: bytes) -> _Shape:
        """The shape of a text that no text had yet; those whose words cannot be parts of a date share one."""
        if b"1111" not in key:
            return _WITHOUT
        dated = _MAYBE_DATE.search(key) is not None
        if not dated and b"1111111111" not in key:
            if self._new <= _SOME or self._new * 2 <= self.seen:
                self._new += 1
                self._count()
                self.shapes[key] = _WITHOUT
            return _WITHOUT
        if self._new > _SOME and self._new * 2 > self.seen:
            return _VARIED
        self._new += 1
        short = key.translate(_COARSE) if _MAYBE_WORD.search(key) is None else key
        found = self.shapes.get(short)
        if found is None:
            self._count()
            part = deciding_part(short.decode("utf-8", "surrogatepass")) if dated else None
            found = _Shape(slice(*part) if part is not None else None, _MAYBE_EPOCH.search(key) is not None)
            self.shapes[short] = found
        self._count()
        self.shapes[key] = found
        return found

    def _count(self) -> None:
        self._known += 1
        if self._known > _REMEMBERED:
            self.shapes.clear()
            self._known = 0


class _Folders:
    """The dates that folders give to files whose names have none."""

    def __init__(self, base_length: int) -> None:
        self._base_length = base_length
        self._texts = _Texts(base_length)
        self._known: dict[str, tuple[FileDate | None, FileDate]] = {}

    def dates(self, folder: str) -> tuple[FileDate | None, FileDate]:
        """The date of a folder, if there is one, and what else it may be: seconds since 1970, or no date."""
        found = self._known.get(folder)
        if found is None:
            date: FileDate | None = None
            if self._base_length < len(folder):
                date = self._texts.date(folder, self._texts.shape(_shape_of(folder)))
            found = date, date or _known_date(epoch_date(folder[self._base_length :])) or _NONE
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[folder] = found
        return found


class RepeatedDates:
    """A date rule for many paths; raises OptionError if the rule is not valid."""

    def __init__(self, rule: DateRule) -> None:
        self._finder = DateFinder(rule)
        self._automatic = rule.kind is DateRuleKind.AUTO
        self._names = _Texts()
        self._folders: dict[int, _Folders] = {}

    def find(self, path: str, base_length: int = 0) -> FileDate:
        """The date or number of ``path``, see :meth:`ess.lake.dates.DateFinder.find`."""
        if not self._automatic:
            return self._finder.find(path, base_length)
        name_at = path.rfind("/") + 1
        name = path[name_at:]
        shape = self._names.shape(_shape_of(name))
        found = self._names.date(name, shape)
        if found is not None:
            return found
        date, instead = self._below(base_length).dates(path[:name_at])
        if date is not None or not shape.epoch:
            return instead
        return _known_date(epoch_date(name)) or instead

    def find_all(self, paths: Sequence[str], base_length: int = 0) -> list[FileDate]:
        """The dates or numbers of several paths, as :meth:`find` has them; quick for neighbours in one folder."""
        split = [path.rpartition("/") for path in paths]
        keys = _shape_of("\n".join([name for _, _, name in split])).split(b"\n")
        if not self._automatic or len(keys) != len(paths):  # a line break may stand in a name
            return [self.find(path, base_length) for path in paths]
        shapes, folders = self._names.shapes, self._below(base_length)
        self._names.seen += len(paths)
        found: list[FileDate] = []
        above, of_folder = None, _NONE
        for path, (folder, slash, name), key in zip(paths, split, keys, strict=True):
            shape = shapes.get(key, _VARIED)
            date: FileDate | None = None
            if shape.part is not None:
                date = shape.dates.get(name[shape.part])
            elif not shape.epoch:  # nothing but the folder decides
                if folder != above:
                    above, of_folder = folder, folders.dates(folder + slash)[1]
                date = of_folder
            found.append(date or self.find(path, base_length))
        return found

    def _below(self, base_length: int) -> _Folders:
        if base_length not in self._folders:
            self._folders[base_length] = _Folders(base_length)
        return self._folders[base_length]


def _known_date(date: datetime | None) -> FileDate | None:
    return None if date is None else FileDate(date)
