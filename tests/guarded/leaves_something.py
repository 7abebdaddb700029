"""A test that leaves a process behind; run by ``tests/test_guard.py`` only, as its name is no test's."""

from __future__ import annotations

import subprocess


def test_that_stops_nothing() -> None:
    assert subprocess.Popen(["sleep", "1000"]).pid
