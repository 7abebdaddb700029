"""The memory that reading takes: blocks, never the whole input."""

from __future__ import annotations

import gzip
import resource
from pathlib import Path

from ess.formats.attributes import parse_input_attributes
from ess.formats.reader import read_input
from ess.schema import parse_column


def test_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.gz"
    with gzip.open(path, "wb", compresslevel=1) as sink:
        sink.write(b"a,b\n")
        for _ in range(300):
            sink.write(bytes(1 << 20))
        sink.write(b"\nc,d\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    columns = [parse_column(spec, where="-d") for spec in ("s:a", "s:b")]
    batches = list(read_input([str(path)], parse_input_attributes([], where="-f"), columns))
    assert [row for batch in batches for row in batch.frame.rows()] == [(b"a", b"b"), (b"c", b"d")]
    assert [r.record for batch in batches for r in batch.rejects] == [2]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # KB
