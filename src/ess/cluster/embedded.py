"""The runtime without a cluster: this process runs the commands itself. No Dask, no daemon."""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ess.cluster.dispatch import Event, Finished, Notice, Slot
from ess.cluster.groups import Groups
from ess.cluster.import_places import COUNTS
from ess.cluster.prefetch import Prefetch
from ess.cluster.substitution import Place
from ess.cluster.used_again import UsedAgain
from ess.cluster.warm import WarmTools
from ess.cluster.watch import Watch
from ess.cluster.work import Job, Task, run_bundle
from ess.surroundings import carried

#: The bundles that wait for each thread, so that it need not wait for the next one: small files for some milliseconds.
_AHEAD = 16
#: Where the next thing happens within so many seconds, several are taken together: each time that this thread wakes up,
#: it takes the interpreter lock from those that start programs.
_SOON = 0.005


@dataclass(frozen=True)
class _Bundle:
    slot: Slot
    number: int
    attempt: int
    job: Job
    tasks: list[Task]


class EmbeddedRuntime:
    """One node (0) with ``threads`` threads. One runs file after file: commands that append to one file are in order.

    There are more slots than threads: bundles in them wait, in order.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._groups = Groups()
        self._groups.mark(f"{COUNTS}={folder}/")
        self._warm = WarmTools(self._groups, resident=True)
        self._events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        self._watch = Watch(self._groups, self._warm, lambda text: self._events.put(Notice(text)))
        self._prefetch = Prefetch(threads)
        self._stopping = threading.Event()
        self._failed = False
        self._slots = [Slot(0, number) for number in range(threads * (1 + _AHEAD))]
        self._lock = threading.Lock()
        self._waiting: deque[_Bundle] = deque()
        self._calls: queue.SimpleQueue[bool] = queue.SimpleQueue()  # one for each that waits; false ends a thread
        self._threads = [threading.Thread(target=carried(self._work(n, threads)), daemon=True) for n in range(threads)]
        self._begun = 0
        self._busy = 0
        self._quick = False

    @property
    def at_a_time(self) -> int:
        """The number of bundles that run at a time."""
        return len(self._threads)

    def slots(self) -> list[Slot]:
        """The places of node 0."""
        return self._slots

    def start(self, slot: Slot, bundle: int, attempt: int, job: Job, tasks: list[Task]) -> None:
        """Have the bundle run by the next thread that is free."""
        with self._lock:  # a thread may be going through it
            self._waiting.append(_Bundle(slot, bundle, attempt, job, tasks))
        self._calls.put(True)
        if self._begun < len(self._threads):
            self._threads[self._begun].start()
            self._begun += 1
        else:
            self._expect()

    def _work(self, number: int, threads: int) -> Callable[[], None]:
        place = Place(0, 1, number, threads)

        def work() -> None:
            files = UsedAgain(self._folder, f"thread-{number}.{secrets.token_hex(6)}")
            try:
                while self._calls.get() and not self._stopping.is_set():
                    with self._lock:
                        bundle = self._waiting.popleft()
                        self._busy += 1
                    if not self._failed:
                        self._prefetch.due(bundle.tasks[0])
                        self._expect()
                        self._run(bundle, place, files)
                    with self._lock:
                        self._busy -= 1
            except BaseException as error:  # told to the main thread, which raises it
                self._events.put(error)
            finally:
                files.close()

        return work

    def _run(self, bundle: _Bundle, place: Place, files: UsedAgain) -> None:
        outcomes = run_bundle(
            bundle.job,
            bundle.tasks,
            place,
            bundle.attempt,
            self._groups,
            self._warm,
            self._stopping.is_set,
            self._folder,
            self._prefetch,
            files,
        )
        if bundle.job.quit_on_error and any(outcome.ended.exit_code for outcome in outcomes):
            self._failed = True  # what waits is not begun
        self._events.put(Finished(bundle.slot, bundle.number, bundle.attempt, outcomes))

    def _expect(self) -> None:
        """Fetch the inputs of what comes next: not of what threads that have nothing to do begin with now."""
        with self._lock:
            idle = len(self._threads) - self._busy
            coming = list(islice(self._waiting, idle, idle + len(self._threads)))
        for bundle in coming:
            self._prefetch.expect(bundle.job, bundle.tasks[:1])

    def wait(self, seconds: float) -> list[Event]:
        """The next things that happened, if any."""
        found = []
        if self._quick:
            time.sleep(_SOON)
        began = time.monotonic()
        with contextlib.suppress(queue.Empty):
            found.append(self._events.get(timeout=seconds))
            while True:
                found.append(self._events.get_nowait())
        self._quick = time.monotonic() - began < _SOON
        events: list[Event] = []
        for event in found:
            if isinstance(event, BaseException):
                raise event
            events.append(event)
        return events

    def stop(self) -> None:
        """Kill the running commands."""
        self._stopping.set()
        for _ in self._threads:
            self._calls.put(False)
        self._groups.kill_all()
        for thread in self._threads[: self._begun]:
            thread.join()

    def close(self) -> None:
        """Stop, and end the reaper."""
        self._watch.close()
        self.stop()
        self._prefetch.close()
        self._warm.close()
        self._groups.close()
