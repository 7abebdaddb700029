"""The fast path for fixed date layouts: right, taken, and left where it should be."""

from __future__ import annotations

import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.engines.columnar.dates import date_kernel, fixed_layout
from ess.engines.columnar.distinct import row_kernel
from ess.language.date_format import compile_date_format
from tests.columnar.zones import time_zone


def _fail(arguments: tuple[pl.Series, ...]) -> pl.Series:
    raise AssertionError(f"left to the row implementation: {arguments[0].to_list()}")


@pytest.mark.parametrize(
    ("date_format", "text"),
    [
        (b"Y.m.d.H.M.S", b"2014-09-15 01:02:03"),
        (b"%Y.%m.%d.%H.%M.%S", b"2014/09/15T01-02-03"),
        (b"Ymd", b"20140915"),
        (b"%d.%m.%Y.%H.%M", b"15.09.2014 01:02"),
        (b"..Y.m.d..", b"<<2014-09-15>>"),
        (b"S.M.H.d.m.Y", b"03:02:01 15.09.2014"),
        (b"d.b.Y", b"15 sEP 2014"),
        (b"%d/%b/%Y:%H:%M:%S %z", b"15/Sep/2014:01:02:03 +0000"),
        (b"%d/%b/%Y:%H:%M:%S %z", b"15/Sep/2014:23:02:03 -0430"),
        (b"%z%Y-%m-%dT%H:%M", b"+01302014-09-15T11:02"),
    ],
)
def test_a_fixed_layout_is_computed_over_columns(date_format: bytes, text: bytes) -> None:
    kernel = date_kernel(date_format, utc=True, row=_fail)
    assert kernel is not None
    expected = compile_date_format(date_format, local=False)(text)
    assert kernel((pl.Series([text, None, text], dtype=pl.Binary),)).to_list() == [expected, None, expected]
    assert expected >= int(datetime.datetime(2014, 9, 15, tzinfo=datetime.UTC).timestamp())


@pytest.mark.parametrize(
    "date_format",
    [b"Y.m", b"Y.m.d.H.M.S.p", b"y.m.d", b"Y.m.d.S3", b"Y.Y.m.d", b"H.M.S", b"%Y-%m-%d %b", b"%Y-%m-%d%%"],
)
def test_other_formats_are_no_fixed_layout(date_format: bytes) -> None:
    assert fixed_layout(date_format) is None


_PLAIN = st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2110, 1, 1)).map(
    lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S").encode()
)
_ODD = st.tuples(_PLAIN, st.integers(0, 18), st.binary(max_size=2)).map(
    lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]
)


@pytest.mark.parametrize(
    ("date_format", "texts"),
    [
        (b"Y.m.d.H.M.S", [b"2026-03-12 10:15", b"2026103112 10:15:00", b"2026-03-12 10:15:00", b"2026-02-29 10:15:00"]),
        (b"b..d.Y", [b"Mar  5 2026", b"Mar 15 2026", b"Mar 105 2026", b"Mar  05 2026", b"Mar--05+2026"]),
        (
            b"Y.m.d.H.M.S......z",
            [b"2026-03-12 10:15:00.1234 -0800", b"2026-03-12 10:15:00 1234 -0800", b"2026-03-12 10:15:0001234 -0800"],
        ),
        (b"%d/%b/%Y:%H:%M:%S %z", [b"12/Mar/2026:10:15:00 " + z for z in (b"+0100", b"+2400", b"+0060", b"Z", b"UTC")]),
        (b"%z1%Y-%m-%d", [b"+010012026-03-12", b"+010022026-03-12"]),
    ],
)
@pytest.mark.parametrize("times", [1, 40])
def test_bytes_between_are_no_digits(date_format: bytes, texts: list[bytes], times: int) -> None:
    row = compile_date_format(date_format, local=False)
    kernel = date_kernel(date_format, utc=True, row=row_kernel(row, pl.Int64))
    for dates in [[text] * times for text in texts] + [texts * times]:
        if kernel is not None:
            assert kernel((pl.Series(dates, dtype=pl.Binary),)).to_list() == [row(date) for date in dates]


_IN_LOGS = st.tuples(
    st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2110, 1, 1)),
    st.sampled_from(["+0000", "-0730", "+9959", "*0000", "+1:30", "+01:30"]),
).map(lambda t: t[0].strftime("%d/%b/%Y:%H:%M:%S ").encode() + t[1].encode())
_ODD_IN_LOGS = st.tuples(_IN_LOGS, st.integers(0, 25), st.binary(max_size=2)).map(
    lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]
)


def _agree(dates: list[bytes], *, local: bool, date_format: bytes = b"Y.m.d.H.M.S") -> None:
    row = compile_date_format(date_format, local=local)
    kernel = date_kernel(date_format, utc=not local, row=row_kernel(row, pl.Int64))
    assert kernel is not None
    assert kernel((pl.Series(dates, dtype=pl.Binary),)).to_list() == [row(date) for date in dates]


@pytest.mark.parametrize("zone", ["UTC0", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
@settings(max_examples=15, deadline=None)
@given(dates=st.lists(st.one_of(_PLAIN, _ODD), min_size=70, max_size=90))
def test_any_date_is_what_the_row_implementation_says(zone: str, dates: list[bytes]) -> None:
    with time_zone(zone):
        _agree(dates, local=True)
        _agree(dates, local=False)


@settings(max_examples=25, deadline=None)
@given(dates=st.lists(st.one_of(_IN_LOGS, _ODD_IN_LOGS), min_size=70, max_size=90), local=st.booleans())
def test_any_date_of_an_access_log_is_what_the_row_implementation_says(dates: list[bytes], local: bool) -> None:
    with time_zone("Europe/Berlin"):
        _agree(dates, local=local, date_format=b"%d/%b/%Y:%H:%M:%S %z")
        _agree(dates, local=local, date_format=b"%d/%b/%Y:%H:%M:%S")


def test_the_hours_in_which_clocks_change_are_right() -> None:
    days = (b"03-29", b"03-30", b"03-31", b"10-25", b"10-26", b"10-27")
    with time_zone("Europe/Berlin"):
        _agree([b"2014-%s %02d:%02d:00" % (day, h, m) for day in days for h in range(24) for m in (0, 59)], local=True)
