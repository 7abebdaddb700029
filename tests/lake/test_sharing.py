"""Categories written to a file and taken from one, also from a stranger's."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ess
from ess import settings
from ess.cli.app import run
from ess.errors import EssError, InputReadError, OptionError
from ess.lake import categories, sharing
from ess.lake.datastores import Datastore
from ess.lake.sharing import exported, imported

pytestmark = pytest.mark.usefixtures("places")

BUCKET = Datastore("b", "s3", "s3://one/logs/", "one", "logs/")
OTHER = Datastore("c", "s3", "s3://two/", "two", "")


@pytest.fixture
def browse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "browse_20140901.csv").write_text("day,user\n2014-09-01,7\n")
    ess.select("local")
    ess.category_add("browse", "browse* 'a b'*", exclude="*.gz", comment="caf\u00e9", dateregex="_[:%Y:][:%m:][:%d:]")
    return tmp_path


def test_a_category_comes_back_without_data_and_numbers(browse: Path) -> None:
    made = ess.category("browse")
    text = ess.category_export("browse")
    assert "2014-09-01,7" not in text
    assert "stats" not in text
    (browse / "shared.json").write_text(text)
    ess.category_delete("browse")
    (taken,) = ess.category_import("shared.json")
    assert taken == dataclasses.replace(made, stats=taken.stats, lines=(), remarks=())
    assert ess.category("browse") == taken
    assert [Path(entry.path).name for entry in ess.files("browse")] == ["browse_20140901.csv"]


def test_names_that_are_taken_and_other_names(browse: Path) -> None:
    ess.category_copy("browse", "second")
    (browse / "shared.json").write_text(ess.category_export())
    before = ess.summary().categories
    with pytest.raises(OptionError, match="such categories already: browse, second; nothing is imported"):
        ess.category_import("shared.json")
    with pytest.raises(OptionError, match="it has no category 'third'; it has: browse second"):
        ess.category_import("shared.json", "third")
    with pytest.raises(OptionError, match="--as: it names one category; name one of: browse second"):
        ess.category_import("shared.json", new_name="third")
    with pytest.raises(OptionError, match=r"bad category name '\.\./x'"):
        ess.category_import("shared.json", "second", new_name="../x")
    assert ess.summary().categories == before
    assert [each.name for each in ess.category_import("shared.json", "second", new_name="third")] == ["third"]
    assert len(ess.category_import("shared.json", overwrite=True)) == 2


@pytest.mark.parametrize(
    ("pattern", "written", "there"),
    [
        ("s3://one/logs/a*.gz", "a*.gz", "s3://two/a*.gz"),
        ("s3://one/logs//x", "/logs//x", "s3://two/logs//x"),
        ("s3://one/else/b c*", "/else/b c*", "s3://two/else/b c*"),
        ("s3://one//x", "//x", "s3://two//x"),
        ("s3://one/logs/s3://one/y", "/logs/s3://one/y", "s3://two/logs/s3://one/y"),
    ],
)
def test_patterns_fit_another_bucket(pattern: str, written: str, there: str) -> None:
    text = exported([categories.Category("x", "b", (pattern,))], BUCKET)
    assert json.loads(text)["categories"]["x"]["patterns"] == [written]
    assert imported(text.encode(), BUCKET, where="f")[0].patterns == (pattern,)
    assert imported(text.encode(), OTHER, where="f")[0].patterns == (there,)


def test_secrets_stay_here(browse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "tok-1234567890")
    ess.category_change("browse", "preprocess", "curl -H tok-1234567890 http://127.0.0.1:1/")
    with pytest.raises(OptionError, match="category browse: its preprocess holds a secret") as failure:
        ess.category_export("browse")
    assert "tok-1234567890" not in str(failure.value)
    store = Datastore("keys", "s3", "s3://one/", "one", "")
    settings.write_state(
        store.folder / "credentials.json", 1, {"credentials": {"AWS_SECRET_ACCESS_KEY": "s3cr3t/value"}}
    )
    with pytest.raises(OptionError, match="its comment holds a secret"):
        exported([categories.Category("x", "keys", ("s3://one/a",), comment="key s3cr3t/value")], store)


def test_a_command_of_the_file_is_taken_only_if_that_is_said(browse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ess.category_change("browse", "preprocess", "touch run\nme")
    (browse / "shared.json").write_text(ess.category_export())
    ess.category_delete("browse")
    assert run(["category", "import", "shared.json"]) == 2
    assert capsys.readouterr().err == (
        "ess: shared.json: category browse sends its data through a command of the file: touch run\\nme; "
        "if you trust it, add --commands; nothing is imported now\n"
    )
    assert ess.summary().categories == ()
    assert run(["category", "import", "shared.json", "--commands"]) == 0
    assert not (browse / "run").exists()
    assert ess.category("browse").preprocess == "touch run\nme"


def damaged(change: Callable[[dict[str, Any]], object]) -> bytes:
    content = json.loads(exported([categories.Category("x", "b", ("s3://one/logs/a",))], BUCKET))
    change(content)
    return json.dumps(content).encode()


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{",
    "not UTF-8": b"\xff\xfe{",
    "a list": b"[]",
    "another format": b'{"format": "x"}',
    "deep": b"[" * 200_000,
    "twice": b'{"format": "essentia categories", "format": "essentia categories", "version": 1, "categories": {}}',
    "newer": damaged(lambda all_: all_.update(version=2)),
    "true for 1": damaged(lambda all_: all_.update(version=True)),
    "more members": damaged(lambda all_: all_.update(more=1)),
    "categories are a list": damaged(lambda all_: all_.update(categories=[])),
    "name of a path": damaged(lambda all_: all_.update(categories={"../x": {"patterns": ["a"]}})),
    "blank name": damaged(lambda all_: all_.update(categories={"": {"patterns": ["a"]}})),
    "long name": damaged(lambda all_: all_.update(categories={"x" * 101: {"patterns": ["a"]}})),
    "no object": damaged(lambda all_: all_.update(categories={"x": 1})),
    "no pattern": damaged(lambda all_: all_["categories"]["x"].update(patterns=[])),
    "pattern of no text": damaged(lambda all_: all_["categories"]["x"].update(patterns=[1])),
    "NUL": damaged(lambda all_: all_["categories"]["x"].update(patterns=["a\0b"])),
    "unknown member": damaged(lambda all_: all_["categories"]["x"].update(run="rm")),
    "its own label": damaged(lambda all_: all_["categories"]["x"].update(datastore="local")),
    "switch of text": damaged(lambda all_: all_["categories"]["x"].update(usecache="no")),
    "columns": damaged(lambda all_: all_["categories"]["x"].update(columns=["Q:a"])),
    "twice the same column": damaged(lambda all_: all_["categories"]["x"].update(columns=["S:a", "S:A"])),
    "pkey": damaged(lambda all_: all_["categories"]["x"].update(columns=["S:a"], pkey="b")),
    "delimiter": damaged(lambda all_: all_["categories"]["x"].update(delimiter="ab")),
    "compression": damaged(lambda all_: all_["categories"]["x"].update(compression="rar")),
    "found compression": damaged(lambda all_: all_["categories"]["x"].update(found_compression="rar")),
    "exclude": damaged(lambda all_: all_["categories"]["x"].update(exclude="'")),
    "kind of date": damaged(lambda all_: all_["categories"]["x"].update(date_rule={"kind": "run", "text": ""})),
    "date": damaged(lambda all_: all_["categories"]["x"].update(date_rule={"kind": "regex", "text": "("})),
    "no date": damaged(lambda all_: all_["categories"]["x"].update(date_rule={})),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_damaged_or_hostile_file_is_one_line_and_changes_nothing(browse: Path, name: str) -> None:
    (browse / "stranger.json").write_bytes(HOSTILE[name])
    before = ess.summary().categories
    with pytest.raises(EssError) as failure:
        ess.category_import("stranger.json")
    assert "\n" not in str(failure.value)
    assert failure.value.exit_code in (OptionError.exit_code, InputReadError.exit_code)
    assert ess.summary().categories == before


def test_a_file_that_is_too_large_is_not_read(browse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LARGEST", 1 << 20)
    with (browse / "large.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputReadError, match="it is larger than 1 MB"):
        ess.category_import("large.json")


def test_the_commands(browse: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["category", "export", "browse", "--file", "shared.json"]) == 0
    assert run(["category", "export", "browse"]) == 0
    assert capfd.readouterr().out == (browse / "shared.json").read_text()
    assert run(["category", "import", "shared.json", "--as", "mine"]) == 0
    assert capfd.readouterr().err == f"mine: {browse}/browse* '{browse}/a b*'\n"
    assert run(["category", "export", "nobody"]) == 2
    assert run(["category", "import", "nothing.json"]) == 11
    said = capfd.readouterr().err.splitlines()
    assert said[1] == "ess: nothing.json: cannot open it: No such file or directory; check the name"
