"""A look at some dates finds the files that a look at all finds, and asks for no more than it must."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ess
from ess.lake.entry import FileEntry
from ess.lake.index import ALL, Span
from ess.lake.keys import Asked
from ess.lake.listing import Listing, list_files
from ess.lake.narrow import Narrowing, folder_span, slack_of
from ess.lake.patterns import Pattern
from ess.stores.disk import Disk
from ess.stores.store import Store
from tests.lake.memory_store import MemoryBucket

FIRST = date(2013, 11, 1)
BASE = len("s3://memory/logs/")


def days(count: int, layout: str, names: str = "a.gz b.gz") -> list[str]:
    return [f"logs/{FIRST + timedelta(days=day):{layout}}/{name}" for day in range(count) for name in names.split()]


def looked(store: Store, root: str, span: Span, *, learned: Listing | None = None) -> Listing:
    base = len(root) + len("logs/")
    everything = learned or list_files([Pattern(f"{root}logs/*")], label="x", store=store)
    slack = slack_of(everything.files, base)
    narrowing = None if slack is None or span.whole else Narrowing(span, slack, base)
    return list_files([Pattern(f"{root}logs/*")], label="x", store=store, narrowing=narrowing)


def within(files: tuple[FileEntry, ...], span: Span) -> list[FileEntry]:
    return [
        each
        for each in files
        if (span.start is None or each.date >= span.start) and (span.end is None or each.date < span.end)
    ]


@pytest.mark.parametrize(
    ("folder", "first", "end"),
    [
        ("logs/2014/", "2014-01-01", "2015-01-01"),
        ("logs/2014/12/", "2014-12-01", "2015-01-01"),
        ("logs/2014/12/31/", "2014-12-31", "2015-01-01"),
        ("logs/2014/12/31/23/host/", "2014-12-31", "2015-01-01"),
        ("year=2014/month=2/", "2014-02-01", "2014-03-01"),
        ("year=2014/month=2/day=28/", "2014-02-28", "2014-03-01"),
        ("logs/201402/", "2014-02-01", "2014-03-01"),
        ("logs/dt=2014-02/", "2014-02-01", "2014-03-01"),
        ("logs/dt=2014-02-03/", "2014-02-03", "2014-02-04"),
        ("logs/20140203/x/", "2014-02-03", "2014-02-04"),
    ],
)
def test_dates_of_folders(folder: str, first: str, end: str) -> None:
    assert folder_span(folder) == (datetime.fromisoformat(first), datetime.fromisoformat(end))


@pytest.mark.parametrize("folder", ["logs/", "logs/20145/", "logs/x2014/", "logs/2014/13/", "2014/host/", "/"])
def test_folders_without_dates(folder: str) -> None:
    assert folder_span(folder) is None


def test_what_all_folders_have_in_common_says_nothing() -> None:
    assert folder_span("backup-20130101/logs/", 21) is None
    assert folder_span("2014/", 5) is None


@pytest.mark.parametrize("layout", ["%Y/%m/%d", "dt=%Y-%m-%d", "year=%Y/month=%m/day=%d", "%Y%m%d"])
def test_only_the_folders_of_the_range_are_listed(layout: str) -> None:
    store = MemoryBucket([*days(400, layout), "logs/readme", "other/x"])
    span = Span(datetime(2014, 3, 30), datetime(2014, 4, 2))
    everything = list_files([Pattern("s3://memory/logs/*")], label="x", store=store)
    store.asked.clear()
    found = looked(store, "s3://memory/", span, learned=everything)
    assert within(found.files, span) == within(everything.files, span)
    assert len(within(found.files, span)) == 6
    lists = [prefix for prefix, kind in store.asked if kind != "/"]
    assert sorted(lists) == [
        f"logs/{day:{layout}}/" for day in (date(2014, 3, 30), date(2014, 3, 31), date(2014, 4, 1))
    ]
    levels = [prefix for prefix, kind in store.asked if kind == "/"]
    assert len(levels) == {"%Y/%m/%d": 4, "year=%Y/month=%m/day=%d": 4}.get(layout, 1)
    assert sum(each.keys for each in found.requests if each.what == "keys") == 6


def test_a_whole_month_and_a_whole_year_are_one_listing() -> None:
    store = MemoryBucket(days(800, "%Y/%m/%d"))
    looked(store, "s3://memory/", Span(datetime(2013, 12, 1), datetime(2015, 1, 1)))
    assert {prefix for prefix, kind in store.asked[1:] if kind != "/"} == {"logs/2013/12/", "logs/2014/"}


def test_no_folder_is_left_out_where_names_have_dates_of_their_own() -> None:
    keys = [*days(30, "%Y/%m/%d"), "logs/2013/11/05/late_20131120.gz"]
    found = looked(MemoryBucket(keys), "s3://memory/", Span(datetime(2013, 11, 20), datetime(2013, 11, 21)))
    assert len(found.files) == len(keys)


def test_files_of_the_next_day_are_found_where_some_were_known() -> None:
    keys = [*days(30, "%Y/%m/%d"), "logs/2013/11/05/at_20131106T0000.gz", "logs/2013/11/09/at_20131110T0000.gz"]
    span = Span(datetime(2013, 11, 10), datetime(2013, 11, 11))
    assert len(within(looked(MemoryBucket(keys), "s3://memory/", span).files, span)) == 3


def test_folders_without_dates_are_looked_into() -> None:
    keys = [f"logs/host{host}/{key[5:]}" for host in range(9) for key in days(300, "dt=%Y-%m-%d")]
    store = MemoryBucket([*keys, "logs/odd//x_20131109", "logs//2013-11-09/x"])
    span = Span(datetime(2013, 11, 9), datetime(2013, 11, 10))
    found = looked(store, "s3://memory/", span)
    assert len(within(found.files, span)) == 9 * 2 + 2
    assert len(found.files) == 9 * 2 + 2


def test_many_folders_without_dates_are_not_looked_at_one_by_one() -> None:
    store = MemoryBucket(f"logs/user={user}/{key[5:]}" for user in range(200) for key in days(3, "dt=%Y-%m-%d"))
    assert len(looked(store, "s3://memory/", Span(datetime(2013, 11, 2), None)).files) == 200 * 6


PARTS = st.sampled_from(
    [
        "2013",
        "2014",
        "11",
        "12",
        "01",
        "09",
        "dt=2013-11-09",
        "20131110",
        "host",
        "",
        "x_20131109",
        "2013-11",
        "é",
        "m=3",
    ]
)
TREES = st.lists(st.lists(PARTS, min_size=1, max_size=5).map("/".join), min_size=1, max_size=30)
BOUNDS = st.none() | st.sampled_from(
    [datetime(1970, 1, 1), datetime(2013, 11, 9), datetime(2013, 12, 1), datetime(2014, 1, 1)]
)


@settings(max_examples=50)
@given(TREES, BOUNDS, BOUNDS)
def test_a_look_at_some_dates_finds_what_a_look_at_all_finds(
    keys: list[str], start: datetime | None, end: datetime | None
) -> None:
    span = Span(start, end)
    store = MemoryBucket(f"logs/{key}" for key in keys)
    everything = looked(store, "s3://memory/", ALL)
    assert within(looked(store, "s3://memory/", span, learned=everything).files, span) == within(everything.files, span)


def test_folders_of_a_disk_are_left_out_too(tmp_path: Path) -> None:
    for key in days(60, "%Y/%m/%d"):
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    span = Span(datetime(2013, 12, 3), datetime(2013, 12, 5))
    found = looked(Disk(), f"{tmp_path}/", span)
    assert len(found.files) == len(within(found.files, span)) == 4
    assert found.requests == (Asked("folders", f"{tmp_path}/logs/", "", 5),)


def test_a_category_whose_files_begin_to_stray_is_looked_at_whole(places: dict[str, str], tmp_path: Path) -> None:
    del places
    ess.select("local")
    for key in days(40, "dt=%Y-%m-%d"):
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a,b\n1,2\n")
    ess.category_add("logs", f"'{tmp_path}'/logs/*", noprobe=True)
    assert len(ess.files("logs", "2013-11-20", "2013-11-21")) == 4
    (tmp_path / "logs/dt=2013-11-20/new_20131103").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "logs/dt=2013-11-21/new_20131120").write_bytes(b"a,b\n1,2\n")
    assert len(ess.files("logs", "2013-11-20", "2013-11-20")) == 3
    assert ess.category("logs").stats.count == 82
    assert len(ess.files("logs", "2013-11-03", "2013-11-03")) == 3


def test_keys_of_a_slow_store_are_listed_in_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.lake.keys._waits", lambda seconds, worked: True)
    keys = [f"logs/{folder:03}/{number:04}" for folder in range(30) for number in range(400)]
    keys += ["logs/005", "logs/029/", "logs/zz", "logs/\U0001f600/x", "logs/\udcff/x", "logs/020//x"]
    store = MemoryBucket(keys)
    found = list_files([Pattern("s3://memory/logs/*")], label="x", store=store)
    assert [each.path for each in found.files] == [f"s3://memory/{key}" for key in sorted(keys)]
    starts = [start for _, start in store.asked if start not in ("", "/")]
    assert len(starts) > 10
    assert found.requests[0] == Asked("folder", "s3://memory/logs/", "", 1, 34)
    assert found.requests[1] == Asked("keys", "s3://memory/logs/", "", 6, 5000)
    assert sum(each.keys for each in found.requests if each.what == "keys") == len(keys)


def test_keys_of_a_slow_store_that_has_no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.lake.keys._waits", lambda seconds, worked: True)
    for below in ("", "only/"):
        store = MemoryBucket(f"logs/{below}{number:06}" for number in range(7000))
        assert len(list_files([Pattern("s3://memory/logs/*")], label="x", store=store).files) == 7000


@pytest.mark.parametrize(
    "name", ["E1.{0:%Y-%m-%d}-{1:02}.x", "{2:08x}", "{1:03}-{0:%Y%m%d}", "\U0001f600 {2}", "x\udcff{2}/"]
)
def test_a_guess_where_keys_go_on_finds_them_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.lake.keys._waits", lambda seconds, worked: True)
    monkeypatch.setattr("ess.lake.keys._FIRST_KEYS", 60)
    monkeypatch.setattr("ess.lake.keys._MORE_KEYS", 40)
    monkeypatch.setattr("tests.lake.memory_store.PAGE", 20)
    keys = {
        "logs/" + name.format(FIRST + timedelta(days=day), part, (day * 40 + part) * 7919 % (1 << 20))
        for day in range(60)
        for part in range(40)
    } | {"logs/~", "logs/\udcff", "logs/a", "logs/Z", "logs/\u00fc"}
    store = MemoryBucket(keys)
    found = list_files([Pattern("s3://memory/logs/*")], label="x", store=store)
    assert sorted(each.path for each in found.files) == sorted(f"s3://memory/{key}" for key in keys)
    assert sum(each.keys for each in found.requests if each.what == "keys") == len(keys)
    assert sum(each.pages for each in found.requests) <= len(keys) / 20 + 2 * 64
    if name[0] in "E{":  # what is not ASCII is listed to its end
        assert len([start for _, start in store.asked if start not in ("", "/")]) > 3


def test_a_listing_in_parallel_that_fails_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.lake.keys._waits", lambda seconds, worked: True)
    store = MemoryBucket(f"logs/{folder:03}/{number:04}" for folder in range(30) for number in range(400))
    pages = iter(range(12))
    store.before_page = lambda: None if next(pages, None) is not None else pytest.fail("no answer")
    with pytest.raises(pytest.fail.Exception, match="no answer"):
        list_files([Pattern("s3://memory/logs/*")], label="x", store=store)


def test_keys_of_a_quick_store_are_listed_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.lake.keys._waits", lambda seconds, worked: False)
    store = MemoryBucket(f"logs/{folder:03}/{number:04}" for folder in range(30) for number in range(400))
    found = list_files([Pattern("s3://memory/logs/*")], label="x", store=store)
    assert len(found.files) == 12_000
    assert found.requests == (Asked("keys", "s3://memory/logs/", "", 12, 12_000),)
