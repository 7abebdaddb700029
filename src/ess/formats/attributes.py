"""The attributes of ``-f`` and ``-o``: one table each, parsed into frozen values.

The words come from the option's text split at commas, so that ``-f,sep=,,eok`` arrives as
``["sep=", "", "eok"]``; an empty word after ``sep=`` is therefore the comma.
Source: manual pages ``aq-input`` and ``aq-output``.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.formats.text_source import check_encoding
from ess.language.nearest import choice_hint

if TYPE_CHECKING:
    from ess.formats.known.definition import KnownFormat

#: ``bz``: the longest record, in bytes, without its line end.
DEFAULT_RECORD_LIMIT = 65536


class Format(enum.Enum):
    """The ways to tell records and their fields apart; the value is the attribute's name."""

    SEPARATED = "csv"  #: ``csv``, ``sep=`` and ``tsv``
    FIXED = "fix"  #: columns of fixed byte lengths
    DIVIDED = "div"  #: separators that change from field to field
    TABLE = "tab"  #: rows of HTML tables
    JSON = "jsn"  #: objects
    XML = "xml"  #: elements
    BINARY = "bin"  #: Arrow streams, between tools
    AQ = "aq"  #: the same, read without column specs
    PATTERN = "rx"  #: lines by a regular expression
    LOGFMT = "logfmt"  #: lines of key=value
    PARQUET = "parquet"  #: files of Apache Parquet

    @property
    def is_arrow(self) -> bool:
        """True for an Arrow stream, False for text."""
        return self in (Format.BINARY, Format.AQ)

    @property
    def is_text(self) -> bool:
        """True if a record is a piece of text of its own."""
        return not self.is_arrow and self is not Format.PARQUET

    @property
    def has_keys(self) -> bool:
        """True if columns are found by their keys, not by their order."""
        return self in (Format.JSON, Format.XML)


#: The bytes that a file of Apache Parquet begins with.
PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True)
class InputAttributes:
    """The attributes of an input, ``-f,...``.

    Args:
        format: How fields are told apart.
        separator: One byte, for ``SEPARATED``.
        quoted: Whether ``"`` has its CSV meaning; without, quotes are data (``sep=`` alone, ``tsv``).
        escape: Whether a backslash makes the next byte data, in every column.
        skip: What to skip at the start of each file, counted in ``skip_unit``.
        skip_unit: ``l`` lines, ``r`` records or ``b`` bytes.
        no_extra: Whether a record with more fields than columns is rejected.
        errors_ok: Whether a rejected record is left out and counted instead of ending the run.
        error_limit: How many rejected records a file may have (None: any number) ...
        error_window: ... and within how many rows (None: in the whole file).
        quiet: Whether rejected records are not reported.
        messages: With ``quiet``, how many are reported for each file first.
        record_limit: The longest record in bytes.
        encoding: What the text is in, as Python names it; blank for UTF-8 or what a byte order mark says.
        base: For ``JSON`` and ``XML``, what stands before each column's key.
        known: The format if it has a name, which brings its columns.
        every_title: Whether a title without a column is told: the columns are those of another file's titles.
        others: Further attributes that the caller accepts, in lower case.
        option: The option they belong to, for messages.
    """

    format: Format = Format.SEPARATED
    separator: bytes = b","
    quoted: bool = True
    escape: bool = False
    skip: int = 0
    skip_unit: str = "l"
    no_extra: bool = False
    errors_ok: bool = False
    error_limit: int | None = None
    error_window: int | None = None
    quiet: bool = False
    messages: int = 0
    record_limit: int = DEFAULT_RECORD_LIMIT
    encoding: str = ""
    base: str = ""
    known: KnownFormat | None = None
    every_title: bool = False
    others: tuple[str, ...] = ()
    option: str = "-f"


@dataclass(frozen=True)
class OutputAttributes:
    """The attributes of an output, ``-o,...``.

    Args:
        format: How fields are told apart.
        separator: One byte, for ``SEPARATED``.
        quoted: Whether strings stand between ``"`` (``csv``); without, they are printed bare.
        title: Whether the column labels come first.
        short_floats: ``fmt_g``: print floats with ``%g``.
        escape: Put a backslash before the separator, ``"`` and the backslash.
        append: Add to a file that exists.
        nodelay: Hand over every batch at once.
        others: Further attributes that the caller accepts (``fvar``), in lower case.
    """

    format: Format = Format.SEPARATED
    separator: bytes = b","
    quoted: bool = True
    title: bool = True
    short_floats: bool = False
    escape: bool = False
    append: bool = False
    nodelay: bool = False
    others: tuple[str, ...] = ()


#: Attribute -> what it does, for the help pages. ``parse_input_attributes`` knows exactly these.
INPUT_ATTRIBUTES: dict[str, str] = {
    "csv": 'comma separated values, quoted with " where needed (default)',
    "sep=c": "values separated by the byte c, also \\t or \\xHH; quotes are data unless csv is given too",
    "tsv": "the same as sep=\\t",
    "fix": "columns of fixed length, given as n=Len in the column specs",
    "div": "separators that differ from field to field, given as sep:Text between the column specs",
    "tab": "rows of HTML tables, from the first <td> to </tr>",
    "jsn": "JSON objects; the column specs say where a column stands, e.g. s:name:user.name",
    "xml": "XML elements; the column specs say where a column stands, e.g. s:name:list.user[*].name",
    "bin": "what another tool wrote with -o,bin; the columns must be the same",
    "aq": "what another tool wrote with -o,aq; it brings its columns, so there is no -d",
    "parquet": "files of Apache Parquet, which bring their columns; -d picks some, e.g. s:user f:price:order.price",
    "Name": "lines of that format, which brings its columns, e.g. combined, alb, s3access; see the page on formats",
    "apache=LogFormat": "lines as the LogFormat of an Apache says, e.g. apache='%h %l %u %t \"%r\" %>s %b'",
    "nginx=log_format": "lines as the log_format of an nginx says, e.g. nginx='$remote_addr [$time_local] $status'",
    "rx=Pattern": "lines that a regular expression matches; its named groups are the columns",
    "vpcflow=Fields": "VPC flow logs with fields of their own, e.g. vpcflow='${version} ${srcaddr} ${bytes}'",
    "logfmt": "lines of key=value; -d takes columns by their keys, as with title",
    "title": "the first record names the columns; -d takes them by these names, in any order",
    "base=Key": "with jsn and xml: what stands before the key of every column, e.g. base=list[*]",
    "enc=Name": "the encoding of the text, e.g. latin-1 or shift_jis, if it is not UTF-8 and has no byte order mark",
    "esc": "a backslash makes the next byte data",
    "+Num[b|r|l]": "skip Num bytes, records or lines (default) at the start of each file",
    "nox": "reject records with more fields than columns",
    "eok[=Num[/Rows]]": "leave out bad records (at most Num a file, or Num every Rows rows) and go on",
    "qui[=Num]": "do not report bad records (after the first Num of each file)",
    "bz=BufSize": "the longest record in bytes (default 65536)",
}

OUTPUT_ATTRIBUTES: dict[str, str] = {
    "csv": "comma separated values, strings quoted (default)",
    "sep=c": "values separated by the byte c, also \\t or \\xHH, and not quoted unless csv is given too",
    "tsv": "the same as sep=\\t",
    "fix": "columns of fixed length, given as n=Len (n=-Len: the last bytes, to the right) after the column names",
    "jsn": "one JSON object a line",
    "bin": "for another tool's -f,bin",
    "aq": "for another tool's -f,aq, which then knows the columns",
    "parquet": "a file of Apache Parquet",
    "notitle": "no line of column labels",
    "fmt_g": "print floats with %g instead of 17 digits",
    "esc": 'a backslash before the separator, " and the backslash',
    "app": "append to the file",
    "nodelay": "hand over every batch of rows at once",
}

#: Attributes whose value may hold commas, so it reaches to the end but for plain attributes there.
TEXT_ATTRIBUTES = ("apache=", "nginx=", "rx=", "vpcflow=")
_INPUT_FORMATS = frozenset({"fix", "div", "tab", "jsn", "xml", "bin", "aq", "parquet"})
_OUTPUT_FORMATS = frozenset({"fix", "jsn", "bin", "aq", "parquet"})
_SKIP = re.compile(r"\+([0-9]+)([brl]?)\Z")
_EOK = re.compile(r"eok=([0-9]+)(?:/([1-9][0-9]*))?\Z")
_ESCAPES = {"\\t": b"\t", "\\b": b"\b", "\\f": b"\f", "\\v": b"\v", "\\0": b"\0", "\\\\": b"\\"}


def parse_input_attributes(words: list[str], *, where: str, extra: frozenset[str] = frozenset()) -> InputAttributes:
    r"""The attributes of an input option.

    Args:
        words: The option's words after its name.
        where: The option, for the error.
        extra: Further attributes the caller accepts (``all`` of ``-cmb``; ``x=`` for a valued one).

    Raises:
        OptionError: If a word is unknown, wrong or contradicts another.

    >>> parse_input_attributes(["+1", "eok"], where="-f").skip
    1
    >>> parse_input_attributes(["sep=\\x7c"], where="-f").separator
    b'|'
    """
    formats, separator, words = _take_formats(words, where, _INPUT_FORMATS)
    escape = no_extra = errors_ok = quiet = False
    skip, skip_unit = 0, "l"
    error_limit: int | None = None
    error_window: int | None = None
    messages, record_limit, base, encoding = 0, DEFAULT_RECORD_LIMIT, "", ""
    known: KnownFormat | None = None
    titled = False
    others: list[str] = []
    for word in words:
        lowered = word.strip().lower()
        if match := _SKIP.match(lowered):
            skip, skip_unit = int(match[1]), match[2] or "l"
        elif lowered == "esc":
            escape = True
        elif lowered == "nox":
            no_extra = True
        elif lowered == "eok":
            errors_ok = True
        elif match := _EOK.match(lowered):
            errors_ok, error_limit = True, int(match[1])
            error_window = int(match[2]) if match[2] else None
        elif lowered == "qui":
            quiet = True
        elif lowered.startswith("qui="):
            quiet, messages = True, _positive(word, where)
        elif lowered.startswith("bz="):
            record_limit = _positive(word, where)
        elif lowered.startswith("enc="):
            encoding = check_encoding(word.partition("=")[2].strip(), where=where)
        elif lowered.startswith("base="):
            base = word.partition("=")[2].strip()
        elif lowered == "title" and lowered not in extra:
            titled = True
        elif lowered not in extra and (named := _named(word, where)) is not None:
            if known is not None:
                raise OptionError(f"{known.name} and {named.name} exclude each other", where=where, hint="give one")
            known = named
        else:
            others.append(_other(lowered, word, where, extra, INPUT_ATTRIBUTES))
    format_, quoted = _format_of(formats, separator, where)
    if known is not None:
        if formats or separator is not None:
            other = next(iter(sorted(formats)), "sep=")
            raise OptionError(f"{known.name} and {other} exclude each other", where=where, hint="give one format")
        format_, quoted = known.format, known.quoted
        separator = known.separator or None
    if titled and known is None:
        known = below_titles(format_, where)
    if base and not format_.has_keys:
        raise OptionError("'base=' is for 'jsn' and 'xml' inputs only", where=where, hint="leave it out")
    if not format_.is_text and encoding:
        raise OptionError(f"'enc=' is not for '{format_.value}' inputs", where=where, hint="leave it out")
    if format_ is Format.PARQUET and (skip or escape or titled):
        raise OptionError("'parquet' inputs have no lines to skip, no titles and no escapes", where=where)
    if format_ is Format.AQ and skip and skip_unit == "b":
        raise OptionError("bytes of an 'aq' input cannot be skipped", where=where, hint="skip records, e.g. +1r")
    return InputAttributes(
        format=format_,
        separator=separator or b",",
        quoted=quoted,
        escape=escape,
        skip=skip,
        skip_unit=skip_unit,
        no_extra=no_extra,
        errors_ok=errors_ok,
        error_limit=error_limit,
        error_window=error_window,
        quiet=quiet,
        messages=messages,
        record_limit=record_limit,
        encoding=encoding,
        base=base,
        known=known,
        others=tuple(others),
        option=where.partition(",")[0] if where.startswith("-") else "-f",
    )


def parse_output_attributes(words: list[str], *, where: str, extra: frozenset[str] = frozenset()) -> OutputAttributes:
    """The attributes of an output option; arguments and errors as in `parse_input_attributes`.

    >>> parse_output_attributes(["tsv", "notitle"], where="-o").quoted
    False
    """
    formats, separator, words = _take_formats(words, where, _OUTPUT_FORMATS)
    flags: set[str] = set()
    others: list[str] = []
    for word in words:
        lowered = word.strip().lower()
        if lowered in {"notitle", "fmt_g", "esc", "app", "nodelay"}:
            flags.add(lowered)
        else:
            others.append(_other(lowered, word, where, extra, OUTPUT_ATTRIBUTES))
    format_, quoted = _format_of(formats, separator, where)
    if format_ is Format.PARQUET and "app" in flags:
        raise OptionError("nothing can be appended to 'parquet'", where=where, hint="write another file beside it")
    return OutputAttributes(
        format=format_,
        separator=separator or b",",
        quoted=quoted,
        title="notitle" not in flags,
        short_floats="fmt_g" in flags,
        escape="esc" in flags,
        append="app" in flags,
        nodelay="nodelay" in flags,
        others=tuple(others),
    )


def _take_formats(words: list[str], where: str, known: frozenset[str]) -> tuple[set[str], bytes | None, list[str]]:
    """The format words, the separator, and the words that are left."""
    formats: set[str] = set()
    separator: bytes | None = None
    rest: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        lowered = word.strip().lower()
        at += 1
        if lowered == "csv" or lowered in known:
            formats.add(lowered)
        elif lowered == "tsv":
            separator = b"\t"
        elif word.lower().startswith("sep="):
            text = word[4:]
            if not text and at < len(words) and not words[at]:
                text, at = ",", at + 1
            separator = _separator(text, where)
        elif word:
            rest.append(word)
    return formats, separator, rest


def _separator(text: str, where: str) -> bytes:
    if text in _ESCAPES:
        return _ESCAPES[text]
    if re.fullmatch(r"\\x[0-9a-fA-F]{2}", text):
        value = bytes.fromhex(text[2:])
    else:
        value = text.encode("utf-8", "surrogateescape")
    if len(value) != 1:
        raise OptionError(
            f"a separator is a single byte, not '{text}'", where=where, hint="e.g. sep=: or sep=\\x01; see also div"
        )
    if value in (b"\n", b"\r", b'"'):
        raise OptionError(
            f"'{text}' cannot be a separator", where=where, hint="line ends and quotes have their own use"
        )
    return value


def _format_of(formats: set[str], separator: bytes | None, where: str) -> tuple[Format, bool]:
    """The format, and whether quotes have a meaning."""
    if len(formats) > 1 or (separator is not None and formats - {"csv"}):
        names = sorted(formats) + (["sep="] if separator is not None else [])
        raise OptionError(f"{' and '.join(names)} exclude each other", where=where, hint="give one format")
    if formats and formats != {"csv"}:
        return Format(next(iter(formats))), False
    return Format.SEPARATED, separator is None or "csv" in formats


def below_titles(kind: Format, where: str) -> KnownFormat:
    """The format of records whose first one names the columns.

    Raises:
        OptionError: If records of that kind have no titles.
    """
    if kind is not Format.SEPARATED:
        raise OptionError(f"'{kind.value}' inputs have no titles", where=where, hint="leave out title")
    from ess.formats.known.w3c import TITLED

    return TITLED


def _named(word: str, where: str) -> KnownFormat | None:
    """The format that an attribute names or describes, or None."""
    name, given, text = word.partition("=")
    name = name.strip().lower()
    if given and name == "rx":
        from ess.formats.known.expressions import expression_format

        return expression_format(text, where=where)
    if given and name == "vpcflow":
        from ess.formats.known.w3c import flow_format

        return flow_format(text)
    if given and name in ("apache", "nginx"):
        from ess.formats.known.directives import apache_format, nginx_format

        return (apache_format if name == "apache" else nginx_format)(text, where=where)
    if given:
        return None
    from ess.formats.known.table import known_format  # only where no other attribute is meant

    return known_format(name)


def _positive(word: str, where: str) -> int:
    number = word.partition("=")[2].strip()
    if not (number.isascii() and number.isdigit() and int(number) > 0):
        raise OptionError(f"'{word}' needs a positive number", where=where)
    return int(number)


def _other(lowered: str, word: str, where: str, extra: frozenset[str], table: dict[str, str]) -> str:
    if lowered in extra or (lowered.split("=")[0] + "=") in extra:
        return lowered
    raise OptionError(f"unknown attribute '{word}'", where=where, hint=choice_hint(word, _names(table, extra)))


def _names(table: dict[str, str], extra: frozenset[str]) -> list[str]:
    """The attributes of a table, for hints."""
    names = {*table, *extra}
    if "Name" in names:
        from ess.formats.known.table import FORMATS

        names = (names - {"Name"}) | {known.name for known in FORMATS}
    return sorted(names)
