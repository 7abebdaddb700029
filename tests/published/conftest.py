"""A folder of its own with the commands of the package on PATH, as a user would have them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from published.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, places: dict[str, str]) -> Iterator[Shell]:
    """A shell in an empty folder; its servers and cluster end with the test, whatever happens."""
    commands = Path(sys.executable).parent
    shell = Shell(tmp_path, {**places, "PATH": f"{commands}{os.pathsep}{places['PATH']}", "TZ": "UTC"})
    yield shell
    for command in ("ess udbd stop", "ess cluster terminate -y"):
        subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=shell.environment, capture_output=True, timeout=60, check=False
        )


@pytest.fixture(params=["embedded", "two workers"])
def machine(request: pytest.FixtureRequest, shell: Shell) -> Shell:
    """The shell on one machine without a cluster, then with a local cluster of two workers."""
    if request.param == "two workers":
        shell.run("ess cluster create --number 2")
        return replace(shell, workers=2)
    return shell


@pytest.fixture
def logs(shared: Path) -> Path:
    """The folder of the sixty published log files."""
    return shared / "published" / "woodworking" / "diy_woodworking"
