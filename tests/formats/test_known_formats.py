"""Formats that have a name: a sample of each, the columns made of it, picking, recognition, and what is refused."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.formats.attributes import InputAttributes, parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.dialect import find_dialect
from ess.formats.known.definition import Titles
from ess.formats.known.log_times import log_times
from ess.formats.known.made import iso_time, log_time, request_parts, syslog_time
from ess.formats.known.recognition import recognised
from ess.formats.known.table import FORMATS, known_format
from ess.formats.reader import InputBatch, read_input
from ess.pipeline.options import split_attributes
from ess.schema.batch import join_batches
from ess.schema.types import ColumnType

COMBINED = (
    b'203.0.113.9 - ann [12/Mar/2026:10:15:32 +0100] "GET /a?b=\\"c\\" HTTP/1.1" 200 - "-" "Moz (X11; \\xc3\\xa9)"'
)
LATER = {"method": b"GET", "url": b'/a?b="c"', "protocol": b"HTTP/1.1", "epoch": 1773306932}
#: For each format a line of it, with what some of its columns hold.
SAMPLES: dict[str, tuple[bytes, dict[str, object]]] = {
    "clf": (
        b'frank.example - j d [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
        {"host": b"frank.example", "user": b"j d", "status": 200, "bytes": 2326, "epoch": 971211336},
    ),
    "combined": (COMBINED, {"bytes": 0, "referer": b"-", "agent": "Moz (X11; é)".encode(), **LATER}),
    "combined_xff": (COMBINED + b' "10.0.0.1, 10.0.0.2"', {"forwarded_for": b"10.0.0.1, 10.0.0.2", **LATER}),
    "xff_combined": (b"10.0.0.1, " + COMBINED, {"forwarded_for": b"10.0.0.1, 203.0.113.9", "user": b"ann", **LATER}),
    "vhost_clf": (
        b"www.example.com:443 " + COMBINED.rpartition(b' "-" ')[0],
        {"vhost": b"www.example.com", "port": 443, **LATER},
    ),
    "vhost_combined": (b"www.example.com:80 " + COMBINED, {"vhost": b"www.example.com", "port": 80, **LATER}),
    "elb": (
        b"2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 - 0.000073 -1 0.000057 504 0 0 29 "
        b'"GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -',
        {
            "client_ip": bytes([192, 168, 131, 39]),
            "client_port": 2817,
            "backend_ip": b"",
            "backend_port": 0,
            "backend_processing_time": -1.0,
            "sent_bytes": 29,
            "url": b"http://www.example.com:80/",
            "epoch_ms": 1431560383945,
        },
    ),
    "alb": (
        b"h2 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 [2001:db8::1]:2817 10.0.0.66:9000 "
        b'0.000 0.002 0.000 200 200 5 257 "GET https://10.0.2.105:773/ HTTP/2.0" "a "b" c" '
        b"ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x:targetgroup/my/73e2 "
        b'"Root=1-58337327-72bd00b0343d75b906739c42" "-" "-" 1 2018-07-02T22:22:48.364000Z "redirect" '
        b'"https://example.com:80/" "-" "10.0.0.66:9000" "200" "-" "-"',
        {
            "type": b"h2",
            "client_ip": bytes.fromhex("20010db8000000000000000000000001"),
            "target_port": 9000,
            "user_agent": b'a "b" c',
            "redirect_url": b"https://example.com:80/",
            "classification_reason": b"-",
            "conn_trace_id": b"",
            "epoch": 1530570180,
        },
    ),
    "nlb": (
        b"tls 2.0 2018-12-20T02:59:40 net/my-network-loadbalancer/c6e77e28c25b2234 g3d4b5e8bb8464cd "
        b"72.21.218.154:51341 172.100.100.185:443 5 2 98 246 - arn:aws:acm:us-east-2:671290407336:certificate/2a10 - "
        b"ECDHE-RSA-AES128-SHA tlsv12 - my-network-loadbalancer-c6e7.elb.us-east-2.amazonaws.com "
        b'h2 h2 "h2","http/1.1" 2020-04-01T08:51:42',
        {
            "destination_port": 443,
            "tls_handshake_time": 2,
            "alpn_client_preference_list": b'"h2","http/1.1"',
            "tls_connection_creation_time": b"2020-04-01T08:51:42",
            "epoch": 1545274780,
        },
    ),
    "syslog": (
        b"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 8710 ID47 "
        rb'[exampleSDID@32473 iut="3" eventSource="App\"l]ication"][b@1 c="d"] An application event',
        {
            "pri": b"165",
            "facility": b"local4",
            "severity": b"notice",
            "version": 1,
            "hostname": b"mymachine.example.com",
            "app_name": b"evntslog",
            "procid": b"8710",
            "msgid": b"ID47",
            "structured_data": rb'[exampleSDID@32473 iut="3" eventSource="App\"l]ication"][b@1 c="d"]',
            "msg": b"An application event",
            "epoch_ms": 1065910455003,
        },
    ),
    "haproxy": (
        b"Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in~ static/srv1 "
        b'10/0/30/69/+109 200 2750 - - ---- 1/1/1/1/+0 0/0 {1wt.eu|x} {} "GET /index.html HTTP/1.1"',
        {
            "client_ip": bytes([10, 0, 1, 2]),
            "backend_name": b"static",
            "time_active": 109,
            "status_code": 200,
            "retries": 0,
            "captured_request_headers": b"1wt.eu|x",
            "url": b"/index.html",
            "epoch_ms": 1233922454655,
        },
    ),
    "gelf": (
        b'{"version":"1.1","host":"example.org","short_message":"A","timestamp":1385053862.3072,"level":1,"_user_id":9}',
        {"host": b"example.org", "level": 1, "full_message": b"", "epoch": 1385053862, "epoch_ms": 1385053862307},
    ),
    "cloudtrail": (
        b'{"Records":[{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"Mary"},'
        b'"eventTime":"2023-07-19T21:17:28Z","eventSource":"ec2.amazonaws.com","eventName":"StartInstances",'
        b'"sourceIPAddress":"192.0.2.0","requestParameters":{"instancesSet":{"items":[{"instanceId":"i-1"}]}}}]}',
        {
            "eventname": b"StartInstances",
            "useridentity_username": b"Mary",
            "errorcode": b"",
            "requestparameters": b'{"instancesSet":{"items":[{"instanceId":"i-1"}]}}',
            "epoch": 1689801448,
        },
    ),
    "s3access": (
        b"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be bucket1 [06/Feb/2019:00:00:38 +0000] "
        b'192.0.2.3 arn:aws:iam::1:user/x 3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /bucket1?versioning HTTP/1.1" '
        b'200 - 113 - 7 - "-" "S3 "Console"" - s9lzHY= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader '
        b"b.s3.us-west-1.amazonaws.com TLSV1.2 arn:aws:s3:us-west-1:1:accesspoint/example-AP Yes us-east-1 new1 new2",
        {
            "key": b"-",
            "bytes_sent": 113,
            "turn_around_time": 0,
            "user_agent": b'S3 "Console"',
            "acl_required": b"Yes",
            "url": b"/bucket1?versioning",
            "epoch": 1549411238,
        },
    ),
}


def read(
    word: str | InputAttributes, content: bytes, folder: Path, specs: tuple[str, ...] = (), size: int = 1 << 20
) -> list[InputBatch]:
    file = folder / "input"
    file.write_bytes(content)
    attributes = word if isinstance(word, InputAttributes) else parse_input_attributes([word], where="-f")
    columns = parse_input_columns(specs, attributes, where="-d")
    return list(read_input([str(file)], attributes, columns.columns, separators=columns.separators, batch_bytes=size))


def rows(batches: list[InputBatch]) -> list[dict[str, object]]:
    return join_batches([batch.frame for batch in batches]).to_dicts()


@pytest.mark.parametrize(
    "known", [known for known in FORMATS if known.titles is Titles.NONE], ids=lambda known: known.name
)
def test_a_line_of_each_format_is_recognised_and_read(known: object, tmp_path: Path) -> None:
    name = str(getattr(known, "name", ""))
    line, expected = SAMPLES[name]
    content = line + b"\r\nrubbish\n" + line
    batches = read(name, content, tmp_path)
    found = rows(batches)
    assert {key: found[0][key] for key in expected} == expected
    assert [row == found[0] for row in found] == [True, True]
    assert sum(batch.read for batch in batches) == 3
    rejected = [(reject.record, reject.reason) for batch in batches for reject in batch.rejects]
    assert [record for record, _ in rejected] == [2]
    assert rows(read(name, content, tmp_path, size=7)) == found
    dialect = find_dialect([line + b"\n"])
    assert dialect.known == name
    assert [spec.partition(":")[2].lower() for spec in dialect.columns] == list(found[0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed: x",
            (b"34", b"auth", b"crit", b"mymachine", b"su", b"", b"'su root' failed: x"),
        ),
        (
            b"2026-03-12T10:15:32.123456+01:00 web sshd[77]: Accepted",
            (b"", b"", b"", b"web", b"sshd", b"77", b"Accepted"),
        ),
        (b"Mar  2 10:15:32 web cron[1]:", (b"", b"", b"", b"web", b"cron", b"1", b"")),
        (b"<999>1 - - - - - -", (b"999", b"", b"", b"-", b"-", b"-", b"")),
    ],
)
def test_syslog_has_two_forms(line: bytes, expected: tuple[bytes, ...], tmp_path: Path) -> None:
    names = ("pri", "facility", "severity", "hostname", "app_name", "procid", "msg")
    (row,) = rows(read("syslog", line, tmp_path, names))
    assert tuple(row.values()) == expected
    assert find_dialect([line + b"\n"]).known == "syslog"


def test_a_time_without_a_year_is_the_last_one() -> None:
    now = iso_time(b"2026-03-01T12:00:00Z")
    for text, expected in (
        (b"Mar  2 11:00:00", b"2026-03-02T11:00:00Z"),
        (b"Mar  2 13:00:00", b"2025-03-02T13:00:00Z"),
        (b"Dec 31 23:59:59", b"2025-12-31T23:59:59Z"),
        (b"Feb 29 00:00:00", b"2024-02-29T00:00:00Z"),
    ):
        assert syslog_time(text, now) == iso_time(expected) > 0
    assert syslog_time(b"Foo 31 23:59:59", now) == syslog_time(b"Feb 30 00:00:00", now) == 0


def test_json_formats_have_further_values(tmp_path: Path) -> None:
    picked = read("gelf", SAMPLES["gelf"][0], tmp_path, ("host", "i:user:_user_id", "s:nothing:_x", "epoch"))
    assert [tuple(row.values()) for row in rows(picked)] == [(b"example.org", 9, b"", 1385053862)]
    key = "s:first:requestParameters.instancesSet.items[0].instanceId"
    picked = read("cloudtrail", SAMPLES["cloudtrail"][0], tmp_path, (key, "s:who:userIdentity.userName", "eventName"))
    assert [tuple(row.values()) for row in rows(picked)] == [(b"i-1", b"Mary", b"StartInstances")]


def test_a_line_of_another_format_is_not_recognised() -> None:
    for sample in (b"a,b\n1,2\n", b"hello world\n", COMBINED + b" 0.123\n", b"- - - [x] y\n"):
        assert find_dialect([sample]).known == ""
    assert find_dialect([(COMBINED + b"\n") * 19 + b"rubbish\n"]).known == "combined"
    assert find_dialect([COMBINED + b"\n", b"a,b\n1,2\n"]).known == ""
    assert find_dialect([COMBINED + b"\n"], delimiter=" ").known == ""


def test_columns_are_picked_and_renamed(tmp_path: Path) -> None:
    line = SAMPLES["combined"][0] + b"\n"
    picked = rows(read("combined", line, tmp_path, ("status", "S:code:epoch", "s,lo:METHOD", "s:browser:agent", "X")))
    assert picked == [{"status": 200, "code": b"1773306932", "method": b"get", "browser": "Moz (X11; é)".encode()}]
    assert rows(read("combined", line, tmp_path, ("url", "time")))[0]["url"] == b'/a?b="c"'


@pytest.mark.parametrize(
    ("word", "specs", "message"),
    [
        ("combined", ("statuss",), r"'combined' has no column 'statuss'; did you mean 'status'\?"),
        ("combined", ("s:a:status", "i:b:status"), "taken twice, as a and b"),
        ("combined", ("i:epoch",), "cannot be I; write l:epoch"),
        ("combined", ("status", "i:STATUS:bytes"), "given twice"),
        ("combined", ("sep:x",), "for 'div' inputs only"),
        ("vhost_clf", ("i:time", "epoch"), "must be S"),
        ("alb", ("s,n=3:elb",), "n=Len"),
        ("apache=%h%l", (), "nothing divides %l"),
        ("apache=%h %J", (), "'%J' is no directive"),
        ("apache=hello", (), "names no values"),
        ("rx=(?P<a>x", (), "bad regular expression"),
        ("rx=(x)", (), "has no named group"),
        ("rx=(?P<a>x)(?P<A>y)", (), "same name"),
        ("combind", (), "did you mean 'combined'"),
    ],
)
def test_what_is_wrong_is_told_before_a_byte_is_read(word: str, specs: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_input_columns(specs, parse_input_attributes([word], where="-f"), where="-d")


def test_formats_exclude_each_other() -> None:
    for words in (["combined", "csv"], ["combined", "clf"], ["combined", "sep=x"], ["div", "rx=(?P<a>x)"]):
        with pytest.raises(OptionError, match="exclude each other"):
            parse_input_attributes(words, where="-f")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('apache=%h %l %u %t "%r" %>s %b', "host ident user time request status bytes epoch method url protocol"),
        (
            r'apache=LogFormat "%v:%p %a \"%{User-Agent}i\" %{X-Request-Id}o %D%% %{usec}t %{ms}T" mine',
            "vhost port client_ip agent out_x_request_id duration_us epoch_us duration_ms",
        ),
        (
            "nginx=log_format  main  '$remote_addr - $remote_user [$time_local] '\n  '\"$request\" ${status}';",
            "remote_addr remote_user time_local request status epoch method url protocol",
        ),
        (
            "nginx=$msec $request_time $upstream_response_time",
            "msec request_time upstream_response_time epoch epoch_ms",
        ),
    ],
)
def test_a_line_of_a_configuration_is_a_format(text: str, columns: str) -> None:
    attributes = parse_input_attributes([text], where="-f")
    assert " ".join(column.name for column in parse_input_columns((), attributes, where="-d").columns) == columns


def test_a_log_format_reads_what_it_writes(tmp_path: Path) -> None:
    combined = 'apache="%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-agent}i\\""'
    assert rows(read(combined, COMBINED, tmp_path)) == rows(read("combined", COMBINED, tmp_path))
    nginx = 'nginx=$remote_addr [$time_iso8601] "$request" $request_time,$http_x_a'
    found = rows(read(nginx, b'::1 [2026-03-12T10:15:32+01:00] "-" 0.25,a\\x22,b\n', tmp_path))
    assert found[0]["remote_addr"] == bytes(15) + b"\1"
    assert (found[0]["epoch"], found[0]["request_time"], found[0]["http_x_a"]) == (1773306932, 0.25, b'a",b')


def test_a_pattern_may_hold_commas_and_groups_without_names(tmp_path: Path) -> None:
    words = split_attributes("eok,rx=(?P<user>[a-z]{1,3})(,|;) (?P<n>[0-9]+)?.*,qui=1,+1r")
    assert words == ("eok", "rx=(?P<user>[a-z]{1,3})(,|;) (?P<n>[0-9]+)?.*", "qui=1", "+1r")
    attributes = parse_input_attributes(list(words[:2]), where="-f")
    batches = read(attributes, b"ann, 7\nbob; x\nzoe, y\n,\n", tmp_path, ("s,up:user", "i:n"))
    assert rows(batches) == [{"user": b"ANN", "n": 7}, {"user": b"BOB", "n": 0}, {"user": b"ZOE", "n": 0}]
    bad = read(attributes, b"ann, 77777777777\nann, 7\n,\n", tmp_path, ("i:n",))[0]
    assert [(each.before_row, each.record, each.column) for each in bad.rejects] == [(0, 1, "n"), (1, 3, "")]


OTHER = re.compile(
    rb'(?P<host>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" '
    rb'(?P<status>[0-9]+) (?P<bytes>[0-9]+) "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"\Z'
)
ESCAPED = st.lists(st.sampled_from(["a", " ", "é", r"\"", r"\\", r"\x16", "[", "]", "-", "/"]), max_size=8).map("".join)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(ESCAPED, ESCAPED, ESCAPED, st.integers(0, 599)), min_size=1, max_size=20))
def test_combined_finds_what_an_expression_finds(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str, str, int]]
) -> None:
    lines = [
        f'10.0.0.1 - u [12/Mar/2026:10:15:{status % 60:02} +0100] "{request}" {status} 7 "{referer}" "{agent}"'.encode()
        for request, referer, agent, status in records
    ]
    found = rows(
        read("combined", b"\n".join(lines * 40), tmp_path_factory.mktemp("log"), ("agent", "referer", "status"))
    )
    expected = []
    for line in lines * 40:
        match = OTHER.match(line)
        assert match is not None
        texts = {name: unescaped(match[name]) for name in ("agent", "referer")}
        expected.append({**texts, "status": int(match["status"])})
    assert found == expected


REQUESTS = st.one_of(
    ESCAPED,
    st.tuples(
        st.sampled_from(["GET", "get", "M-SEARCH", "X1", "é"]),
        st.sampled_from(["/", "/a b", "", "/é?q=1", "*"]),
        st.sampled_from(["HTTP/1.1", "HTTP/0.9", "RTSP/1.0", "http", ""]),
    ).map(" ".join),
    st.binary(max_size=4).map(lambda raw: "".join(f"\\x{byte:02x}" for byte in raw)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=30))
def test_parts_of_requests_are_those_of_the_rule(tmp_path_factory: pytest.TempPathFactory, requests: list[str]) -> None:
    lines = [f'h - u [12/Mar/2026:10:15:32 +0100] "{request}" 200 7'.encode() for request in requests]
    names = ("request", "method", "url", "protocol")
    for row in rows(read("clf", b"\n".join(lines), tmp_path_factory.mktemp("log"), names)):
        raw = row["request"]
        assert isinstance(raw, bytes)
        assert (row["method"], row["url"], row["protocol"]) == request_parts(raw)


def unescaped(text: bytes) -> bytes:
    return re.sub(rb"\\(x..|.)", lambda each: bytes([int(each[1][1:], 16)]) if each[1][1:] else each[1], text)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_times_are_those_of_the_library(time: datetime, minutes: int) -> None:
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    text = f"{time:%d/%b/%Y:%H:%M:%S} {zone}"
    assert log_time(text.encode()) == int(datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").timestamp()) * 1000
    text = f"{time:%Y-%m-%dT%H:%M:%S.%f}{zone}"
    whole = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    assert iso_time(text.encode()) == int(whole.timestamp()) * 1000 + whole.microsecond // 1000


BORDERS = st.tuples(
    st.integers(0, 33), st.sampled_from(["Feb", "FEB", "Apr", "Foo"]), st.sampled_from([1969, 2000, 2023, 2100])
)
TIMES = st.one_of(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(
        lambda time: f"{time:%d/%b/%Y:%H:%M:%S} +0530".encode()
    ),
    BORDERS.map(lambda parts: f"{parts[0]:02}/{parts[1]}/{parts[2]}:23:59:60 -1200".encode()),
    st.sampled_from([b"", b"-", b"12/Mar/2026:10:15:32", b"12/Mar/2026:24:15:32 +0000", b"12/Mar/2026 10:15:32 +0000"]),
)


@given(st.lists(TIMES, max_size=20))
def test_many_times_are_those_of_single_ones(texts: list[bytes]) -> None:
    alike = [text for text in texts if len(text) == 26]
    for some in (texts, alike):
        assert log_times(some).tolist() == [log_time(text) for text in some]


@pytest.mark.parametrize(
    "text", [b"", b"-", b"30/Feb/2026:10:15:32 +0100", b"12/Foo/2026:10:15:32 +0100", b"12/Mar/2026:25:15:32 +0100"]
)
def test_what_is_no_time_is_zero(text: bytes) -> None:
    assert log_time(text) == iso_time(text) == 0


def test_every_format_has_valid_columns_and_a_source() -> None:
    for known in FORMATS:
        assert known_format(known.name.upper()) is known
        assert known.source.startswith("https://")
        assert all(column.type is not ColumnType.F or "time" in column.name for column in known.columns)
        assert len({column.key for column in known.columns}) == len(known.columns)
        groups = sorted(number for numbers in known.groups for number in numbers) or range(1, len(known.fields) + 1)
        assert known.expression.groups == len(groups) or not known.pattern


def test_one_broken_line_of_a_few_is_allowed() -> None:
    line = '192.0.2.1 - - [12/Mar/2026:10:15:32 +0100] "GET / HTTP/1.1" 200 10 "-" "curl/8"'
    for good, bad, found in ((3, 1, "combined"), (2, 1, None), (8, 2, None), (18, 2, "combined"), (17, 3, None)):
        known = recognised([*[line] * good, *["something else"] * bad])
        assert (known and known.name) == found, (good, bad)


def test_a_virtual_host_without_a_port_is_no_client() -> None:
    rest = '203.0.113.1 - {} [30/May/2026:00:02:18 +0200] "GET /l HTTP/1.0" 200 4 "-" "c"'
    for user in ("-", "ann", "john smith"):
        known = recognised([rest.format(user)] * 3)
        assert known is not None
        assert known.name == "combined"
        assert recognised([f"www.a.org {rest.format(user)}"] * 3) is None
