"""DateToTime and TimeToDate against the C library."""

from __future__ import annotations

import time
from collections.abc import Iterator

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
        (b"Y.m.d", b"1970-02-31", 61 * 86400),
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
