"""A limit on memory (``ulimit -v``, ``ulimit -d``) under which the engines cannot even be loaded.

They load some 500 MB of code, and reserve addresses for each thread's stack and memory. Where the system refuses them,
one library after the other fails in a way of its own, and some abort the process. So it is said before.
"""

from __future__ import annotations

import os
import resource

from ess.errors import OutOfMemory

#: In MB: for a start, and more for each processor, whose thread reserves addresses. Measured on two processors: all
#: commands start with 1,200 MB of addresses, and with 300 MB of data.
_NEEDED = {resource.RLIMIT_AS: (1500, 128), resource.RLIMIT_DATA: (300, 0)}
_NAMES = {resource.RLIMIT_AS: "ulimit -v", resource.RLIMIT_DATA: "ulimit -d"}


def too_low(number: int, soft: int) -> bool:
    """True if a soft limit, in bytes, of the kind ``number`` (``resource.RLIMIT_...``) is too low to start with."""
    return number in _NEEDED and soft != resource.RLIM_INFINITY and soft < _needed(number)


def check() -> None:
    """Return if this process may have the memory that it needs to start.

    Raises:
        OutOfMemory: If it may not.
    """
    for number, name in _NAMES.items():
        soft = resource.getrlimit(number)[0]
        if too_low(number, soft):
            raise OutOfMemory(
                f"it allows {soft >> 20:,} MB, and {_needed(number) >> 20:,} MB are needed to start",
                where=name,
                hint=f"raise the limit: {name} unlimited",
            )


def _needed(number: int) -> int:
    start, more = _NEEDED[number]
    return (start + more * len(os.sched_getaffinity(0))) << 20
