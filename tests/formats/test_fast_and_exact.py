"""The fast path gives what the exact record parser gives, whatever the data and the chunks."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ess.formats import convert, parse_fast, reader, split, split_lines
from ess.formats.attributes import InputAttributes, parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.parse_exact import Block, parse_block_exactly
from ess.formats.reader import read_input
from ess.formats.records import make_layout
from ess.schema.columns import Column, parse_column

SPECS = [
    "s:a i:b f:c",
    "s,trm,lo:a is,trm:b s,up:c",
    "X s:a ls:b",
    "l:a",
    "s:a",
    "ip:a i,hex:b X",
    "f:a f,trm:b s,clf:c",
    "s,esc:a i:b",
    "X X X",
]
OPTIONS = ["", "nox", "esc", "sep=;", "tsv", "sep=;,csv", "bz=12", "bz=40", "tsv,esc"]

ATOMS = [
    b"a", b"B\xff", b"12", b"-7", b"+3", b"0x1F", b"1e5", b"2.50", b".", b"-", b"TBD", b"99999999999", b"inf", b"1e999",
    b"nan", b" 5 ", b"18446744073709551615", b"18446744073709551616", b"-9223372036854775808", b"1.4099999999999999",
    b"127.0.0.1", b"::1", b"\0", b"\xe9t\xe9", b"0000000000000000000000000001", b"a long string of more than 12 bytes",
    b'""', b'"', b'"x"', b'"a""b"', b'"', b"\\", b'\\"', b"\\x41", b"\r", b"\n", b"\t", b",", b";", b"|", b" ",
]  # fmt: skip
fields = st.one_of(
    st.sampled_from(ATOMS),
    st.lists(st.sampled_from(ATOMS), max_size=3).map(b"".join),
    st.lists(st.sampled_from(ATOMS), max_size=3).map(lambda parts: b'"' + b"".join(parts).replace(b'"', b'""') + b'"'),
)


@st.composite
def dirty(draw: st.DrawFn) -> bytes:
    separator = draw(st.sampled_from([b",", b",", b";", b"\t"]))
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    lines = draw(st.lists(st.lists(fields, max_size=4).map(separator.join), max_size=12))
    return end.join(lines) + draw(st.sampled_from([b"", end, b"\r", b'"']))


def columns_of(spec: str) -> tuple[Column, ...]:
    return tuple(parse_column(word, where="-d") for word in spec.split())


def attributes_of(options: str) -> InputAttributes:
    return parse_input_attributes(options.split(",") if options else [], where="-f")


def comparable(block: Block) -> tuple[object, ...]:
    rows = [tuple("nan" if isinstance(v, float) and math.isnan(v) else v for v in row) for row in block.frame.rows()]
    return block.frame.columns, block.frame.dtypes, block.frame.height, rows, tuple(block.rejects), block.consumed


@settings(max_examples=100, deadline=None)
@given(
    dirty(),
    st.sampled_from(SPECS),
    st.sampled_from(OPTIONS),
    st.booleans(),
    st.sampled_from([1, 2048]),
    st.sampled_from([0, 64]),
    st.sampled_from([0, 2048]),
)
@example(b'"a\nb",1,2\n"c,1,2\nd,3,4\n', SPECS[0], "", True, 1, 64, 0)
@example(b'"a\nb",1,2\n"c,1,2\nd,3,4\n', SPECS[0], "", True, 2048, 64, 0)
@example(b'a,1,"2"\r\n"b""c",2,3\r', SPECS[0], "", True, 2048, 64, 0)
@example(b'"""",1,2\n"""x,1,2\n', SPECS[0], "", True, 2048, 64, 0)
@example(b"a,1,2\nb,x,3\nc,x,-1\nd,\xe9,TBD\ne,-,3\nf,+1,7\ng,12,8\n", SPECS[0], "", True, 2048, 0, 0)
@example(b"a,1,2\nb,x,3\nc,x,-1\nd,\xe9,TBD\ne,-,3\nf,+1,7\ng,12,8\n", SPECS[0], "", True, 2048, 64, 0)
@example(b'a,1,2\n"b,x,3\nc,x,"-1\n"d"x,1,2\n"e,f\n"",1,2\n"g""h,1,2\n"i",3,4\r\n', SPECS[0], "", True, 1, 0, 0)
@example(b'"a\nb,1,2\n"c,1,2\n"d"\r\n"e,1,2\n"f,1,2\n', SPECS[0], "bz=12", False, 1, 0, 0)
def test_fast_path_agrees_with_exact_parser(
    data: bytes, spec: str, options: str, final: bool, stray: int, few: int, some: int
) -> None:
    layout = make_layout(attributes_of(options), columns_of(spec), (), where="-f")
    end = len(data) if final else data.rfind(b"\n") + 1
    if end == 0:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "_BYTES_FOR_A_STRAY_QUOTE", stray)
        patch.setattr(convert, "_FEW", few)
        patch.setattr(convert, "_SOME", some)
        quick = parse_fast.parse_block_fast(data, 0, end, final=final, layout=layout)
    exact = parse_block_exactly(data, 0, end, final=final, layout=layout)
    assert comparable(quick) == comparable(exact)


LINE_SPECS = [
    ("fix", "s,n=3:a i,trm,n=4:b f,n=2:c"),
    ("fix", "s,n=1,esc:a X,n=2"),
    ("div", "s:a sep:, i:b sep:;; f:c"),
    ("div", "sep:a s:a sep:aa s,clf:b sep:1"),
    ("div,esc", "s,n=2:a i:b sep:x X sep:,"),
    ("div,bz=9", "ip:a sep:- s:b"),
    ("sep=a", "s,n=2:b i:c"),
    ("sep=\\x2c", "s:a i,n=1:b"),
    ("sep=a,nox", "s,n=3:b X s,n=1:c"),
    ("sep=x,esc", "s,n=2:a s:b"),
    ("sep=;,bz=9", "s,n=1:a"),
]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([*ATOMS, b"aa", b"a", b"1", b"xx", b";;"]), max_size=12).map(b"".join), max_size=10
    ),
    st.sampled_from(LINE_SPECS),
    st.booleans(),
    st.sampled_from([0, 8]),
    st.sampled_from([1, 8]),
)
@example([b"a" * 70 + b",1;;2", b"b,2;;3"], LINE_SPECS[2], True, 0, 8)
@example([b"a;b;c;" * 20 + b",1;;2", b";b,2;;3"], LINE_SPECS[2], True, 8, 8)
@example([b"x;1,;;" * 4 + b",1;;2", b";b,2;;3"], LINE_SPECS[2], True, 8, 1)
def test_fast_path_agrees_for_divided_and_fixed_lines(
    lines: list[bytes], spec: tuple[str, str], final: bool, rare: int, steps: int
) -> None:
    attributes = attributes_of(spec[0])
    parsed = parse_input_columns(spec[1].split(), attributes, where="-d")
    layout = make_layout(attributes, parsed.columns, parsed.separators, where="-f")
    data = b"\n".join(lines)
    end = len(data) if final else data.rfind(b"\n") + 1
    if end == 0:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_lines, "_RARE", rare)
        patch.setattr(split_lines, "_STEPS", steps)
        quick = parse_fast.parse_block_fast(data, 0, end, final=final, layout=layout)
    exact = parse_block_exactly(data, 0, end, final=final, layout=layout)
    assert comparable(quick) == comparable(exact)


@pytest.mark.parametrize("used", [{"a"}, {"c"}, set()])
def test_columns_that_are_not_used_are_checked_but_not_delivered(used: set[str]) -> None:
    columns = tuple(replace(column, used=column.key in used) for column in columns_of("s:a i:b f:c"))
    layout = make_layout(attributes_of(""), columns, (), where="-f")
    data = b"x,1,2\ny,?,3\nz,4,?\nw\nv,5,6\n"
    for parse in (parse_fast.parse_block_fast, parse_block_exactly):
        block = parse(data, 0, len(data), final=True, layout=layout)
        assert (block.frame.columns, block.frame.height, block.records) == (sorted(used), 2, 5)
        assert [(reject.record, reject.column) for reject in block.rejects] == [(1, 1), (2, 2), (3, 1)]


def read_all(data: bytes, options: str, spec: str, size: int, small: int) -> tuple[list[object], list[object]]:
    rows: list[object] = []
    rejects: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "_SMALL", small)
        patch.setattr(reader, "_TINY", small)
        for batch in read_input(
            ["-"], attributes_of(options), columns_of(spec), batch_bytes=size, stdin=io.BytesIO(data)
        ):
            assert batch.read == batch.frame.height + len(batch.rejects)
            rejects += [(r.before_row + len(rows), r.record, r.column, r.reason) for r in batch.rejects]
            rows += [tuple(str(v) for v in row) for row in batch.frame.rows()] or [()] * batch.frame.height
    return rows, rejects


@settings(max_examples=80, deadline=None)
@given(
    dirty(),
    st.sampled_from(SPECS),
    st.sampled_from(OPTIONS),
    st.sampled_from(["", "+1", "+2r", "+3b"]),
    st.integers(1, 60),
    st.sampled_from([0, 10**9]),
)
def test_results_do_not_depend_on_chunk_size(
    data: bytes, spec: str, options: str, skip: str, size: int, small: int
) -> None:
    together = f"{options},{skip}"
    assert read_all(data, together, spec, size, small) == read_all(data, together, spec, 1 << 20, 0)


@settings(max_examples=80, deadline=None)
@given(dirty(), st.sampled_from(["", "tsv", "bz=20"]))
def test_records_do_not_depend_on_the_columns_selected(data: bytes, options: str) -> None:
    all_of_them = read_all(data, options, "s:a s:b s:c", 1 << 20, 0)
    some = read_all(data, options, "s:a X s:c", 1 << 20, 0)
    assert [(row[0], row[2]) for row in all_of_them[0]] == some[0]  # type: ignore[index]
    assert all_of_them[1] == [(*r[:2], {"#2": "b"}.get(r[2], r[2]), r[3]) for r in some[1]]  # type: ignore[index]
