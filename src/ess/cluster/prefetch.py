"""The inputs of the files that come next: fetched and decompressed while the commands of the current ones run.

What is held of each is bounded (:mod:`ess.cluster.held_input`), and so is their number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from ess.cluster.held_input import HeldInput, held_file
from ess.lake.content import THIS_DISK, open_data
from ess.surroundings import carried

if TYPE_CHECKING:
    from ess.cluster.work import Job, Task

#: A file of this disk that is smaller is opened when it is its turn: another thread would cost more.
_SMALL = 1 << 16


class Prefetch:
    """Opens inputs ahead.

    Args:
        depth: The number of inputs that may wait for their turn.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._coming: dict[int, Future[HeldInput]] = {}
        self._due: dict[int, Future[HeldInput]] = {}
        self._closed = False

    def expect(self, job: Job, tasks: Sequence[Task]) -> None:
        """Say which tasks come next, the first one first."""
        for task in tasks:
            if not _pays(job, task):
                continue
            with self._lock:
                if self._closed or len(self._coming) >= self._depth:
                    return
                if task.index in self._coming or task.index in self._due:
                    continue
                self._threads = self._threads or ThreadPoolExecutor(self._depth, "prefetch")
                self._coming[task.index] = self._threads.submit(carried(self._opener(job, task)))

    def due(self, task: Task) -> None:
        """Say that it is the turn of a task: its input waits no longer, so another one may."""
        with self._lock:
            if task.index in self._coming:
                self._due[task.index] = self._coming.pop(task.index)

    def take(self, task: Task) -> HeldInput | None:
        """The input of a task whose turn it is; None if it was not expected.

        Raises:
            EssError: If it cannot be opened.
        """
        with self._lock:
            coming = self._due.pop(task.index, None) or self._coming.pop(task.index, None)
        return None if coming is None or coming.cancel() else coming.result()

    def close(self) -> None:
        """Drop what has not been taken."""
        with self._lock:
            self._closed = True
            left, self._coming, self._due = [*self._coming.values(), *self._due.values()], {}, {}
        if self._threads is None:
            return
        self._threads.shutdown(cancel_futures=True)
        for each in left:
            if not each.cancelled() and each.exception() is None:
                each.result().close()

    def _opener(self, job: Job, task: Task) -> Callable[[], HeldInput]:
        def opened() -> HeldInput:
            assert task.entry is not None
            held = held_file(task.entry, job.compression, job.source)
            return held or HeldInput(open_data(task.entry, job.compression, job.source), lambda: self._closed)

        return opened


def _pays(job: Job, task: Task) -> bool:
    """True if it takes a while to get the input of a task."""
    if task.entry is None or task.others or task.entry.member is not None:
        return False  # the files of an archive are read one behind the other
    return job.source != THIS_DISK or task.entry.size >= _SMALL
