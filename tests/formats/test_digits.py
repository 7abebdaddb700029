"""Every plain number has the value that the definition gives it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.formats import parse_fast
from ess.formats.attributes import parse_input_attributes
from ess.formats.digits import PlainNumbers, WordReader, plain_floats, plain_integers
from ess.formats.parse_exact import parse_block_exactly
from ess.formats.records import make_layout
from ess.formats.values import converter
from ess.schema.columns import parse_column
from ess.schema.types import INTEGER_RANGES

texts = st.one_of(
    st.integers(0, 10**18).map(lambda number: b"%d" % number),
    st.integers(0, 10**9).map(lambda number: b"%d" % number),
    st.tuples(st.integers(0, 99999), st.integers(0, 6)).map(lambda pair: b"%.*f" % (pair[1], pair[0] / 7)),
    st.text(alphabet="0123456789.", max_size=9).map(str.encode),
    st.lists(st.sampled_from([bytes([byte]) for byte in range(256)]), max_size=10).map(b"".join),
    st.sampled_from([b"", b".", b"..", b"1.", b".5", b"-1", b"+1", b"4294967295", b"4294967296", b"9" * 16, b"9" * 17]),
)


def looked_at(fields: list[bytes], spec: str) -> PlainNumbers:
    content = bytes(16) + b",".join(fields) + bytes(12)
    lengths = np.array([len(field) for field in fields])
    ends = 16 + np.cumsum(lengths + 1) - 1
    column = parse_column(spec, where="-d")
    if spec[0] == "f":
        return plain_floats(WordReader(content), ends, lengths)
    return plain_integers(WordReader(content), ends, lengths, INTEGER_RANGES[column.type][1])


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, min_size=1, max_size=30), st.sampled_from(["i:a", "is:a", "l:a", "ls:a", "f:a"]))
def test_plain_numbers_have_their_value(fields: list[bytes], spec: str) -> None:
    numbers = looked_at(fields, spec)
    convert = converter(parse_column(spec, where="-d"))
    for field, value, plain in zip(fields, numbers.values.tolist(), numbers.plain.tolist(), strict=True):
        if plain:
            exact = convert(field)
            assert (value, str(value)) == (exact, str(exact))


def test_the_common_forms_are_plain() -> None:
    assert looked_at([b"0", b"52", b"", b"12345678", b"00000001"], "i:a").plain.all()
    assert looked_at([b"4294967295", b"1234567890", b"7"], "i:a").plain.all()
    assert looked_at([b"0.5", b".5", b"5.", b"1234.567", b"", b"12"], "f:a").plain.all()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("attributes", ["", "nox", "sep=;", "tsv", "esc", "bz=30"])
@pytest.mark.parametrize("spec", ["s:a i:b f:c", "i:a X s:c", "X X s,trm:c", "s:a", "i:a f:b"])
@settings(max_examples=8, deadline=None)
@given(rows=st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=9))
def test_regular_blocks_are_split_as_records_are(
    rows: list[tuple[bytes, ...]], spec: str, attributes: str, end: bytes
) -> None:
    parsed = parse_input_attributes(attributes.split(",") if attributes else [], where="-f")
    columns = tuple(parse_column(word, where="-d") for word in spec.split())
    layout = make_layout(parsed, columns, (), where="-f")
    drop = bytes(set(b'\r\n"\\,;\t'))
    lines = [
        parsed.separator.join(field.translate(None, drop) or b"1" for field in row[: len(columns)]) for row in rows
    ]
    data = end.join(lines) + end
    quick = parse_fast.parse_block_fast(data, 0, len(data), final=False, layout=layout)
    exact = parse_block_exactly(data, 0, len(data), final=False, layout=layout)
    assert str(quick.frame.rows()) == str(exact.frame.rows())  # as text, so that nan equals nan
    assert quick.frame.schema == exact.frame.schema
    assert (tuple(quick.rejects), quick.consumed) == (tuple(exact.rejects), exact.consumed)
