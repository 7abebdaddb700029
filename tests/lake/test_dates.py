"""Dates in file names: automatic, by regular expression, by the older format."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.lake.dates import NO_DATE, DateFinder, DateRule, DateRuleKind, automatic_date, date_rule
from ess.language.regex import SlowPatternError
from ess.language.regex.search import LIMIT

A_DATE = st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31, 23, 59, 59)).map(lambda d: d.replace(microsecond=0))
#: Text without a digit, which cannot turn a date into something else.
WORDS = st.text("abc_-. ", max_size=6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("browse_20140901.gz", "2014-09-01"),
        ("file_2014-06-09_out.zip", "2014-06-09"),
        ("2014_09_01", "2014-09-01"),
        ("2014.09.01.log", "2014-09-01"),
        ("account12345678_20140609.csv", "2014-06-09"),
        ("2015-04-30-00-05-22-63C8146U29G91", "2015-04-30 00:05:22"),
        ("pagecounts-20090430-230000.gz", "2009-04-30 23:00:00"),
        ("elb_20140901T1305Z_x", "2014-09-01 13:05:00"),
        ("E1.2014-09-01-13.ab.gz", "2014-09-01 13:00:00"),
        ("access_log.01Sep2014", "2014-09-01"),
        ("access-Sep-01-2014.log", "2014-09-01"),
        ("2014-sep-01", "2014-09-01"),
        ("01-September-2014", "2014-09-01"),
        ("x2014090113", "2014-09-01 13:00:00"),
        ("20140901_01.gz", "2014-09-01"),  # two digits after a packed date are a part, not an hour
        ("2014-09-01_24", "2014-09-01"),  # not a valid time: no time
        ("20140901_9999", "2014-09-01"),
        ("log_99-2014-09-01", "2014-09-01"),
        ("2026-11-30-7.json.gz", "2026-11-30 07:00:00"),
        ("2026-11-30-0", "2026-11-30"),
        ("2026_11_30_7.gz", "2026-11-30 07:00:00"),
        ("app-2026-11-30.7", "2026-11-30"),  # turned logs are numbered
        ("2026-11-30-7.1.gz", "2026-11-30"),
        ("2026-11-30_7.gz", "2026-11-30"),
        ("20261130-7.gz", "2026-11-30"),
        ("2026-W48-1", "2026-11-23"),
        ("x_2026W482.csv", "2026-11-24"),
        ("2026-W48.csv", "2026-11-23"),
        ("2026-W48-2T0705", "2026-11-24 07:05:00"),
        ("u_ex261130.log", "2026-11-30"),
        ("u_ex26113007.log", "2026-11-30 07:00:00"),
        ("u_ex2611.log", "2026-11-01"),
        ("ex061130.log", "2006-11-30"),
        ("ex20101201.log", "2010-12-01"),
    ],
)
def test_automatic_dates(name: str, expected: str) -> None:
    assert automatic_date(name) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "20140230",
        "2014-13-01",
        "201409",
        "201409011",
        "2014090199",
        "18991231",
        "21000101",
        "2014-9-1",
        "2026-W54",
        "2099-W53-7",
        "index261130",
        "u_ex2611301",
        "u_ex261330",
        "year=2026",
    ],
)
def test_what_is_no_date(name: str) -> None:
    assert automatic_date(name) is None


@given(A_DATE, WORDS, WORDS)
def test_a_date_is_found_between_any_words(date: datetime, before: str, after: str) -> None:
    assert automatic_date(f"{before}{date:%Y%m%d%H%M%S}{after}") == date
    assert automatic_date(f"{before}{date:%Y-%m-%d}x{after}") == datetime(date.year, date.month, date.day)
    assert automatic_date(f"{before}{date:%Y-%m-%dT%H-%M-%S}{after}") == date


@given(st.text("0123456789", min_size=1, max_size=20))
def test_a_run_of_digits_is_a_date_only_at_the_four_lengths(digits: str) -> None:
    found = automatic_date(f"a{digits}b")
    if found is not None:
        form = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(digits)]
        assert found.strftime(form) == digits


PIECES = st.sampled_from(["2014", "1899", "2100", "09", "01", "13", "31", "24", "Sep", "may", *"-_/.T :x"])


@given(st.lists(PIECES, max_size=9).map("".join) | st.text(max_size=40))
def test_any_name_gives_a_date_that_stands_in_it_or_none(name: str) -> None:
    found = automatic_date(name)
    if found is not None:
        assert f"{found:%Y}" in name
        assert f"{found:%m}" in name or f"{found:%b}".lower() in name.lower()
        assert f"{found:%d}" in name
        assert 1900 <= found.year <= 2099  # other digits are no year


def test_folders_count_only_below_the_fixed_part_of_the_pattern() -> None:
    finder = DateFinder(date_rule(None, None))
    path = "/backup-20201111/logs/2014/09/01/x.gz"
    assert finder.find(path, len("/backup-20201111/logs/")).date == datetime(2014, 9, 1)
    assert finder.find("/backup-20201111/x.gz", len("/backup-20201111/")).date == NO_DATE
    assert finder.find("/backup-20201111/x20140901", 17).date == datetime(2014, 9, 1)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("year=2026/month=11/day=30/hour=07/x.parquet", "2026-11-30 07:00:00"),
        ("year=2026/month=1/day=5/hour=7/x.parquet", "2026-01-05 07:00:00"),
        ("y=2026/m=11/d=30/h=07/m=05/PT1H.json", "2026-11-30 07:05:00"),
        ("year=2026/month=11/day=30/x", "2026-11-30"),
        ("year=2026/month=11/day=300/x", "1970-01-01"),
        ("dt=2026-11-30/hour=7/x", "2026-11-30 07:00:00"),
        ("dt=20261130/hr=24/x", "2026-11-30"),
        ("2026/11/30/07/x", "2026-11-30 07:00:00"),
        ("2026/11/30/07/05/x", "2026-11-30 07:05:00"),
        ("2026/11/30/99/x", "2026-11-30"),
        ("2026/11/30/7x/x", "2026-11-30"),
        ("2026-11-30-7/x", "2026-11-30 07:00:00"),
        ("events-1795993200.json", "2026-11-29 23:00:00"),
        ("1795993200123.gz", "2026-11-29 23:00:00"),
        ("2026-11-30/1795000000.gz", "2026-11-30"),
        ("1234567890.gz", "1970-01-01"),
        ("user_1795993200.gz", "1970-01-01"),
        ("user-id=1795993200.gz", "1970-01-01"),
        ("a1795993200.gz", "1970-01-01"),
        ("17959932001.gz", "1970-01-01"),
    ],
)
def test_dates_of_a_whole_path(path: str, expected: str) -> None:
    assert DateFinder(date_rule(None, None)).find("/logs/" + path, 6).date == datetime.fromisoformat(expected)


def test_a_date_may_begin_in_the_fixed_part_of_the_pattern() -> None:
    finder = DateFinder(date_rule(None, None))
    assert finder.find("/l/year=2026/month=11/day=30/x", len("/l/year=2026/")).date == datetime(2026, 11, 30)
    assert finder.find("/l/2026/11/30/07/x", len("/l/2026/11/30/")).date == datetime(2026, 11, 30, 7)


@pytest.mark.parametrize(
    ("dateregex", "name", "expected"),
    [
        (".*[:%Y:]-[:%m:]-[:%d:].*", "file_2014-06-09_out.zip", "2014-06-09"),
        (".*[:%Y:][:%m:][:%d:].csv", "account12345678_20140609.csv", "2014-06-09"),
        ("_[:%Y:][:%m:][:%d:]", "account12345678_20140609.csv", "2014-06-09"),
        ("[:%Y:]-[:%m:]-[:%d:]-[:%H:]-[:%M:]-[:%S:]-.*", "2015-04-30-00-05-22-63C8146U29G91", "2015-04-30 00:05:22"),
        ("[:%d:]-[:%b:]-[:%y:]", "x 05-OCT-14", "2014-10-05"),
        ("[:%B:][:%d:]y[:%y:]", "december31y69", "1969-12-31"),
        ("[:%Y:][:%m:][:%d:] [:%H:][:%p:]", "20140901 12am", "2014-09-01"),
        ("[:%Y:][:%m:][:%d:] [:%H:][:%p:]", "20140901 11PM", "2014-09-01 23:00:00"),
        ("[:%Y:][:%m:][:%d:][:%H:][:%z:]", "2014090123-0730", "2014-09-02 06:30:00"),
        ("/[:%Y:]/[:%m:]/", "/logs/2014/09/x.gz", "2014-09-01"),
        ("[:%Y:]-[:%m:]-[:%d:]-[:%H:]", "2026-11-30-7.json.gz", "2026-11-30 07:00:00"),
        ("[:%Y:]-[:%m:]-[:%d:]-[:%H:]", "2026-11-30-12.json.gz", "2026-11-30 12:00:00"),
        ("[:%Y:]-[:%m:]-[:%d:]", "2026-9-1", "2026-09-01"),
        ("[:%m:]-[:%d:]-[:%Y:]", "1-2-11-30-2026", "2026-11-30"),
        ("[:%Y:][:%m:][:%d:]", "2026911", "1970-01-01"),
        ("none", "20140901", "1970-01-01"),
        ("[:%Y:][:%m:][:%d:]", "20141301", "1970-01-01"),
        ("q[:%Y:]", "20140901", "1970-01-01"),
    ],
)
def test_dateregex(dateregex: str, name: str, expected: str) -> None:
    assert DateFinder(date_rule(dateregex, None)).find("/folder/" + name).date == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("dateregex", "number"), [("[:%f:{8,}]_", 12345678), ("account[:%f:{8,}]", 12345678), ("account[:%f:{4,4}]", 1234)]
)
def test_numbers_in_names(dateregex: str, number: int) -> None:
    finder = DateFinder(date_rule(dateregex, None))
    assert finder.numbers
    assert finder.find("/logs/account12345678_20140609.csv").number == number
    assert finder.find("/logs/none.csv").number is None


@pytest.mark.parametrize(
    ("dateformat", "name", "expected"),
    [
        ("*Y-M-D*", "file_2014-06-09_out.zip", "2014-06-09"),
        ("*YMD.csv", "account12345678_20140609.csv", "2014-06-09"),
        ("_YMD", "account12345678_20140609.csv", "2014-06-09"),
        ("D.M.y", "05.october.14", "2014-10-05"),
        ("Y-M-D-h", "2026-11-30-7.gz", "2026-11-30 07:00:00"),
        ("Y-M-D", "2026-9-1.gz", "2026-09-01"),
        ("YMDThms", "20140901T130559", "2014-09-01 13:05:59"),
    ],
)
def test_dateformat(dateformat: str, name: str, expected: str) -> None:
    assert DateFinder(date_rule(None, dateformat)).find(name).date == datetime.fromisoformat(expected)


def test_dateformat_numbers() -> None:
    assert DateFinder(date_rule(None, "#_")).find("account12345678_20140609.csv").number == 12345678
    assert DateFinder(date_rule(None, "account#")).find("account12345678_20140609.csv").number == 12345678


SLOW = "(a|aa)+[^!][:%Y:]y"


def test_a_rule_that_takes_too_long_for_a_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.language.regex.limited.LIMIT", 0.05)
    finder = DateFinder(date_rule(SLOW, None))
    assert finder.find("/logs/aab2014y").date.year == 2014
    with pytest.raises(
        SlowPatternError, match=r"--dateregex: .* takes more than 0.05 s, .* of 67 characters; avoid rep"
    ):
        finder.find("/logs/" + "a" * 60 + "!2014yx")


@given(
    st.text("a1-_.", max_size=40), st.sampled_from(["(a+)+-[:%Y:]", ".*[:%m:]-.*", "(?:a|1)*_[:%d:]", "[:%f:{2,3}]_"])
)
def test_a_watched_search_finds_the_same(name: str, rule: str) -> None:
    finder = DateFinder(date_rule(rule, None))
    pattern = finder._pattern
    assert pattern is not None
    quick = pattern._quick.search(name)
    watched = pattern._watched.search(name, timeout=LIMIT)
    assert (quick and quick.span(), quick and quick.groups()) == (
        watched and watched.span(),
        watched and watched.groups(),
    )


@pytest.mark.parametrize(
    ("dateregex", "dateformat"),
    [
        ("[:%Q:]", None),
        ("nothing", None),
        ("[:%Y:](", None),
        ("[:%Y:][:%Y:]", None),
        ("[:%f:]", None),
        ("[:%f:{x}]", None),
        ("[:%f:{9,3}]", None),
        (None, "csv"),
        (None, "Y-Y"),
        ("auto", "auto"),
    ],
)
def test_a_bad_rule_is_an_option_error(dateregex: str | None, dateformat: str | None) -> None:
    with pytest.raises(OptionError):
        date_rule(dateregex, dateformat)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_rule_is_refused_or_works(text: str, name: str) -> None:
    try:
        finder = DateFinder(DateRule(DateRuleKind.FORMAT, text))
    except OptionError:
        return
    assert finder.find(name).date is not None
