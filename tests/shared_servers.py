"""Servers that the processes of one test run share: the first that needs one starts it, the last one ends it.

What is known of them is in a folder of the run: a lock, and for each server a file with its process and what its users
must know. Every process that uses it holds a second file of its own kind locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from tests import guard
from tests.waiting import PATIENCE

#: What starts a server in a folder: its process, and what its users must know (for JSON).
Start = Callable[[Path], tuple[int, dict[str, Any]]]

_used: dict[str, IO[bytes]] = {}


def folder() -> Path:
    """The folder of this run; the guard removes it."""
    found = guard.folder(os.environ[guard.VARIABLE])
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def use(name: str, start: Start) -> dict[str, Any]:
    """Return what the users of a server must know; it is there until this process and all others have let go."""
    place = folder()
    with _locked(place):
        known = place / f"{name}.json"
        if name not in _used:
            users = (place / f"{name}.users").open("ab")
            fcntl.flock(users, fcntl.LOCK_SH)
            _used[name] = users
        if not known.exists():
            own = place / name
            own.mkdir(exist_ok=True)
            pid, told = start(own)
            known.write_text(json.dumps({"pid": pid, "told": told}))
        told = json.loads(known.read_text())["told"]
        assert isinstance(told, dict)
        return told


def let_go() -> None:
    """End the servers that this process has used and nobody else uses."""
    while _used:
        place = folder()
        name, users = _used.popitem()
        with _locked(place), users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            known = place / f"{name}.json"
            if known.exists():
                end(json.loads(known.read_text())["pid"])
                known.unlink()


def end(pid: int) -> None:
    """End a process and wait until it has ended, whoever has started it."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(process, signal.SIGTERM)
            if not select.select([process], [], [], PATIENCE)[0]:
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[None]:
    with (place / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
