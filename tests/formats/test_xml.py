"""Records of xml inputs: the manual's examples, damage, limits, and independence of blocks."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.formats.attributes import parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.reader import read_input


def read(
    data: bytes, words: list[str], specs: str, *, size: int = 1 << 20
) -> tuple[list[tuple[object, ...]], list[tuple[int, int, str, str]]]:
    attributes = parse_input_attributes(["xml", *words], where="-f")
    columns = parse_input_columns(specs.split(), attributes, where="-d").columns
    rows: list[tuple[object, ...]] = []
    rejects: list[tuple[int, int, str, str]] = []
    for batch in read_input(["-"], attributes, columns, stdin=io.BytesIO(data), batch_bytes=size):
        assert batch.read == batch.frame.height + len(batch.rejects)
        rejects += [(r.before_row + len(rows), r.record, r.column, r.reason) for r in batch.rejects]
        rows += batch.frame.rows()
    return rows, rejects


ONE = b"<root><Key1>Val1</Key1>\n<Key2><Ary>0</Ary> <Ary>1</Ary> <Ary>2</Ary></Key2></root>\n"
TURNED = b"<root><Key2><Ary>0</Ary><Ary>1</Ary></Key2><Key1>Val1</Key1><Key3><Ary>9</Ary></Key3></root>"
ROW = b"<k1><k2><k3><k4>%d4</k4><k5>%d5</k5></k3></k2></k1>\n"
DEEP = b"".join(ROW % (n, n) for n in (1, 2, 3))
LIST = DEEP.replace(b"</k3></k2></k1>\n<k1><k2><k3><k4>2", b"</k3>\n<k3><k4>2")
TRIPLES = [(14, 15), (24, 25), (34, 35)]


@pytest.mark.parametrize(
    ("data", "words", "specs", "rows"),
    [
        (ONE, [], "S:a:root.key1 I:b:root.key2.ary[*]", [(b"Val1", 0), (b"Val1", 1), (b"Val1", 2)]),
        (TURNED, [], "S:a:root.key1 I:b:root.key2.ary[*] I:c:root.key3.ary[*]",
         [(b"", 0, 0), (b"", 1, 0), (b"Val1", 0, 9)]),
        (DEEP, [], "I:a:k1.k2.k3.k4 I:b:k1.k2.k3.k5", TRIPLES),
        (DEEP, ["base=k1.k2.k3"], "I:a:k4 I:b:k5", TRIPLES),
        (b"<k0>\n" + DEEP + b"</k0>", ["base=k0.k1[*].k2.k3"], "I:a:k4 I:b:k5", TRIPLES),
        (LIST, ["base=k1.k2.k3[*]"], "I:a:k4 I:b:k5", TRIPLES),
        (b"<k0>" + LIST + b"</k0>", ["base=k0.k1[*].k2.k3[*]"], "I:a:k4 I:b:k5", TRIPLES),
        (b"<k1>1</k1>\n<k1>2</k1>\n<k1>3</k1><k1>4</k1>", ["base=k1"], "I:a:", [(1,), (2,), (3,), (4,)]),
        (b"<k1>1</k1><k1>2</k1>", [], "I:a:k1[*]", [(1,), (2,)]),
        (b"<r><a>1</a><a>2</a><a>3</a></r>", [], "I:x:r.a[1] I:y:r.a[0] I:last:r.a I:no:r.a[7]", [(2, 1, 3, 0)]),
        (b"<r><a id='5'>x</a><a ID='6' b='&lt;'/></r>", ["base=r.a[*]"], "i:id:@id s:t: s:b:@b",
         [(5, b"x", b""), (6, b"", b"<")]),
        (b"<p>Hello, <b>World</b>!<![CDATA[<&>]]><!-- no --> &#233;&quot;</p>", [], "s:p:p",
         [("Hello, World!<&> é\"".encode(),)]),
        (b'<?xml version="1.0" encoding="iso-8859-1"?>\n<r>\xe9\xc3\xa9\xf4\x8f\xba\x81&#233;</r>', [], "s:r:r",
         [(b"\xe9\xc3\xa9\xf4\x8f\xba\x81\xc3\xa9",)]),
        ('<?xml version="1.0" encoding="utf-16"?><r>é</r>'.encode("utf-16"), [], "s:r:r", [("é".encode(),)]),
        (b"\xef\xbb\xbf<?xml version='1.0'?><!DOCTYPE r><r>1</r>\n<?xml version='1.0'?><r>2</r><!DOCTYPE r [\n"
         b"<!ENTITY e 'E'>]><r>&e;</r><!-- c --><r>3</r><r>4</r><?xml version='1.0'?><r>5</r>\xef\xbb\xbf<r>6</r>", [],
         "s:r:r", [(b"1",), (b"2",), (b"E",), (b"3",), (b"4",), (b"5",), (b"6",)]),
        (b"<r><A> X </A></r>", [], "s,trm,lo:a:r.a", [(b"x",)]),
        (b"<other><r>1</r></other><r>2</r>", [], "i:r:r", [(2,)]),
        (b"<r/>", [], "s:a:r.none", [(b"",)]),
        (b"<r/>", [], "s:a:r.none[*]", []),
        (b"<r><n>x</n></r>", [], "s:n:r.n s:a:r.k[*]", [(b"x", b"")]),
        (b"", [], "s:a:r", []),
        (b" \n ", [], "s:a:r", []),
        (b"<?xml version='1.0'?>\n", [], "s:a:r", []),
        (b"skip me\n<r>1</r>", ["+1"], "i:a:r", [(1,)]),
        (b"<r><a>1</a><a>2</a><a>3</a></r>", ["+2r"], "i:a:r.a[*]", [(3,)]),
        (b"<r><ns:a>1</ns:a><a>2</a></r>", [], "i:a:r.ns:a", [(1,)]),
        (b"<r><a>1</a></r>", [], "X:x:r.b i:a:r.a", [(1,)]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_extraction(data: bytes, words: list[str], specs: str, rows: list[tuple[object, ...]], size: int) -> None:
    assert read(data, words, specs, size=size) == (rows, [])


@pytest.mark.parametrize("size", [1, 10, 1 << 20])
@pytest.mark.parametrize(
    ("data", "specs", "good", "bad"),
    [
        # A wrong end tag, a stray &, a bare <, a wrong value, a missing end tag, a character that XML has not.
        (b"<r><a>1</a><a>2</b><a>3</a><a>x&y</a><a>4</a><a>1 < 2</a><a>x</a><a>5<a>6</a><a>7\0</a><a>8</a></r>",
         "i:a:r.a[*]", [1, 3, 4, 6, 8], 6),
        # The same where each record is a document; text between documents.
        (b"<a>1</a><a>2</b><a>3</a>trash<a>x&y</a><a>4</a><a>5<a>6</a><?xml version='1.0'?><a>7</a>",
         "i:a:a", [1, 3, 4, 6, 7], 4),
        # Cut off in a record, between records, in a tag.
        (b"<r><a>1</a><a>2", "i:a:r.a[*]", [1], 1),
        (b"<r><a>1</a>", "i:a:r.a[*]", [1], 1),
        (b"<a>1</a><a", "i:a:a", [1], 1),
        (b"<a>1</a>x", "i:a:a", [1], 1),
        # The spelling of the elements around stays.
        (b"<Top><List><A>1</A><A>&</A></List><LIST><a>2</a></LIST></Top><Top><List><A>3</A></List></Top>",
         "i:a:top.list.a[*]", [1, 2, 3], 1),
        (b"not xml at all", "i:a:a", [], 1),
        (b"<x>" * 2000, "i:a:a", [], 1),
    ],
)  # fmt: skip
def test_bad_records_are_counted_and_the_others_go_on(
    data: bytes, specs: str, good: list[int], bad: int, size: int
) -> None:
    rows, rejects = read(data, [], specs, size=size)
    assert [row[0] for row in rows] == good
    assert len(rejects) == bad
    assert [reject[1] for reject in rejects] == sorted({reject[1] for reject in rejects})


BOMB = b"<!DOCTYPE r [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><r><k>&b;</k><k>1</k></r>"
LONG_ENTITY = b"<!DOCTYPE r [<!ENTITY a '" + b"x" * 2000 + b"'>]><r><k>&a;</k><k>1</k></r>"
OUTSIDE = b"<!DOCTYPE r [<!ENTITY a SYSTEM 'file:///etc/hostname'>]><r><k>&a;</k><k>1</k></r>"
SUBSET = b"<!DOCTYPE r SYSTEM 'http://127.0.0.1:9/x.dtd'><r><k>&a;</k><k>1</k></r>"
PARAMETER = b"<!DOCTYPE r [<!ENTITY % p SYSTEM 'file:///etc/hostname'> %p;]><r><k>&a;</k><k>1</k></r>"


@pytest.mark.parametrize("data", [BOMB, LONG_ENTITY, OUTSIDE, SUBSET, PARAMETER])
def test_entities_neither_grow_nor_fetch(data: bytes) -> None:
    rows, rejects = read(data, [], "i:k:r.k[*]")
    assert rows == [(1,)]
    assert 1 <= len(rejects) <= 2
    assert any(word in rejects[0][3] for word in ("refused", "never fetched", "not declared"))


@pytest.mark.parametrize(
    ("specs", "says"),
    [("s:a", "has no key"), ("s:a:[*].b", "brackets without a name"), ("s:a:b[0][1]", "brackets without a name")],
)
def test_wrong_specs(specs: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        parse_input_columns(specs.split(), parse_input_attributes(["xml"], where="-f"), where="-d")


PIECES = [
    *(b"<r>", b"</r>", b"<k>", b"</k>", b"<k i='1'>", b"<a>", b"</a>", b"<K/>", b"1", b"text", b"&amp;", b"&", b"<"),
    *(b"<!-- c -->", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?xml version='1.0'?>", b"<?pi?>", b"<!DOCTYPE r>"),
    *(b"<r><k><a>1</a></k><k><a>2</a></k></r>", b"\n", b" ", b"\xff", b"\0", "é".encode(), b"\xef\xbb\xbf", b"'"),
    *(b"<!DOCTYPE r [<!ENTITY e 'x'>]>", b"&e;", b"long text " * 20, b"<k><a>" + b"x" * 900 + b"</a></k>"),
]
SPECS = [
    "s:a:r.k[*].a",
    "s:a:r.k.a s:i:r.k.@i",
    "s:a:r s:b:r.k[*]",
    "s:a:k s:b:r.k[0]",
    "i:a:k[*].a",
    "s:a:k.k[*].a[*]",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join), st.sampled_from(SPECS), st.integers(1, 40))
def test_results_do_not_depend_on_blocks(data: bytes, specs: str, size: int) -> None:
    assert read(data, ["bz=50"], specs, size=size) == read(data, ["bz=50"], specs)


class Endless(io.RawIOBase):
    """A stream made of pieces, not kept."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


@pytest.mark.parametrize(
    ("start", "piece", "end", "height", "bad"),
    [
        (b"<r>", b"<k><a>1</a><b>text</b></k>\n" * 100, b"</r>", 20_000, 0),
        (b"", b"<k><a>1</a></k>" * 100, b"", 20_000, 0),
        (b"<r><k><a>", b"endless text " * 1000, b"</a></k><k><a>2</a></k></r>", 1, 1),
        (b"<r><!-- ", b"endless text " * 1000, b"--><k><a>2</a></k></r>", 1, 1),
        (b"<r><k x='", b"endless text " * 1000, b"'><a>1</a></k><k><a>2</a></k></r>", 1, 1),
        (b"<!DOCTYPE r [", b"<!ELEMENT a (b)>" * 1000, b"]><r><k><a>2</a></k></r>", 1, 1),
        (b"", b"<q>" * 1000, b"<r><k><a>2</a></k></r>", 1, 1),
    ],
)
def test_memory_is_bounded(start: bytes, piece: bytes, end: bytes, height: int, bad: int) -> None:
    attributes = parse_input_attributes(["xml", "bz=8192"], where="-f")
    specs = ["i:a:r.k[*].a"] if start or b"q" in piece else ["i:a:k.a"]
    columns = parse_input_columns(specs, attributes, where="-d").columns
    stream = Endless(iter([piece for piece in (start, *[piece] * 200, end) if piece]))
    rows = rejects = 0
    tracemalloc.start()
    for batch in read_input(["-"], attributes, columns, stdin=stream, batch_bytes=1 << 16):  # type: ignore[arg-type]
        rows, rejects = rows + batch.frame.height, rejects + len(batch.rejects)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (rows, rejects) == (height, bad)
    assert peak < 3_000_000
