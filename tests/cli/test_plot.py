"""The drawing of files and bytes a day: any number of days, any width, any terminal."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.cli.plot import Pen, category_plot, datastore_plot
from ess.lake.dates import NO_DATE
from ess.lake.days import Day, days_of
from ess.lake.entry import FileEntry

START = date(2025, 1, 1)


def days(*counts: int) -> list[Day]:
    """A day with so many files, of 1000 bytes each, for each count but 0."""
    return [Day(START + timedelta(n), count, 1000 * count) for n, count in enumerate(counts) if count]


def test_a_week_with_a_gap() -> None:
    assert category_plot(days(6, 3, 0, 1, 6, 6, 6), Pen(30))[:10] == [
        "files a day",
        "   6 ┤███         █████████",
        "     ┤███         █████████",
        "     ┤███         █████████",
        "     ┤██████      █████████",
        "     ┤██████      █████████",
        "     ┤██████   ████████████",
        "   0 └──────\u00d7\u00d7\u00d7────────────",
        "      2025-01-01 2025-01-07",
        "",
    ]
    assert category_plot(days(6, 3, 0, 1, 6, 6, 6), Pen(80))[-1] == "7 days, 1 without files (\u00d7): 2025-01-03"


def test_one_day() -> None:
    lines = category_plot(days(2), Pen(80))
    assert lines[1] == "   2 ┤███"
    assert lines[8] == "      2025-01-01"
    assert lines[-1] == "1 day, all with files"


def test_400_days_share_columns_and_the_mean_is_drawn() -> None:
    counts = [2] * 400
    counts[100] = 0
    counts[200:230] = [0] * 30
    lines = category_plot(days(*counts), Pen(80))
    assert lines[0] == "files a day (mean of 6 days)"
    axis = lines[7]
    assert axis == f"   0 └{'─' * 16}·{'─' * 16}·\u00d7\u00d7\u00d7\u00d7·{'─' * 28}"
    assert lines[6][6 + 34 : 6 + 38] == "    "
    assert lines[-1] == "400 days, 31 without files (\u00d7): 2025-04-11, 2025-07-20 to 2025-08-18"
    many = category_plot(days(*([1, 0] * 200)), Pen(300))
    assert many[-1].startswith("399 days, 199 without files (\u00d7): 2025-01-02, 2025-01-04")
    assert "and 187 more gaps" in " ".join(many[-3:])


def test_ascii_and_colours() -> None:
    plain = category_plot(days(1, 0, 4), Pen(40, blocks=False))
    assert all(line.isascii() for line in plain)
    assert plain[7] == "   0 +---xxx---"
    painted = category_plot(days(1, 0, 4), Pen(40, colours=True))
    assert "\x1b[31m\u00d7\u00d7\u00d7\x1b[0m" in painted[7]
    assert [re.sub(r"\x1b\[\d*m", "", line) for line in painted] == category_plot(days(1, 0, 4), Pen(40))


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=500).filter(any),
    st.integers(1, 200),
    st.booleans(),
)
def test_no_line_is_wider_than_the_terminal_and_every_gap_is_marked(
    counts: list[int], width: int, blocks: bool
) -> None:
    given_days = days(*counts)
    lines = category_plot(given_days, Pen(width, blocks))
    assert max(map(len, lines[:-1])) <= max(width, 30)
    span = (given_days[-1].date - given_days[0].date).days + 1
    marked = sum(lines[7].count(mark) for mark in ("\u00d7·" if blocks else "x."))
    assert bool(marked) == (len(given_days) < span)
    assert f"{span} day" in lines[-1] or any(line.startswith(f"{span} days, ") for line in lines)


def test_all_categories_over_the_same_days() -> None:
    lines = datastore_plot([("browse", days(1, 2, 0, 4)), ("late", days(0, 0, 3)), ("none", [])], Pen(40))
    assert lines == [
        "bytes a day",
        "browse ▂▄\u00d7█",
        "late     █",
        "       2025-01-01",
        "       2025-01-04",
        "\u00d7: no files, between others",
    ]
    assert datastore_plot([("none", [])], Pen(40)) == ["no file has a date in its name"]
    assert datastore_plot([("a" * 90, days(1))], Pen(20, blocks=False))[1] == f"{'a' * 10} #"


@pytest.mark.parametrize("number", [None, 7])
def test_days_of_files(number: int | None) -> None:
    hours = [FileEntry(f"/{n}", 10, 0.0, datetime(2025, 1, 1, n), number=number) for n in range(3)]
    undated = FileEntry("/x", 10, 0.0, NO_DATE)
    assert days_of([*hours, undated]) == ([] if number else [Day(START, 3, 30)])
