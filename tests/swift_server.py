"""OpenStack Swift with its S3 interface: another server of S3 than moto, which checks signatures and takes all keys.

It is a process and a folder. It comes with ``make swift``, in an environment of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "swift" / "bin" / "python"
KEY, SECRET = "test:tester", "testing"


def command(folder: Path) -> list[str]:
    """The command of the server, for a folder that is its own; it prints where its S3 interface is."""
    if not (PYTHON.parent / "swift-proxy-server").exists():
        pytest.skip("swift is not on this machine; run: make swift")
    home = folder / "swift"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    # What it depends on says at every start that it is old.
    return [str(PYTHON), "-W", "ignore", str(ROOT / "tests" / "swift_process.py"), str(home)]
