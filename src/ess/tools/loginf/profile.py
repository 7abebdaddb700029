"""The profile of a data set: counts, lengths, kinds of values, uniqueness; parts can be merged."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import Any

from ess.engines.tables.uniqueness import DistinctSketch
from ess.errors import InputReadError
from ess.formats.value_forms import Form, form_of, may_be_address

#: Kinds of values, in the order of the report.
KINDS = ("Integer", "Float", "IP", "String", "Blank")
#: Forms of values that are counted beside the kinds.
FORMS = (Form.DASH.value, Form.ZEROS.value, Form.WORD.value)

#: Values of these kinds have no such form.
_FORMLESS = frozenset(("IP", "Blank"))

#: How many reasons for rejected records are told apart.
_MOST_REASONS = 100
_OTHER_REASONS = ("", "other reasons")

#: How many sample values of each kind are kept.
_SAMPLES = 4
_LONGEST_SAMPLE = 200
_INTEGER = re.compile(rb"[+-]?[0-9]{1,20}\Z")
_FLOAT = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z")
_FORMAT_VERSION = 1


@dataclass
class Spread:
    """The number of things with a size, and the smallest, largest and total size."""

    count: int = 0
    least: int = 0
    most: int = 0
    total: int = 0

    def add(self, size: int, times: int = 1) -> None:
        """Add ``times`` things of that size."""
        self.merge(Spread(times, size, size, size * times))

    def merge(self, other: Spread) -> None:
        """Add what another has seen."""
        if not other.count:
            return
        self.least = min(self.least, other.least) if self.count else other.least
        self.most = max(self.most, other.most)
        self.count += other.count
        self.total += other.total


@dataclass
class KindProfile:
    """The values of one kind in a column: how many, the range of numbers, and samples."""

    rows: int = 0
    least: int | float | None = None
    most: int | float | None = None
    samples: list[bytes] = field(default_factory=list)
    binary: bytes | None = None

    def merge(self, other: KindProfile) -> None:
        """Add what another has seen."""
        self.rows += other.rows
        if other.least is not None and other.most is not None:
            self.widen(other.least, other.most)
        for sample in other.samples:
            self.add_sample(sample)
        self.binary = self.binary or other.binary

    def widen(self, least: int | float, most: int | float) -> None:
        """Make the range hold these numbers."""
        self.least = least if self.least is None else min(self.least, least)
        self.most = most if self.most is None else max(self.most, most)

    def add_sample(self, sample: bytes) -> None:
        """Keep a sample, if it is new and there are few."""
        if len(self.samples) < _SAMPLES and sample not in self.samples:
            self.samples.append(sample)


class ColumnProfile:
    """A column. ``padded`` tells whether numbers or addresses stand between blanks, ``escaped`` whether it has escapes.

    ``forms`` counts values that their kind does not show: integers and floats with leading zeros, and strings that a
    number column takes.
    """

    def __init__(self, label: bytes = b"") -> None:
        self.label = label
        self.lengths = Spread()
        self.kinds = {kind: KindProfile() for kind in KINDS}
        self.sketch = DistinctSketch()
        self.padded = False
        self.escaped = False
        self.forms: Counter[str] = Counter()
        self.width = 0  # of a fixed-width column
        self.declared = ""  # the type that the input tells; blank if it tells none

    def add(self, values: Sequence[bytes]) -> None:
        """Add the values of some records, in order."""
        self.add_counts(Counter(values))

    def add_counts(self, counts: Mapping[bytes, int]) -> None:
        """Add the different values of some records, each with how often it stands there."""
        if not counts:
            return
        self.sketch.add(counts)
        sizes = list(map(len, counts))
        rows = sum(counts.values())
        self.lengths.merge(Spread(rows, min(sizes), max(sizes), sum(map(mul, sizes, counts.values()))))
        for value, times in counts.items():
            stripped = value.strip()
            kind, number = kind_of(stripped)
            if kind not in ("String", "Blank") and stripped != value:
                self.padded = True
            if kind not in _FORMLESS and (form := form_of(stripped).value) in FORMS:
                self.forms[form] += times
            found = self.kinds[kind]
            found.rows += times
            if number is not None:
                found.widen(number, number)
            # A binary sample is shown apart from the others.
            if kind == "String" and not value.isascii():
                found.binary = found.binary or value[:_LONGEST_SAMPLE]
            elif kind != "Blank" and len(found.samples) < _SAMPLES:
                found.add_sample(value[:_LONGEST_SAMPLE])

    def merge(self, other: ColumnProfile, *, where: str) -> None:
        """Add what another has seen."""
        if self.lengths.count and other.lengths.count and self.declared != other.declared:
            self.declared = ""
        else:
            self.declared = self.declared or other.declared
        self.label = self.label or other.label
        self.lengths.merge(other.lengths)
        for kind, profile in other.kinds.items():
            self.kinds[kind].merge(profile)
        self.sketch.merge(other.sketch.to_bytes(), where=where)
        self.padded = self.padded or other.padded
        self.escaped = self.escaped or other.escaped
        self.forms += other.forms
        self.width = max(self.width, other.width)


@dataclass
class Profile:
    """A data set. ``formats`` holds the description of each input's format.

    ``rejected`` counts records that are no rows, by column and reason; ``rejected_values`` has a value for each.
    """

    files: int = 0
    marks: int = 0
    source_bytes: int = 0
    source_lines: int = 0
    rows: Spread = field(default_factory=Spread)
    widths: Spread = field(default_factory=Spread)
    formats: list[str] = field(default_factory=list)
    columns: dict[int, ColumnProfile] = field(default_factory=dict)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected_values: dict[tuple[str, str], str] = field(default_factory=dict)

    def reject(self, column: str, reason: str, value: str = "", times: int = 1) -> None:
        """Count records that are rejected for a column; ``value`` is one that stands there."""
        key = (column, reason)
        if key not in self.rejected and len(self.rejected) >= _MOST_REASONS:
            key, value = _OTHER_REASONS, ""
        self.rejected[key] += times
        if value:
            self.rejected_values.setdefault(key, value)

    def column(self, number: int) -> ColumnProfile:
        """The column of that number, from 1."""
        return self.columns.setdefault(number, ColumnProfile())

    def merge(self, other: Profile, *, where: str) -> None:
        """Add what another has seen."""
        self.files += other.files
        self.marks += other.marks
        self.source_bytes += other.source_bytes
        self.source_lines += other.source_lines
        self.rows.merge(other.rows)
        self.widths.merge(other.widths)
        for name in other.formats:
            self.add_format(name)
        for (name, reason), times in other.rejected.items():
            self.reject(name, reason, other.rejected_values.get((name, reason), ""), times)
        for number, column in other.columns.items():
            self.column(number).merge(column, where=where)

    def add_format(self, description: str) -> None:
        """Note the format of an input."""
        if description not in self.formats:
            self.formats.append(description)


def kind_of(value: bytes) -> tuple[str, int | float | None]:
    """The kind of a value without blanks around it, and its number if it is one.

    >>> [kind_of(value) for value in (b"7", b"1.5", b"10.0.0.1", b"x", b"")]
    [('Integer', 7), ('Float', 1.5), ('IP', None), ('String', None), ('Blank', None)]
    """
    if not value:
        return "Blank", None
    if _INTEGER.match(value):
        return "Integer", int(value)
    if _FLOAT.match(value):
        number = float(value)
        return ("Float", number) if abs(number) != float("inf") else ("String", None)
    if may_be_address(value):
        try:
            ipaddress.ip_address(value.decode("ascii"))
        except ValueError:
            return "String", None
        return "IP", None
    return "String", None


def can_be_labels(record: Sequence[bytes]) -> bool:
    """True if the first record may name the columns: it has no number or address, and is not blank.

    >>> can_be_labels([b"city", b""]), can_be_labels([b"Ngou", b"26"])
    (True, False)
    """
    kinds = {kind_of(value.strip())[0] for value in record}
    return "String" in kinds and kinds <= {"String", "Blank"}


# Storing: JSON, with bytes as base64. -------------------------------------------------------------------------------


def to_json(profile: Profile) -> dict[str, Any]:
    """A profile as JSON can hold it; ``from_json`` is the way back."""
    return {
        "loginf": _FORMAT_VERSION,
        "files": profile.files,
        "marks": profile.marks,
        "source_bytes": profile.source_bytes,
        "source_lines": profile.source_lines,
        "rows": _spread(profile.rows),
        "widths": _spread(profile.widths),
        "formats": profile.formats,
        "rejected": [[*key, profile.rejected_values.get(key, ""), times] for key, times in profile.rejected.items()],
        "columns": [
            {
                "number": number,
                "label": _text(column.label),
                "lengths": _spread(column.lengths),
                "padded": column.padded,
                "escaped": column.escaped,
                "forms": dict(column.forms),
                "width": column.width,
                "declared": column.declared,
                "sketch": _text(column.sketch.to_bytes()),
                "kinds": {
                    kind: {
                        "rows": found.rows,
                        "least": found.least,
                        "most": found.most,
                        "samples": [_text(sample) for sample in found.samples],
                        "binary": None if found.binary is None else _text(found.binary),
                    }
                    for kind, found in column.kinds.items()
                    if found.rows
                },
            }
            for number, column in sorted(profile.columns.items())
        ],
    }


def from_json(stored: Any, *, where: str) -> Profile:
    """The profile that ``to_json`` made this of.

    Raises:
        InputReadError: If it is something else.
    """
    try:
        if stored["loginf"] != _FORMAT_VERSION:
            raise InputReadError(f"its version {stored['loginf']} is unknown", where=where)
        profile = Profile(
            int(stored["files"]),
            int(stored["marks"]),
            int(stored["source_bytes"]),
            int(stored["source_lines"]),
            Spread(*map(int, stored["rows"])),
            Spread(*map(int, stored["widths"])),
            [str(name) for name in stored["formats"]],
        )
        for name, reason, value, times in stored.get("rejected", ()):
            profile.reject(str(name), str(reason), str(value), int(times))
        for entry in stored["columns"]:
            column = profile.column(int(entry["number"]))
            column.label = _bytes(entry["label"])
            column.lengths = Spread(*map(int, entry["lengths"]))
            column.padded = bool(entry["padded"])
            column.escaped = bool(entry.get("escaped", False))
            column.forms = Counter({name: int(entry.get("forms", {}).get(name, 0)) for name in FORMS})
            column.width = int(entry["width"])
            column.declared = str(entry.get("declared", ""))
            column.sketch.merge(_bytes(entry["sketch"]), where=where)
            for kind, found in entry["kinds"].items():
                binary = None if found["binary"] is None else _bytes(found["binary"])
                samples = [_bytes(sample) for sample in found["samples"]]
                column.kinds[kind].merge(
                    KindProfile(int(found["rows"]), found["least"], found["most"], samples, binary)
                )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise InputReadError("it is not what -o_raw writes", where=where) from error
    return profile


def _spread(spread: Spread) -> list[int]:
    return [spread.count, spread.least, spread.most, spread.total]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
