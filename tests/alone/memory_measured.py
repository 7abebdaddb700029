"""The benchmark measures the memory of a command, not its own."""

from __future__ import annotations

import sys

from bench.process import measure


def test_the_memory_is_that_of_the_command() -> None:
    ballast = bytearray(200 << 20)
    small = measure([sys.executable, "-SE", "-c", "pass"], {}, None)
    large = measure([sys.executable, "-SE", "-c", "bytearray(300 << 20)"], {}, None)
    assert len(ballast) and small.megabytes < 100
    assert 300 < large.megabytes < 400
