"""DateToTime and TimeToDate against the C library."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.language.date_format import FormatError, compile_date_format

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
NEW_YORK = "EST5EDT,M3.2.0,M11.1.0"


@pytest.fixture(params=["UTC0", BERLIN, NEW_YORK, "JST-9", "NST3:30NDT,M3.2.0,M11.1.0"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("shape", ["%Y-%m-%d %H:%M:%S", "%d/%b/%Y:%H:%M:%S", "%Y%m%d%H%M%S", "%H:%M:%S %d.%m.%Y"])
def test_local_dates_come_back(zone: str, shape: str) -> None:
    to_time = compile_date_format(shape.encode(), local=True)
    starts = (1395968400, 1414278000, 1394348400, 1414900000, 1410739200, 86399, 4_000_000_000)
    for start in starts:
        for seconds in range(start, start + 100_000, 997):
            text = time.strftime(shape, time.localtime(seconds))
            got = to_time(text.encode())
            assert got == to_time(text.encode())  # the second time from the cache
            twice = time.strftime(shape, time.localtime(seconds - 3600)) == text
            assert got == (seconds - 3600 if twice else seconds), text


def test_a_skipped_hour_is_read_as_standard_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", BERLIN)
    time.tzset()
    try:
        to_time = compile_date_format(b"Y.m.d.H.M.S", local=True)
        assert to_time(b"2014-03-30 02:30:00") == to_time(b"2014-03-30 03:30:00") == 1396143000
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.integers(0, 2**33), st.integers(0, 999))
def test_gmt_dates_come_back(seconds: int, thousandths: int) -> None:
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)).encode()
    assert compile_date_format(b"Y.m.d.H.M.S", local=False)(text) == seconds
    assert compile_date_format(b"%Y-%m-%d.%H:%M:%S", local=False)(text + b" and more") == seconds
    fine = text + b".%03d7" % thousandths
    assert compile_date_format(b"%Y.%m.%d.%H.%M.%S3", local=False)(fine) == seconds * 1000 + thousandths
    assert compile_date_format(b"%Y.%m.%d.%H.%M.%S0", local=False)(fine) == seconds


@given(
    st.lists(
        st.sampled_from([b"2014-09-15 01:02:03", b"2014-9-15 1:2:3", b"2014-09-15 01:02:3", b"x", b""]), max_size=8
    )
)
def test_the_cache_does_not_mix_shapes_up(texts: list[bytes]) -> None:
    to_time = compile_date_format(b"Y.m.d.H.M.S", local=False)
    for text in texts:
        assert to_time(text) == (1410742923 if text[:1] == b"2" else 0)


@given(st.binary(max_size=12), st.sampled_from([b"Y.m.d.H.M.S", b"YmdHMS", b"H.M.S.p", b"%d%b%y", b"m.d.z"]))
def test_any_bytes_give_a_number(text: bytes, spec: bytes) -> None:
    assert isinstance(compile_date_format(spec, local=False)(text), int)


@pytest.mark.parametrize(
    ("spec", "text", "seconds"),
    [
        (b"Y.m.d.I.M.S.p", b"1970/01/01 12:00:00 AM", 0),
        (b"Y.m.d.I.M.S.p", b"1970/01/01 12:00:00 pm", 43200),
        (b"Y.m.d.I.M.S.p", b"1970/01/01 01:00:00 PM", 46800),
        (b"Y.m.d.H.M.S.p", b"1970/01/01 13:00:00 PM", 46800),
        (b"d.b.Y.H.M.S.z", b"01/Jan/1970:00:00:00 -0830", 30600),
        (b"d.b.Y.H.M.S.z", b"01/jan/1970:09:00:00 +0900", 0),
        (b"y.m.d", b"70-01-02", 86400),
        (b"y.m.d", b"14-09-15", 1410739200),
        (b"H.M", b"01:01", 3660),
        (b"%Y-%m-%dT%H:%M:%SZ", b"1970-01-01T00:00:09Z", 9),
        (b"%Y-%m-%d", b"1970/01/02", 0),
        (b"Y.m.d", b"1970-13-01", 0),
        (b"Y.m.d", b"1970-12-32", 0),
        (b"Y.m.d", b"1970-02-31", 0),
        (b"Y.m.d", b"2026-02-29", 0),
        (b"Y.m.d", b"1900-02-29", 0),
        (b"Y.m.d", b"2024-02-29", 1709164800),
        (b"Y.m.d", b"2026-04-31", 0),
        (b"Y.m.d.H.M.S", b"1970-01-01 24:00:00", 0),
        (b"Y.m.d.H.M.S", b"1970-01-01", 0),
        (b"100%% %S", b"100% 07", 7),
    ],
)
def test_parts(spec: bytes, text: bytes, seconds: int) -> None:
    assert compile_date_format(spec, local=False)(text) == seconds


@pytest.mark.parametrize("spec", [b"", b"...", b"%Q", b"%Y%Y", b"%", b"%b%m"])
def test_senseless_formats(spec: bytes) -> None:
    with pytest.raises(FormatError):
        compile_date_format(spec, local=False)


@pytest.mark.parametrize(
    ("spec", "text", "seconds"),
    [
        # A code takes all digits that it may, so what is missing is not made up from the number before.
        (b"Y.m.d.H.M.S", b"2026-03-12 10:15", 0),
        (b"Y.m.d.H.M.S", b"12.03.2026 10:15", 0),
        (b"d.b.Y.H.M.S.z", b"12/Mar/2026:10:15 +0100", 0),
        (b"YmdHMS", b"202603121015", 0),
        (b"%Y%m%d", b"202631", 0),
        (b"%H:%M:%S", b"10:15", 0),
        # A dot is no digit.
        (b"b..d.H.M.S", b"Mar 15 10:00:15", 0),
        (b"b..d.H.M.S", b"Mar  5 10:00:15", 63 * 86400 + 36015),
        (b"Y.m.d", b"2026103112", 0),
        (b"Y...d", b"2026-1-12", 0),
        (b"d.b.Y", b"12/Mar 2026", 1773273600),
        (b"H.M.S......Y", b"10:00:15.12345 2026", 0),
        (b"H.M.S.......Y", b"10:00:15.12345 2026", 1767225600 + 36015),
        (b"H.M.S......Y", b"10:00:15.123452026", 0),
        # A last number does not go on behind the format, but any other text may follow.
        (b"d.m.y", b"12.03.2026", 0),
        (b"Y.m.d", b"2026-03-123", 0),
        (b"Y.m.d", b"2026-03-12T", 1773273600),
        (b"Ymd", b"20260312101500", 1773273600),
        # Padded numbers.
        (b"b.d.H.M.S", b"Mar  5 10:00:15", 63 * 86400 + 36015),
        (b"b.d.H.M.S", b"Mar 15 10:00:15", 73 * 86400 + 36015),
        (b"%b %d %H:%M:%S", b"Mar  5  9:00:15", 63 * 86400 + 32415),
        (b"%b %d", b"Mar   5", 0),
        # Zones.
        *[
            (b"Y.m.d.H.M.S.z", b"1970-01-02 00:00:00 " + zone, 86400 - ahead)
            for zone, ahead in [
                (b"Z", 0),
                (b"z", 0),
                (b"UTC", 0),
                (b"gmt", 0),
                (b"UT", 0),
                (b"+01", 3600),
                (b"+0100", 3600),
                (b"+01:00", 3600),
                (b"-09:30", -34200),
                (b"-0930 (Marquesas)", -34200),
                (b"GMT+0100", 3600),
                (b"UTC-02", -7200),
                (b"+1", 86400),
                (b"+01:5", 86400),
                (b"+01000", 86400),
                (b"+0175", 86400),
                (b"+2400", 86400),
                (b"UTC+1", 86400),
                (b"Zulu", 86400),
                (b"CET", 86400),
                (b"01:00", 86400),
            ]
        ],
        (b"%Y-%m-%dT%H:%M:%S%z", b"1970-01-02T00:00:00Z", 86400),
        (b"b.d.H.M.S.z.Y", b"Jan  2 00:00:00 UTC 1970", 86400),
        # Fractions.
        (b"%Y-%m-%d %H:%M:%S3", b"1970-01-01 00:00:01,25", 1250),
        (b"Y.m.d.H.M.S3", b"1970-01-01 00:00:01.250999", 1250),
        (b"%H:%M:%S.%L", b"00:00:01.25", 1250),
        (b"%H:%M:%S,%L%z", b"00:00:01,250999+00:00", 1250),
        (b"%Y%m%d%H%M%S%L", b"19700101000001250", 1250),
        (b"%H:%M:%S.%f", b"00:00:01.25", 1250000),
        (b"%H:%M:%S:%f", b"00:00:01:000007", 1000007),
        (b"%H:%M:%S.%f", b"00:00:01", 0),
    ],
)
def test_text_fits_or_gives_0(spec: bytes, text: bytes, seconds: int) -> None:
    to_time = compile_date_format(spec, local=False)
    assert to_time(text) == seconds
    assert to_time(text) == seconds


_FORMATS = [
    "%Y-%m-%d %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%b %d %H:%M:%S %Y",
    "%d.%m.%Y %H:%M",
    "%m/%d/%y %I:%M:%S %p",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%H:%M:%S %d-%b-%y",
]


@given(
    st.sampled_from(_FORMATS),
    st.datetimes(datetime(1970, 1, 2), datetime(2068, 12, 31)),
    st.sampled_from(["+0000", "-0730", "+1345", "Z", "+01:00"]),
    st.integers(0, 28),
    st.sampled_from(["", "0", "9", "00", " ", ":", "-", "31"]),
    st.integers(0, 2),
)
def test_what_python_reads(form: str, moment: datetime, zone: str, at: int, piece: str, cut: int) -> None:
    whole = moment.strftime(form.replace("%z", zone))
    text = whole[:at] + piece + whole[at + cut :]
    got = compile_date_format(form.encode(), local=False)(text.encode())
    try:
        found = datetime.strptime(text, form)
    except ValueError:
        assert text != whole
        return
    seconds = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() // 1)
    # What both read, they read as the same.
    if text == whole or got:
        assert got == (seconds * 1_000_000 + found.microsecond if "%f" in form else seconds)
