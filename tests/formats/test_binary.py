"""The bin format hands rows from tool to tool unchanged, and notices when they do not all come."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ess.errors import InputReadError, OptionError
from ess.formats.attributes import parse_input_attributes, parse_output_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.output.columns import OutputColumn
from ess.formats.output.render import Renderer
from ess.formats.output.writer import open_output
from ess.formats.reader import read_input
from ess.schema.batch import Batch, make_batch
from ess.schema.types import ColumnType

KINDS = list(ColumnType)
COLUMNS = [OutputColumn(kind.name.lower(), kind.name, kind) for kind in KINDS]
SPECS = [f"{kind.name}:{kind.name}" for kind in KINDS]
VALUES: dict[ColumnType, list[object]] = {
    ColumnType.S: [b"\0\xff", b""],
    ColumnType.F: [0.1, float("inf")],
    ColumnType.L: [2**64 - 1, 0],
    ColumnType.LS: [-(2**63), 1],
    ColumnType.I: [2**32 - 1, 2],
    ColumnType.IS: [-(2**31), 3],
    ColumnType.IP: [b"\1\2\3\4", b""],
}
BATCH = make_batch([(kind.name.lower(), kind, VALUES[kind]) for kind in KINDS], 2)


def written(*batches: Batch, words: tuple[str, ...] = ()) -> bytes:
    stream = io.BytesIO()
    with open_output("-", parse_output_attributes(["bin", *words], where="-o"), COLUMNS, stdout=stream) as writer:
        for batch in batches:
            writer.write(batch)
    return stream.getvalue()


def read(data: bytes, specs: list[str], *words: str) -> list[tuple[object, ...]]:
    attributes = parse_input_attributes(["bin", *words], where="-f")
    columns = parse_input_columns(specs, attributes, where="-d").columns
    batches = list(read_input(["-"], attributes, columns, stdin=io.BytesIO(data)))
    assert all(batch.read == batch.frame.height and not batch.rejects for batch in batches)
    return [row for batch in batches for row in batch.frame.rows()]


def test_rows_of_all_types_go_through() -> None:
    assert read(written(BATCH, BATCH), SPECS) == BATCH.rows() * 2
    assert read(written(), SPECS) == []
    assert read(b"", SPECS) == []


def test_streams_may_follow_each_other_and_rows_be_skipped(tmp_path: Path) -> None:
    assert read(written(BATCH) + written(BATCH), SPECS, "+1") == [*BATCH.rows()[1:], *BATCH.rows()]
    target = tmp_path / "rows"
    for _ in range(2):
        with open_output(str(target), parse_output_attributes(["bin", "app"], where="-o"), COLUMNS) as writer:
            writer.write(BATCH)
    assert read(target.read_bytes(), SPECS) == BATCH.rows() * 2


def test_unwanted_columns_and_attributes() -> None:
    assert read(written(BATCH), ["s,up:a", *["X"] * 6]) == [(b"\0\xff",), (b"",)]


def test_many_rows(tmp_path: Path) -> None:
    batch = make_batch([("s", ColumnType.S, [b"%d" % n for n in range(200_000)])], 200_000)
    stream = io.BytesIO()
    attributes = parse_output_attributes(["bin"], where="-o")
    with open_output("-", attributes, [OutputColumn("s", "s", ColumnType.S)], stdout=stream) as writer:
        writer.write(batch)
    assert read(stream.getvalue(), ["s:s"]) == batch.rows()


@pytest.mark.parametrize("cut", [3, 40, -1, -8, -9, -40])
def test_stream_that_breaks_off_is_an_error(cut: int) -> None:
    with pytest.raises(InputReadError) as caught:
        read(written(BATCH)[:cut], SPECS)
    assert caught.value.exit_code == 12


def test_other_data_are_an_error() -> None:
    with pytest.raises(InputReadError, match="not in the 'bin' format"):
        read(b"a,b\n", SPECS)


@pytest.mark.parametrize("specs", [SPECS[:-1], [*SPECS, "s:more"], ["I:s", *SPECS[1:]]])
def test_other_columns_are_an_error(specs: list[str]) -> None:
    with pytest.raises(OptionError, match="they are S:S F:F"):
        read(written(BATCH), specs)


def test_bin_outputs_do_not_share_a_target() -> None:
    with pytest.raises(OptionError, match="cannot share"):
        Renderer(parse_output_attributes(["bin"], where="-o"), COLUMNS, where="-o").records(BATCH)


def test_writer_that_failed_leaves_no_whole_stream() -> None:
    stream = io.BytesIO()

    def fail() -> None:
        with open_output("-", parse_output_attributes(["bin"], where="-o"), COLUMNS, stdout=stream) as writer:
            writer.write(BATCH)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(InputReadError, match="break off"):
        read(stream.getvalue(), SPECS)
