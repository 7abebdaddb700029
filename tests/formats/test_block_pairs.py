"""Two blocks at a time give what one after the other gives."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.errors import InputReadError
from ess.formats.attributes import InputAttributes, parse_input_attributes
from ess.formats.block_pairs import parsed
from ess.formats.blocks import ByteSource, RawBlock, blocks
from ess.formats.parse_exact import Block, parse_block_exactly
from ess.formats.reader import read_input
from ess.formats.records import Layout
from ess.schema.columns import Column
from ess.schema.types import ColumnType

_COLUMNS = (Column("a", ColumnType.S), Column("b", ColumnType.I))
_LINES = st.sampled_from((b"x,1\n", b'"x",2\n', b'"x\ny",3\n', b'"x\n\n\nyz\n",4\n', b"bad\n", b"x,bad\n", b'x"y,5\n'))


def _layout(*attributes: str) -> Layout:
    given: InputAttributes = parse_input_attributes(list(attributes), where="-f")
    return Layout(given, _COLUMNS)


def _parse(layout: Layout, raw: RawBlock, start: int) -> Block:
    return parse_block_exactly(raw.data, start, raw.end, final=raw.final, layout=layout)


def _read(
    source: ByteSource, layout: Layout, size: int, *, in_pairs: bool
) -> Iterator[tuple[list[tuple[object, ...]], list[tuple[int, str]]]]:
    raws = ((raw, 0) for raw in blocks(source, size, layout.attributes.record_limit))
    for block in parsed(raws, partial(_parse, layout), in_pairs=in_pairs, many=1):
        yield block.frame.rows(), [(reject.column, reject.reason) for reject in block.rejects]


@settings(max_examples=60)
@given(st.lists(_LINES, max_size=20), st.integers(1, 12), st.sampled_from((b"", b"x,6", b'"x', b'"x\n\ny"')))
def test_pairs_give_the_same(lines: list[bytes], size: int, end: bytes) -> None:
    data = b"".join(lines) + end
    layout = _layout("csv")
    found = []
    for in_pairs in (False, True):
        read = list(_read(io.BytesIO(data), layout, size, in_pairs=in_pairs))
        found.append(([row for rows, _ in read for row in rows], [reject for _, rejects in read for reject in rejects]))
    assert found[0] == found[1]


def test_a_thread_parses_every_other_block_but_the_first() -> None:
    names: list[str] = []

    def parse(raw: RawBlock, start: int) -> Block:
        names.append(threading.current_thread().name)
        return Block(pl.DataFrame({"a": [raw.data[start : raw.end]]}), (), raw.end)

    raws = ((raw, 0) for raw in blocks(io.BytesIO(b"".join(b"%d\n" % n for n in range(7))), 2, 100))
    here = threading.current_thread().name
    assert [block.frame.item() for block in parsed(raws, parse, in_pairs=True, many=1)] == [
        b"%d\n" % n for n in range(7)
    ]
    assert sorted(names) == sorted([here] * 4 + ["parse beside"] * 3)


def test_what_is_whole_comes_before_a_break() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if piece := super().read(size):
                return piece
            raise InputReadError("it breaks off", where="here")

    rows: list[tuple[object, ...]] = []
    with pytest.raises(InputReadError, match="breaks off"):
        for some, _ in _read(Broken(b"a,1\nb,2\nc,3\nd,4\ne"), _layout("csv"), 4, in_pairs=True):
            rows += some
    assert rows == [(b"a", 1), (b"b", 2), (b"c", 3), (b"d", 4)]


def test_a_failure_beside_is_told_and_no_thread_is_left() -> None:
    def parse(raw: RawBlock, start: int) -> Block:
        if threading.current_thread().name == "parse beside":
            raise MemoryError
        return Block(pl.DataFrame({"a": [1]}), (), raw.end)

    def opened() -> Iterator[Block]:
        raws = ((raw, 0) for raw in blocks(io.BytesIO(b"a\n" * 6), 2, 100))
        return parsed(raws, parse, in_pairs=True, many=1)

    with pytest.raises(MemoryError):
        list(opened())
    some = opened()
    next(some)
    del some
    assert "parse beside" not in [thread.name for thread in threading.enumerate()]


def test_a_file_in_pairs_is_what_a_pipe_gives(tmp_path: Path) -> None:
    line, quoted = b"abcdefgh,%d\n" % 7, b'"a\nb",8\n' + b"bad,x\n"
    data = (line * 80_000 + quoted) * 5
    (tmp_path / "file.csv").write_bytes(data)
    given = parse_input_attributes(["csv"], where="-f")
    found = []
    for names, stdin in (([str(tmp_path / "file.csv")], None), (["-"], io.BytesIO(data))):
        read = list(read_input(names, given, _COLUMNS, batch_bytes=(1 << 20) + 1, stdin=stdin))
        found.append((pl.concat([batch.frame for batch in read]), [r.record for batch in read for r in batch.rejects]))
    (frame, rejects), (other, other_rejects) = found
    assert frame.equals(other) and frame.height == 5 * 80_001
    assert rejects == other_rejects == [80_002 * n for n in range(1, 6)]
