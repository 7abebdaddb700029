"""The fast path of TimeToDate gives what the row implementation gives, and is taken where it can be."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.engines.columnar.date_text import date_text_kernel, split_format
from ess.engines.columnar.distinct import row_kernel
from ess.engines.columnar.plan import Kernel
from ess.language.function import RowFunction
from ess.language.functions import FUNCTIONS
from ess.language.tree import Constant, ValueType
from tests.columnar.zones import time_zone

_ZONES = ["UTC0", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]


def _row(date_format: bytes, *, utc: bool) -> RowFunction:
    function = FUNCTIONS["timetogmdate" if utc else "timetodate"]
    return function.bind((Constant(ValueType.INTEGER, 0), Constant(ValueType.STRING, date_format)))


def _kernel(date_format: bytes, *, utc: bool, row: Kernel) -> Kernel:
    kernel = date_text_kernel(date_format, utc=utc, part_function=lambda part: _row(part, utc=utc), row=row)
    assert kernel is not None
    return kernel


def _fail(arguments: tuple[pl.Series, ...]) -> pl.Series:
    raise AssertionError(f"left to the row implementation: {arguments[0].to_list()}")


@pytest.mark.parametrize("zone", _ZONES)
@settings(max_examples=15, deadline=None)
@given(
    start=st.one_of(
        st.integers(-(10**6), 2**33), st.sampled_from([1396141200, 1414285200, 1396141200 - 7200, 2**32, 0])
    ),
    steps=st.lists(st.integers(-200, 200), min_size=70, max_size=90),
    date_format=st.sampled_from([b"%Y-%m-%d %H:%M:%S", b"%S%M%%S %a", b"%d.%b.%y", b"%H h", b"x%I%p%M"]),
)
def test_any_time_is_what_the_row_implementation_says(
    zone: str, start: int, steps: list[int], date_format: bytes
) -> None:
    times = [start + sum(steps[:i]) for i in range(len(steps))]
    with time_zone(zone):
        for utc in (True, False):
            row = _row(date_format, utc=utc)
            series = pl.Series([None, *times], dtype=pl.Int64)
            made = _kernel(date_format, utc=utc, row=row_kernel(row, pl.Binary))((series,))
            assert made.to_list() == [None, *(row(moment) for moment in times)]


def test_ordinary_times_are_computed_over_columns() -> None:
    times = pl.Series(range(1410739200, 1410739200 + 5000), dtype=pl.Int64)
    made = _kernel(b"%Y-%m-%d %H:%M:%S", utc=True, row=_fail)((times,))
    assert made[0] == b"2014-09-15 00:00:00"
    assert made[-1] == b"2014-09-15 01:23:19"


@pytest.mark.parametrize("date_format", [b"%T", b"%s", b"%c", b"%-M", b"%Y%", b"\xff%Y", b"%Y" * 9, b"%H" + b"x" * 40])
def test_other_formats_are_left_to_the_row_implementation(date_format: bytes) -> None:
    assert split_format(date_format) is None
