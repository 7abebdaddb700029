"""The installed files: every tool has its command, and every command its module."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path

from ess.tools import launch

ROOT = Path(__file__).resolve().parent.parent


def declared() -> dict[str, str]:
    """The console scripts of pyproject.toml, name to ``module:function``."""
    scripts: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    return scripts


def test_every_declared_command_is_there() -> None:
    for target in declared().values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_every_tool_is_declared() -> None:
    folder = ROOT / "src" / "ess" / "tools"
    named = {path.stem: path for path in folder.glob("*.py")} | {
        path.parent.name: path for path in folder.glob("*/__init__.py")
    }
    tools = {name for name, path in named.items() if "def command() -> NoReturn" in path.read_text("utf-8")}
    launchers = {path.name for path in (ROOT / "launchers" / "bin").iterdir()}
    assert tools == {*launch.TOOLS, *launch.UNSERVED}
    assert launchers == tools | {"ess"}
    assert declared().keys() == {"ess-main", "ess-tool"}


def test_the_locks_name_no_host() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text("utf-8")
        assert "://" not in text
        assert text.count("--hash=sha256:") > text.count("==")
    npm = json.loads((ROOT / "requirements" / "azurite" / "package-lock.json").read_text("utf-8"))["packages"]
    assert all("resolved" not in package for package in npm.values())
    assert all("integrity" in package for name, package in npm.items() if name)
