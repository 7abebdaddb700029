"""Finding the delimiter of records: the one that divides most lines into most columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ess.formats.value_forms import Form, form_of

#: Delimiters in the order they are preferred when several fit equally well.
_STRONG = (",", "\t", "|", ";", "\x01")
#: These stand within many a field, too.
_WEAK = (" ", ":")
#: Delimiters that are so rare that they need all lines and three columns.
_RARE_DELIMITERS = ("+", "^", "~", "#", "&", "!", "*")
#: What is found in prose and in one field of a log, so that a weak delimiter may be the right one.
_IN_TEXT = frozenset(",|;")
#: The first words of Apache's common and combined log format, maybe behind a virtual host, which is divided by blanks.
_ACCESS_LOG = re.compile(r'(?:\S+ ){3,4}\[[^\]"]+\] "')
_ESCAPED = re.compile(r"\\.", re.DOTALL)
#: A quoted field, where quotes may be doubled or escaped by a backslash.
_QUOTED = re.compile(r'(?:^|(?<=[,\t|;\x01 :]))"(?:[^"\\]|\\.|"")*"', re.DOTALL)
#: The directives of W3C logs.
_DIRECTIVE = re.compile(r"#(?:Version|Fields|Software|Date|Start-Date|End-Date|Remark|GMT-Offset):", re.IGNORECASE)
_DATE = re.compile(
    r"[0-9]{1,4}[-/.][0-9A-Za-z]{1,9}[-/.][0-9]{1,4}(?:[T ,]+[0-9:.]+)?|[0-9]{1,2}:[0-9]{2}(?::[0-9.]+)?"
)
_WRITTEN_DATE = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?(?:[0-9]{1,2}[ -])?"
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -][0-9].*",
    re.IGNORECASE,
)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_LONGEST_DATE = 40
#: Delimiters with less than this share of equally long records are a guess, with less than the lower one none.
_SURE = 0.8
_LIKELY = 0.7
_MOST_LINES_TO_COMPARE = 200


@dataclass(frozen=True)
class Delimiter:
    """The delimiter, blank if there is none.

    ``doubt`` is a sentence about it, blank if it is clear. ``escapes`` is true if a backslash in a
    quoted field makes the next character data.
    """

    text: str
    doubt: str = ""
    escapes: bool = False


def is_access_log(lines: Sequence[str]) -> bool:
    """True if most of the lines are those of an access log."""
    return sum(_ACCESS_LOG.match(line) is not None for line in lines) >= _SURE * len(lines)


def has_escapes(line: str) -> bool:
    """True if a line of an access log has a quote or byte that is escaped by a backslash."""
    return '\\"' in line or "\\x" in line


def quotes_in(line: str) -> int:
    """The number of double quotes in a line; escaped ones of an access log do not count."""
    return (_ESCAPED.sub("", line) if "\\" in line and _ACCESS_LOG.match(line) else line).count('"')


def is_comment(line: str, delimiter: str, width: int) -> bool:
    """True if a line begins with ``#`` and is no record of ``width`` fields, or is a directive of a W3C log.

    >>> is_comment("#Fields: date time", " ", 3), is_comment("#id,name", ",", 2), is_comment("# by hand", ",", 2)
    (True, False, True)
    """
    if not line.startswith("#"):
        return False
    return _DIRECTIVE.match(line) is not None or len(split_lines([line], delimiter)[0]) != width


def split_lines(lines: Sequence[str], delimiter: str, *, escapes: bool = False) -> list[list[str]]:
    """The fields of each line; a blank delimiter leaves it whole."""
    if not delimiter:
        return [[line] for line in lines]
    records: list[list[str]] = []
    escape = "\\" if escapes else None
    for line in lines:
        if '"' not in line:
            records.append(line.split(delimiter))
            continue
        try:
            records.append(next(csv.reader([line], delimiter=delimiter, escapechar=escape)))
        except (csv.Error, StopIteration):
            continue  # a field too long for the csv module says nothing about the dialect
    return records or [[""]]


def find_delimiter(lines: Sequence[str]) -> Delimiter:
    """The delimiter that divides most lines into the same number of fields, and into more than others do."""
    lines = [line for line in lines if not line.startswith("#")] or lines
    if is_access_log(lines):
        return Delimiter(" ", escapes=any(map(has_escapes, lines)))
    shares, widths = _shares(lines)
    good = [delimiter for delimiter, share in shares.items() if share >= _SURE]
    if good == [":"] and _tears_values(lines, widths[":"]):
        good = []
    if good:
        return Delimiter(good[0] if len(good) == 1 else _best(lines, good, shares, widths))
    unquoted = [_QUOTED.sub('""', line) if '"' in line else line for line in lines]
    for delimiter in _RARE_DELIMITERS:
        counts = {line.count(delimiter) + 1 for line in unquoted}
        if len(lines) > 1 and len(counts) == 1 and min(counts) > 2:
            return Delimiter(delimiter)
    # dirty data may have many odd records, but spaces and colons are in any prose
    best = max((delimiter for delimiter in shares if delimiter in _STRONG), key=shares.__getitem__, default="")
    if not best or shares[best] < 0.5:
        return Delimiter("")
    fits = (
        f"divided by {_named(best)}, {round(100 * shares[best])} % of the sampled lines have the same number of fields"
    )
    if shares[best] >= _LIKELY:
        return Delimiter(best, f"the delimiter is a guess: {fits}; if it is wrong, give it with --delimiter")
    return Delimiter(
        "", f"no delimiter was found, so a line is one column: {fits}; if that is it, give it with --delimiter"
    )


def _shares(lines: Sequence[str]) -> tuple[dict[str, float], dict[str, int]]:
    """For each delimiter that divides lines: the share with the most frequent number of fields, and that number."""
    shares: dict[str, float] = {}
    widths: dict[str, int] = {}
    unquoted = [_QUOTED.sub('""', line) if '"' in line else line for line in lines]
    for delimiter in (*_STRONG, *_WEAK):
        counts: Counter[int] = Counter()
        for line, rest in zip(lines, unquoted, strict=True):
            divides = delimiter in rest or (delimiter in line and is_quoted_record(line, delimiter))
            counts.update(map(len, split_lines([line], delimiter)) if divides else (1,))
        width, count = counts.most_common(1)[0]
        if width > 1:
            shares[delimiter] = count / counts.total()
            widths[delimiter] = width
    return shares, widths


def _best(lines: Sequence[str], good: Sequence[str], shares: Mapping[str, float], widths: Mapping[str, int]) -> str:
    """The one of several delimiters that makes most columns, counting values twice and torn values against it."""
    typed: dict[str, int] = {}
    scores: dict[str, float] = {}
    for delimiter in good:
        records = split_lines(lines[:_MOST_LINES_TO_COMPARE], delimiter)
        records = [record for record in records if len(record) == widths[delimiter]]
        others = [other for other in good if other != delimiter]
        columns = [[field for field in column if field] for column in zip(*records, strict=True)]
        typed[delimiter] = sum(_most(column, _is_value) for column in columns)
        glued = sum(_most(column, partial(_is_glued, others=others)) for column in columns)
        scores[delimiter] = (widths[delimiter] - 1 + typed[delimiter] - glued) * shares[delimiter] ** 4
    strong = max((each for each in good if each in _STRONG), key=scores.__getitem__, default="")
    weak = max((each for each in good if each in _WEAK), key=scores.__getitem__, default="")
    if not strong or not weak:
        return strong or weak
    # "Mozilla/5.0+(KHTML,+like+Gecko)" in a log that is divided by blanks
    in_text = strong in _IN_TEXT and not typed[strong]
    return weak if in_text and typed[weak] >= 2 and widths[weak] > widths[strong] else strong


def _tears_values(lines: Sequence[str], width: int) -> bool:
    """True if colons, such as those of a time, divide what blanks divide into values."""
    records = [record for record in split_lines(lines[:_MOST_LINES_TO_COMPARE], ":") if len(record) == width]
    return any(_most(column, partial(_is_glued, others=[" "])) for column in zip(*records, strict=True))


def _most(column: Sequence[str], test: Callable[[str], bool]) -> bool:
    return sum(map(test, column)) * 2 > len(column)


def _is_value(field: str) -> bool:
    """True if a whole field is a number, an address, a date or a time."""
    if len(field) > _LONGEST_DATE:
        return False
    if form_of(field.encode("latin-1", "replace")) in (Form.INTEGER, Form.FLOAT, Form.ZEROS, Form.ADDRESS):
        return True
    return any(pattern.fullmatch(field) for pattern in (_DATE, _WRITTEN_DATE, _DECIMAL_COMMA))


def _is_glued(field: str, others: Sequence[str]) -> bool:
    """True if a field is no value, but another delimiter divides it into some."""
    if _is_value(field):
        return False
    return any(other in field and any(map(_is_value, field.split(other))) for other in others)


def _named(delimiter: str) -> str:
    return f"'{delimiter}'" if delimiter.isprintable() else f"'\\x{ord(delimiter):02x}'"


def is_quoted_record(line: str, delimiter: str) -> bool:
    r"""True if quotes are only around whole fields of ``line``, so that ``"C:\","x"`` has two of them."""
    inner = re.escape(delimiter)
    field = f'(?:"(?:[^"]|"")*"|[^"{inner}]*)'
    return re.fullmatch(f"{field}(?:{inner}{field})+", line) is not None
