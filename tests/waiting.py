"""Waiting for what shall happen, never for a time to pass."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

#: What takes longer than this hangs. No test says how fast something is, so this is for the most loaded of machines.
PATIENCE = 300.0


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Look again and again until something is so."""
    deadline = time.monotonic() + seconds
    looked = time.monotonic()
    while not condition():
        now = time.monotonic()
        assert now < deadline, "it did not happen"
        # A look costs something, through all processes or at a server, and others need the processor to get there.
        time.sleep(max(0.02, 3 * (now - looked)))
        looked = time.monotonic()


def stop(pid: int) -> None:
    """Stop a process (SIGSTOP), and wait until it has: the kernel gets to each of its threads in its own time."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    until(lambda: all(map(_is_stopped, threads.iterdir())))


def _is_stopped(thread: Path) -> bool:
    return (thread / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] == "T"


def eventually(look: Callable[[], object], wanted: object) -> None:
    """Look again and again until something has a value."""
    deadline = time.monotonic() + PATIENCE
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, (found, wanted)
        time.sleep(0.02)
