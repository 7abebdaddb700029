"""Date ranges: both bounds belong to the range."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.lake.dates import FileDate
from ess.lake.ranges import parse_range

DATES = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)).map(lambda d: d.replace(microsecond=0))


def covers(lower: str, upper: str, date: str) -> bool:
    return parse_range(lower, upper).covers(FileDate(datetime.fromisoformat(date)))


@pytest.mark.parametrize(
    ("lower", "upper", "date", "expected"),
    [
        ("2014-09-01", "2014-09-30", "2014-09-01", True),
        ("2014-09-01", "2014-09-30", "2014-09-30 23:59:59", True),
        ("2014-09-01", "2014-09-30", "2014-10-01", False),
        ("2014-09-01", "2014-09-01", "2014-08-31 23:59:59", False),
        ("*", "2014-09-01", "1970-01-01", True),
        ("2014", "2014", "2014-12-31 23:00:00", True),
        ("2014-12", "2014-12", "2015-01-01", False),
        ("2014-09-01 13", "2014-09-01 13", "2014-09-01 13:59:59", True),
        ("2014-09-01 13", "2014-09-01 13", "2014-09-01 14:00:00", False),
        ("2014-09-01T13:05", "2014-09-01T13:05", "2014-09-01 13:05:30", True),
        ("2014-09-01 13:05:10", "2014-09-01 13:05:10", "2014-09-01 13:05:11", False),
        ("20140901", "2014/9/2", "2014-09-02 10:00:00", True),
    ],
)
def test_a_bound_covers_what_it_names(lower: str, upper: str, date: str, expected: bool) -> None:
    assert covers(lower, upper, date) is expected


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("2014-09-31", "*"),
        ("*", "tomorrow"),
        ("2014-09-02", "2014-09-01"),
        ("2014-09-01 25", "*"),
        ("2014-09-01 13:60", "*"),
        ("2014-09-01 x", "*"),
        ("9999", "9999"),
        ("", "*"),
        ("2014-09-01\n", "20 14"),
        ("**", "*"),
    ],
)
def test_a_bad_bound_is_one_line_with_exit_code_2(lower: str, upper: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_range(lower, upper)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@given(DATES, DATES, DATES)
def test_a_range_of_days_is_the_days(one: datetime, two: datetime, date: datetime) -> None:
    first, last = sorted((one.date(), two.date()))
    assert covers(str(first), str(last), str(date)) == (first <= date.date() <= last)


@given(DATES)
def test_a_range_of_one_second_holds_only_that_second(date: datetime) -> None:
    assert covers(str(date), str(date), str(date))
    assert not covers(str(date), str(date), str(date + timedelta(seconds=1)))
    assert covers("*", "*", str(date))


def test_numbered_files_have_numbers_as_bounds() -> None:
    span = parse_range("10", "200", numbers=True)
    assert [n for n in (9, 10, 99, 200, 201) if span.covers(FileDate(number=n))] == [10, 99, 200]
    assert not span.covers(FileDate())
    assert parse_range("*", "*", numbers=True).covers(FileDate())
    for lower, upper in (("2014-09-01", "*"), ("5", "4"), ("-1", "*")):
        with pytest.raises(OptionError):
            parse_range(lower, upper, numbers=True)
