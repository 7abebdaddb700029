"""The compatibility page: what it says of the names of the manuals is true, and nothing is said twice or by mistake."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compatibility import trying
from compatibility.names import Group
from compatibility.notes import DIFFERENCES, GAPS, mistake, note
from compatibility.page import GROUPS, STATES, entries, names


@pytest.fixture(scope="module", autouse=True)
def samples() -> Iterator[None]:
    with trying.samples():
        yield


def test_every_name_has_its_state_and_no_gap_works() -> None:
    found = entries()
    assert [entry.mistake for entry in found if entry.mistake] == []
    assert {entry.state for entry in found} == set(STATES)
    assert all(bool(entry.note) == (entry.state != "works") for entry in found)
    keys = [(entry.page, entry.heading, entry.name) for entry in found]
    assert len(set(keys)) == len(keys)
    assert (GAPS.keys() | DIFFERENCES.keys()) <= set(keys)
    assert not GAPS.keys() & DIFFERENCES.keys()


PROBED = [group for group in GROUPS if group.refuses]


@pytest.mark.parametrize("group", PROBED, ids=[f"{group.page} {group.heading}" for group in PROBED])
def test_a_name_that_nothing_knows_does_not_work(group: Group) -> None:
    assert trying.failure(group, "-nonsense" if group.tool else "nonsense") is not None


def test_gaps_are_strict() -> None:
    key, gap = ("aq_pp", "options", "-eval"), next(iter(GAPS))
    assert (note(key, None, ""), mistake(key, None)) == (("works", ""), "")
    assert note(key, None, "other numbers") == ("differs", "other numbers")
    assert mistake(key, "no such option").endswith("not declared: no such option")
    assert (note(gap, "no such option", ""), mistake(gap, "no such option")) == (("gap", GAPS[gap]), "")
    assert "take it out" in mistake(gap, None)


def test_what_is_tried_is_not_what_is_shown() -> None:
    assert names(Group("page", "heading", ("a => b", "c"))) == [("a", "b"), ("c", "c")]
