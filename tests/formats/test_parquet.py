"""Parquet in and out: against Polars, DuckDB, and the same table as CSV."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.errors import InputReadError, OptionError
from ess.formats.attributes import parse_input_attributes, parse_output_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.output.columns import OutputColumn
from ess.formats.output.writer import open_output
from ess.formats.parquet import ParquetInput, columns_of
from ess.formats.reader import InputBatch, read_input
from ess.schema.batch import make_batch
from ess.schema.columns import parse_column
from ess.schema.types import ColumnType

ATTRIBUTES = parse_input_attributes(["parquet", "eok"], where="-f")


def read(path: Path, specs: str) -> list[InputBatch]:
    columns = parse_input_columns(specs.split(), ATTRIBUTES, where="-d").columns
    return list(read_input([str(path)], ATTRIBUTES, columns))


def rows(batches: list[InputBatch]) -> list[tuple[object, ...]]:
    return [row for batch in batches for row in batch.frame.rows()]


def brought(path: Path) -> str:
    with path.open("rb") as opened:
        found = columns_of([ParquetInput(opened, str(path)).types])
    return " ".join(f"{column.type.name}:{column.name}:{column.path}" for column in found)


TABLE = pa.table(
    {
        "User Name": ["ann", None, "b,ob"],
        "n": pa.array([1, -2, None], pa.int64()),
        "small": pa.array([1, 2, 3], pa.uint8()),
        "big": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "f": pa.array([1.5, None, float("inf")], pa.float32()),
        "yes": [True, False, None],
        "at": pa.array(
            [datetime(2026, 3, 12, 10, 15, 32, 500_000, UTC), datetime(2026, 1, 1, tzinfo=UTC), None],
            pa.timestamp("us", "UTC"),
        ),
        "local": pa.array([datetime(2026, 3, 12, 10, 15, 32), None, None], pa.timestamp("ms")),
        "day": [date(2026, 3, 12), None, None],
        "clock": [time(1, 2, 3), None, None],
        "price": [Decimal("1.50"), None, Decimal("-3.25")],
        "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
        "order": [{"id": 7, "by": {"who": "cid"}}, None, {"id": None, "by": None}],
        "tags": [["a", "é"], [], None],
        "raw": pa.array([b"\xff\x00", b"", None], pa.binary()),
    }
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path)
    return path


def test_a_file_brings_its_columns(table: Path) -> None:
    assert brought(table) == (
        "S:User_Name:User Name LS:n:n I:small:small L:big:big F:f:f S:yes:yes S:at:at S:local:local S:day:day "
        "S:clock:clock S:price:price S:kind:kind LS:order_id:order.id S:order_by_who:order.by.who S:tags:tags S:raw:raw"
    )


@pytest.mark.parametrize(
    ("specs", "values"),
    [
        ("s:User_Name ls:n i:small", [(b"ann", 1, 1), (b"", -2, 2), (b"b,ob", 0, 3)]),
        ("s:who:User\\ Name", []),
        ("s:user_name", [(b"ann",), (b"",), (b"b,ob",)]),
        ("l:big s:big2:big", [(2**64 - 1, b"18446744073709551615"), (0, b"0"), (0, b"")]),
        ("f:f s:f2:f f:n", [(1.5, b"1.5", 1.0), (0.0, b"", -2.0), (float("inf"), b"inf", 0.0)]),
        ("s:yes i:one:yes", [(b"true", 1), (b"false", 0), (b"", 0)]),
        (
            "s:at s:local",
            [(b"2026-03-12 10:15:32.5Z", b"2026-03-12 10:15:32"), (b"2026-01-01 00:00:00Z", b""), (b"", b"")],
        ),
        (
            "s:day s:clock s:price f:p:price",
            [(b"2026-03-12", b"01:02:03", b"1.50", 1.5), (b"", b"", b"", 0.0), (b"", b"", b"-3.25", -3.25)],
        ),
        ("s,up:kind", [(b"X",), (b"Y",), (b"X",)]),
        ("is:id:order.id s:who:order.by.who", [(7, b"cid"), (0, b""), (0, b"")]),
        (
            "s:order s:tags",
            [(b'{"id":7,"by":{"who":"cid"}}', '["a","é"]'.encode()), (b"", b"[]"), (b'{"id":null,"by":null}', b"")],
        ),
        ("s:raw", [(b"\xff\x00",), (b"",), (b"",)]),
    ],
)
def test_values_are_those_of_their_text(table: Path, specs: str, values: list[tuple[object, ...]]) -> None:
    if "\\ " in specs:
        column = parse_column("s:who:User Name", where="-d", with_path=True)
        assert rows(list(read_input([str(table)], ATTRIBUTES, [column]))) == [(b"ann",), (b"",), (b"b,ob",)]
        return
    batches = read(table, specs)
    assert rows(batches) == values
    assert [batch.notes for batch in batches] == [()]


def test_what_does_not_fit_is_rejected_with_its_number(table: Path) -> None:
    (batch,) = read(table, "i:n ip:raw s:User_Name")
    assert batch.read == 3
    assert [(bad.before_row, bad.record, bad.column) for bad in batch.rejects] == [(0, 1, "raw"), (0, 2, "n")]
    assert "'-2' does not fit an unsigned 32-bit integer" in batch.rejects[1].reason
    assert batch.frame.rows() == [(0, b"", b"b,ob")]


def test_a_column_that_is_not_there_is_blank_and_told(table: Path) -> None:
    batches = read(table, "s:nobody i:small")
    assert rows(batches) == [(b"", 1), (b"", 2), (b"", 3)]
    assert (
        batches[-1].notes[0].startswith("it has no column nobody, which is blank; its columns are User Name, n, small")
    )


def test_files_with_other_types_have_one_that_takes_all() -> None:
    types = ColumnType
    for one, other, both in (
        (types.I, types.IS, types.LS),
        (types.I, types.L, types.L),
        (types.IS, types.LS, types.LS),
        (types.L, types.LS, types.S),
        (types.I, types.F, types.F),
        (types.LS, types.F, types.S),
        (types.I, types.S, types.S),
    ):
        for pair in ((one, other), (other, one)):
            (column,) = columns_of([{"a": kind} for kind in pair])
            assert column.type is both, pair


def test_a_column_that_is_not_used_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1, 2], "b": ["x" * 999, "y" * 999], "c": [3, 4]}), path, compression="none")
    chunk = pq.read_metadata(path).row_group(0).column(1)
    begin = chunk.dictionary_page_offset or chunk.data_page_offset
    content = bytearray(path.read_bytes())
    content[begin : begin + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(content)
    columns = [
        replace(c, used=c.key != "b")
        for c in parse_input_columns(["ls:a", "s:b", "ls:c"], ATTRIBUTES, where="-d").columns
    ]
    assert rows(list(read_input([str(path)], ATTRIBUTES, columns))) == [(1, 3), (2, 4)]
    with pytest.raises(InputReadError):
        read(path, "ls:a s:b")


def test_the_standard_input_is_read_too(table: Path) -> None:
    columns = parse_input_columns(["i:small"], ATTRIBUTES, where="-d").columns

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    batches = list(read_input(["-"], ATTRIBUTES, columns, stdin=Pipe(table.read_bytes())))
    assert rows(batches) == [(1,), (2,), (3,)]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PAR1", b"PAR1" + b"x" * 100 + b"PAR1"])
def test_other_data_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(InputReadError, match=r"a\.parquet: it is no Parquet, or damaged"):
        read(path, "s:a")


def test_a_damaged_file_is_an_error_wherever_it_is_damaged(table: Path, tmp_path: Path) -> None:
    content = table.read_bytes()
    path = tmp_path / "b.parquet"
    for cut in range(0, len(content), 97):
        path.write_bytes(content[:cut])
        with pytest.raises(InputReadError):
            read(path, "s:User_Name l:big")


@pytest.mark.parametrize("words", [["+1"], ["esc"], ["title"], ["enc=latin-1"], ["csv"], ["sep=;"]])
def test_attributes_of_text_are_refused(words: list[str]) -> None:
    with pytest.raises(OptionError):
        parse_input_attributes(["parquet", *words], where="-f")


ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ROWS = st.lists(
    st.tuples(
        ANY_TEXT.map(str.encode),
        st.floats(allow_nan=False),
        st.integers(0, 2**64 - 1),
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 2**32 - 1),
        st.sampled_from([b"", bytes([127, 0, 0, 1]), bytes(15) + b"\x01"]),
    ),
    max_size=20,
)
SPECS = ["S:text", "F:f", "L:l", "LS:ls", "I:i", "IP:ip"]


@settings(max_examples=40)
@given(ROWS, st.integers(1, 3))
def test_what_is_written_is_read_by_us_and_by_others(values: list[tuple[object, ...]], pieces: int) -> None:
    columns = [parse_column(spec, where="-d") for spec in SPECS]
    out = io.BytesIO()
    attributes = parse_output_attributes(["parquet"], where="-o")
    with open_output("-", attributes, [OutputColumn(c.key, c.name, c.type) for c in columns], stdout=out) as writer:
        for start in range(pieces):
            part = values[start::pieces]
            cells = list(zip(*part, strict=True)) or [()] * len(columns)
            writer.write(make_batch([(c.key, c.type, v) for c, v in zip(columns, cells, strict=True)], len(part)))
    written = [row for start in range(pieces) for row in values[start::pieces]]
    content = out.getvalue()
    batches = list(read_input(["-"], ATTRIBUTES, columns, stdin=io.BytesIO(content)))
    assert rows(batches) == written
    seen = pl.read_parquet(io.BytesIO(content)).drop("ip").rows()
    assert seen == [(text.decode(), *rest) for text, *rest, _ in written]  # type: ignore[attr-defined]


def test_duckdb_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    attributes = parse_output_attributes(["parquet"], where="-o")
    with open_output(
        str(path), attributes, [OutputColumn("a", "A b", ColumnType.S), OutputColumn("n", "n", ColumnType.L)]
    ) as out:
        for start in range(0, 300_000, 50_000):
            numbers = range(start, start + 50_000)
            out.write(
                make_batch(
                    [("a", ColumnType.S, [b"x%d\xff" % n for n in numbers]), ("n", ColumnType.L, numbers)], 50_000
                )
            )
    found = (
        duckdb.connect()
        .execute(f'select count(*), sum(n), min("A b"), typeof(first("A b")) from \'{path}\'')
        .fetchall()
    )
    assert found == [(300_000, 299_999 * 150_000, "x0\ufffd", "VARCHAR")]


def test_an_output_that_failed_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    attributes = parse_output_attributes(["parquet"], where="-o")
    with pytest.raises(RuntimeError), open_output(str(path), attributes, [OutputColumn("a", "a", ColumnType.I)]) as out:
        out.write(make_batch([("a", ColumnType.I, [1])], 1))
        raise RuntimeError
    with pytest.raises(InputReadError):
        read(path, "i:a")
    with pytest.raises(OptionError, match="nothing can be appended"):
        parse_output_attributes(["parquet", "app"], where="-o")
