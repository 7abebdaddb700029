"""State on disk: private, replaced in one step, locked."""

from __future__ import annotations

import json
import multiprocessing
import stat
from pathlib import Path

import pytest

from ess import settings
from ess.errors import InitializationError, OptionError, SystemFailure


def test_state_reads_back_and_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "state" / "x.json"
    settings.write_state(path, 1, {"name": "caf\u00e9 \udcff\n"})
    assert settings.read_state(path, 1) == {"name": "caf\u00e9 \udcff\n"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text())["version"] == 1
    assert [child.name for child in path.parent.iterdir()] == ["x.json"]


def test_absent_state_is_empty(tmp_path: Path) -> None:
    assert settings.read_state(tmp_path / "no" / "x.json", 1) == {}


def test_state_that_anybody_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state" / "x.json"
    settings.write_state(path, 1, {})
    path.chmod(0o666)
    with pytest.raises(InitializationError, match="chmod o-w"):
        settings.read_state(path, 1)
    path.chmod(0o600)
    path.parent.chmod(0o777)
    with pytest.raises(InitializationError, match="chmod o-w"):
        settings.read_state(path, 1)
    with pytest.raises(InitializationError, match="chmod o-w"):
        settings.write_state(path, 1, {})


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InitializationError, match="file"):
            settings.make_private_folder(folder)


@pytest.mark.parametrize("content", ["", "{", "[1]", "{}", '"x"', "\udcff"])
def test_damaged_state_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InitializationError, match=r"x\.json: the settings file is damaged"):
        settings.read_state(path, 1)


def test_state_of_another_version_is_not_touched(tmp_path: Path) -> None:
    settings.write_state(tmp_path / "x.json", 2, {})
    with pytest.raises(InitializationError, match="format 2"):
        settings.read_state(tmp_path / "x.json", 1)


def test_a_failed_write_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    settings.write_state(path, 1, {"a": 1})

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ess.settings.os.fsync", refuse)
    with pytest.raises(SystemFailure, match="No space left"):
        settings.write_state(path, 1, {"a": 2})
    assert settings.read_state(path, 1) == {"a": 1}
    assert [child.name for child in tmp_path.iterdir()] == ["x.json"]


def _add_one(folder: str) -> None:
    for _ in range(20):
        with settings.lock(Path(folder)):
            count = settings.read_state(Path(folder) / "n.json", 1).get("n", 0)
            settings.write_state(Path(folder) / "n.json", 1, {"n": count + 1})


def test_concurrent_changes_are_all_kept(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map(_add_one, [str(tmp_path)] * 3)
    assert settings.read_state(tmp_path / "n.json", 1) == {"n": 60}


def test_a_lock_that_is_held_too_long_is_an_error(tmp_path: Path) -> None:
    with (
        settings.lock(tmp_path),
        pytest.raises(InitializationError, match="another command"),
        settings.lock(tmp_path, seconds=0.05),
    ):
        pytest.fail("held twice")


def test_environment_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ESS_CACHE_DIR", str(tmp_path))
    assert settings.cache_dir() == tmp_path
    monkeypatch.delenv("ESS_WORK_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert settings.work_dir() == tmp_path / ".conf"
    monkeypatch.setenv("ESS_UDB_PORT", "70000")
    with pytest.raises(OptionError, match="ESS_UDB_PORT"):
        settings.udb_port()
    monkeypatch.setenv("ESS_UDB_PORT", "")
    assert settings.udb_port() == 10010
    monkeypatch.setenv("ESS_ENGINE", "fast")
    with pytest.raises(OptionError, match="ESS_ENGINE"):
        settings.engine()
