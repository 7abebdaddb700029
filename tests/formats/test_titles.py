"""Files whose titles say which column is which: CSV, W3C logs, CloudFront, VPC flow logs."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.formats.attributes import parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.dialect import find_dialect
from ess.formats.known.head import read_titles
from ess.formats.known.table import known_format
from ess.formats.reader import InputBatch, read_input, read_opened
from ess.schema.batch import join_batches

IIS = (
    b"#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n#Date: 2026-11-12 06:21:37\r\n"
    b"#Fields: date time c-ip cs-uri-stem cs(User-Agent) sc-status time-taken\r\n"
    b"2026-11-12 06:00:00 203.0.113.9 /p.aspx Mozilla/5.0+(X,+Y) 200 15\r\n"
    b"2026-11-12 06:00:01 203.0.113.9 /p.aspx\r\n"
    b"#Fields: time date cs-uri-stem sc-status sc-bytes\r\n"
    b'06:00:02 2026-11-12 "/a b" 404 512\r\n'
    b"06:00:03 2026-11-12 /c x 1\r\n"
)
CLOUDFRONT = (
    b"#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status\n"
    b"2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111.cloudfront.net\t/index.html\t200\n"
    b'2019-12-04\t21:02:31\tLAX1\t-\t-\tGET\t"d\t/a b\t000\n'
)
FLOW = b"2 012345678901 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n"


def read(
    words: list[str], content: bytes, folder: Path, specs: tuple[str, ...], size: int = 1 << 20
) -> list[InputBatch]:
    file = folder / "input"
    file.write_bytes(content)
    attributes = parse_input_attributes(words, where="-f")
    columns = parse_input_columns(specs, attributes, where="-d").columns
    if not columns:
        columns = read_titles(io.BytesIO(content), attributes, "input").columns
    return list(read_input([str(file)], attributes, columns, batch_bytes=size))


def rows(batches: list[InputBatch]) -> list[dict[str, object]]:
    return join_batches([batch.frame for batch in batches]).to_dicts()


def test_fields_of_w3c_logs_change_in_the_middle(tmp_path: Path) -> None:
    for size in (1 << 20, 5):
        batches = read(["w3c"], IIS, tmp_path, ("epoch", "sc_status", "S:page:cs-uri-stem", "sc-bytes", "c_ip"), size)
        assert rows(batches) == [
            {"epoch": 1794463200, "sc_status": 200, "page": b"/p.aspx", "sc_bytes": 0, "c_ip": bytes([203, 0, 113, 9])},
            {"epoch": 1794463202, "sc_status": 404, "page": b"/a b", "sc_bytes": 512, "c_ip": b""},
        ]
        assert sum(batch.read for batch in batches) == 4
        found = [(each.record, each.column, each.reason) for batch in batches for each in batch.rejects]
        assert found == [
            (2, "cs_User_Agent", "the record has 4 of 7 fields"),
            (4, "sc_status", "'x' is not an unsigned 32-bit integer"),
        ]
    names = read_titles(io.BytesIO(IIS), parse_input_attributes(["w3c"], where="-f"), "x").columns
    assert " ".join(f"{column.type.value}:{column.name}" for column in names) == (
        "S:date S:time IP:c_ip S:cs_uri_stem S:cs_User_Agent I:sc_status F:time_taken L:epoch"
    )


def test_records_without_a_directive_are_rejected(tmp_path: Path) -> None:
    batches = read(["w3c"], b"a b\nc d\n#Fields: x y\n1 2\n", tmp_path, ("S:y",))
    assert rows(batches) == [{"y": b"2"}]
    assert [(each.record, each.reason) for each in batches[0].rejects] == [
        (1, "no #Fields line stands before it"),
        (2, "no #Fields line stands before it"),
    ]


def test_cloudfront_logs_have_tabs_and_no_quotes(tmp_path: Path) -> None:
    found = rows(read(["cloudfront"], CLOUDFRONT, tmp_path, ()))
    assert [row["cs_host"] for row in found] == [b"d111.cloudfront.net", b'"d']
    assert [(row["sc_bytes"], row["c_ip"], row["sc_status"], row["epoch"]) for row in found] == [
        (392, bytes([192, 0, 2, 100]), 200, 1575493351),
        (0, b"", 0, 1575493351),
    ]


def test_flow_logs_have_a_header_or_the_usual_fields(tmp_path: Path) -> None:
    (row,) = rows(read(["vpcflow"], FLOW, tmp_path, ("account_id", "dstaddr", "bytes", "end", "action")))
    assert tuple(row.values()) == (b"012345678901", bytes([172, 31, 16, 21]), 4249, 1418530070, b"ACCEPT")
    header = b"version srcaddr flow-direction start\n"
    content = header + b"5 - ingress 7\n" + header + b"5 ::1 egress 8\n"
    for size in (1 << 20, 9):
        batches = read(["vpcflow"], content, tmp_path, ("srcaddr", "flow-direction", "I:s:start"), size)
        assert [tuple(row.values()) for row in rows(batches)] == [
            (b"", b"ingress", 7),
            (bytes(15) + b"\1", b"egress", 8),
        ]
    found = rows(read(["vpcflow=${version} ${bytes}"], b"2 9\n", tmp_path, ("bytes",)))
    assert found == [{"bytes": 9}]


@pytest.mark.parametrize(("name", "content"), [("w3c", IIS), ("cloudfront", CLOUDFRONT), ("vpcflow", FLOW)])
def test_they_are_recognised(name: str, content: bytes) -> None:
    found = find_dialect([content])
    assert found.known == name
    known = known_format(name)
    assert known is not None
    assert found.titles[0] in (known.fields[0].title, "date")
    if name == "w3c":
        both = find_dialect([content, content.replace(b" time-taken", b" x")])
        assert both.columns[-2:] == ("S:x", "L:epoch")
        assert [number for number, _ in both.differing] == [1]


def test_titles_are_found_in_any_order_and_spelling(tmp_path: Path) -> None:
    specs = ("s,up:user", "i:n:User Count", "Price (EUR)", "missing", "X")
    batches = read(["title"], b'user_count,"Price (EUR)",USER\n7,1.5,ann\n', tmp_path, specs)
    assert rows(batches) == [{"user": b"ANN", "n": 7, "price_eur": b"1.5", "missing": b""}]
    assert batches[-1].notes == (
        "it has no column missing, which is blank; its titles are user_count, Price (EUR), USER",
    )
    assert batches[-1].read == 0
    attributes = parse_input_attributes(["title"], where="-f")
    given = parse_input_columns(specs, attributes, where="-d").columns
    unused = [replace(column, used=column.key != "missing") for column in given]
    told = read_opened(io.BytesIO(b"USER,user_count\nann,7\n"), "x", attributes, unused)
    assert [note for batch in told for note in batch.notes] == [
        "it has no column Price (EUR), which is blank; its titles are USER, user_count"
    ]
    assert rows(read(["tsv", "title", "+1"], b"# by hand\na\tb\n1\t2\n", tmp_path, ("b",))) == [{"b": b"2"}]


@pytest.mark.parametrize(
    ("words", "specs", "message"),
    [
        (["jsn", "title"], ("s:a",), "'jsn' inputs have no titles"),
        (["title"], ("s:a", "i:A"), "given twice"),
        (["title"], ("s:a:x y", "i:b:X_Y"), "taken twice, as a and b"),
        (["w3c"], ("i:date", "epoch"), "must be S"),
        (["w3c", "sep=x"], (), "exclude each other"),
    ],
)
def test_what_is_wrong_is_told(words: list[str], specs: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_input_columns(specs, parse_input_attributes(words, where="-f"), where="-d")


def test_pairs_of_logfmt_are_columns(tmp_path: Path) -> None:
    lines = (
        b'at=info method=GET path="/a b" status=200 duration=1.5ms msg="say \\"hi\\"\\n" http.host=x\r\n'
        b"no pairs here\nstatus=x\n"
        b'status=404 debug  \n\na="b\n'
    )
    for size in (1 << 20, 7):
        batches = read(["logfmt"], lines, tmp_path, ("i:status", "s:page:path", "msg", "debug", "S:HTTP_HOST"), size)
        assert [tuple(row.values()) for row in rows(batches)] == [
            (200, b"/a b", b'say "hi"\n', b"", b"x"),
            (404, b"", b"", b"true", b""),
        ]
        assert sum(batch.read for batch in batches) == 6
        assert [(each.record, each.column) for batch in batches for each in batch.rejects] == [
            (2, ""),
            (3, "status"),
            (5, ""),
            (6, ""),
        ]
    found = find_dialect([lines[: lines.index(b"no")], b"level=warn status=500\n"])
    assert found.known == "logfmt"
    assert found.columns[3] == "I:status"
    assert found.columns[-1] == "S:level"
    assert found.differing == ()
    names = read_titles(io.BytesIO(lines), parse_input_attributes(["logfmt"], where="-f"), "x").columns
    assert [column.name for column in names][:3] == ["at", "method", "path"]


VALUES = st.text('ab," \n1-é', max_size=5)


@settings(max_examples=30, deadline=None)
@given(
    st.permutations(["a", "b", "c", "d"]), st.lists(st.tuples(*[VALUES] * 4), max_size=6), st.sampled_from([3, 1 << 20])
)
def test_columns_are_those_of_the_library(
    tmp_path_factory: pytest.TempPathFactory, titles: list[str], records: list[tuple[str, ...]], size: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([titles, *records])
    batches = read(["title"], text.getvalue().encode(), tmp_path_factory.mktemp("t"), ("d", "b", "e"), size)
    text.seek(0)
    expected = [{"d": row["d"].encode(), "b": row["b"].encode(), "e": b""} for row in csv.DictReader(text)]
    assert (rows(batches) if batches else []) == expected
