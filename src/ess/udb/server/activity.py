"""Tells the timer of a machine that it is not idle, where the machine has one (:mod:`ess.cluster.cloud.timer`)."""

from __future__ import annotations

import contextlib
import os

#: Its time is looked at once a minute. Everybody on the machine may touch it; nobody makes it but the timer.
ACTIVE = "/run/essentia/active"


def touch(path: str = ACTIVE) -> None:
    """Say that something has just been done."""
    with contextlib.suppress(OSError):
        os.utime(path)
