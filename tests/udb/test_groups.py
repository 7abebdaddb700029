"""``-pp`` groups, jumps and deletions, on a shard; what they change is in the shard afterwards."""

from __future__ import annotations

import pytest

from ess.errors import InputDataError, OptionError
from ess.udb.shard.shard import Shard
from tests.udb.shards import ALL, make_shard, scan


@pytest.fixture
def shard() -> Shard:
    """Keys bob, ann, cyd, eve in this order."""
    return make_shard()


PASSING = [
    ("-pp | .\n-filt | user == 'ann'\n-endpp", [(2,), (4,)]),
    ("-pp | totals\n-filt | count > 0\n-endpp", [(2,), (4,)]),
    ("-pp | days\n-filt | n > 100\n-endpp", ALL),  # a table's row is held back, not the key
    ("-pp,post=next_key | days\n-goto | proc_key\n-endpp", ALL[:5]),
    ("-pp,post=next_key | days\n-if\n-filt | n < 0\n-goto | proc_bucket\n-endif\n-endpp", ALL[:3]),
    ("-pp | days\n-end_of_scan | next_key\n-goto | proc_key\n-endpp", ALL[:5]),
    ("-pp | days\n-goto | next_key\n-endpp", [(5,)]),
    ("-pp,post=next_key | days\n-goto | next_pp\n-endpp\n-pp | .\n-filt | user != 'bob'\n-endpp", ALL[3:5]),
    ("-pp | .\n-goto | proc_key\n-endpp\n-pp | .\n-goto | next_bucket\n-endpp", ALL),
    ("-pp,post=proc_key | .\n-endpp\n-pp | .\n-goto | next_key\n-endpp", ALL),
    ("-pp | .\n-filt | RowCount(log) >= 2 && RowCount(totals)\n-endpp", ALL[3:5]),
    ("-filt | RowCount(days) == 2", ALL[:3]),
    ("-filt | $RowNum == 2", [(1,), (4,)]),
    ("-if\n-filt | word == 'nail'\n-goto | next_key\n-elif\n-filt | price > 1\n-goto | next_row\n-endif", [(3,), (4,)]),
    ("-bvar | seen | 10\n-eval | seen | seen + 1\n-filt | seen == 12", [(1,), (4,)]),
    ("-eval | seen | seen + 1\n-filt | seen > 3", ALL[3:]),
    ("-pp | days\n-bvar | sum | 0\n-eval | sum | sum + n\n-endpp\n-filt | sum == 1", ALL[:3]),
    ("-pp | log\n-if\n-filt | price < 1\n-del_row\n-endif\n-endpp", [(9,), (2,), (5,)]),
    ("-pp | log\n-filt | $RowNum == 1\n-del_row\n-endpp\n-filt | $RowNum == 1", [(1,), (4,)]),
    ("-pp | log\n-del_row,post=proc_key\n-endpp", [(1,), (9,), (4,)]),
    ("-pp | log\n-del_row,post=next_key\n-endpp", []),
    ("-pp | log\n-del_row\n-endpp\n-pp | .\n-filt | RowCount(log)\n-endpp", []),
    ("-pp | .\n-if\n-filt | user < 'bob'\n-del_key\n-endif\n-endpp", ALL[:3] + ALL[5:]),
    ("-if\n-filt | price > 0.4\n-del_row\n-endif", [(1,), (4,)]),
]


@pytest.mark.parametrize(("rules", "expected"), PASSING, ids=[case[0].replace("\n", " ") for case in PASSING])
def test_which_rows_pass(shard: Shard, rules: str, expected: list[tuple[int]]) -> None:
    assert scan(shard, rules) == expected


def test_variables_keep_their_values_from_key_to_key_and_after_the_scan(shard: Shard) -> None:
    rules = "-pp | log\n-eval | sum | sum + price\n-eval | seen | seen + 1\n-endpp"
    expected = [(b"bob", 4.75, 3), (b"ann", 5.25, 5), (b"cyd", 13.25, 6), (b"eve", 13.25, 6)]
    assert scan(shard, rules, "", "user sum seen") == expected
    assert scan(shard, "", "var", "seen label sum word") == [(6, b"", 13.25, 0)]
    assert scan(shard, rules, "var", "sum seen", variables=(("sum", "-13.25"),)) == [(0.0, 12)]


def test_groups_change_tables_and_vectors_and_the_main_part_sees_it(shard: Shard) -> None:
    rules = """
    -pp | days
    -eval | n | n * 2 + totals.count
    -eval | var.word | n
    -endpp
    -pp | totals
    -eval | count | count + var.word
    -endpp
    """
    assert scan(shard, rules, "days", "day totals.count n var.word") == [
        (7, 4, -2, 4),
        (8, 4, 4, 4),
        (1, 14, 12, 12),
        (1, 4, 3, 3),
    ]
    # cyd has no days, so its vector gets what ann left in var.word.
    assert scan(shard, "", "totals", "count word") == [(4, b""), (14, b"x"), (12, b""), (4, b"")]


def test_deleted_rows_and_keys_are_gone(shard: Shard) -> None:
    scan(
        shard,
        "-pp | totals\n-if\n-filt | count == 2\n-del_row\n-endif\n-endpp\n-if\n-filt | time > 4\n-del_row\n-endif",
    )
    assert scan(shard, "", "totals", "user count") == [(b"bob", 0), (b"ann", 0), (b"cyd", 0), (b"eve", 1)]
    assert scan(shard, "") == [(3,), (1,), (2,), (4,)]
    assert scan(shard, "-filt | user == 'bob'\n-del_key") == []
    assert shard.counts() == {"pkey": 3, "log": 2, "days": 2, "totals": 3, "var": 1}
    assert scan(shard, "", "", "user") == [(b"ann",), (b"cyd",), (b"eve",)]
    assert scan(shard, "", "days", "user day") == [(b"ann", 1), (b"eve", 1)]


def test_segments_and_limits_count_what_passes(shard: Shard) -> None:
    rules = "-pp | log\n-eval | price | price + 1\n-endpp"
    parts = [scan(shard, rules, outputs="price", segments=(n, n, 3, 0)) for n in (1, 2, 3)]
    assert sorted(row for part in parts for row in part) == [(-0.5,), (1.25,), (1.5,), (3.0,), (5.0,), (9.0,)]
    assert sorted(scan(shard, "", outputs="price")) == sorted(row for part in parts for row in part)
    assert scan(shard, rules, key_rows=1) == [(3,), (2,), (5,)]
    assert scan(shard, rules, keys=1, rows=2) == [(3,), (1,)]


def test_groups_that_only_read_leave_the_variables_unset(shard: Shard) -> None:
    rules = "-pp | days\n-filt | n > 1\n-endpp"
    assert scan(shard, rules, "var", "seen sum") == [(0, 0.0)]
    assert (shard.changes(), shard.has_variables()) == ((), False)
    assert scan(shard, rules, "var", "seen sum", variables=(("seen", "3"),)) == [(3, 0.0)]
    assert scan(shard, f"{rules}\n-pp | days\n-eval | sum | sum + n\n-endpp", "var", "seen sum") == [(3, 7.0)]
    assert scan(shard, f"{rules}\n-eval | seen | seen + 1", "var", "seen sum") == [(4, 7.0)]
    assert scan(shard, "", "var", "seen sum") == [(4, 7.0)]


def test_a_scan_that_fails_changes_nothing(shard: Shard) -> None:
    rules = "-pp | log\n-eval | price | 7\n-eval | seen | 8 / (time - 4)\n-del_key\n-endpp"
    with pytest.raises(InputDataError, match=r"row 1 .*division by zero"):
        scan(shard, "-pp | log\n-eval | price | 7\n-eval | seen | 8 / (time - 3)\n-endpp")
    with pytest.raises(InputDataError, match=r"table log: .*row 5 .*division by zero"):
        scan(shard, rules.replace("-del_key", "-goto | next_row"))
    assert shard.changes() == ()
    assert scan(shard, "-filt | price == 7") == []


WRONG = [
    ("-pp | log", "has no end"),
    ("-pp | log\n-pp | log\n-endpp", "within another"),
    ("-endpp", "no -pp before"),
    ("-pp | var\n-endpp", "belongs to no key"),
    ("-pp | nothing\n-endpp", "there is no table"),
    ("-pp,post=next_row | log\n-endpp", "'next_row' cannot be reached"),
    ("-pp,last | log\n-endpp", "unknown attribute 'last'"),
    ("-goto | proc_key", "'proc_key' cannot be reached"),
    ("-del_row,post=next_pp", "'next_pp' cannot be reached"),
    ("-del_key,post=next_row", "'next_row' cannot be reached"),
    ("-pp | .\n-del_row\n-endpp", "no rows of its own"),
    ("-pp | log\n-eval | totals.count | 1\n-endpp", "only columns of the target"),
    ("-pp | days\n-eval | user | 'x'\n-endpp", "a key cannot be changed"),
    ("-filt | RxMap(word, '\\(.*\\)', user, '%%1%%')", "a key cannot be changed"),
    ("-pp | log\n-filt | RxMap(word, '\\(.*\\)', totals.word, '%%1%%')\n-endpp", "only columns of the target"),
    ("-pp | days\n-filt | price > 1\n-endpp", "unknown column 'price'"),
    ("-bvar | nothing | 1", "has no column 'nothing'"),
    ("-if\n-goto | next_key\n-endif", "needs a rule to check"),
    ("-end_of_scan | next_key", "belongs in a -pp group"),
    ("-filt | RowCount(nothing)", "no rows of 'nothing'"),
]


@pytest.mark.parametrize(("rules", "message"), WRONG, ids=[case[0].replace("\n", " ") for case in WRONG])
def test_what_is_refused(shard: Shard, rules: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        scan(shard, rules)


@pytest.mark.parametrize("rules", ["-filt | {}", "-pp | log\n-eval | seen | {}\n-endpp"], ids=["columns", "keys"])
@pytest.mark.parametrize(("name", "found"), [("user", 0), ("totals.word", 0), ("word", 1)])
def test_set_finds_only_columns_that_can_be_changed(shard: Shard, rules: str, name: str, found: int) -> None:
    before = scan(shard, "", "log", "user totals.word")
    words = scan(shard, "", "log", "word")
    scan(shard, rules.format(f"Set('{name}', 'x')"))
    assert scan(shard, "", "log", "user totals.word") == before
    assert (scan(shard, "", "log", "word") == [(b"x",)] * len(words)) is bool(found)


@pytest.mark.parametrize("rule", ["-goto | next_key", "-del_row", "-del_key", "-bvar | seen | 1"])
def test_the_variables_have_no_keys(shard: Shard, rule: str) -> None:
    with pytest.raises(OptionError, match=r"the Var vector"):
        scan(shard, rule, "var", "seen")
