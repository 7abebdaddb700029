"""Every format: its row in the tables, a sample that is read the same in any batches, and output that is read back."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ess.formats.attributes import (
    INPUT_ATTRIBUTES,
    OUTPUT_ATTRIBUTES,
    Format,
    parse_input_attributes,
    parse_output_attributes,
)
from ess.formats.columns import parse_input_columns
from ess.formats.output.columns import OutputColumn
from ess.formats.output.writer import open_output
from ess.formats.reader import read_input
from ess.schema.batch import join_batches, make_batch
from ess.schema.types import ColumnType

ROWS = [(b"ann", 7), (b"bob", 12), (b"zoe", 3)]
COLUMNS = (OutputColumn("name", "Name", ColumnType.S), OutputColumn("count", "Count", ColumnType.I))


def printed(kind: Format, columns: tuple[OutputColumn, ...] = COLUMNS) -> bytes:
    out = io.BytesIO()
    writer = open_output("-", parse_output_attributes([kind.value, "notitle"], where="-o"), columns, stdout=out)
    names = [name for name, _ in ROWS]
    counts = [count for _, count in ROWS]
    writer.write(make_batch([("name", ColumnType.S, names), ("count", ColumnType.I, counts)], len(ROWS)))
    writer.close()
    return out.getvalue()


#: For each format its column specs, and the three rows of ``ROWS`` in it. A new format needs an entry.
SAMPLES: dict[Format, tuple[list[str], bytes]] = {
    Format.SEPARATED: (["s:name", "i:count"], b"ann,7\nbob,12\nzoe,3\n"),
    Format.FIXED: (["s,n=3,trm:name", "i,n=4,trm:count"], b"ann7   \nbob12  \nzoe3   \n"),
    Format.DIVIDED: (["s:name", "sep:: ", "i:count"], b"ann: 7\nbob: 12\nzoe: 3\n"),
    Format.TABLE: (
        ["s:name", "i:count"],
        b"<table>" + b"".join(b"<tr><td>%s</td><td>%d</td></tr>\n" % row for row in ROWS) + b"</table>",
    ),
    Format.JSON: (["s:name:name", "i:count:count"], b"".join(b'{"name": "%s", "count": %d}\n' % row for row in ROWS)),
    Format.XML: (
        ["s:name:l.u[*].@n", "i:count:l.u[*]"],
        b"<l>" + b"".join(b'<u n="%s">%d</u>\n' % row for row in ROWS) + b"</l>",
    ),
    Format.BINARY: (["s:name", "i:count"], printed(Format.BINARY)),
    Format.AQ: (["s:name", "i:count"], printed(Format.AQ)),
    Format.PARQUET: (["s:name", "i:count"], printed(Format.PARQUET)),
    Format.LOGFMT: (["s:name", "i:count"], b"name=ann count=7\ncount=12 name=bob\nx=1 name=zoe count=3\n"),
    Format.PATTERN: (["s:name", "i:count"], b"ann 7\nbob 12\nzoe 3\n"),
}
#: What stands behind ``-f``, and its row in the table, where that is not the format's own word.
WORDS = {Format.PATTERN: "rx=(?P<name>[^ ]*) (?P<count>[^ ]*)"}
ROW = {Format.PATTERN: "rx=Pattern"}


def read(kind: Format, content: bytes, specs: list[str], folder: Path, batch_bytes: int) -> list[tuple[object, ...]]:
    file = folder / "input"
    file.write_bytes(content)
    attributes = parse_input_attributes([WORDS.get(kind, kind.value)], where="-f")
    columns = parse_input_columns(specs, attributes, where="-d")
    batches = list(
        read_input(
            [str(file)], attributes, columns.columns, separators=columns.separators, batch_bytes=batch_bytes, where="-f"
        )
    )
    assert not any(batch.rejects for batch in batches)
    return join_batches([batch.frame for batch in batches]).rows()


@pytest.mark.parametrize("kind", Format, ids=lambda kind: kind.value)
def test_a_sample_is_read_the_same_in_any_batches(kind: Format, tmp_path: Path) -> None:
    assert ROW.get(kind, kind.value) in INPUT_ATTRIBUTES
    specs, content = SAMPLES[kind]
    assert read(kind, content, specs, tmp_path, 1 << 20) == ROWS
    assert read(kind, content, specs, tmp_path, 7) == ROWS


@pytest.mark.parametrize(
    "kind", [kind for kind in Format if kind.value in OUTPUT_ATTRIBUTES], ids=lambda kind: kind.value
)
def test_printed_rows_are_read_back(kind: Format, tmp_path: Path) -> None:
    wide = (
        OutputColumn("name", "Name", ColumnType.S, length=3),
        OutputColumn("count", "Count", ColumnType.I, length=4),
    )
    content = printed(kind, wide if kind is Format.FIXED else COLUMNS)
    specs = {Format.FIXED: SAMPLES[Format.FIXED][0], Format.JSON: ["s:name:Name", "i:count:Count"]}
    assert read(kind, content, specs.get(kind, ["s:name", "i:count"]), tmp_path, 1 << 20) == ROWS
