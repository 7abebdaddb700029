"""Finding the layout of a file's records from a sample of its bytes.

Pure functions: bytes in, :class:`Dialect` out. The guess is made once, when a category is made,
and is careful: a column is only a number or an address if every non-blank value in the sample
is one, so a single ``TBD`` makes it a string column.
"""

from __future__ import annotations

import csv
import ipaddress
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ess.formats.titles import CATEGORY, is_title, is_words
from ess.schema import ColumnType

#: Delimiters in the order they are preferred when several fit.
_DELIMITERS = (",", "\t", "|", ";", "\x01", " ", ":")
#: Delimiters that are so rare that they need all lines and three columns.
_RARE_DELIMITERS = ("+", "^", "~", "#", "&", "!", "*")
#: The first words of Apache's common and combined log format, which is divided by blanks.
_ACCESS_LOG = re.compile(r'\S+ \S+ \S+ \[[^\]"]+\] "')
#: A quoted field, where quotes may be doubled or escaped by a backslash.
_QUOTED = re.compile(r'(?:^|(?<=[,\t|;\x01 :]))"(?:[^"\\]|\\.|"")*"', re.DOTALL)
#: Delimiters with less than this share of equally long records are a guess, with less than the lower one none.
_SURE = 0.8
_LIKELY = 0.7
_MOST_JOINED_LINES = 50
_MOST_RECORDS_TO_SPLIT = 2000
#: Up to this share of odd values in a column is dirt; with more it is just a string column.
_MOST_DIRT = 0.2
_DIGITS_OF_A_FLOAT = 17

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})\Z")
_FLOAT = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z")
_TIMELIKE = re.compile(r"[0-9]{1,4}[-/.:][0-9A-Za-z]{1,9}[-/.:][0-9]{1,4}")


@dataclass(frozen=True)
class Remark:
    """A column that is a string only because of some dirt.

    ``type`` names the type of the other values, ``example`` is the most common odd value (its
    bytes as Latin-1), and ``share`` of the values that are not blank (0 to 1) are odd.
    """

    column: str
    type: str
    example: str
    share: float

    def __str__(self) -> str:
        """One sentence for a person."""
        percent = max(1, round(100 * self.share))
        what = "addresses" if self.type == "IP" else "numbers"
        return (
            f"{self.column}: {percent} % of the sampled values, such as '{self.example}', are no {what}, so it is a"
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
    ``doubt`` is a sentence that says why the delimiter may be another, and what to try; blank if it is clear.
    """

    format: str
    delimiter: str
    header: bool
    columns: tuple[str, ...]
    lines: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    doubt: str = ""


def find_dialect(samples: Sequence[bytes], *, delimiter: str | None = None) -> Dialect:
    r"""The dialect of some files of one kind.

    Args:
        samples: The beginning of each file; a last line that is cut is not looked at if there
            are others. The first decides about delimiter and header, all about the types.
        delimiter: The delimiter, if it is known.

    >>> find_dialect([b"day,count\n2014-09-01,7\n2014-09-02,TBD\n"]).columns
    ('S:day', 'S:count')
    """
    lines = _first_lines(samples[0]) if samples else ()
    kind = _format(samples[0]) if samples else "empty"
    if kind != "text":
        return Dialect(kind, delimiter or "", False, (), lines)
    texts = [_logical_lines(sample.decode("latin-1").removeprefix("ï»¿")) for sample in samples]
    chosen, doubt = (delimiter, "") if delimiter is not None else _find_delimiter(texts[0][:_MOST_RECORDS_TO_SPLIT])
    first = _split(texts[0], chosen)
    width = Counter(len(record) for record in first).most_common(1)[0][0]
    header = _is_header(first, width)
    body = [record for record in first[header:] if len(record) == width]
    for text in texts[1:]:
        others = _split(text, chosen)
        body += [record for record in others[header and others[:1] == first[:1] :] if len(record) == width]
    names = CATEGORY.names(first[0] if header else [""] * width)
    types = [_column_type([record[index] for record in body]) for index in range(width)]
    columns = tuple(f"{kind.name}:{name}" for (kind, _), name in zip(types, names, strict=True))
    remarks = tuple(
        replace(remark, column=name) for (_, remark), name in zip(types, names, strict=True) if remark is not None
    )
    return Dialect("text", chosen, header, columns, lines, remarks, doubt)


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
        quotes, end = lines[at].count('"'), at + 1
        while quotes % 2 and end < min(len(lines), at + _MOST_JOINED_LINES):
            quotes += lines[end].count('"')
            end += 1
        if quotes % 2:
            end = at + 1  # a stray quote costs its own line only
        if lines[at]:
            joined.append("\n".join(lines[at:end]))
        at = end
    return joined or [""]


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    if not delimiter:
        return [[line] for line in lines]
    records: list[list[str]] = []
    for line in lines:
        if '"' not in line:
            records.append(line.split(delimiter))
            continue
        try:
            records.append(next(csv.reader([line], delimiter=delimiter)))
        except (csv.Error, StopIteration):
            continue  # a field too long for the csv module says nothing about the dialect
    return records or [[""]]


def _find_delimiter(lines: Sequence[str]) -> tuple[str, str]:
    """The delimiter that splits most lines into the same number of fields, blank if none does; and a doubt about it."""
    if sum(_ACCESS_LOG.match(line) is not None for line in lines) >= _SURE * len(lines):
        return " ", _doubt_of_escapes(lines)
    shares: dict[str, float] = {}
    unquoted = [_QUOTED.sub('""', line) if '"' in line else line for line in lines]
    for delimiter in _DELIMITERS:
        counts: Counter[int] = Counter()
        for line, rest in zip(lines, unquoted, strict=True):
            divides = delimiter in rest or (delimiter in line and _is_quoted_record(line, delimiter))
            counts.update(map(len, _split([line], delimiter)) if divides else (1,))
        width, count = counts.most_common(1)[0]
        if width > 1:
            shares[delimiter] = count / counts.total()
    good = [delimiter for delimiter, share in shares.items() if share >= _SURE]
    if good:
        return good[0], ""
    for delimiter in _RARE_DELIMITERS:
        widths = {line.count(delimiter) + 1 for line in unquoted}
        if len(lines) > 1 and len(widths) == 1 and min(widths) > 2:
            return delimiter, ""
    # dirty data may have many odd records, but spaces and colons are in any prose
    best = max((delimiter for delimiter in shares if delimiter not in " :"), key=shares.__getitem__, default="")
    if not best or shares[best] < 0.5:
        return "", ""
    fits = (
        f"divided by {_named(best)}, {round(100 * shares[best])} % of the sampled lines have the same number of fields"
    )
    if shares[best] >= _LIKELY:
        return best, f"the delimiter is a guess: {fits}; if it is wrong, give it with --delimiter"
    return "", f"no delimiter was found, so a line is one column: {fits}; if that is it, give it with --delimiter"


def _doubt_of_escapes(lines: Sequence[str]) -> str:
    if not any('\\"' in line for line in lines):
        return ""
    return (
        "quotes within quoted fields are escaped by a backslash, and as plain csv such records are rejected; read them"
        " with the attribute esc, e.g. aq_pp -f,csv,sep=' ',esc,eok"
    )


def _named(delimiter: str) -> str:
    return f"'{delimiter}'" if delimiter.isprintable() else f"'\\x{ord(delimiter):02x}'"


def _is_quoted_record(line: str, delimiter: str) -> bool:
    r"""True if quotes are only around whole fields of ``line``, so that ``"C:\","x"`` has two of them."""
    inner = re.escape(delimiter)
    field = f'(?:"(?:[^"]|"")*"|[^"{inner}]*)'
    return re.fullmatch(f"{field}(?:{inner}{field})+", line) is not None


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
    return bool(_FLOAT.match(text) or _TIMELIKE.match(text) or text.isdigit() or _is_address(text))


def _is_address(text: str) -> bool:
    if not (text.count(".") == 3 or text.count(":") >= 2):
        return False
    try:
        ipaddress.ip_address(text)
        return "%" not in text
    except ValueError:
        return False


def _column_type(values: Sequence[str]) -> tuple[ColumnType, Remark | None]:
    """The narrowest type that takes every value, and the one that a little dirt prevented; blanks are ignored."""
    filled = [value for value in values if value]
    odd: list[str] = []
    clean: list[str] = []
    for value in filled:
        (clean if _FLOAT.match(value) or _is_address(value) else odd).append(value)
    fitting = _clean_type(clean)
    if not odd:
        return fitting, None
    if fitting is ColumnType.S or len(odd) > _MOST_DIRT * len(filled):
        return ColumnType.S, None
    return ColumnType.S, Remark("", fitting.name, Counter(odd).most_common(1)[0][0], len(odd) / len(filled))


def _clean_type(values: Sequence[str]) -> ColumnType:
    """The narrowest type of values that are numbers or addresses; S if they are both, or there are none."""
    addresses = sum(_is_address(value) for value in values)
    if addresses or not values:
        return ColumnType.IP if values and addresses == len(values) else ColumnType.S
    if not all(_INTEGER.match(value) for value in values):
        # long identifiers among fractions would lose digits
        exact = all(sum(map(str.isdigit, value)) <= _DIGITS_OF_A_FLOAT for value in values)
        return ColumnType.F if exact else ColumnType.S
    numbers = [int(value) for value in values]
    low, high = min(numbers), max(numbers)
    # Half of a 32-bit range is left for values that the sample does not show.
    if low >= 0:
        return ColumnType.I if high < 2**31 else ColumnType.L if high < 2**64 else ColumnType.S
    if low >= -(2**30) and high < 2**30:
        return ColumnType.IS
    return ColumnType.LS if low >= -(2**63) and high < 2**63 else ColumnType.S
