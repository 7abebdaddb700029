"""The tab format takes the rows of HTML tables, however they are written and cut into blocks."""

from __future__ import annotations

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.formats.attributes import parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.reader import read_input


def read(
    data: bytes, specs: tuple[str, ...] = ("s:a", "s:b"), *words: str, size: int = 4 << 20
) -> tuple[list[tuple[object, ...]], list[tuple[int, str, str]]]:
    """The rows, and number, column and reason of each bad one."""
    attributes = parse_input_attributes(["tab", *words], where="-f")
    columns = parse_input_columns(specs, attributes, where="-d").columns
    batches = list(read_input(["-"], attributes, columns, stdin=io.BytesIO(data), batch_bytes=size))
    rejects = [(reject.record, reject.column, reject.reason) for batch in batches for reject in batch.rejects]
    return [row for batch in batches for row in batch.frame.rows()], rejects


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"<tr><td>1</td><td>2</td></tr>", [(b"1", b"2")]),
        (b"<TABLE><TR><TD>1<Td>2<tr><td>3<td>4</table>", [(b"1", b"2"), (b"3", b"4")]),
        (b"x<tr><th>h</th><td a='>' b=\">\">1</td> y <td\n>2\n</td ></tr >", [(b"1", b"2\n")]),
        (b"<td>a &amp;&#65;&lt;b&gt;&nosuch;</td><td>&eacute;\xff&#xd800;</td></tr>", None),
        (b"<td><b>1</b> < 2<br/>3 <!-- <td> --></td><td>2</td><td>more</td></tr>", [(b"1 < 2 3 ", b"2")]),
        (b"<!-- <td>1</td><td>2</td></tr> --><script>'<td>'</script><td>1<td></tr>", [(b"1", b"")]),
        (b'<td title="x>1</td><td>2</td></tr>', [(b"1", b"2")]),
        (b"<tdx>1</tdx><tr></tr><p>", []),
    ],
)
def test_rows(text: bytes, rows: list[tuple[bytes, bytes]] | None) -> None:
    if rows is None:
        rows = [(b"a &A<b>&nosuch;", "é".encode() + b"\xff" + "\ufffd".encode())]
    assert read(text) == (rows, [])


def test_bad_rows_are_numbered_and_the_others_go_on() -> None:
    text = b"<tr><td>1<td>x</tr><tr><td>2</tr><tr><td>n<td>x</tr><tr><td>3<td>y<td>z</tr><td>4<td>end"
    rows, rejects = read(text, ("i:a", "s:b"), "nox")
    assert rows == [(1, b"x")]
    assert [(number, column) for number, column, _ in rejects] == [(2, "b"), (3, "a"), (4, "b"), (5, "a")]
    assert "does not end" in rejects[-1][2]
    assert read(text, ("i:a", "X"), "+3r")[0] == [(3,)]
    assert read(b"<td>1<td>2</tr>\n<td>3<td>4</tr>", ("s:a", "s:b"), "+1")[0] == [(b"3", b"4")]


PIECES = [
    *(b"<td>", b"</td>", b"<TR>", b"</tr>", b"<td a='", b"'", b'"', b">", b"<", b"<!--", b"-->", b"&amp;", b"&", b"x"),
    *(
        b"</table>",
        b"<script>",
        b"</script>",
        b"<br>",
        b"\n",
        b"\xff",
        b"long text " * 3,
        b"long text " * 9,
        b"<td>1</td><td>2</td></tr>",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join), st.integers(1, 40))
def test_rows_do_not_depend_on_blocks(data: bytes, size: int) -> None:
    assert read(data, ("s:a", "s:b"), "bz=30", size=size) == read(data, ("s:a", "s:b"), "bz=30")


def test_a_long_row_costs_one_record_and_no_memory() -> None:
    long = b"<td>" + b"x" * 3_000_000 + b"<b>" * 1_000_000 + b"</tr>"
    good = b"<td>1<td>2</tr>"
    data = good + b" " * 300_000 + long + good + b"y" * 300_000
    tracemalloc.start()
    rows, rejects = read(data, size=1 << 16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (rows, len(rejects)) == ([(b"1", b"2")] * 2, 1)
    assert "longer than 65536 bytes" in rejects[0][2]
    assert peak < 2_000_000


@pytest.mark.parametrize("name", ["tab", "jsn", "xml", "bin"])
@pytest.mark.parametrize("spec", ["s,n=3:a:b", "s,esc:a:b", "s,clf:a:b"])
def test_what_has_no_meaning_is_refused(name: str, spec: str) -> None:
    spec = spec if name in ("jsn", "xml") else spec[:-2]
    with pytest.raises(OptionError, match=f"not for '{name}'"):
        parse_input_columns((spec,), parse_input_attributes([name], where="-f"), where="-d")
