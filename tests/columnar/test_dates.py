"""The fast path for fixed date layouts: right, taken, and left where it should be."""

from __future__ import annotations

import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columnar.zones import time_zone
from ess.engines.columnar.dates import date_kernel, fixed_layout
from ess.engines.columnar.distinct import row_kernel
from ess.language.date_format import compile_date_format


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
    ],
)
def test_a_fixed_layout_is_computed_over_columns(date_format: bytes, text: bytes) -> None:
    kernel = date_kernel(date_format, utc=True, row=_fail)
    assert kernel is not None
    expected = compile_date_format(date_format, local=False)(text)
    assert kernel((pl.Series([text, None, text], dtype=pl.Binary),)).to_list() == [expected, None, expected]
    assert expected >= int(datetime.datetime(2014, 9, 15, tzinfo=datetime.UTC).timestamp())


@pytest.mark.parametrize(
    "date_format", [b"Y.m", b"Y.m.d.H.M.S.p", b"d.b.Y", b"y.m.d", b"Y.m.d.S3", b"Y.Y.m.d", b"H.M.S"]
)
def test_other_formats_are_no_fixed_layout(date_format: bytes) -> None:
    assert fixed_layout(date_format) is None


_PLAIN = st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2110, 1, 1)).map(
    lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S").encode()
)
_ODD = st.tuples(_PLAIN, st.integers(0, 18), st.binary(max_size=2)).map(
    lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]
)


def _agree(dates: list[bytes], *, local: bool) -> None:
    row = compile_date_format(b"Y.m.d.H.M.S", local=local)
    kernel = date_kernel(b"Y.m.d.H.M.S", utc=not local, row=row_kernel(row, pl.Int64))
    assert kernel is not None
    assert kernel((pl.Series(dates, dtype=pl.Binary),)).to_list() == [row(date) for date in dates]


@pytest.mark.parametrize("zone", ["UTC0", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
@settings(max_examples=15, deadline=None)
@given(dates=st.lists(st.one_of(_PLAIN, _ODD), min_size=70, max_size=90))
def test_any_date_is_what_the_row_implementation_says(zone: str, dates: list[bytes]) -> None:
    with time_zone(zone):
        _agree(dates, local=True)
        _agree(dates, local=False)


def test_the_hours_in_which_clocks_change_are_right() -> None:
    days = (b"03-29", b"03-30", b"03-31", b"10-25", b"10-26", b"10-27")
    with time_zone("Europe/Berlin"):
        _agree([b"2014-%s %02d:%02d:00" % (day, h, m) for day in days for h in range(24) for m in (0, 59)], local=True)
