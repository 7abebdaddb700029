"""Records, fields and rejected records of all input formats, and the published dirty data."""

from __future__ import annotations

import csv
import gzip
import io
import os
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ess.errors import InputOpenError, InputReadError, OptionError
from ess.formats import reader
from ess.formats.attributes import InputAttributes, parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.reader import InputBatch, read_input

TWO = "s:a s:b"
THREE = "s:a i:b f:c"


def read(data: bytes, words: str = "", specs: str | list[str] = TWO) -> tuple[list[tuple[object, ...]], list[str]]:
    """The good rows, and the rejected records as ``before:record:column: reason``."""
    attributes = attributes_of(words)
    given_columns = parse_input_columns(specs.split() if isinstance(specs, str) else specs, attributes, where="-d")
    rows: list[tuple[object, ...]] = []
    rejects: list[str] = []
    for batch in read_input(
        ["-"], attributes, given_columns.columns, separators=given_columns.separators, stdin=io.BytesIO(data)
    ):
        rejects += [f"{r.before_row + len(rows)}:{r.record}:{r.column}: {r.reason}" for r in batch.rejects]
        rows += batch.frame.rows()
    return rows, rejects


def attributes_of(words: str) -> InputAttributes:
    return parse_input_attributes(words.split(",") if words else [], where="-f")


@pytest.mark.parametrize(
    ("data", "words", "rows", "rejects"),
    [
        (b"", "", [], []),
        (b"a,b", "", [(b"a", b"b")], []),
        (b"a,b\nc,d\r\ne,f\r", "", [(b"a", b"b"), (b"c", b"d"), (b"e", b"f")], []),
        (b"a,\r\n,b\n", "", [(b"a", b""), (b"", b"b")], []),
        (b"a\rb,c\r\r\n", "", [(b"a\rb", b"c\r")], []),
        (b"\0,\xff\xfe\n", "", [(b"\0", b"\xff\xfe")], []),
        (b"\xef\xbb\xbfa,b\n", "", [(b"a", b"b")], []),
        (b"a,b,c,d\n", "", [(b"a", b"b")], []),
        (b"a,b,c\nd,e\n", "nox", [(b"d", b"e")], ["0:1:b: the record has more than 2 fields (nox)"]),
        (b"a\n\nb,c\n", "", [(b"b", b"c")],
         ["0:1:b: the record has 1 of 2 fields", "0:2:b: the record has 1 of 2 fields"]),
        (b'"a,""x""","b\r\nc"\n', "", [(b'a,"x"', b"b\r\nc")], []),
        (b'5" pipe,"" \n"",\n', "", [(b"", b"")], ["0:1:b: ' ' follows a closing quote"]),
        (b'x,y"z"\n a,"b\n c,d\n', "", [(b"x", b'y"z"'), (b" c", b"d")], ["1:2:b: a quote is not closed"]),
        (b'a,b,"\nc,d\n', "", [(b"c", b"d")], ["0:1:#3: a quote is not closed"]),
        (b'"a\nb","c"x\nd,e\n', "", [(b"d", b"e")], ["0:1:b: 'x' follows a closing quote"]),
        (b"a,b\n" + b"x" * 30 + b",y\nc,d\n", "bz=20", [(b"a", b"b"), (b"c", b"d")],
         ["1:2:a: the field is 30 bytes long, and a record may have 20; bz=Bytes allows more"]),
        (b"aaaaaaaaaaa,bbbbbbbbbbb\nc,d\n", "bz=20", [(b"c", b"d")],
         ["0:1:a: the record is 23 bytes long, and a record may have 20; bz=Bytes allows more"]),
        (b'a,"' + b"x" * 30 + b'"\nc,d\n', "bz=20", [(b"c", b"d")],
         ["0:1:b: the field is 32 bytes long, and a record may have 20; bz=Bytes allows more"]),
        (b"a," + b"x" * (1 << 21) + b"\nc,d\n", "bz=20", [(b"c", b"d")],
         ["0:1:b: the field is longer than 1048596 bytes, and a record may have 20; bz=Bytes allows more"]),
        (b"a," + b"x" * 65536 + b"\nc,d\n", "bz=99999", [(b"c", b"d")],
         [f"0:1:b: '{'x' * 40}'... is 65536 bytes long, and a string may have 65535; a column X leaves it out"]),
        (b'"a\n' + b"x" * 30 + b'",y\nc,d\n', "bz=20", [(b"c", b"d")],
         ["0:1:a: a quote is not closed",
          "0:2:a: the field is 31 bytes long, and a record may have 20; bz=Bytes allows more"]),
        (b"# one\n# two\na,b\n", "+2", [(b"a", b"b")], []),
        (b'"t\n",x\na,b\n', "+1r", [(b"a", b"b")], []),
        (b"XYa,b\n", "+2b", [(b"a", b"b")], []),
        (b"a,b\n", "+9", [], []),
        (b'"a"\tb,c\n', "tsv", [(b'"a"', b"b,c")], []),
        (b'"a\tx"\tb\n', "tsv,csv", [(b"a\tx", b"b")], []),
        (b"a|b\n", "sep=|", [(b"a", b"b")], []),
        (b"a\x01b\n", "sep=\\x01", [(b"a", b"b")], []),
        (b"a\\,b,c\\\\\n", "esc", [(b"a,b", b"c\\")], []),
        (b'"a\\"b",c\n', "esc", [(b'a"b', b"c")], []),
        (b"a\\\nb,c\\\n", "esc", [(b"b", b"c\\")], ["0:1:b: the record has 1 of 2 fields"]),
        (b"a\\,b\n", "", [(b"a\\", b"b")], []),
    ],
)  # fmt: skip
def test_separated_records(data: bytes, words: str, rows: list[tuple[bytes, ...]], rejects: list[str]) -> None:
    assert read(data, words) == (rows, rejects)


def test_values_and_their_rejects() -> None:
    rows, rejects = read(b"x,1,2.5\ny,TBD,1\nz,,\nw,5000000000,1\nv,-1,1\nu,-,-\nt,7,1e999\n", "", THREE)
    assert rows == [(b"x", 1, 2.5), (b"z", 0, 0.0), (b"u", 0, 0.0)]
    assert rejects == [
        "1:2:b: 'TBD' is not an unsigned 32-bit integer",
        "2:4:b: '5000000000' does not fit an unsigned 32-bit integer",
        "2:5:b: '-1' does not fit an unsigned 32-bit integer",
        "3:7:c: '1e999' does not fit a 64-bit float",
    ]


def test_blank_line_is_a_record_of_one_column() -> None:
    assert read(b"a\n\n\r\nb\n", "", "s:word") == ([(b"a",), (b"",), (b"",), (b"b",)], [])
    assert read(b"1\n\n", "", "i:n") == ([(1,), (0,)], [])


def test_unwanted_columns_are_not_converted() -> None:
    assert read(b"a,TBD,1\n", "", "s:a X f:c") == ([(b"a", 1.0)], [])
    assert read(b"a,TBD,1\n", "", "X XI X") == ([()], [])


def test_column_attributes() -> None:
    assert read(b" Ab ,ff\n", "", "s,trm,up:a i,hex:b") == ([(b"AB", 255)], [])
    assert read(b'\\x41\\n\\"\\q,x\n', "", "s,clf:a s:b") == ([(b'A\n"\\q', b"x")], [])
    assert read(b"a\\,b,c\n", "", "s,esc:a s:b") == ([(b"a,b", b"c")], [])
    assert read(b"20140901,x\n2014,y\na,b,c,d,e,f\n", "", "s,n=8:a s:b") == (
        [(b"20140901", b"x")],
        ["1:2:a: the field is not 8 bytes long", "1:3:a: the field is not 8 bytes long"],
    )
    assert read(b"a,b,c,x\n", "", "s,n=5:a s:b") == ([(b"a,b,c", b"x")], [])


def test_fixed_records() -> None:
    specs = "s,n=3:a i,n=4,trm:b"
    assert read(b"abc  12\r\nab\nabc  123\nabc4567", "fix", specs) == (
        [(b"abc", 12), (b"abc", 4567)],
        ["1:2:a: the record ends after 2 bytes", "1:3:b: the record has 1 bytes too many"],
    )
    with pytest.raises(OptionError, match="has no length"):
        read(b"", "fix", TWO)


def test_divided_records() -> None:
    specs = ["ip:ip", "sep: - [", "s:at", "sep:] ", "X", "sep:;", "i:n"]
    assert read(b"1.2.3.4 - [x y] z;5\nbad\n", "div", specs) == (
        [(b"\1\2\3\4", b"x y", 5)],
        ["1:2:ip: ' - [' does not follow the field"],
    )
    around = ["sep:<", "s,esc:a", "sep:>"]
    assert read(b"<a\\>b>\n<a> \na>\n", "div", around) == (
        [(b"a>b",)],
        ["1:2:a: ' ' follows the last separator", "1:3:a: the record does not begin with '<'"],
    )
    assert read(b"abcdef\n", "div", ["s,n=2:a", "s:b"]) == ([(b"ab", b"cdef")], [])
    with pytest.raises(OptionError, match="nothing separates"):
        read(b"", "div", ["s:a", "s:b"])
    with pytest.raises(OptionError, match="'div' inputs only"):
        read(b"", "", around)


def test_columns_are_needed_and_have_one_name_each() -> None:
    with pytest.raises(OptionError, match="no columns"):
        read(b"", "", "")
    with pytest.raises(OptionError, match="given twice"):
        read(b"", "", "s:a s:A")


def test_several_files_are_read_in_order_each_with_its_own_skip(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two.gz"
    first.write_bytes(b"head\n1,x\nbad\n")
    second.write_bytes(gzip.compress(b"head\nbad\n2,y"))
    columns = parse_input_columns(["i:n", "s:t"], attributes_of("+1"), where="-d").columns
    batches = list(
        read_input([str(first), "-", str(second)], attributes_of("+1"), columns, stdin=io.BytesIO(b"head\n3,z\n"))
    )
    assert [row for batch in batches for row in batch.frame.rows()] == [(1, b"x"), (3, b"z"), (2, b"y")]
    assert list(dict.fromkeys(batch.file for batch in batches)) == [str(first), "-", str(second)]
    assert [(r.record, r.before_row) for batch in batches for r in batch.rejects] == [(2, 1), (1, 0)]
    with pytest.raises(InputOpenError):
        list(read_input([str(tmp_path / "none")], attributes_of(""), columns))


def test_broken_file_gives_its_whole_records_first(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    whole = b"".join(b"%d,line %d\n" % (n, n) for n in range(5000))
    packed = gzip.compress(whole)
    path.write_bytes(packed[: len(packed) // 2])
    got: list[InputBatch] = []
    columns = parse_input_columns(["i:n", "s:t"], attributes_of(""), where="-d").columns

    def collect() -> None:
        for batch in read_input([str(path)], attributes_of(""), columns):
            got.append(batch)

    with pytest.raises(InputReadError) as caught:
        collect()
    assert caught.value.exit_code == 12
    rows = [row for batch in got for row in batch.frame.rows()]
    assert rows == [(n, b"line %d" % n) for n in range(len(rows))]
    assert len(rows) > 1000
    assert not any(batch.rejects for batch in got)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)] * 2), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_python_writes_what_we_read(rows: list[tuple[str, str]], end: str, quoting: int) -> None:
    # Python does not quote a CR before its LF, so nobody can tell the two from a line end.
    assume(quoting == csv.QUOTE_ALL or not any(last.endswith("\r") for _, last in rows))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows(rows)
    assert read(text.getvalue().encode()) == ([(a.encode(), b.encode()) for a, b in rows], [])


PUBLISHED = Path(os.environ.get("ESS_PUBLISHED", Path(__file__).parents[3] / "shared" / "published"))


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published data are not here")
def test_published_purchases() -> None:
    attributes = attributes_of("+1,eok")
    specs = ["S:purchaseDate", "S:userID", "I:articleID", "f:price", "I:refID"]
    columns = parse_input_columns(specs, attributes, where="-d").columns
    files = sorted(map(str, (PUBLISHED / "woodworking" / "diy_woodworking").glob("purchase_*")))
    kept = rejected = 0
    for batch in read_input(files, attributes, columns):
        kept += batch.frame.height
        rejected += len(batch.rejects)
        assert {(r.column, r.reason) for r in batch.rejects} <= {("refID", "'TBD' is not an unsigned 32-bit integer")}
    assert (kept, rejected) == (40373, 658)


def test_large_blocks_take_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [b"%d,name %d,%d.%02d" % (n, n, n % 97, n % 100) for n in range(20000)]
    lines[77] = b'5,"a ""quoted"" name",1'
    lines[99] = b"TBD,x,1"
    data = b"\r\n".join(lines)
    monkeypatch.setattr(reader, "_SMALL", 0)
    fast = read(data, "", "i:n s:t f:p")
    monkeypatch.setattr(reader, "_SMALL", 1 << 40)
    monkeypatch.setattr(reader, "_TINY", 1 << 40)
    assert read(data, "", "i:n s:t f:p") == fast
    assert len(fast[0]) == 19999
    assert fast[1] == ["99:100:n: 'TBD' is not an unsigned 32-bit integer"]
