"""Reading an input whose columns are not known yet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import BinaryIO

from ess.errors import InputDataError
from ess.formats.attributes import Format, InputAttributes, parse_input_attributes
from ess.formats.columns import InputColumns, parse_input_columns
from ess.formats.delimiters import is_comment
from ess.formats.dialect import Dialect, find_dialect
from ess.formats.known.columns import columns_below
from ess.formats.known.definition import KnownFormat, Titles
from ess.formats.known.head import titles_of
from ess.formats.raw import RECORD, read_raw_stream, split_fields
from ess.formats.text_source import TextSource
from ess.schema.columns import Column
from ess.tools.loginf.profile import Profile, can_be_labels
from ess.tools.loginf.typed_source import FORMATS, analyse_binary, analyse_table, sizes

#: How much of an input decides about its format.
SAMPLE_BYTES = 256 << 10

_BINARY_START = b"\xff\xff\xff\xff"
_LEAST_FIXED_LINES = 3
#: Formats that are named but not analysed.
_NOT_ANALYSED = {"json": "JSON", "xml": "XML", "binary": "Binary"}
_BINARY = "Aq Tool Binary"
_TABLE = "HTML Table"


@dataclass(frozen=True)
class Shape:
    """The way to read an input.

    Args:
        description: What ``-o_typ`` prints.
        attributes: How records are told apart; None if there is nothing to analyse.
        titled: Whether the first record labels the columns.
        widths: Of fixed-width columns; none otherwise.
        whole: Whether a record is one column.
        escaped: The numbers of columns, from 1, in which a backslash escapes what stands behind it.
        fields: If lines that begin with ``#`` are no records: how many fields a record has.
    """

    description: str
    attributes: InputAttributes | None
    titled: bool
    widths: tuple[int, ...] = ()
    whole: bool = False
    escaped: frozenset[int] = frozenset()
    fields: int = 0


@dataclass(frozen=True)
class Request:
    """The request for an analysis.

    Args:
        attributes: Those of ``-f``.
        automatic: Whether the format is to be found.
        titled: Whether the first record labels the columns, if the format is given.
        limit: How many records of each file, at most; None for all.
        columns: The numbers of the columns, from 1; none for all.
        most_columns: How many columns a record may have.
        declared: The columns, if they are told; the others of these are not looked at then, but for the limit.
    """

    attributes: InputAttributes
    automatic: bool
    titled: bool
    limit: int | None
    columns: frozenset[int]
    most_columns: int
    declared: InputColumns | None = None


class Counted:
    """A stream that counts what is read, and leaves out a byte order mark."""

    def __init__(self, stream: BinaryIO, name: str, encoding: str) -> None:
        self._stream = source = TextSource(stream, name, encoding)
        self._ahead = b""
        self._last = b""
        self.bytes = 0
        self.line_ends = 0
        self.marked = False
        self.sample(1)
        if source.mark:
            self.marked = True
            self.bytes += len(source.mark)

    @property
    def lines(self) -> int:
        """The number of lines read; a last one without line end counts."""
        return self.line_ends + (self._last not in (b"", b"\n"))

    def sample(self, size: int) -> bytes:
        """The next ``size`` bytes, which stay to be read."""
        while len(self._ahead) < size and (piece := self._stream.read(size - len(self._ahead))):
            self._ahead += piece
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """The next bytes."""
        if self._ahead:
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            piece = self._stream.read(size)
        self.bytes += len(piece)
        self.line_ends += piece.count(b"\n")
        self._last = piece[-1:] or self._last
        return piece


def analyse(stream: BinaryIO, name: str, request: Request, profile: Profile, say: Callable[[str], None]) -> None:
    """Add an input to a profile.

    Args:
        stream: Its decompressed bytes.
        name: Its name, for messages.
        request: What is to be analysed.
        profile: What is added to.
        say: Gets messages about records that cannot be read.

    Raises:
        InputDataError: If a record has too many columns.
    """
    counted = Counted(stream, name, request.attributes.encoding)
    if request.declared is not None:
        from ess.tools.loginf.declared_source import analyse_declared  # loads the columns

        plain = replace(request.attributes, encoding="")
        analyse_declared(counted, name, plain, request.declared, profile, request.limit)
        profile.files += 1
        profile.marks += counted.marked
        profile.add_format(f"{plain.format.value} as declared")
        profile.source_bytes += counted.bytes
        profile.source_lines += counted.lines
        return
    request = replace(request, attributes=replace(request.attributes, encoding=""))  # it is text from here on
    attributes, found = request.attributes, None
    if request.automatic and (found := find_named(counted.sample(SAMPLE_BYTES))) is not None:
        attributes = parse_input_attributes([found.known], where="-f")
    if attributes.known is not None and not request.columns:
        from ess.tools.loginf.declared_source import analyse_declared  # loads the columns

        if found is not None:
            columns = parse_input_columns(found.columns, attributes, where="-f")
        else:
            columns = InputColumns(columns_of(attributes.known, attributes, counted.sample(SAMPLE_BYTES)))
        analyse_declared(counted, name, attributes, columns, profile, request.limit)
        profile.files += 1
        profile.marks += counted.marked
        profile.add_format(attributes.known.name)
        profile.source_bytes += counted.bytes
        profile.source_lines += counted.lines
        return
    shape = find_shape(counted.sample(SAMPLE_BYTES), request) if request.automatic else given_shape(request)
    profile.files += 1
    profile.marks += counted.marked
    profile.add_format(shape.description)
    if shape.attributes is None:
        while counted.read(1 << 20):
            pass
    elif shape.attributes.format in FORMATS:
        add = _Adder(request, profile, name)
        if shape.attributes.format is Format.TABLE:
            analyse_table(counted, name, shape.attributes, profile, add, titled=shape.titled, say=say)
        else:
            analyse_binary(counted, name, shape.attributes, profile, add)
    else:
        _analyse_records(counted, name, shape, shape.attributes, request, profile, say)
    profile.source_bytes += counted.bytes
    profile.source_lines += counted.lines


def given_shape(request: Request) -> Shape:
    """The shape that the attributes describe."""
    if request.attributes.format is Format.TABLE:
        return Shape(_TABLE, request.attributes, request.titled)
    if request.attributes.format in FORMATS:
        return Shape(_BINARY, request.attributes, titled=False)
    return Shape(_separated(request.attributes), request.attributes, request.titled)


def find_named(sample: bytes) -> Dialect | None:
    """The dialect of an input by its beginning, if its format has a name."""
    found = find_dialect([sample])
    return found if found.known else None


def columns_of(known: KnownFormat, attributes: InputAttributes, sample: bytes) -> tuple[Column, ...]:
    """The columns of an input of that format, from its titles if it has some."""
    return known.columns if known.titles is Titles.NONE else columns_below(titles_of(sample, attributes), known)


def find_shape(sample: bytes, request: Request) -> Shape:
    """The shape that the beginning of an input suggests."""
    attributes = request.attributes
    if sample.startswith(_BINARY_START):
        return Shape(_BINARY, replace(attributes, format=Format.AQ), titled=False)
    if re.search(rb"<t[dh][\s>]", sample, re.IGNORECASE) and re.search(rb"</tr\s*>", sample, re.IGNORECASE):
        return Shape(_TABLE, replace(attributes, format=Format.TABLE), titled=False)
    found = find_dialect([sample], by_name=False)
    if found.format in _NOT_ANALYSED:
        return Shape(_NOT_ANALYSED[found.format], None, titled=False)
    if found.delimiter in ("", " "):
        widths = fixed_widths(sample)
        if widths:
            return Shape("Fixed-Width", replace(attributes, quoted=False), titled=False, widths=widths)
    if not found.delimiter:
        whole = replace(attributes, quoted=False, separator=b"\n")
        return Shape(_separated(whole), whole, found.header and request.titled, whole=True)
    separator = found.delimiter.encode("latin-1")
    fields = len(found.columns) if found.comments else 0
    quoted = separator == b"," or separator + b'"' in sample or b'"' + separator in sample
    chosen = replace(attributes, separator=separator, quoted=quoted, escape=attributes.escape or found.escapes)
    escaped = frozenset(number for number, spec in enumerate(found.columns, 1) if ",clf:" in spec)
    return Shape(_separated(chosen), chosen, found.header and request.titled, escaped=escaped, fields=fields)


def fixed_widths(sample: bytes) -> tuple[int, ...]:
    r"""The widths of blank-padded columns, if all lines are such; none otherwise.

    >>> fixed_widths(b"ann   10\nbob    7\nzoe 1000\n")
    (4, 4)
    """
    lines = [line.rstrip(b"\r") for line in sample.split(b"\n")[:-1]][:2000]
    if len(lines) < _LEAST_FIXED_LINES or len(set(map(len, lines))) != 1:
        return ()
    blank = [all(line[at] == 0x20 for line in lines) for at in range(len(lines[0]))]
    starts = [at for at in range(len(blank)) if not blank[at] and (at == 0 or blank[at - 1])]
    padded = sum(b"  " in line for line in lines)
    if len(starts) < 2 or (padded * 2 < len(lines) and not any(line.endswith(b" ") for line in lines)):
        return ()
    starts[0] = 0
    return tuple(after - start for start, after in zip(starts, [*starts[1:], len(blank)], strict=True))


def _separated(attributes: InputAttributes) -> str:
    if attributes.separator == b"," and attributes.quoted:
        return "CSV"
    byte = attributes.separator
    escapes = {b"\n": "\\n", b"\t": "\\t", b"\\": "\\\\", b'"': '\\"'}
    shown = escapes.get(byte) or (byte.decode("ascii") if 32 <= byte[0] < 127 else f"\\x{byte[0]:02x}")
    return f'"{shown}" Separated' + (" CSV" if attributes.quoted else "")


def _analyse_records(
    stream: Counted,
    name: str,
    shape: Shape,
    attributes: InputAttributes,
    request: Request,
    profile: Profile,
    say: Callable[[str], None],
) -> None:
    labels: list[bytes] | None = None
    unreadable = 0
    left = request.limit
    for batch in read_raw_stream(stream, name, attributes):
        if batch.rejects and not unreadable:
            say(f"{name}: record {batch.rejects[0].record} is left out: {batch.rejects[0].reason}")
        unreadable += len(batch.rejects)
        records = batch.frame.get_column(RECORD).to_list()
        if shape.fields:
            separator = attributes.separator.decode("latin-1")
            records = [each for each in records if not _is_comment(each, separator, shape.fields)]
        if shape.titled and labels is None and records:
            first = next(_split(records[:1], shape, attributes))
            labels = first if can_be_labels(first) else []
            records = records[bool(labels) :]
        if left is not None:
            records = records[:left]
            left -= len(records)
        _add_records(records, shape, attributes, request, profile, name)
        if left == 0:
            break
    if unreadable > 1:
        say(f"{name}: {unreadable} records are left out")
    for number, column in profile.columns.items():
        if labels is not None and number <= len(labels) and not column.label:
            column.label = labels[number - 1]
        column.escaped = column.escaped or number in shape.escaped
        if number <= len(shape.widths):
            column.width = shape.widths[number - 1]


def _is_comment(record: bytes, separator: str, fields: int) -> bool:
    return record.startswith(b"#") and is_comment(record.decode("latin-1").rstrip("\r\n"), separator, fields)


def _add_records(
    records: Sequence[bytes], shape: Shape, attributes: InputAttributes, request: Request, profile: Profile, name: str
) -> None:
    for size, times in Counter(map(len, records)).items():
        profile.rows.add(size, times)
    _add_values(list(_split(records, shape, attributes)), request, profile, name)


def _add_values(rows: Sequence[Sequence[bytes]], request: Request, profile: Profile, name: str) -> None:
    for width, times in Counter(map(len, rows)).items():
        if width > request.most_columns:
            raise InputDataError(
                f"a record has {width} columns, more than {request.most_columns}",
                where=name,
                hint="allow more by -cmax",
            )
        profile.widths.add(width, times)
    for number, values in enumerate(zip_longest(*rows), 1):
        if not request.columns or number in request.columns:
            profile.column(number).add([value for value in values if value is not None])


class _Adder:
    """Adds rows of values to a profile, up to the limit of the request."""

    def __init__(self, request: Request, profile: Profile, name: str) -> None:
        self._request = request
        self._profile = profile
        self._name = name
        self._left = request.limit

    def __call__(self, rows: Sequence[Sequence[bytes]]) -> None:
        if self._left is not None:
            rows = rows[: self._left]
            self._left -= len(rows)
        for size, times in sizes(rows).items():
            self._profile.rows.add(size, times)
        _add_values(rows, self._request, self._profile, self._name)


def _split(records: Sequence[bytes], shape: Shape, attributes: InputAttributes) -> Iterator[list[bytes]]:
    if shape.whole:
        return ([record.rstrip(b"\n").removesuffix(b"\r")] for record in records)
    if shape.widths:
        return (_slices(record.rstrip(b"\n").removesuffix(b"\r"), shape.widths) for record in records)
    return split_fields(records, attributes)


def _slices(line: bytes, widths: Sequence[int]) -> list[bytes]:
    fields: list[bytes] = []
    at = 0
    for width in widths:
        fields.append(line[at : at + width].strip(b" "))
        at += width
    return fields
