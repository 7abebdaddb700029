"""The contents of a category as text: ``ess summary NAME --scan``. Pure functions: values in, lines out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ess.cli.render import human_size, shown, table

if TYPE_CHECKING:
    from ess.cluster.scanning import ColumnContents, Contents

#: From how many different values on an estimate may be off.
_ESTIMATED = 1000
_MOST_REASONS = 20


def contents(found: Contents, *, width: int | None = None, details: bool = False) -> list[str]:
    """The sums, a line for each column, and the reasons of rejected records.

    Args:
        found: What is in the files.
        width: That of the terminal; None if there is none. A table that does not fit becomes blocks.
        details: A block for each column in any case, with samples.
    """
    files = f"{found.files:,} file{'' if found.files == 1 else 's'}"
    if found.failures:
        files += f" ({len(found.failures):,} more failed)"
    noun = ("line" if found.lines else "record") + ("" if found.read == 1 else "s")
    rows = f"{found.rows:,} row{'' if found.rows == 1 else 's'}"
    lines = [
        f"Contents of {files}, {human_size(found.bytes)} of data",
        f"{found.read:,} {noun} read = {rows} + {found.rejected:,} rejected",
    ]
    if found.lines:
        return [*lines, "its columns are not known; give them: ess category change columnspec"]
    if found.columns and not details:
        cells = [_row(column) for column in found.columns]
        body = table(_HEADINGS, cells, [False, False, True, True, False, True, True, True])
        fits = width is None or max(map(len, body)) <= width
        lines += ["", *(body if fits else _blocks(found, samples=False))]
    elif found.columns:
        lines += ["", *_blocks(found, samples=True)]
    return [*lines, *_rejections(found, width)]


_HEADINGS = ["Column", "Type", "Blank", "Distinct", "Values", "Least", "Most", "Bytes"]


def _row(column: ColumnContents) -> list[str]:
    sizes = str(column.longest) if column.shortest == column.longest else f"{column.shortest}-{column.longest}"
    return [
        column.name,
        column.type,
        f"{column.blank:,}",
        _distinct(column),
        _kinds(column),
        _number(column.least),
        _number(column.most),
        sizes,
    ]


def _distinct(column: ColumnContents) -> str:
    return f"{'~' if column.distinct > _ESTIMATED else ''}{column.distinct:,}"


def _kinds(column: ColumnContents) -> str:
    """The forms of the values that are not blank, with their shares if there are several."""
    kinds = column.kinds
    total = sum(kinds.values())
    if len(kinds) <= 1:
        return "".join(kinds)
    parts = sorted(kinds.items(), key=lambda each: -each[1])
    return ", ".join(f"{name} {_share(count, total)}" for name, count in parts)


def _share(count: int, total: int) -> str:
    percent = 100 * count / total
    if percent < 0.1:
        return "<0.1%"
    return f"{min(percent, 99.9):.1f}%" if percent < 1 or percent > 99 else f"{percent:.0f}%"


def _number(value: int | float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.15g}"


def _blocks(found: Contents, *, samples: bool) -> list[str]:
    lines: list[str] = []
    for column in found.columns:
        lines += ["", f"{column.name} ({column.type})"] if lines else [f"{column.name} ({column.type})"]
        for heading, text in zip(_HEADINGS[2:], _row(column)[2:], strict=True):
            if text:
                lines.append(f"  {heading + ':':<10}{text}")
        if samples and column.samples:
            lines.append(f"  {'Samples:':<10}{shown('  '.join(column.samples))}")
    return lines


def _rejections(found: Contents, width: int | None) -> list[str]:
    if not found.rejections:
        return []
    rows = [
        [f"{each.count:,}", each.column, f"{each.value} {each.reason}".strip()]
        for each in found.rejections[:_MOST_REASONS]
    ]
    lines = ["", *table(["Rejected", "Column", "Reason, with one of the values"], rows, [True, False, False])]
    if width is not None:
        rule = lines[2]
        lines[2] = rule[: max(width, len("Rejected"))]
    if (more := len(found.rejections) - _MOST_REASONS) > 0:
        lines.append(f"and {more} more reasons")
    return [shown(line) for line in lines]
