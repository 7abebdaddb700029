"""Byte order marks, encodings and CR as line ends, in every format of text."""

from __future__ import annotations

import codecs
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.errors import InputReadError, OptionError
from ess.formats.attributes import parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.raw import RECORD, read_raw
from ess.formats.reader import read_input
from ess.formats.text_source import TextSource

MARKED = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


class Trickle(io.RawIOBase):
    """A stream that gives some bytes at a time; ``asked`` counts the reads."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data, self.size, self.asked = data, size, 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.asked += 1
        piece = self.data[: min(self.size, size or self.size)]
        self.data = self.data[len(piece) :]
        return piece


def everything(source: TextSource, size: int = 7) -> bytes:
    pieces = []
    while piece := source.read(size):
        assert len(piece) <= max(size, 4)
        pieces.append(piece)
    return b"".join(pieces)


def rows(data: bytes, words: list[str], specs: str) -> list[tuple[object, ...]]:
    attributes = parse_input_attributes(words, where="-f")
    given = parse_input_columns(specs.split(), attributes, where="-d")
    found: list[tuple[object, ...]] = []
    stream = io.BytesIO(data)
    for batch in read_input(["-"], attributes, given.columns, separators=given.separators, stdin=stream):
        assert not batch.rejects
        found += batch.frame.rows()
    return found


@pytest.mark.parametrize("encoding", MARKED)
@pytest.mark.parametrize(
    ("text", "words", "specs"),
    [
        ("7,\u00e9\u4e2d\r\n8,x\n", ["csv"], "i:a s:b"),
        ("a,b\n7,\u00e9\u4e2d\n8,x", ["+1"], "i:a s:b"),
        ("7\t\u00e9\u4e2d\n8\tx\n", ["tsv"], "i:a s:b"),
        ("7-\u00e9\u4e2d;\n8-x;\n", ["div"], "i:a sep:- s:b sep:;"),
        ("7\u00e9\u4e2d\n8x    \n", ["fix"], "i,n=1:a s,n=5,trm:b"),
        ('{"a":7,"b":"\u00e9\u4e2d"}\n{"a":8,"b":"x"}', ["jsn"], "i:a:a s:b:b"),
        ("<l><r><a>7</a><b>\u00e9\u4e2d</b></r><r><a>8</a><b>x</b></r></l>", ["xml"], "i:a:l.r[*].a s:b:l.r[*].b"),
        ("<td>7<td>\u00e9\u4e2d</tr><td>8<td>x</tr>", ["tab"], "i:a s:b"),
    ],
)
def test_a_mark_is_no_data_and_tells_the_encoding(encoding: str, text: str, words: list[str], specs: str) -> None:
    expected = [(7, "\u00e9\u4e2d".encode()), (8, b"x")]
    encoded = text.encode(encoding)
    assert rows(MARKED[encoding] + encoded, words, specs) == expected
    assert rows(encoded, [*words, f"enc={encoding}"], specs) == expected
    assert rows(MARKED[encoding] + encoded, [*words, f"enc={encoding}"], specs) == expected


def test_records_without_columns_lose_the_mark(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(codecs.BOM_UTF8 + b"a,b\n")
    [batch] = read_raw(str(file), parse_input_attributes([], where="-f"))
    assert batch.frame.get_column(RECORD).to_list() == [b"a,b\n"]


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30),
    st.sampled_from([*MARKED]),
    st.integers(1, 9),
    st.booleans(),
)
def test_text_comes_through_in_any_pieces(text: str, encoding: str, size: int, marked: bool) -> None:
    # A NUL behind the mark of UTF-16 makes that of UTF-32.
    text = text.lstrip("\ufeff\0")
    data = text.encode(encoding)
    if marked:
        assert everything(TextSource(Trickle(MARKED[encoding] + data, size), "x")) == text.encode()
    else:
        assert everything(TextSource(Trickle(data, size), "x", encoding)) == text.encode()


@given(st.binary(max_size=30), st.integers(1, 9))
def test_other_bytes_pass_through(data: bytes, size: int) -> None:
    if not any(data.startswith(mark) for mark in MARKED.values()):
        assert everything(TextSource(Trickle(data, size), "x", lines=False)) == data


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        ("caf\u00e9\n".encode("latin-1"), "latin-1", "caf\u00e9\n"),
        ("\u20ac\n".encode("cp1252"), "cp1252", "\u20ac\n"),
        ("\u65e5\u672c\n".encode("shift_jis"), "shift_jis", "\u65e5\u672c\n"),
        ("\u65e5\u672c\n".encode("iso2022_jp"), "iso2022_jp", "\u65e5\u672c\n"),
        (b"\xef\xbb\xbfa\n", "latin-1", "\u00ef\u00bb\u00bfa\n"),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_a_named_encoding(data: bytes, encoding: str, text: str, size: int) -> None:
    assert everything(TextSource(Trickle(data, size), "x", encoding)) == text.encode()


@pytest.mark.parametrize(
    ("data", "encoding", "good"),
    [
        (b"a\nb\xffc\n", "ascii", b"a\nb"),
        (b"a\nb\xffc\n", "utf-8", b"a\nb"),
        (codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le") + b"x", "", b"a\nb"),
        (b"a\n\x81", "shift_jis", b"a\n"),
    ],
)
def test_what_is_not_of_the_encoding_is_an_error_behind_what_is(data: bytes, encoding: str, good: bytes) -> None:
    source = TextSource(io.BytesIO(data), "f.csv", encoding)
    assert source.read(100) == good
    with pytest.raises(InputReadError, match="are not"):
        source.read(100)


@pytest.mark.parametrize("name", ["", "nonsense", "base64", "rot13", "hex"])
def test_what_is_no_encoding_of_text(name: str) -> None:
    with pytest.raises(OptionError, match="is no encoding"):
        parse_input_attributes([f"enc={name}"], where="-f")


def test_arrow_has_no_encoding() -> None:
    with pytest.raises(OptionError, match="is not for"):
        parse_input_attributes(["aq", "enc=latin-1"], where="-f")


@pytest.mark.parametrize("size", [1, 2, 5, 1 << 17])
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a,b\r1,2\r3,4\r", b"a,b\n1,2\n3,4\n"),
        (b"a,b\r1,2", b"a,b\n1,2"),
        (b"a\r", b"a\n"),
        (b"a\r\nb\rc\r\n", b"a\r\nb\rc\r\n"),
        (b"a\rb\n", b"a\rb\n"),
        (b"a", b"a"),
        (b"", b""),
        (b"x" * 65535 + b"\r\n1\r\n", b"x" * 65535 + b"\r\n1\r\n"),
        (b"1\r" * 40000, b"1\n" * 40000),
        (b"x" * 65536 + b"1\r2\r", b"x" * 65536 + b"1\r2\r"),
    ],
)
def test_a_cr_ends_lines_where_there_is_no_lf(data: bytes, text: bytes, size: int) -> None:
    if size > 1 or len(data) < 100:
        assert everything(TextSource(Trickle(data, size), "x"), 1 << 16) == text


def test_rows_of_a_file_with_cr() -> None:
    for encoding in ("utf-8", "utf-16-le"):
        data = MARKED[encoding] + "id,name\r1,ann\r2,bob\r".encode(encoding)
        assert rows(data, ["+1"], "i:a s:b") == [(1, b"ann"), (2, b"bob")]


def test_nothing_is_waited_for_once_a_line_is_there() -> None:
    stream = Trickle(b"1,2\n3,4\n", 4)
    assert TextSource(stream, "x").read(100) == b"1,2\n"
    assert stream.asked == 1


def test_arrow_data_are_no_text() -> None:
    data = b"\xff\xff\xff\xffa\rb"
    assert everything(TextSource(io.BytesIO(data), "x")) == data


def test_each_file_of_an_archive_may_have_a_mark() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in (("a", b"1,x\n"), ("b", b"2,y"), ("c", b""), ("d", b"3,z\n")):
            archive.writestr(name, codecs.BOM_UTF8 + content)
    assert rows(packed.getvalue(), [], "i:a s:b") == [(1, b"x"), (2, b"y"), (3, b"z")]
