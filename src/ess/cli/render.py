"""Results as text for a terminal. Pure functions: values in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ess.api.results import DatastoreSummary
    from ess.lake.categories import Category
    from ess.lake.datastores import Repository
    from ess.lake.entry import FileEntry
    from ess.lake.index import Listed
    from ess.lake.member import Member
    from ess.lake.probing import ProbeResult

_WIDTH = 72
#: Name, Count, Size, first and last; a date with its time has 19 characters.
_SUMMARY_WIDTHS = (6, 7, 11, 19, 19)


def shown(text: str) -> str:
    r"""``text`` as one line that a terminal shows as it is: control characters and bytes that are not UTF-8 escaped.

    >>> shown("a\nb\udcff")
    'a\\nb\\xff'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def human_size(size: int) -> str:
    """A number of bytes with one decimal and a unit, e.g. ``1.9M``; below 1024 the number itself.

    >>> [human_size(n) for n in (0, 999, 380900, 2021925, 64 << 30)]
    ['0', '999', '372.0K', '1.9M', '64.0G']
    """
    value, units = float(size), iter(("", "K", "M", "G", "T", "P", "E"))
    unit = next(units)
    while value >= 1024:
        value /= 1024
        unit = next(units)
    if not unit:
        return str(size)
    return f"{value:.1f}{unit}"


def _sample(line: str) -> str:
    """A line of data as ``shown`` has it, with the tabs between its fields."""
    return "\t".join(map(shown, line.split("\t")))


def listing(files: Iterable[FileEntry], *, size: bool, date: bool) -> list[str]:
    """One line a file: its date, its size in bytes and its name, or what of these is wanted."""
    if not size and not date:
        return [shown(entry.path) for entry in files]
    lines: list[str] = []
    for entry in files:
        parts: list[str] = []
        if date:
            parts.append(f"{'' if entry.folder else entry.date_text:<19}")
        if size:
            parts.append(f"{'' if entry.folder else entry.size:>13}")
        lines.append("  ".join([*parts, shown(entry.path)]))
    return lines


def indexed(files: Iterable[Listed], *, size: bool, date: bool) -> list[str]:
    """The same for files of which the index tells no more."""
    if size and date:
        return [f"{when:<19}  {count:>13}  {shown(path)}" for path, count, when in files]
    if size:
        return [f"{count:>13}  {shown(path)}" for path, count, _ in files]
    return [f"{when:<19}  {shown(path)}" if date else shown(path) for path, _, when in files]


def members(found: Iterable[Member]) -> list[str]:
    """One line a file of an archive."""
    return [f"{item.modified:%Y-%m-%d %H:%M:%S}  {item.size:>13}  {shown(item.name)}" for item in found]


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], *, least: Sequence[int] = ()
) -> list[str]:
    """A table with a rule under its headings.

    Args:
        headings: The headings of the columns.
        rows: The cells, row by row.
        right: Which columns are numbers, and stand at the right.
        least: How wide each column is at least.
    """
    widths = [max(len(row[index]) for row in [headings, *rows]) for index in range(len(headings))]
    widths = [max(pair) for pair in zip(widths, least or widths, strict=True)]

    def line(cells: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(cells, widths, right, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return [line(headings), "  ".join("-" * width for width in widths), *(line(row) for row in rows)]


def datastore_summary(content: DatastoreSummary) -> list[str]:
    """``ess summary``: the datastore and one line a category, in the layout of the manuals."""
    rule = "-" * _WIDTH
    lines = [rule, f" {content.datastore.label} ".center(_WIDTH, "-"), rule, ""]
    if not content.categories:
        return [*lines, "no categories yet; make one with: ess category add NAME PATTERN"]
    rows = [
        [item.name, str(item.stats.count), f"{human_size(item.stats.size)} ", item.stats.first, item.stats.last]
        for item in sorted(content.categories, key=lambda item: item.name)
    ]
    body = table(
        ["Name", "Count", "Size     ", "first", "last"], rows, [False, True, True, False, False], least=_SUMMARY_WIDTHS
    )
    return [*lines, " File summary ".center(max(_WIDTH, len(body[1])), "="), *body, ""]


def category_summary(item: Category) -> list[str]:
    """``ess summary NAME``: all that is known of a category."""
    stats, rule = item.stats, item.date_rule
    fields = [
        ("Name", item.name),
        ("Pattern", item.pattern),
        ("Exclude", item.exclude or "None"),
        ("Date Format", "" if rule.kind.value == "regex" else rule.text or rule.kind.value),
        ("Date Regex", rule.text if rule.kind.value == "regex" else ""),
        ("Archive", item.archive),
        ("Delimiter", _delimiter_name(item.delimiter, item.shown_delimiter)),
        *([("Format", item.format)] if item.format else []),
        ("# of files", str(stats.count)),
        ("Total size", human_size(stats.size)),
        ("File range", f"{stats.first} - {stats.last}" if stats.count else ""),
        ("# columns", str(len(item.columns))),
        ("Column Spec", item.columnspec),
        ("Preprocess", item.preprocess),
        ("usecache", str(item.usecache)),
        ("Compression", item.compression or item.found_compression),
    ]
    fields += [(name, value) for name, value in (("Pkey", item.pkey), ("Comment", item.comment)) if value]
    lines = [f"{name + ':':<13}{shown(value)}".rstrip() for name, value in fields]
    if item.lines:
        lines += ["", "First few lines:", *map(_sample, item.lines)]
    return lines


def _delimiter_name(delimiter: str, shown_delimiter: str) -> str:
    return "Tab" if delimiter == "\t" else shown_delimiter


def schema(item: Category) -> list[str]:
    """``ess summary NAME schema``: one line a column, its name and its type."""
    lines: list[str] = []
    for spec in item.columns:
        head, _, name = spec.partition(":")
        if head.lower() != "sep":
            lines.append(f"{name.partition(':')[0]} {_TYPE_WORDS.get(head.split(',')[0].upper(), 'unused')}")
    return lines


_TYPE_WORDS = {
    "S": "string",
    "F": "float",
    "L": "unsigned long",
    "LS": "long",
    "I": "unsigned integer",
    "IS": "integer",
    "IP": "ip address",
}


def probe_result(result: ProbeResult) -> list[str]:
    """``ess probe``: what a look into the files found."""
    found = result.dialect
    fields = [
        ("File", result.file.path if result.file else ""),
        ("Compression", result.compression),
        ("Format", found.known or found.format),
        ("Delimiter", _delimiter_name(found.delimiter, result.shown_delimiter)),
        ("Header", "yes" if found.header else "no"),
        ("# columns", str(len(found.columns))),
        ("Column Spec", " ".join(found.columns)),
    ]
    lines = [f"{name + ':':<13}{shown(value)}".rstrip() for name, value in fields]
    remarks = [*result.remarks, *found.remarks]
    lines += [shown(f"{'Remark:':<13}{remark}") for remark in remarks]
    if found.lines:
        lines += ["", "First few lines:", *map(_sample, found.lines)]
    return lines


def repository(content: Repository) -> list[str]:
    """``ess repository``: one line a datastore, the selected one marked."""
    if not content.datastores:
        return ["no datastores yet; select one with: ess select local"]
    rows = [
        ["*" if label == content.selected else "", label, store.kind, store.source]
        for label, store in sorted(content.datastores.items())
    ]
    return table(["", "Label", "Type", "Source"], rows, [False] * 4)
