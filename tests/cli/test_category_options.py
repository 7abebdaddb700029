"""The options of a category stand in one table: commands, arguments and stored categories follow it."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

import ess
from ess import settings
from ess.api.commands import category_changes, category_options
from ess.cli.app import run, whole
from ess.errors import OptionError
from ess.lake.category_options import CategoryOptions
from ess.lake.organize import change

pytestmark = pytest.mark.usefixtures("places")

ROWS = {row.name: row for row in category_options()}
CHANGES = {row.name: row for row in category_changes()}
#: What is given in place of "none".
VALUES = {
    "pattern": "brow*",
    "exclude": "*.gz",
    "dateformat": "_YMD",
    "columnspec": "S:a S:b",
    "delimiter": ";",
    "format": "combined",
    "pkey": "user",
    "archive": "brow*",
}


def group(*path: str) -> TyperGroup:
    found: Any = whole()
    for name in path:
        found = found.commands[name]
    assert isinstance(found, TyperGroup)
    return found


@pytest.fixture
def browse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "browse_20140901.csv").write_text("day,user\n2014-09-01,7\n")
    ess.select("local")
    ess.category_add("browse", "browse*")
    return settings.cache_dir() / "datastores" / "local" / "categories.json"


def test_every_row_is_an_option_of_the_command() -> None:
    given = {parameter.name: parameter for parameter in group("category").commands["add"].params}
    assert list(given) == ["name", "pattern", *ROWS]
    for name, row in ROWS.items():
        assert given[name].opts == [f"--{name}"]
        assert (given[name].default, getattr(given[name], "help", "")) == (row.default, row.help)


def test_the_verbs_of_change_are_the_rows_that_can_be_changed() -> None:
    verbs = group("category", "change").commands
    assert sorted(verbs) == sorted(CHANGES)
    assert set(ROWS) - set(CHANGES) == {"overwrite", "label"}
    for name, command in verbs.items():
        assert command.help == CHANGES[name].change
    for name in ("columnspec", "dateformat", "dateregex", "usecache", "comment"):  # those of the reference
        assert hasattr(ess, f"category_change_{name}")


@pytest.mark.parametrize("name", CHANGES)
def test_what_can_be_changed_can_be_changed(browse: Path, name: str) -> None:
    with zipfile.ZipFile(browse.parents[3] / "browse.zip", "w") as archive:
        archive.writestr("browse_20140903.csv", "day,user\n2014-09-03,9\n")
    value = True if CHANGES[name].is_switch else VALUES.get(name, "none")
    before = json.loads(browse.read_text())["categories"]["browse"]
    changed = ess.category_change("browse", name, value)
    assert dataclasses.replace(ess.category("browse"), remarks=changed.remarks) == changed
    assert json.loads(browse.read_text())["categories"]["browse"] != before
    with pytest.raises(OptionError, match=f"category change {name}: the value must be"):
        ess.category_change("browse", name, "" if CHANGES[name].is_switch else True)


@pytest.mark.parametrize("name", [*(name for name in ROWS if name not in CHANGES), "nothing", "stats"])
def test_nothing_else_can_be_changed(browse: Path, name: str) -> None:
    before = browse.read_text()
    with pytest.raises(OptionError, match=f"'{name}' of a category cannot be changed; change one of pattern exclude"):
        change("browse", name, True)
    assert browse.read_text() == before


def test_what_is_changed_is_checked_and_blank_takes_it_away(browse: Path) -> None:
    folder = browse.parents[3]
    for option, value, words in (
        ("pattern", "nothing*", "no file matches"),
        ("pattern", "'open", "cannot read the pattern"),
        ("exclude", "*", "no file matches"),
        ("compression", "rar", "unknown compression 'rar'; known: auto none gzip"),
        ("delimiter", "ab", "category change delimiter: bad delimiter 'ab'"),
        ("pkey", "nobody", "no column 'nobody'; the columns are day user"),
        ("alls", False, "it cannot be taken back"),
    ):
        with pytest.raises(OptionError, match=words):
            ess.category_change("browse", option, value)
    (folder / "browse_20140902.csv").write_text("a;b;c\n1;2;3\n")
    assert ess.category_change("browse", "pattern", "browse*2.csv").stats.last == "2014-09-02"
    found = ess.category_change("browse", "noprobe", False)
    assert (found.columnspec, found.delimiter, found.header, found.probed) == ("I:a I:b I:c", ";", True, True)
    assert ess.category_change("browse", "alls", True).columnspec == "S:a S:b S:c"
    assert ess.category_change("browse", "allx", True).columnspec == "X:a X:b X:c"
    forgotten = ess.category_change("browse", "noprobe", True)
    assert (forgotten.columns, forgotten.delimiter, forgotten.probed) == ((), "", False)
    for option, value in (("exclude", "*x*"), ("preprocess", "tr a b"), ("pkey", "a"), ("compression", "gzip")):
        given = ess.category_change("browse", option, value)
        assert getattr(given, option) == value
        assert not getattr(ess.category_change("browse", option, ""), option)
    ess.category_change("browse", "columnspec", 'S,clf:a sep:" [" I,hex:b X')
    assert ess.category_change("browse", "alls", True).columns == ("S,clf:a", 'sep:" ["', "S:b", "S:col_4")


def test_names_without_a_date_are_told(browse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = browse.parents[3]
    (folder / "browse_new.csv").write_text("day,user\n2014-09-01,7\n")
    assert run(["category", "change", "dateregex", "browse", "_[:%f:{4}]"]) == 0
    assert run(["category", "change", "dateregex", "browse", "x[:%Y:]"]) == 0
    assert run(["category", "change", "dateregex", "browse", "none"]) == 0
    assert run(["category", "add", "new", "browse_new*"]) == 0
    (folder / "browse_next.csv").write_text("day,user\n2014-09-01,7\n")
    assert run(["category", "add", "two", "browse_n*"]) == 0
    rest = "try a rule with: ess ls -r PATTERN --dateregex RULE (none: there is none)"
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("ess: no ")] == [
        f"ess: no number is found in the names of 1 of 2 files, such as {folder}/browse_new.csv: it belongs to no range"
        f" but '*' '*'; {rest}",
        f"ess: no date is found in the names of 2 files, such as {folder}/browse_20140901.csv: they belong to"
        f" 1970-01-01; {rest}",
        f"ess: no date is found in the names of 2 files, such as {folder}/browse_new.csv: they belong to"
        f" 1970-01-01; {rest}",
    ]


def test_the_switch_of_change(browse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["category", "change", "usecache", "browse", "--usecache"]) == 0
    assert ess.category("browse").usecache
    assert run(["category", "change", "usecache", "browse", "--nocache"]) == 0
    assert not ess.category("browse").usecache
    assert run(["category", "change", "alls", "browse"]) == 0
    assert ess.category("browse").columnspec == "S:day S:user"
    assert run(["category", "change", "noprobe", "browse", "--probe"]) == 0
    assert ess.category("browse").columnspec == "S:day I:user"
    assert run(["category", "change", "usecache", "browse"]) == OptionError.exit_code
    said = "ess: category change usecache: nothing to change to; add --usecache or --nocache\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("name", ROWS)
def test_a_value_of_a_wrong_type_is_named(name: str) -> None:
    wanted = "True or False" if ROWS[name].is_switch else "text"
    wrong: dict[str, Any] = {name: 5}
    with pytest.raises(OptionError) as failure:
        ess.category_add("a", "*", **wrong)
    assert str(failure.value) == f"category add, {name}: the value must be {wanted}, not 5"


def test_an_option_that_there_is_not_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="colspec"):
        ess.category_add("a", "*", colspec="S:a")  # type: ignore[call-arg]


def test_options_as_they_are_when_nothing_is_given() -> None:
    assert {name: getattr(CategoryOptions(), name) for name in ROWS} == {n: row.default for n, row in ROWS.items()}


def test_a_stored_category_has_all_attributes_and_comes_back_without_those_of_later_versions(browse: Path) -> None:
    made = ess.category("browse")
    state = json.loads(browse.read_text())
    stored = state["categories"]["browse"]
    attributes = {item.name: item for item in dataclasses.fields(made)}
    assert set(stored) == set(attributes) - {"name", "datastore"}
    for name in set(stored) - {"patterns"}:
        older = {**state, "categories": {"browse": {k: v for k, v in stored.items() if k != name}}}
        browse.write_text(json.dumps(older))
        default: dict[str, Any] = {name: attributes[name].default}
        assert ess.category("browse") == dataclasses.replace(made, **default)


def test_usecache_stands_before_or_behind_the_name_of_the_category(browse: Path) -> None:
    assert run(["category", "change", "browse", "usecache", "--usecache"]) == 0
    assert ess.category("browse").usecache
    assert run(["category", "change", "browse", "usecache", "--nocache"]) == 0
    assert not ess.category("browse").usecache
