"""Many keys at once have the categories and dates that one at a time has."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ess
from ess.lake.classify import Classifier, Group, list_groups
from ess.lake.dates import AUTO, DateFinder, DateRule, DateRuleKind, FileDate
from ess.lake.listing import list_files
from ess.lake.patterns import Pattern, compile_exclude, compile_globs
from ess.lake.repeated_dates import RepeatedDates
from tests.lake.memory_store import MemoryBucket

RULES = (
    AUTO,
    DateRule(DateRuleKind.NONE),
    DateRule(DateRuleKind.REGEX, "[:%Y:].?[:%m:].?[:%d:]"),
    DateRule(DateRuleKind.REGEX, "([:%b:]|x)[:%d:]"),
    DateRule(DateRuleKind.REGEX, "[:%f:{2,5}]"),
    DateRule(DateRuleKind.FORMAT, "Y-M-D"),
)
DIGITS = st.text("0123456789", min_size=1, max_size=14)
DAYS = st.dates().map(str)
#: Parts of names that the rules look at, and such as are almost like them.
PARTS = st.one_of(
    st.sampled_from(
        [*"-_./.T: aWwtx", "dt=", "year=2014", "/month=09", "/day=1", "/hour=07", "u_ex", "ex", "in", "user_"]
    ),
    st.sampled_from(
        ["sep", "September", "Jan", "ma", "ay", "dec", "deca", "\u017fep", "é", "\udcff", "\n", "W481", ".gz"]
    ),
    st.sampled_from(["1795993200", "1795993200123", "11794993200", "2014", "09", "20140901", "2014090113", "f3a0"]),
    DAYS,
    DAYS.map(lambda day: day.replace("-", "/")),
    DIGITS,
)
NAMES = st.lists(PARTS, min_size=1, max_size=8).map("".join)


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=1, max_size=12), st.integers(0, 12))
@example(["a-2026-W48-1.gz", "a-2026-W48-8.gz", "a-2026-W49-1.gz"], 0)
@example(["2014\u017fep01", "2014sep01", "2014SEP02"], 0)
@example(["x_20140901-9999.gz", "x_20149901-1200.gz", "x_20140902-1200.gz"], 0)
def test_repeated_dates_are_the_dates(names: list[str], base_length: int) -> None:
    for rule in RULES:
        plain, quick = DateFinder(rule), RepeatedDates(rule)
        for _ in range(2):
            for name in names:
                path = f"/logs/{name}"
                assert quick.find(path, base_length) == plain.find(path, base_length), path
        paths = [f"{folder}{name}" for folder in ("/logs/", "", "/2014/09/01/") for name in names]
        assert quick.find_all(paths, base_length) == [plain.find(path, base_length) for path in paths]


def test_many_shapes_have_the_dates_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after so many that some are forgotten."""
    monkeypatch.setattr("ess.lake.repeated_dates._SOME", 20)
    monkeypatch.setattr("ess.lake.repeated_dates._REMEMBERED", 50)
    plain, quick = DateFinder(AUTO), RepeatedDates(AUTO)
    letters = "ghijklmnop"
    for number in range(1000):
        word = "".join(letters[int(digit)] for digit in f"{number:03}")
        path = f"/{number % 7}/year{word}20140{number % 10}01/{word}-201409{number % 40:02}{word}"
        assert quick.find(path) == plain.find(path)
        assert quick.find_all([path, f"{path}x"], 3) == [plain.find(path, 3), plain.find(f"{path}x", 3)]


GLOBS = st.lists(st.sampled_from(["*", "*", "?", "[a-c]", "[!b]", "[", "]", "a", "b", "1", "/", "ab", "é"]), max_size=5)
KEYS = st.lists(st.sampled_from(["a", "b", "c", "1", "/", "ab", "é", "2014-09-01", "\n", "[", "]"]), max_size=7)


def one_at_a_time(key: str, groups: list[Group]) -> list[tuple[int, FileDate]]:
    """The plain way: each category by itself."""
    found = []
    for number, group in enumerate(groups):
        for pattern in group.patterns:
            below = [at for at in range(len(pattern.base), len(key)) if key[at] == "/"]
            ways = [key, *(part for at in below for part in (key[: at + 1], key[:at]))]
            excluded = group.exclude is not None and any(group.exclude.match(way) for way in ways)
            if compile_globs((pattern.text,)).match(key) and not excluded:
                found.append((number, DateFinder(group.rule).find(key, len(pattern.base))))
                break
    return found


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.lists(GLOBS.map("".join), min_size=1, max_size=3), st.none() | GLOBS.map("".join)),
        min_size=1,
        max_size=6,
    ),
    st.lists(KEYS.map("".join), min_size=1, max_size=12),
)
def test_keys_have_the_categories_that_list_them(rules: list[tuple[list[str], str | None]], keys: list[str]) -> None:
    root = "s3://bucket/"
    groups = [
        Group(
            tuple(Pattern(root + each) for each in patterns),
            compile_exclude(exclude and re.sub(r"(\\|')", "", exclude), where="", root=root),
            RULES[number % len(RULES)],
        )
        for number, (patterns, exclude) in enumerate(rules)
    ]
    classifier = Classifier(groups)
    for key in keys:
        assert sorted(classifier.of(root + key), key=lambda each: each[0]) == one_at_a_time(root + key, groups)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(GLOBS.map("".join), st.none() | GLOBS.map("".join)), min_size=1, max_size=5),
    st.lists(KEYS.map("".join).filter(lambda key: key != ""), max_size=15),
)
def test_categories_that_are_listed_together_have_the_files_of_each(
    rules: list[tuple[str, str | None]], keys: list[str]
) -> None:
    store = MemoryBucket(keys)
    root = store.at("")
    groups = [
        Group(
            (Pattern(f"{root}{glob}*"),),
            compile_exclude(exclude and re.sub(r"(\\|')", "", exclude), where="", root=root),
            RULES[number % len(RULES)],
        )
        for number, (glob, exclude) in enumerate(rules)
    ]
    for group, found in zip(groups, list_groups(groups, label="x", store=store), strict=True):
        alone = list_files(group.patterns, label="x", exclude=group.exclude, rule=group.rule, store=store)
        assert found.files == alone.files


def test_a_bucket_is_listed_once_for_all_its_categories(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del places
    store = MemoryBucket([f"logs/{name}_2014090{day}" for name in "abc" for day in (1, 2)])
    monkeypatch.setattr("ess.stores.kinds.Access.open", lambda access: store)
    ess.select("s3://memory", anonymous=True)
    for name, pattern in (
        ("a", "logs/a*"),
        ("b", "logs/b*"),
        ("all", "logs/*"),
        ("one", "logs/c_20140901"),
        ("f", "lo*/"),
    ):
        ess.category_add(name, pattern, noprobe=True)
    store.keys.add("logs/a_20140903")
    store.asked.clear()
    found = ess.summary(scan=True)
    assert [(each.name, each.stats.count) for each in found.categories] == [
        ("a", 3),
        ("b", 2),
        ("all", 7),
        ("one", 1),
        ("f", 7),
    ]
    assert [prefix for prefix, kind in store.asked if kind != "/"] == ["lo", "logs/c_20140901"]
    ess.category_change_usecache("a", True)
    assert [each.date.day for each in ess.files("a")] == [1, 2, 3]
