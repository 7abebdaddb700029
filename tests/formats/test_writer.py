"""Outputs are opened, written and closed; failures become the manual's exit codes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import cast

import pytest

from ess.errors import OutputOpenError, OutputWriteError
from ess.formats.attributes import parse_output_attributes
from ess.formats.output.columns import OutputColumn
from ess.formats.output.writer import open_output
from ess.schema.batch import make_batch
from ess.schema.types import ColumnType

COLUMNS = [OutputColumn("a", "a", ColumnType.S)]
BATCH = make_batch([("a", ColumnType.S, [b"x", b"y"])], 2)
PLAIN = parse_output_attributes([], where="-o")
APPEND = parse_output_attributes(["app", "notitle"], where="-o")


def test_file_with_title_then_appended(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with open_output(str(target), PLAIN, COLUMNS) as writer:
        writer.write(BATCH)
        writer.write(BATCH)
    with open_output(str(target), APPEND, COLUMNS) as writer:
        writer.write(BATCH)
    assert target.read_bytes() == b'"a"\n' + b'"x"\n"y"\n' * 3


def test_output_without_rows_has_its_title(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    open_output(str(target), PLAIN, COLUMNS).close()
    assert target.read_bytes() == b'"a"\n'


def test_standard_output_is_left_open() -> None:
    stream = io.BytesIO()
    with open_output("-", PLAIN, COLUMNS, stdout=stream) as writer:
        writer.write(BATCH)
        writer.write_bytes(b'"z"\n')
    assert stream.getvalue() == b'"a"\n"x"\n"y"\n"z"\n'
    assert not stream.closed


class Slow(io.RawIOBase):
    """Takes three bytes at a time, as a full pipe does."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        piece = bytes(cast(memoryview, data))[:3]
        self.taken += piece
        return len(piece)


def test_unbuffered_output_gets_everything() -> None:
    stream = Slow()
    with open_output("-", PLAIN, COLUMNS, stdout=cast(io.BytesIO, stream)) as writer:
        writer.write(BATCH)
    assert stream.taken == b'"a"\n"x"\n"y"\n'


def test_nodelay_hands_over_every_batch(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with open_output(str(target), parse_output_attributes(["nodelay"], where="-o"), COLUMNS) as writer:
        writer.write(BATCH)
        assert target.read_bytes() == b'"a"\n"x"\n"y"\n'


def test_target_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OutputOpenError, match="No such file") as caught:
        open_output(str(tmp_path / "none" / "out.csv"), PLAIN, COLUMNS)
    assert caught.value.exit_code == 21


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_full_disk_is_a_write_error() -> None:
    writer = open_output("/dev/full", PLAIN, COLUMNS)
    writer.write(BATCH)
    with pytest.raises(OutputWriteError, match="No space left") as caught:
        writer.close()
    assert caught.value.exit_code == 22


def test_reader_that_went_away() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as stream:
        writer = open_output("-", PLAIN, COLUMNS, stdout=cast(io.BytesIO, stream))
        with pytest.raises(BrokenPipeError):
            writer.write(BATCH)
