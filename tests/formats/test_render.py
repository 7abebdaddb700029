"""The look of outputs; large batches are printed as small ones are."""

from __future__ import annotations

import csv
import io
import json
import math
import struct

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.formats.attributes import OutputAttributes, parse_input_attributes, parse_output_attributes
from ess.formats.output.columns import OutputColumn
from ess.formats.output.print_format import parse_print_format
from ess.formats.output.render import Renderer, json_string
from ess.formats.output.render_fast import rendered
from ess.formats.reader import read_input
from ess.schema.batch import Batch, make_batch
from ess.schema.columns import parse_column
from ess.schema.types import INTEGER_RANGES, ColumnType

strings = st.one_of(
    st.binary(max_size=20),
    st.text(alphabet='ab",\\;\n\t é', max_size=20).map(str.encode),
    st.sampled_from([b"", b'"', b'""', b","]),
)
floats = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(10**6), 10**6).map(lambda cents: cents / 100),
    st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1e15, 1e16, 1e17, 123456789012345680.0]),
)
addresses = st.one_of(st.just(b""), st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
COLUMNS = (
    OutputColumn("s", "S", ColumnType.S),
    OutputColumn("f", "F", ColumnType.F),
    OutputColumn("l", "L", ColumnType.L),
    OutputColumn("ls", "LS", ColumnType.LS),
    OutputColumn("i", "I", ColumnType.I),
    OutputColumn("is", "IS", ColumnType.IS),
    OutputColumn("ip", "IP", ColumnType.IP),
    OutputColumn("f", "G", ColumnType.F, print_format="<%.2f>"),
    OutputColumn("is", "H", ColumnType.IS, print_format="0x%08x"),
    OutputColumn("t", 'T"', ColumnType.S),
)
rows_of_values = st.lists(
    st.tuples(
        strings, floats, *(st.integers(*INTEGER_RANGES[ColumnType[name]]) for name in ("L", "LS", "I", "IS")), addresses
    ),
    max_size=12,
)
OPTIONS = ["", "sep=;", "tsv", "tsv,csv", "esc", "sep=;,esc", "fmt_g"]


def batch_of(rows: list[tuple[object, ...]]) -> Batch:
    names = ["s", "f", "l", "ls", "i", "is", "ip"]
    typed = [(name, ColumnType[name.upper()], [row[at] for row in rows]) for at, name in enumerate(names)]
    typed.append(("t", ColumnType.S, [b"x" + bytes(row[0]) for row in rows]))  # type: ignore[call-overload]
    return make_batch(typed, len(rows))


def attributes_of(options: str) -> OutputAttributes:
    return parse_output_attributes(options.split(",") if options else [], where="-o")


@settings(max_examples=100, deadline=None)
@given(rows_of_values, st.sampled_from(OPTIONS), st.sampled_from([1, 3, 100]), st.permutations(COLUMNS))
def test_large_batches_are_printed_as_small_ones(
    rows: list[tuple[object, ...]], options: str, times: int, columns: list[OutputColumn]
) -> None:
    renderer = Renderer(attributes_of(options), columns, where="-o")
    batch = batch_of(rows * times)
    if rows:
        assert b"".join(rendered(renderer.layout, batch)) == b"".join(renderer.records(batch))
    assert b"".join(renderer.rows(batch)) == b"".join(renderer.records(batch))


def test_many_rows_take_the_fast_way_and_are_the_same() -> None:
    batch = make_batch(
        [
            ("a", ColumnType.S, [b"%d" % n if n % 7 else b"" for n in range(9000)]),
            ("b", ColumnType.F, [n / 7 for n in range(9000)]),
        ],
        9000,
    )
    renderer = Renderer(
        attributes_of(""), [OutputColumn("a", "a", ColumnType.S), OutputColumn("b", "b", ColumnType.F)], where="-o"
    )
    expected = b"".join(b"%s,%.17g\n" % (b'"%d"' % n if n % 7 else b"", n / 7) for n in range(9000))
    assert b"".join(renderer.rows(batch)) == expected == b"".join(renderer.records(batch))


@settings(max_examples=100, deadline=None)
@given(rows_of_values, st.sampled_from(["", "tsv,csv", "esc", "sep=;,csv,esc"]))
@example([(b"\r", 1.5, 1, 1, 1, 1, b"")], "")
def test_csv_that_is_written_reads_back_unchanged(rows: list[tuple[object, ...]], options: str) -> None:
    columns = [OutputColumn(k.key, k.label, k.type) for k in COLUMNS[:7]]
    batch = batch_of(rows)
    printed = b"".join(Renderer(attributes_of(options), columns, where="-o").records(batch))
    specs = tuple(parse_column(f"{k.type.name}:{k.label}", where="-d") for k in columns)
    attributes = parse_input_attributes(options.split(",") if options else [], where="-f")
    batches = list(read_input(["-"], attributes, specs, stdin=io.BytesIO(printed)))
    got = [row for one in batches for row in one.frame.rows()]
    rejects = [reject for one in batches for reject in one.rejects]
    # An infinite float reads back (it is printed as inf); the sign of NaN is lost.
    same = [tuple("nan" if v != v else v for v in row) for row in batch.drop("t").rows()]
    assert [tuple("nan" if v != v else v for v in row) for row in got] == same
    assert not rejects
    if not options:
        assert [
            line[0].encode("latin-1") for line in csv.reader(io.StringIO(printed.decode("latin-1"), newline=""))
        ] == [row[0] for row in rows]


def render(options: str, columns: list[OutputColumn], batch: Batch) -> bytes:
    renderer = Renderer(attributes_of(options), columns, where="-o")
    return renderer.title() + b"".join(renderer.rows(batch))


@pytest.fixture
def fruit() -> Batch:
    return make_batch(
        [
            ("name", ColumnType.S, [b'big "red" apple', b"", b"\xff\xfe,pear"]),
            ("price", ColumnType.F, [1.41, float("nan"), -2.0]),
            ("count", ColumnType.IS, [3, -40, 0]),
        ],
        3,
    )


FRUIT = [
    OutputColumn("name", "Name", ColumnType.S),
    OutputColumn("price", "Price", ColumnType.F),
    OutputColumn("count", "Count", ColumnType.IS),
]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            "",
            b'"Name","Price","Count"\n"big ""red"" apple",1.4099999999999999,3\n,nan,-40\n"\xff\xfe,pear",-2,0\n',
        ),
        ("notitle,fmt_g", b'"big ""red"" apple",1.41,3\n,nan,-40\n"\xff\xfe,pear",-2,0\n'),
        ("sep=,", b'Name,Price,Count\nbig "red" apple,1.4099999999999999,3\n,nan,-40\n\xff\xfe,pear,-2,0\n'),
        ("tsv,notitle,esc", b'big \\"red\\" apple\t1.4099999999999999\t3\n\tnan\t-40\n\xff\xfe,pear\t-2\t0\n'),
        ("esc,notitle,fmt_g", b'"big \\"red\\" apple",1.41,3\n,nan,-40\n"\xff\xfe\\,pear",-2,0\n'),
        (
            "jsn",
            b'{"Name":"big \\"red\\" apple","Price":1.4099999999999999,"Count":3}\n'
            b'{"Name":"","Price":null,"Count":-40}\n{"Name":"\xef\xbf\xbd\xef\xbf\xbd,pear","Price":-2,"Count":0}\n',
        ),
    ],
)
def test_formats(options: str, expected: bytes, fruit: Batch) -> None:
    words = options.replace("sep=,", "sep=\\x2c")
    assert render(words, FRUIT, fruit) == expected


def test_fixed_lengths(fruit: Batch) -> None:
    columns = [
        OutputColumn("name", "Name", ColumnType.S, length=6),
        OutputColumn("count", "Count", ColumnType.IS, length=-5),
        OutputColumn("price", "Price", ColumnType.F, "%.1f", length=4),
    ]
    assert (
        render("fix", columns, fruit) == b'Name  CountPric\nbig "r    31.4 \n        -40nan \n\xff\xfe,pea    0-2.0\n'
    )
    with pytest.raises(OptionError, match="has no length"):
        render("fix", FRUIT, fruit)


def test_length_of_csv_fields_counts_quotes_keeps_pairs_and_pads(fruit: Batch) -> None:
    columns = [
        OutputColumn("name", "Name", ColumnType.S, length=7),
        OutputColumn("count", "C", ColumnType.IS, length=3),
    ]
    assert render("", columns, fruit) == b'"Name" ,"C"\n"big " ,3  \n       ,-40\n"\xff\xfe,pe",0  \n'


def test_a_negative_length_keeps_the_last_bytes() -> None:
    batch = make_batch([("a", ColumnType.S, [b'x"y', b"abcdef"]), ("n", ColumnType.IS, [-1234, 5])], 2)
    columns = [OutputColumn("a", "Label", ColumnType.S, length=-4), OutputColumn("n", "N", ColumnType.IS, length=-3)]
    assert render("", columns, batch) == b'"el","N"\n "y",234\n"ef",  5\n'
    assert render("sep=;", columns, batch) == b'abel;  N\n x"y;234\ncdef;  5\n'
    assert render("fix", columns, batch) == b'abel  N\n x"y234\ncdef  5\n'
    columns = [OutputColumn("a", "Label", ColumnType.S, length=-2)]
    assert render("sep=;,esc", columns, batch) == b"el\n y\nef\n"


@given(st.binary(max_size=30))
def test_json_is_utf_8(text: bytes) -> None:
    assert json.loads(json_string(text).decode()) == text.decode("utf-8", "replace")


def test_json_is_json() -> None:
    batch = make_batch([("a", ColumnType.S, [bytes(range(128))]), ("b", ColumnType.IP, [b"\x7f\0\0\1"])], 1)
    line = render("jsn", [OutputColumn("a", 'A"', ColumnType.S), OutputColumn("b", "b", ColumnType.IP)], batch)
    assert json.loads(line) == {'A"': "".join(map(chr, range(128))), "b": "127.0.0.1"}


FORMATS = ["%d", "%5d", "%-5d|", "%05d", "%+d", "% d", "%.3d", "%8.3d", "%x", "%#x", "%#o", "%08X", "%o", "%u", "%c"]
REAL_FORMATS = ["%f", "%.0f", "%8.2f", "%-8.2f|", "%+e", "%.3E", "%g", "%#g", "%G", "%010.3f", "100%% %f now"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [0, 1, 255, 65, 2**32 - 1])
def test_whole_number_formats_are_those_of_c(form: str, value: int) -> None:
    # Python's own % is the oracle where it agrees with C.
    text = form.replace("%u", "%d")
    if "o" in form and "#" in form:
        expected = "0" + format(value, "o") if value else "0"
    elif form == "%#x" and value == 0:
        expected = "0"
    elif form == "%c":
        return
    else:
        expected = text % value
    assert parse_print_format(form, where="-c").printer()(value) == expected.encode()


@pytest.mark.parametrize("form", REAL_FORMATS)
@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -123456.789, 1e300, math.inf])
def test_float_formats_are_those_of_c(form: str, value: float) -> None:
    assert parse_print_format(form, where="-c").printer()(value) == (form % value).encode()


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("%x", -1, b"ffffffffffffffff"),
        ("%u", -1, b"18446744073709551615"),
        ("%lld items", 5, b"5 items"),
        ("%d", 2.9, b"2"),
        ("%d", -2.9, b"-2"),
        ("%d", math.nan, b"0"),
        ("%.2f", 3, b"3.00"),
        ("%c%%", 65, b"A%"),
        ("%3c", 66, b"  B"),
    ],
)
def test_numbers_of_the_other_kind_and_bits(form: str, value: float, expected: bytes) -> None:
    assert parse_print_format(form, where="-c").printer()(value) == expected


@pytest.mark.parametrize(
    "form", ["", "no conversion", "%s", "%n", "%d %d", "%*d", "%", "%5", "%99999d", "%.99999f", "%a"]
)
def test_wrong_number_formats(form: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_print_format(form, where="-c")
    assert caught.value.exit_code == 2


def test_a_print_format_is_for_numbers() -> None:
    with pytest.raises(OptionError, match="is no number"):
        Renderer(attributes_of(""), [OutputColumn("a", "a", ColumnType.S, "%d")], where="-c")


def test_floats_read_back_bit_for_bit() -> None:
    values = [struct.unpack("<d", struct.pack("<Q", n * 0x9E3779B97F4A7C15 % 2**64))[0] for n in range(5000)]
    values = [v for v in values if math.isfinite(v)]
    batch = pl.DataFrame({"f": values})
    printed = b"".join(Renderer(attributes_of(""), [OutputColumn("f", "f", ColumnType.F)], where="-o").rows(batch))
    column = parse_column("f:f", where="-d")
    got = [
        b.frame for b in read_input(["-"], parse_input_attributes([], where="-f"), [column], stdin=io.BytesIO(printed))
    ]
    assert pl.concat(got)["f"].to_list() == values
