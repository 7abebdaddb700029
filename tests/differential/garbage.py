"""Garbage for every reader: records are good or rejected, failures are one-line errors, and blocks do not matter."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from ess.errors import EssError
from ess.formats.attributes import parse_input_attributes, parse_output_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.output.columns import OutputColumn
from ess.formats.output.render import Renderer
from ess.formats.reader import read_input
from ess.schema import ColumnType
from ess.schema.batch import make_batch

#: Attributes and columns of the inputs.
_FORMS = (
    ("csv", "s:a i:b f:c ip:d"),
    ("csv,esc", "s,clf:a i,hex:b f,trm:c ip:d"),
    ("csv,nox", "s:a is:b"),
    ("csv,bz=10", "s:a i:b"),
    ("csv,+2r", "s,n=2:a i:b"),
    ("sep=\\x01", "s:a ls:b x f:c"),
    ("fix", "s,n=3:a i,n=4:b"),
    ("div", "s:a sep:| i:b sep:|| s:c"),
    ("tab", "s:a i:b"),
    ("jsn", "s:a:a i:b:b.c[*] f:c:d[0].e"),
    ("jsn,base=[*].k", "s:a: i:b:x"),
    ("xml", "s:a:r.k[*].a i:b:r.k[*].@b"),
    ("xml,base=r", "s:a: s:b:a.b"),
    ("bin", "s:a i:b"),
)
_PIECES = [b'"', b",", b"\n", b"\r\n", b"\\", b"|", b"||", b"\0", b"\xff", b"1", b"-9", b"1e999", b"text", b" "]
_PIECES += [b'{"a":', b"}", b"[", b"]", b'"b":{"c":[1,2]}', b"\\u12", b"\\ud800", b"null", b"NaN", b"\x01"]
_PIECES += [b"<r>", b"</r>", b'<k b="1">', b"</k>", b"<a>", b"</a>", b"<td>", b"<tr>", b"</tr>", b"<!--", b"-->"]
_PIECES += [b"&amp;", b"&#0;", b"&#x110000;", b"<![CDATA[", b"]]>", b"<?xml ?>", b"<!DOCTYPE a [", b'<!ENTITY b "&c;">']
#: What files of other kinds begin with.
_PIECES += [
    b"\x1f\x8b\x08",
    b"BZh9",
    b"PK\x03\x04",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"\xff\xff\xff\xff",
    b"\xff\xfe",
]


@dataclass(frozen=True)
class Garbage:
    """An input for a reader, and the size of small blocks."""

    attributes: str
    columns: str
    data: bytes
    size: int


_COMPRESSIONS: list[Callable[[bytes], bytes]] = [gzip.compress, bz2.compress, lzma.compress]


def make_garbage(seed: int, number: int) -> Garbage:
    """Case ``number`` of ``seed``."""
    source = random.Random(f"garbage {seed}/{number}")
    attributes, columns = source.choice(_FORMS)
    data = _damaged(_stream(), source) if attributes == "bin" and source.random() < 0.7 else _mixture(source)
    if source.random() < 0.15:
        data = source.choice(_COMPRESSIONS)(data)
        data = _damaged(data, source) if source.random() < 0.7 else data
    return Garbage(attributes, columns, data, source.choice([1, 3, 17, 100]))


def _mixture(source: random.Random) -> bytes:
    if source.random() < 0.2:
        return source.randbytes(source.randrange(2000))
    pieces = source.randrange(200)
    return b"".join(source.choice(_PIECES) if source.random() < 0.8 else source.randbytes(3) for _ in range(pieces))


def _damaged(data: bytes, source: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(source.randrange(4)):
        changed[source.randrange(len(changed))] = source.randrange(256)
    return bytes(changed[: source.randrange(len(changed))] if source.random() < 0.4 else changed)


def _stream() -> bytes:
    """Good data for ``bin``."""
    columns = [OutputColumn("a", "a", ColumnType.S), OutputColumn("b", "b", ColumnType.I)]
    renderer = Renderer(parse_output_attributes(["bin"], where="-o"), columns, where="-o")
    batch = make_batch([("a", ColumnType.S, [b"x", b"yy"] * 20), ("b", ColumnType.I, [1, 2] * 20)], 40)
    return b"".join([renderer.title(), *map(bytes, renderer.rows(batch)), renderer.trailer()])


def garbage_failure(garbage: Garbage) -> str:
    """The fault of a reader in taking it; blank if there is none."""
    try:
        whole, small = _read(garbage, 4 << 20), _read(garbage, garbage.size)
    except Exception:  # whatever it is, it must reach the report with its data
        return f"{garbage!r}\n{traceback.format_exc()}"
    return "" if whole == small else f"{garbage!r}\n  whole: {whole}\n  small: {small}"


def _read(garbage: Garbage, size: int) -> str:
    """The rows, the rejected records and the error, as text."""
    attributes = parse_input_attributes(garbage.attributes.split(","), where="-f")
    given = parse_input_columns(garbage.columns.split(), attributes, where="-d")
    rows: list[tuple[object, ...]] = []
    rejects: list[tuple[int, int, str, str]] = []
    error = ""
    stdin = io.BytesIO(garbage.data)
    batches = read_input(["-"], attributes, given.columns, separators=given.separators, stdin=stdin, batch_bytes=size)
    try:
        for batch in batches:
            assert batch.read == batch.frame.height + len(batch.rejects)
            rejects += [(r.before_row + len(rows), r.record, r.column, r.reason) for r in batch.rejects]
            rows += batch.frame.rows()
    except EssError as failure:
        error = f"{type(failure).__name__} {failure}"
        assert "\n" not in error
    return f"{rows!r} {rejects!r} {error}"
