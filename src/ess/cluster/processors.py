"""The number of processors that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def usable_processors(cgroups: Path = _CGROUPS) -> int:
    """Those it may run on, or fewer if a container has a share of less time; at least 1."""
    try:
        number = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        number = os.cpu_count() or 1
    limit = _limit(cgroups)
    return max(min(number, math.ceil(limit)) if limit else number, 1)


def _limit(cgroups: Path) -> float:
    """The processors' worth of time that the container may take, as its own files tell; 0 if there is no limit."""
    try:
        words = (cgroups / "cpu.max").read_text(encoding="ascii").split()
    except OSError:
        try:
            words = [(cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in _VERSION_1]
        except OSError:
            return 0.0
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max 100000"
        return 0.0
    return quota / period if quota > 0 and period > 0 else 0.0


_VERSION_1 = ("quota", "period")
