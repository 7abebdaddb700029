"""Dates in the order of time, which share the work on their day, are what the row implementation says."""

from __future__ import annotations

import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.engines.columnar.date_runs import day_runs
from ess.engines.columnar.dates import date_kernel
from ess.engines.columnar.distinct import row_kernel
from ess.language.date_format import compile_date_format
from tests.columnar.zones import time_zone

_DAYS = st.dates(datetime.date(1960, 1, 1), datetime.date(2110, 1, 1))
_TIMES = st.one_of(
    st.times().map(lambda moment: moment.strftime("%H:%M:%S").encode()),
    st.sampled_from([b"23:59:59", b"24:00:00", b"00:60:00", b"00:00:60", b"1 :00:00", b"00x00:00", b"0:0:0   "]),
    st.just(b"0\xff:00:00"),
)


@pytest.mark.parametrize(
    ("day_format", "date_format"),
    [
        ("%Y-%m-%d {}", b"Y.m.d.H.M.S"),
        ("%d/%b/%Y:{} +0130", b"%d/%b/%Y:%H:%M:%S %z"),
        ("{} %Y%m%d", b"%H:%M:%S %Y%m%d"),
        ("%Y-%m-%d {}", b"Y.m.d.H"),
        ("%Y-%m-%d", b"Y.m.d"),
    ],
)
@settings(max_examples=12, deadline=None)
@given(
    days=st.lists(st.one_of(_DAYS, st.just(None)), min_size=1, max_size=3),
    times=st.lists(_TIMES, min_size=40, max_size=60),
    local=st.booleans(),
)
def test_runs_of_a_day(
    day_format: str, date_format: bytes, days: list[datetime.date | None], times: list[bytes], local: bool
) -> None:
    dates: list[bytes] = []
    for day in days:
        text = "not-a-day {}!" if day is None else day.strftime(day_format)
        before, _, after = text.encode().partition(b"{}")
        dates += [before + time + after for time in times]
    if date_format == b"Y.m.d.H":
        dates = [date[:13] for date in dates]
    row = compile_date_format(date_format, local=local)
    with time_zone("Europe/Berlin"):
        kernel = date_kernel(date_format, utc=not local, row=row_kernel(row, pl.Int64))
        assert kernel is not None
        for part in (dates, dates[7:], [*dates[:-1], b"short"]):  # days are remembered from batch to batch
            assert kernel((pl.Series(part, dtype=pl.Binary),)).to_list() == [row(date) for date in part]


def test_which_dates_are_made_for_it() -> None:
    asked: list[bytes] = []

    def seconds(date: bytes) -> int | None:
        asked.append(date)
        return None if date[:1] == b"x" else int(date[:2]) * 86400

    runs = day_runs(8, [(3, 23, 3600), (6, 59, 60)], seconds)
    dates = [b"01 00:00", b"01 23:59", b"01 24:00", *[b"02 01:00"] * 40, b"xx 00:00"]
    found = runs(pl.Series(dates, dtype=pl.Binary))
    assert found is not None
    assert found.to_list() == [86400, 86400 + 23 * 3600 + 59 * 60, None, *[2 * 86400 + 3600] * 40, None]
    assert sorted(asked) == [b"01 00:00", b"02 00:00", b"xx 00:00"]
    assert runs(pl.Series(dates[:3], dtype=pl.Binary)) is not None
    assert len(asked) == 3
    for other in ([b"01 00:0"], [None, b"01 00:00"], [], [b"%02d 00:00" % day for day in range(40)]):
        assert runs(pl.Series(other, dtype=pl.Binary)) is None
