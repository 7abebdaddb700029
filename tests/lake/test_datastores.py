"""Datastores: selecting, labels, purging."""

from __future__ import annotations

from pathlib import Path

import pytest

from ess import settings
from ess.errors import InitializationError, OptionError
from ess.lake import categories, datastores
from ess.lake.category_options import CategoryOptions
from ess.lake.organize import add
from tests.lake.memory_store import MemoryBucket

pytestmark = pytest.mark.usefixtures("places")


def test_without_a_selection_the_error_says_what_to_do() -> None:
    with pytest.raises(InitializationError, match="ess select local"):
        datastores.datastore()


def test_a_label_is_another_datastore_with_its_own_categories(tmp_path: Path) -> None:
    datastores.select("local")
    add("one", str(tmp_path / "*"), CategoryOptions(noprobe=True))
    datastores.select("local", label="mine")
    assert datastores.datastore().label == "mine"
    assert categories.categories(datastores.datastore()) == {}
    datastores.select("local")
    assert list(categories.categories(datastores.datastore())) == ["one"]
    assert datastores.select("mine").label == "mine"
    assert datastores.datastore("local").label == "local"
    assert sorted(datastores.repository().datastores) == ["local", "mine"]


def test_a_bucket_and_a_container_of_one_name_have_two_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.stores.kinds.Access.open", lambda access: MemoryBucket(()))
    assert datastores.select("s3://asi-public").label == "asi-public"
    assert datastores.select("blob://asi-public").label == "asi-public-az"
    assert datastores.select("blob://asi-public").label == "asi-public-az"
    assert datastores.select("s3://asi-public").label == "asi-public"
    with pytest.raises(OptionError, match="the label 'asi-public' stands for s3://asi-public; give another --label"):
        datastores.select("s3://asi-public/folder")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("ftp://host", "no access to such a store"),
        ("locl", "did you mean 'local'"),
    ],
)
def test_sources_that_do_not_work_are_errors(source: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        datastores.select(source)
    assert datastores.repository().datastores == {}


@pytest.mark.parametrize("label", ["", "a/b", "..", ".x", "a b", "x" * 65, "a\n"])
def test_a_label_is_a_plain_name(label: str) -> None:
    with pytest.raises(OptionError, match="--label"):
        datastores.select("local", label=label)


def test_purge_forgets_the_categories_and_keeps_the_files(tmp_path: Path) -> None:
    datastores.select("local")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    add("one", str(tmp_path / "*.csv"), CategoryOptions())
    datastores.purge("local")
    assert (tmp_path / "x.csv").exists()
    with pytest.raises(InitializationError):
        datastores.datastore()
    datastores.select("local")
    assert categories.categories(datastores.datastore()) == {}
    with pytest.raises(OptionError, match="no datastore 'x'"):
        datastores.purge("x")


def test_damaged_settings_are_one_clear_error() -> None:
    datastores.select("local")
    path = settings.cache_dir() / "repository.json"
    path.write_text('{"version": 1, "datastores": {"local": 3}}')
    with pytest.raises(InitializationError, match=r"repository\.json: the settings file is damaged"):
        datastores.datastore()
