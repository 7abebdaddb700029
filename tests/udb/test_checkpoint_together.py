"""``-save`` and ``-load`` of one folder at the same time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ess.errors import InputOpenError
from ess.udb.checkpoint import checkpoint
from ess.udb.checkpoint.folder import LOCK
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.spec.spec import Server
from tests.udb.faults import operation, put

DEFINITION = "\n@Table:log s,pkey:user i:n\n@Table:more s,pkey:user i:n\n"


@pytest.fixture
def databases(start_server: Any, write_spec: Callable[..., list[Server]]) -> None:
    """Two with the same tables; one has ten rows."""
    server = start_server()
    for name in ("db", "copy"):
        write_spec(server, name=name, definition=DEFINITION)
        perform(operation("-crt", name))
    put("log", [(b"u%d" % n, n) for n in range(10)])


def rows(name: str) -> list[Any]:
    return export_batch(f"{name}:log")[0].rows()


def parts(folder: Path) -> int:
    return len(list(folder.glob("data-*")))


def test_a_save_during_a_load_removes_nothing_that_is_read(
    databases: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "saved"
    perform(operation("-save", "db", str(folder)))
    before = rows("db")
    put("log", [(b"later", 1)])
    load_table = checkpoint._load_table

    def saving(*arguments: Any) -> int:
        if parts(folder) == 1:
            perform(operation("-save", "db", str(folder)))
        return load_table(*arguments)

    monkeypatch.setattr(checkpoint, "_load_table", saving)
    assert perform(operation("-load", "copy", str(folder))) == 10
    assert rows("copy") == before
    assert parts(folder) == 2  # what was read is still there
    perform(operation("-save", "db", str(folder)))
    assert parts(folder) == 1
    perform(operation("-clr", "copy:log"))
    perform(operation("-clr", "copy"))
    perform(operation("-crt", "copy"))
    assert perform(operation("-load", "copy", str(folder))) == 11


def test_a_load_during_a_save_gives_what_was_saved_before(
    databases: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "saved"
    perform(operation("-save", "db", str(folder)))
    before = rows("db")
    put("log", [(b"later", 1)])
    save_file = checkpoint._save_file
    loaded: list[int] = []

    def loading(*arguments: Any) -> Any:
        if not loaded:
            loaded.append(0)
            loaded[0] = perform(operation("-load", "copy", str(folder)))
        return save_file(*arguments)

    monkeypatch.setattr(checkpoint, "_save_file", loading)
    perform(operation("-save", "db", str(folder)))
    assert loaded == [10]
    assert rows("copy") == before
    assert parts(folder) == 1


def test_a_folder_that_cannot_be_written_is_loaded(databases: None, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    perform(operation("-save", "db", str(folder)))
    (folder / LOCK).unlink()
    folder.chmod(0o500)
    try:
        assert perform(operation("-load", "copy", str(folder))) == 10
        assert not (folder / LOCK).exists()
    finally:
        folder.chmod(0o700)
    with pytest.raises(InputOpenError, match="no database was saved there"):
        perform(operation("-load", "copy", str(tmp_path / "nothing")))
