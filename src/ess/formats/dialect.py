"""Finding the layout of a file's records from a sample of its bytes.

Pure functions: bytes in, :class:`Dialect` out. The guess is made once, when a category is made,
and is careful: a column is only a number or an address if every non-blank value in the sample
is one, so a single ``TBD`` makes it a string column.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from ess.formats.delimiters import (
    Delimiter,
    find_delimiter,
    has_escapes,
    is_access_log,
    is_comment,
    is_quoted_record,
    quotes_in,
    split_lines,
)
from ess.formats.json_columns import json_columns
from ess.formats.titles import CATEGORY, is_title, is_words
from ess.formats.value_forms import Form, form_of, is_taken
from ess.schema import ColumnType

if TYPE_CHECKING:
    from ess.formats.known.definition import KnownFormat
    from ess.schema.columns import Column

_MOST_JOINED_LINES = 50
_MOST_SHOWN = 5
_MOST_RECORDS_TO_SPLIT = 2000
#: Up to this share of odd values in a column is dirt; with more it is just a string column.
_MOST_DIRT = 0.2
_DIGITS_OF_A_FLOAT = 17
#: Digits and a sign; longer ones fit no integer.
_MOST_DIGITS = 40
#: With a smaller share of real values among dashes and words a column is a string column.
LEAST_VALUES = 0.2
_VALUES = frozenset((Form.INTEGER, Form.FLOAT, Form.ZEROS, Form.ADDRESS))
_MARK = b"\xef\xbb\xbf"
#: A field of an access log whose escapes are left out.
_FIELD = re.compile(r'"[^"]*"|[^ ]+')
_ESCAPED = re.compile(r"\\.", re.DOTALL)

#: The formats of JSON objects and Parquet, as ``-f`` has them.
JSON, PARQUET = "jsn", "parquet"

#: Why no columns were found in files of these formats, and what to try.
_NO_COLUMNS = {
    "json": "the files hold JSON, so no columns were found; give them with --columnspec, and where each stands, e.g."
    " 's:name:user.name i:count:count'; then read with aq_pp -f,jsn - -d %cols",
    "xml": "the files hold XML, so no columns were found; give them with --columnspec, and where each stands, e.g."
    " 's:name:list.user[*].name'; then read with aq_pp -f,xml - -d %cols",
    "binary": "the data is binary, so no columns were found; --preprocess names a command that turns it into text",
    "empty": "the sampled files are empty, so no columns were found; give them with --columnspec",
}
_TIMELIKE = re.compile(r"[0-9]{1,4}[-/.:][0-9A-Za-z]{1,9}[-/.:][0-9]{1,4}")


@dataclass(frozen=True)
class Remark:
    """A column that is a string only because of some dirt, or of some leading zeros.

    ``type`` names the type of the other values, ``example`` is the most common odd value (its
    bytes as Latin-1), and ``share`` of the values that are not blank (0 to 1) are odd. They are
    ``zeros`` if a number column would take them, and lose their leading zeros; else it would reject them.
    """

    column: str
    type: str
    example: str
    share: float
    zeros: bool = False

    def __str__(self) -> str:
        """One sentence for a person."""
        percent = max(1, round(100 * self.share))
        if self.zeros:
            return (
                f"{self.column}: {percent} % of the sampled values, such as '{self.example}', have leading zeros, which"
                f" a number loses, so it is a string column; {self.type}:{self.column} makes them numbers"
            )
        what = "addresses" if self.type == "IP" else "numbers"
        return (
            f"{self.column}: {percent} % of the sampled values, such as '{self.example}', are not {what}, so it is a"
            f" string column; as {self.type}:{self.column} such records would be rejected"
        )


@dataclass(frozen=True)
class Dialect:
    """The layout of records.

    ``format`` is ``text`` (delimited, or one column a line), ``json``, ``xml``, ``binary`` or
    ``empty``. ``delimiter`` is one character, blank if there is one column or none.
    ``header`` says whether the first line names the columns. ``columns`` are column specs
    (``S:name``), none if the format is not ``text``. ``lines`` are the first lines as text,
    where bytes that are not UTF-8 stand as lone surrogates.
    ``remarks`` tell of columns that would have another type but for some dirt.
    ``doubt`` is a sentence that says why the delimiter may be another, or why there are no columns, and what to try;
    blank if all is clear.
    ``notes`` are sentences about what the reading of such files needs. ``escapes`` is true if a
    backslash in a quoted field makes the next character data, ``comments`` if lines that begin with
    ``#`` are no records. ``titles`` is the first record if it names the columns, and ``differing`` are the
    numbers of samples whose first record is another one, with that record. ``known`` is the name of the format, if it
    has one that was recognised, or ``jsn``.
    """

    format: str
    delimiter: str
    header: bool
    columns: tuple[str, ...]
    lines: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    doubt: str = ""
    notes: tuple[str, ...] = ()
    escapes: bool = False
    comments: bool = False
    titles: tuple[str, ...] = ()
    differing: tuple[tuple[int, tuple[str, ...]], ...] = ()
    known: str = ""


def find_dialect(
    samples: Sequence[bytes], *, delimiter: str | None = None, by_name: bool = True, named: str = ""
) -> Dialect:
    r"""The dialect of some files of one kind.

    Args:
        samples: The beginning of each file; a last line that is cut is not looked at if there
            are others. The first decides about delimiter and header, all about the types.
        delimiter: The delimiter, if it is known; no format is recognised then.
        by_name: Whether formats that have a name are recognised.
        named: The name of the format, if it is known.

    >>> find_dialect([b"day,count\n2014-09-01,7\n2014-09-02,TBD\n"]).columns
    ('S:day', 'S:count')
    """
    samples = [sample.removeprefix(_MARK) for sample in samples]
    lines = _first_lines(samples[0]) if samples else ()
    kind = _format(samples[0]) if samples else "empty"
    looked = by_name and delimiter is None and kind in ("text", "json")
    if looked and (known := _with_keys(named) or _known(samples)) is not None:
        return known_dialect(known, lines, samples)
    if kind == "json" and by_name and delimiter is None:
        columns, left_out = json_columns(samples, lambda values: _column_type(values)[0])
        if columns:
            return Dialect(kind, "", False, columns, lines, notes=_note_of_keys(left_out), known=JSON)
    if kind != "text":
        return Dialect(kind, delimiter or "", False, (), lines, doubt=_NO_COLUMNS[kind])
    texts = [_logical_lines(sample.decode("latin-1")) for sample in samples]
    found = find_delimiter(texts[0][:_MOST_RECORDS_TO_SPLIT])
    if delimiter is not None:
        found = Delimiter(delimiter)
    if is_access_log(texts[0][:_MOST_RECORDS_TO_SPLIT]):
        found = replace(found, escapes=found.text == " " and any(map(has_escapes, chain(*texts))))
    first, comments = _records(texts[0], found)
    width = Counter(map(len, first)).most_common(1)[0][0]
    header = _is_header(first, width)
    titles = tuple(first[0]) if header else ()
    body = [record for record in first[header:] if len(record) == width]
    differing: list[tuple[int, tuple[str, ...]]] = []
    for number, text in enumerate(texts[1:], 1):
        others, _ = _records(text, found)
        same = header and others[0] == first[0]
        titled = not same and _has_titles(others)
        if titled or (header and not same):
            differing.append((number, tuple(others[0])))
        if not titled:
            body += [record for record in others[same:] if len(record) == width]
    names = CATEGORY.names(titles or [""] * width)
    types = [_column_type([record[index] for record in body]) for index in range(width)]
    quoted = _escaped_columns([*chain(*texts)], width) if found.escapes else frozenset()
    columns = tuple(
        f"{kind.name}{',clf' if index in quoted and kind is ColumnType.S else ''}:{name}"
        for index, ((kind, _), name) in enumerate(zip(types, names, strict=True))
    )
    remarks = tuple(
        replace(remark, column=name) for (_, remark), name in zip(types, names, strict=True) if remark is not None
    )
    return Dialect(
        "text",
        found.text,
        header,
        columns,
        lines,
        remarks,
        found.doubt,
        notes=tuple(
            filter(
                None,
                (
                    _note_of_escapes(columns) if found.escapes else _note_of_quotes([*chain(*texts)], found.text),
                    _note_of_comments(texts[0], found.text, width, header),
                ),
            )
        ),
        escapes=found.escapes,
        comments=comments,
        titles=titles,
        differing=tuple(differing),
    )


def known_dialect(known: KnownFormat, lines: tuple[str, ...], samples: Sequence[bytes]) -> Dialect:
    """The dialect of files whose format has a name, with their first lines."""
    from ess.formats.attributes import parse_input_attributes
    from ess.formats.known.columns import columns_below
    from ess.formats.known.definition import Titles
    from ess.formats.known.head import titles_of

    found: list[tuple[str, ...]] = []
    columns = known.columns
    if known.titles is not Titles.NONE:
        attributes = parse_input_attributes([known.name], where="-f")
        found = [titles_of(sample, attributes) for sample in samples]
        columns = columns_below(list(dict.fromkeys(title for titles in found for title in titles)), known)
    if known.titles is Titles.KEYS:  # which keys a record has says nothing about its file
        columns, found = _typed_keys(columns, samples), []
    specs = tuple(f"{column.type.name}:{column.name}" for column in columns)
    differing = tuple((number, titles) for number, titles in enumerate(found) if titles and titles != found[0])
    titles = found[0] if found else ()
    plain = next((line for line in lines if not line.startswith("#")), "")
    delimiter = "\t" if titles and "\t" in plain else " "
    return Dialect("text", delimiter, False, specs, lines, known=known.name, titles=titles, differing=differing)


def _typed_keys(columns: Sequence[Column], samples: Sequence[bytes]) -> tuple[Column, ...]:
    """The columns of lines of ``key=value``, with the types of their values in the samples."""
    from ess.formats.known.logfmt import pairs_of

    values: dict[str, list[str]] = {}
    for sample in samples:
        for line in sample.splitlines()[:_MOST_RECORDS_TO_SPLIT]:
            for key, value in pairs_of(line) or ():
                values.setdefault(key.decode("utf-8", "surrogateescape"), []).append(value.decode("latin-1"))
    return tuple(replace(column, type=_column_type(values.get(column.path or "", []))[0]) for column in columns)


def _with_keys(name: str) -> KnownFormat | None:
    """The format of that name, if its records name their columns: these are found whatever form most lines have."""
    if not name:
        return None
    from ess.formats.known.definition import Titles
    from ess.formats.known.table import known_format

    known = known_format(name)
    return known if known is not None and known.titles is Titles.KEYS else None


def _known(samples: Sequence[bytes]) -> KnownFormat | None:
    """The format that all samples with lines have."""
    from ess.formats.known.recognition import recognised  # loads the table

    found: KnownFormat | None = None
    for sample in samples:
        lines = [line.removesuffix("\r") for line in sample.decode("latin-1").split("\n")[:_MOST_RECORDS_TO_SPLIT]]
        if len(lines) > 1:
            lines.pop()  # what follows the last line end: nothing, or a cut line
        if not any(lines):
            continue
        known = recognised(lines)
        if known is None or (found is not None and known is not found):
            return None
        found = known
    return found


def first_record(sample: bytes, dialect: Dialect) -> tuple[str, ...]:
    """The first record of a file of that dialect, comments left out; none if it has no line."""
    lines = _logical_lines(sample.removeprefix(_MARK).decode("latin-1"))
    kept = [line for line in lines if not is_comment(line, dialect.delimiter, len(dialect.columns))]
    if not kept or not kept[0]:
        return ()
    return tuple(split_lines(kept[:1], dialect.delimiter, escapes=dialect.escapes)[0])


def _records(lines: Sequence[str], found: Delimiter) -> tuple[list[list[str]], bool]:
    """The records of a text, and whether it has comments, which are left out."""
    plain = [line for line in lines if not line.startswith("#")]
    if not plain or len(plain) == len(lines):
        return split_lines(lines, found.text, escapes=found.escapes), False
    records = split_lines(plain, found.text, escapes=found.escapes)
    width = Counter(map(len, records)).most_common(1)[0][0]
    kept = [line for line in lines if not is_comment(line, found.text, width)]
    return split_lines(kept, found.text, escapes=found.escapes), len(kept) < len(lines)


def _has_titles(records: Sequence[Sequence[str]]) -> bool:
    """True if the first of several records names the columns."""
    return len(records) > 1 and _is_header(records, Counter(map(len, records)).most_common(1)[0][0])


def _escaped_columns(lines: Sequence[str], width: int) -> frozenset[int]:
    """The columns of an access log that stand in quotes in some line."""
    found: set[int] = set()
    for line in lines[:_MOST_RECORDS_TO_SPLIT]:
        fields = _FIELD.findall(_ESCAPED.sub("", line))
        if len(fields) == width:
            found.update(number for number, field in enumerate(fields) if field.startswith('"'))
    return frozenset(found)


def _note_of_keys(left_out: Sequence[str]) -> tuple[str, ...]:
    if not left_out:
        return ()
    shown = ", ".join(repr(key) for key in left_out[:_MOST_SHOWN]) + (", ..." if len(left_out) > _MOST_SHOWN else "")
    return (f"no column spec can hold the names of these keys, which are left out: {shown}",)


def _note_of_escapes(columns: Sequence[str]) -> str:
    names = [spec.partition(":")[2] for spec in columns if ",clf:" in spec]
    if not names:
        return ""
    return (
        f"a backslash escapes what stands behind it in {' '.join(names)}: these have the column attribute clf, which"
        " undoes that; give it to columns of your own, e.g. S,clf:request"
    )


def _note_of_quotes(lines: Sequence[str], delimiter: str) -> str:
    """A sentence, if some lines are records only where a backslash escapes quotes."""
    if not delimiter:
        return ""
    odd = (line for line in lines[:_MOST_RECORDS_TO_SPLIT] if '\\"' in line and not is_quoted_record(line, delimiter))
    if not any(is_quoted_record(_ESCAPED.sub("", line), delimiter) for line in odd):
        return ""
    return (
        "quotes within quoted fields are escaped by a backslash, and as plain csv such records are rejected; read them"
        " with the attribute esc, e.g. aq_pp -f,csv,esc"
    )


def _note_of_comments(lines: Sequence[str], delimiter: str, width: int, header: bool) -> str:
    comments = [is_comment(line, delimiter, width) for line in lines]
    if not any(comments) or all(comments):
        return ""
    leading = comments.index(False)
    if sum(comments) == leading:
        skip = leading + header
        return f"the first {leading} lines begin with '#' and are no records; skip them in a command: -f,+{skip}"
    return "lines that begin with '#' are no records; leave them out in a command, e.g. with -f,eok"


def _first_lines(sample: bytes, count: int = 5, longest: int = 1000) -> tuple[str, ...]:
    lines = sample.split(b"\n", count)[:count]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(line.rstrip(b"\r")[:longest].decode("utf-8", "surrogateescape") for line in lines)


def _format(sample: bytes) -> str:
    start = sample.lstrip()
    if not start:
        return "empty"
    odd = sum(sample.count(bytes([code])) for code in range(32) if code not in (1, 9, 10, 12, 13, 27))
    if odd * 20 > len(sample):
        return "binary"
    if start[:1] in b"{[":
        first = start.split(b"\n", 1)[0]
        try:
            json.loads(first)
            return "json"
        except ValueError:
            return "json" if re.match(rb'[{\[]\s*(["{\[]|\Z)', start) else "text"
    return "xml" if re.match(rb"<(\?xml|!DOCTYPE|[A-Za-z][^>]*>)", start) else "text"


def _logical_lines(text: str) -> list[str]:
    """Lines, joined where a quoted field holds a line end; a cut last line and empty lines are left out."""
    lines = text.split("\n")
    if len(lines) > 1:
        lines.pop()  # what follows the last line end: nothing, or a cut line
    lines = [line.removesuffix("\r") for line in lines]
    joined: list[str] = []
    at = 0
    while at < len(lines):
        quotes, end = quotes_in(lines[at]), at + 1
        while quotes % 2 and end < min(len(lines), at + _MOST_JOINED_LINES):
            quotes += quotes_in(lines[end])
            end += 1
        if quotes % 2:
            end = at + 1  # a stray quote costs its own line only
        if lines[at]:
            joined.append("\n".join(lines[at:end]))
        at = end
    return joined or [""]


def _is_header(records: Sequence[Sequence[str]], width: int) -> bool:
    """True if the first record names the columns: unlike the others, words and no values."""
    first = [field.strip() for field in records[0]]
    if len(first) != width or len({field.lower() for field in first}) != width:
        return False
    if not all(is_title(field) or (not field and index == 0) for index, field in enumerate(first)):
        return False
    if any(_is_value(field) for field in first):
        return False
    body = [record for record in records[1:] if len(record) == width]
    if not body:
        return width > 1 or is_words(first[0])
    for index in range(width):
        values = [value for value in (record[index].strip() for record in body) if value]
        if values and sum(_is_value(value) for value in values) * 2 > len(values):
            return True
    if width == 1 or not all(is_words(field) for field in first if field):
        return False
    return all(first[index] not in {record[index].strip() for record in body} for index in range(width))


def _is_value(text: str) -> bool:
    return bool(_TIMELIKE.match(text)) or form_of(text.encode("latin-1")) in _VALUES


def _column_type(values: Sequence[str]) -> tuple[ColumnType, Remark | None]:
    """The narrowest type whose reader takes all values that are not blank, and the one that a little dirt prevented."""
    counts = Counter(value for value in values if value)
    forms = {value: form_of(value.encode("latin-1")) for value in counts}
    total = counts.total()
    clean = [value for value, form in forms.items() if form in _VALUES]
    fitting = _clean_type(clean, forms)
    if fitting is ColumnType.S or sum(counts[value] for value in clean) < LEAST_VALUES * total:
        return ColumnType.S, None
    odd = [value for value in counts if not is_taken(value.encode("latin-1"), fitting)]
    zeros = [value for value in clean if forms[value] is Form.ZEROS]
    if not odd and (not zeros or fitting is ColumnType.IP):
        return fitting, None
    reason = odd or zeros
    share = sum(counts[value] for value in reason) / total
    if share > _MOST_DIRT:
        return ColumnType.S, None
    example = max(reason, key=counts.__getitem__)
    return ColumnType.S, Remark("", fitting.name, example, share, zeros=not odd)


def _clean_type(values: Sequence[str], forms: Mapping[str, Form]) -> ColumnType:
    """The narrowest type of values that are numbers or addresses; S if they are both, or there are none."""
    addresses = sum(forms[value] is Form.ADDRESS for value in values)
    if addresses or not values:
        return ColumnType.IP if values and addresses == len(values) else ColumnType.S
    if Form.WORD in forms.values() or not all(value.lstrip("+-").isdigit() for value in values):
        # long identifiers among fractions would lose digits
        exact = all(sum(map(str.isdigit, value)) <= _DIGITS_OF_A_FLOAT for value in values)
        return ColumnType.F if exact else ColumnType.S
    if max(map(len, values)) > _MOST_DIGITS:
        return ColumnType.S
    numbers = [int(value) for value in values]
    low, high = min(numbers), max(numbers)
    # Half of a 32-bit range is left for values that the sample does not show.
    if low >= 0:
        return ColumnType.I if high < 2**31 else ColumnType.L if high < 2**64 else ColumnType.S
    if low >= -(2**30) and high < 2**30:
        return ColumnType.IS
    return ColumnType.LS if low >= -(2**63) and high < 2**63 else ColumnType.S
