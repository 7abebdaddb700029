"""The walk over a store finds the same whatever the kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.lake.content import open_data, open_raw
from ess.lake.entry import FileEntry
from ess.lake.listing import list_files, list_level
from ess.lake.patterns import Pattern, compile_exclude
from ess.stores.disk import Disk
from ess.stores.kinds import Access
from ess.stores.store import ObjectChanged, Store
from tests.store_servers import StoreServer
from tests.stores.stores import KINDS, access, forget, served

TREE = ("logs/a_20140902.gz", "logs/a_20140901.gz", "logs/deep/er/a_20140903.gz", "logs/old/x", "other/a.txt", "top")


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[StoreServer | None]:
    with served(request.param) as found:
        yield found


@pytest.fixture
def source(server: StoreServer | None, monkeypatch: pytest.MonkeyPatch) -> Access:
    forget(monkeypatch)
    if server is None:
        return Access()
    server.empty()
    return access(server)


@pytest.fixture
def root(source: Access, tmp_path: Path) -> str:
    """The part before the names of the tree, with a slash at its end."""
    store = source.open()
    below = f"{tmp_path}/root/"[1:] if isinstance(store, Disk) else "root/"
    for key in TREE:
        store.put(below + key, b"x" * len(key))
    return store.at(below)


def found(source: Access, root: str, pattern: str, *, level: bool = False, exclude: str | None = None) -> list[str]:
    walk = list_level if level else list_files
    unwanted = compile_exclude(exclude, where="--exclude")
    listing = walk([Pattern(root + pattern)], label="here", exclude=unwanted, store=source.open())
    assert listing.unreadable == ()
    return [entry.path.removeprefix(root) for entry in listing.files]


def test_patterns_name_the_same_files(source: Access, root: str) -> None:
    in_order = ["logs/old/x", "other/a.txt", "top", *(f"logs/{name}" for name in ("a_20140901.gz", "a_20140902.gz"))]
    assert found(source, root, "*") == [*in_order, "logs/deep/er/a_20140903.gz"]
    assert found(source, root, "*a_*3.gz") == ["logs/deep/er/a_20140903.gz"]
    assert found(source, root, "logs/deep") == ["logs/deep/er/a_20140903.gz"]
    assert found(source, root, "l*/a_20140901.gz") == ["logs/a_20140901.gz"]
    assert found(source, root, "log") == []
    assert found(source, root, "logs/*", exclude="deep old") == ["logs/a_20140901.gz", "logs/a_20140902.gz"]


def test_one_level_is_the_same(source: Access, root: str) -> None:
    assert found(source, root, "*", level=True) == ["logs/", "other/", "top"]
    assert set(found(source, root, "logs", level=True)) == {
        *("logs/a_20140901.gz", "logs/a_20140902.gz", "logs/deep/", "logs/old/")
    }
    assert found(source, root, "*/a*t", level=True) == ["other/a.txt"]


def one(store: Store, root: str) -> FileEntry:
    [entry] = list_files([Pattern(f"{root}top")], label="here", store=store).files
    return entry


def test_what_is_listed_opens_and_is_another_file_when_it_has_changed(source: Access, root: str) -> None:
    store = source.open()
    entry = one(store, root)
    with open_raw(entry, source) as raw:
        assert raw.read() == b"xxx"
    with open_data(entry, source=source) as data:
        assert data.read() == b"xxx"
    assert one(store, root).file_key == entry.file_key
    store.put(entry.path.removeprefix(store.at("")), b"another")
    changed = one(store, root)
    assert changed.file_key != entry.file_key
    if store.flat and entry.version:
        with pytest.raises(ObjectChanged):
            open_raw(entry, source)
    with open_raw(changed, source) as raw:
        assert raw.read() == b"another"
