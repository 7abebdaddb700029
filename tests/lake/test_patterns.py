"""Globs: splitting, fixed prefixes, and what they match."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.lake.patterns import Pattern, compile_exclude, compile_globs, parse_patterns, quote_pattern


def texts(text: str, folder: str = "/here") -> list[str]:
    return [pattern.text for pattern in parse_patterns(text, folder=folder, where="pattern")]


def matches(glob: str, path: str, *, cross: bool = True) -> bool:
    return compile_globs((glob,), cross=cross).match(path) is not None


def test_patterns_are_split_at_spaces_and_quotes_keep_a_space() -> None:
    assert texts('filetypes/b.zip filetypes/"b test.zip"') == ["/here/filetypes/b.zip", "/here/filetypes/b test.zip"]


def test_relative_patterns_start_from_the_folder_and_home_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert texts("../x/* ~/logs/* /abs//y #a") == ["/x/*", "/home/me/logs/*", "/abs/y", "/here/#a"]


@pytest.mark.parametrize("bad", ["'open", "", "   ", "a\0b"])
def test_a_pattern_that_cannot_be_read_is_an_option_error(bad: str) -> None:
    with pytest.raises(OptionError):
        parse_patterns(bad, folder="/", where="pattern")


def test_one_of_several_globs_must_match_to_the_end() -> None:
    several = compile_globs(("/a", "/b"))
    assert [path for path in ("/a", "/b", "/ab", "/bb") if several.match(path)] == ["/a", "/b"]


def test_a_star_crosses_folders_unless_told_not_to() -> None:
    assert matches("/home/*tutorials/wood/*browse*", "/home/a/b/tutorials/wood/x/browse_1.gz")
    assert not matches("/home/*.gz", "/home/a/b.gz", cross=False)
    assert matches("/a?c", "/a/c")
    assert not matches("/a?c", "/a/c", cross=False)
    assert not matches("/a[/]c", "/a/c", cross=False)


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("x[ab]", "xb", True),
        ("x[!ab]", "xb", False),
        ("x[a-c]", "xd", False),
        ("x[]]", "x]", True),
        ("x[", "x[", True),
        ("a.b", "axb", False),
        ("*", "new\nline", True),
        ("x[*]", "x*", True),
        ("x[*]", "xy", False),
    ],
)
def test_sets_and_special_characters(glob: str, path: str, expected: bool) -> None:
    assert matches(glob, path) is expected


@given(st.text("ab*?./[!]-c", max_size=8), st.text("ab./]c-", max_size=8))
def test_matching_agrees_with_the_standard_library(glob: str, path: str) -> None:
    assert matches(glob, path) == fnmatch.fnmatchcase(path, glob)


@given(
    st.lists(st.sampled_from(["*", "*a", "*b/", "*[ab]", "*?", "a", "[!a]"]), max_size=8), st.text("ab/", max_size=9)
)
def test_matching_agrees_with_the_standard_library_for_many_stars(pieces: list[str], path: str) -> None:
    glob = "".join(pieces)
    assert matches(glob, path) == fnmatch.fnmatchcase(path, glob)
    by_folder = glob.count("/") == path.count("/") and all(
        fnmatch.fnmatchcase(name, part) for name, part in zip(path.split("/"), glob.split("/"), strict=True)
    )
    assert matches(glob, path, cross=False) == by_folder


def test_no_glob_takes_long() -> None:
    name = "/" + "a" * 1000
    for glob in ("/" + "*a" * 500 + "b", "*?" * 300 + "/", "*[ab]" * 300 + "c"):
        assert not matches(glob, name)
        assert not matches(glob, name, cross=False)
        exclude = compile_exclude(glob, where="--exclude")
        assert exclude is not None
        assert not exclude.match(name)


@given(st.text("ab*?[]/c", max_size=10), st.text("ab/c", max_size=10))
def test_what_matches_begins_with_the_fixed_prefix(glob: str, path: str) -> None:
    pattern = Pattern("/" + glob)
    if matches(pattern.text, "/" + path):
        assert ("/" + path).startswith(pattern.prefix)
        assert ("/" + path).startswith(pattern.base)


@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=12))
def test_a_quoted_pattern_reads_back(text: str) -> None:
    assert [p.text for p in parse_patterns(quote_pattern("/" + text + "x"), folder="/", where="")] == [
        p.text for p in parse_patterns("'" + ("/" + text + "x").replace("'", "'\"'\"'") + "'", folder="/", where="")
    ]


def test_an_exclude_pattern_may_begin_at_any_folder() -> None:
    exclude = compile_exclude("/abs/x *_old* tmp/*", where="--exclude")
    assert exclude is not None
    found = [
        p
        for p in ("/l/a_old.gz", "/l/tmp/a", "/abs/x", "/l/abs/x", "/l/a.gz", "/ltmp/a", "/abs/xy")
        if exclude.match(p)
    ]
    assert found == ["/l/a_old.gz", "/l/tmp/a", "/abs/x"]
    assert compile_exclude("  ", where="--exclude") is None
