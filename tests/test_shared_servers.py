"""Servers that several processes of a test run share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import guard

ROOT = Path(__file__).resolve().parent.parent

#: Uses the server that the test has named, and lets go at the end of its standard input.
USER = """
import subprocess, sys
from pathlib import Path
from tests import shared_servers
def start(folder: Path):
    return subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL).pid, {"started by": sys.argv[1]}
print(shared_servers.use("sleeper", start)["started by"], flush=True)
sys.stdin.read()
shared_servers.let_go()
"""


def user(name: str) -> tuple[subprocess.Popen[str], str]:
    """A process that uses the server, and who has told it about it."""
    words = [sys.executable, "-c", USER, name]
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_the_first_starts_a_server_and_the_last_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", f"{tmp_path}")
    mark = os.environ[guard.VARIABLE]

    def sleeping() -> list[guard.Process]:
        return [
            each
            for each in guard.processes(mark)
            if each.variables.get("TMPDIR") == f"{tmp_path}" and "sleep 1000" in each.words
        ]

    first, told_first = user("first")
    second, told_second = user("second")
    assert (told_first, told_second) == ("first", "first")
    first.communicate()
    assert len(sleeping()) == 1
    third, told_third = user("third")
    second.communicate()
    assert (told_third, len(sleeping())) == ("first", 1)
    third.communicate()
    assert (sleeping(), first.returncode, second.returncode, third.returncode) == ([], 0, 0, 0)
    fourth, told_fourth = user("fourth")
    assert told_fourth == "fourth"
    fourth.communicate()
