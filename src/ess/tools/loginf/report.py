"""The output of ``loginf`` for a profile: the JSON report, column specs, the description of the format."""

from __future__ import annotations

import base64
import json
from typing import Any

from ess.formats.dialect import LEAST_VALUES
from ess.formats.titles import LOGINF
from ess.tools.loginf.profile import KINDS, ColumnProfile, Profile, Spread

_INTEGER_TYPES = (
    ("I", 0, 2**32 - 1),
    ("IS", -(2**31), 2**31 - 1),
    ("L", 0, 2**64 - 1),
    ("LS", -(2**63), 2**63 - 1),
)


def column_specs(profile: Profile, *, accepted_errors: float) -> list[str]:
    """A column spec for ``-d`` for each column; one that was not looked at is ``X``.

    Args:
        profile: What was found.
        accepted_errors: How many percent of a column's values may be of other types than the most frequent one.
    """
    specs: list[str] = []
    names = dict(zip(sorted(profile.columns), _names(profile), strict=True))
    for number in range(1, max(profile.columns, default=0) + 1):
        column = profile.columns.get(number)
        if column is None:
            specs.append("X")
            continue
        kind, attributes = column_type(column, accepted_errors)
        specs.append(f"{','.join([kind, *attributes])}:{names[number]}")
    return specs


def column_type(column: ColumnProfile, accepted_errors: float) -> tuple[str, list[str]]:
    """The column type that the input tells or that suits the values, and its attributes."""
    if column.declared:
        return column.declared, []
    attributes = [f"n={column.width}"] if column.width else []
    rows = {kind: found.rows for kind, found in column.kinds.items() if kind != "Blank" and found.rows}
    letters = _letters(column, rows, accepted_errors)
    if column.escaped and letters == "S":
        attributes.append("clf")
    if (letters != "S" and column.padded) or column.width:
        attributes.append("trm")
    return letters, attributes


def _letters(column: ColumnProfile, rows: dict[str, int], accepted_errors: float) -> str:
    # Whole numbers among fractions are no error, and number columns take a lone dash.
    taken = column.forms["dash"] + column.forms["word"]
    numbers = rows.get("Float", 0) + rows.get("Integer", 0)
    groups = {"S": rows.get("String", 0), "IP": rows.get("IP", 0), "F": numbers}
    total = sum(groups.values())
    if numbers >= LEAST_VALUES * total and 100 * column.forms["zeros"] <= accepted_errors * total:
        groups["S"] -= taken
        groups["F"] += taken
    best = max(groups, key=lambda letters: groups[letters])
    if not total or 100 * (total - groups[best]) > accepted_errors * total:
        return "S"
    if best == "F" and 100 * column.forms["zeros"] > accepted_errors * total:
        return "S"
    if best == "F" and column.forms["word"]:
        return "F"
    fractions = rows.get("Float", 0)
    if best != "F" or (fractions and 100 * (total - rows.get("Integer", 0) - taken) > accepted_errors * total):
        return best
    found = column.kinds["Integer"]
    assert found.least is not None
    assert found.most is not None
    return next((name for name, low, high in _INTEGER_TYPES if low <= found.least and found.most <= high), "S")


def format_description(profile: Profile) -> str:
    """The one line that ``-o_typ`` prints."""
    if len(profile.formats) > 1:
        return "Mixed"
    return profile.formats[0] if profile.formats else '"\\n" Separated'


def report(profile: Profile, *, seconds: float, accepted_errors: float, encoded: bool) -> str:
    """The JSON report.

    Args:
        profile: What was found.
        seconds: How long it took.
        accepted_errors: See ``column_specs``.
        encoded: Whether strings of the data are base64.
    """
    text = _encoded if encoded else _readable
    rows = profile.rows
    content: dict[str, Any] = {
        "Process Time": round(seconds, 3),
        "Report String Encoding": encoded,
        "Source Files": profile.files,
        "Has BOM": profile.marks,
        "Bytes": _share("Source", profile.source_bytes, rows.total),
        "Lines": _share("Source", profile.source_lines, rows.count),
        "Rows": {"Count": rows.count, "Length": _sizes(rows)},
        "Columns": _sizes(profile.widths),
        "Column": [],
    }
    if profile.rejected:
        content["Rejected"] = [
            {"Column": column, "Reason": reason, "Count": times}
            for (column, reason), times in sorted(profile.rejected.items(), key=lambda each: (-each[1], each[0]))
        ]
    for (number, column), name in zip(sorted(profile.columns.items()), _names(profile), strict=True):
        kind, attributes = column_type(column, accepted_errors)
        samples = [sample for each in KINDS for sample in column.kinds[each].samples]
        entry: dict[str, Any] = {
            "Index": number,
            "Label": text(column.label),
            "pp-Type": kind,
            "pp-Attr": ",".join(attributes),
            "pp-Name": name,
            "pp-Sample": text(samples[0] if samples else column.kinds["String"].binary or b""),
            "Bytes": _part(column.lengths.total, rows.total),
            "Rows": _part(column.lengths.count, rows.count),
            "Length": _sizes(column.lengths),
            "Unique Estimate": column.sketch.estimate(),
        }
        for each in KINDS:
            found = column.kinds[each]
            if not found.rows:
                continue
            details: dict[str, Any] = {"Rows": _part(found.rows, rows.count)}
            if found.least is not None:
                details["Value"] = {"Min": found.least, "Max": found.most}
            if found.samples:
                details["Sample"] = [text(sample) for sample in found.samples]
            if found.binary is not None:
                details["Sample-Has binary"] = text(found.binary)
            entry[f"Type-{each}"] = details
        content["Column"].append(entry)
    printed = json.dumps(content, indent=2, separators=(",", " : "), ensure_ascii=False)
    # JSON of Python drops zeros at the end of a number.
    return printed.replace(f" : {content['Process Time']}", f" : {seconds:.3f}", 1)


def _names(profile: Profile) -> list[str]:
    numbers = sorted(profile.columns)
    return LOGINF.names([profile.columns[number].label.decode("latin-1") for number in numbers], numbers)


def _sizes(spread: Spread) -> dict[str, Any]:
    return {"Min": spread.least, "Max": spread.most, "Avg": _short(spread.total / spread.count if spread.count else 0)}


def _share(name: str, whole: int, part: int) -> dict[str, Any]:
    return {name: whole, **_part(part, whole)}


def _part(part: int, whole: int) -> dict[str, Any]:
    return {"Count": part, "Percent": _short(100 * part / whole if whole else 0)}


def _short(number: float) -> int | float:
    """A number with six digits, without a fraction if it has none."""
    rounded = float(f"{number:.6g}")
    return int(rounded) if rounded.is_integer() else rounded


def _readable(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
