"""``eok``, its limits and ``qui`` decide which bad record ends a run and which are reported."""

from __future__ import annotations

import pytest

from ess.errors import InputDataError
from ess.formats.attributes import parse_input_attributes
from ess.pipeline.rejections import RejectionPolicy


def policy(*words: str) -> tuple[RejectionPolicy, list[str]]:
    reports: list[str] = []
    return RejectionPolicy(parse_input_attributes(list(words), where="-f"), reports.append), reports


def test_without_eok_the_first_one_ends_the_run() -> None:
    made, reports = policy()
    with pytest.raises(InputDataError) as caught:
        made.reject("a.csv", 7, "price", "'TBD' is no number")
    assert str(caught.value).startswith("a.csv: record 7, column price: 'TBD' is no number; ")
    assert "eok" in caught.value.hint
    assert (made.rejected, reports) == (1, [])


def test_with_eok_each_is_reported_in_one_line() -> None:
    made, reports = policy("eok")
    made.reject("-", 1, "price", "two\nlines")
    made.reject("-", 2, "", "zero divisor")
    assert reports == [r"stdin: record 1, column price: two\nlines", "stdin: record 2: zero divisor"]
    assert made.rejected == 2


def test_qui_is_quiet_after_the_messages_it_allows_for_each_file() -> None:
    made, reports = policy("eok", "qui=1")
    for file in ("a", "b"):
        made.next_file()
        for record in (1, 2, 3):
            made.reject(file, record, "c", "bad")
    assert reports == ["a: record 1, column c: bad", "b: record 1, column c: bad"]
    silent, nothing = policy("eok", "qui")
    silent.reject("a", 1, "c", "bad")
    assert nothing == []


def test_eok_with_a_number_allows_so_many_in_each_file() -> None:
    made, _ = policy("eok=2", "qui")
    for file in ("a", "b"):
        made.next_file()
        made.reject(file, 1, "c", "bad")
        made.reject(file, 2, "c", "bad")
    with pytest.raises(InputDataError, match="2 bad records are allowed in a file"):
        made.reject("b", 3, "c", "bad")


def test_eok_with_rows_allows_so_many_in_that_many_rows() -> None:
    made, _ = policy("eok=1/10", "qui")
    made.next_file()
    for record in (1, 11, 30, 31):
        made.reject("a", record, "c", "bad")
    with pytest.raises(InputDataError, match="1 bad records are allowed in 10 rows"):
        made.reject("a", 40, "c", "bad")
    assert made.rejected == 5
