"""The number of requests that stores have made for a thread: what ``ess ls --explain`` tells."""

from __future__ import annotations

import threading


class _Count(threading.local):
    value = 0


_COUNT = _Count()


def asked() -> int:
    """The requests of this thread so far; on a disk, the folders that were read."""
    return _COUNT.value


def count_request(*_: object) -> None:
    """One more; a function that libraries can call."""
    _COUNT.value += 1
