"""The runtime without a cluster: this process runs the commands itself. No Dask, no daemon."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path

from ess.cluster.dispatch import Event, Finished, Notice, Slot
from ess.cluster.groups import Groups
from ess.cluster.import_places import COUNTS
from ess.cluster.prefetch import Prefetch
from ess.cluster.substitution import Place
from ess.cluster.warm import WarmTools
from ess.cluster.watch import Watch
from ess.cluster.work import Job, Task, run_bundle
from ess.surroundings import carried


class EmbeddedRuntime:
    """One node (0) with ``threads`` slots. One runs file after file: commands that append to one file are in order."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._threads = threads
        self._groups = Groups()
        self._groups.mark(f"{COUNTS}={folder}/")
        self._warm = WarmTools(self._groups, resident=True)
        self._events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        self._watch = Watch(self._groups, self._warm, lambda text: self._events.put(Notice(text)))
        self._prefetch = Prefetch(threads)
        self._stopping = threading.Event()
        self._running: list[threading.Thread] = []

    def slots(self) -> list[Slot]:
        """The threads of node 0."""
        return [Slot(0, thread_id) for thread_id in range(self._threads)]

    def start(self, slot: Slot, bundle: int, attempt: int, job: Job, tasks: list[Task]) -> None:
        """Run the bundle in a thread."""
        place = Place(0, 1, slot.thread_id, self._threads)

        def run() -> None:
            try:
                stop = self._stopping.is_set
                outcomes = run_bundle(
                    job, tasks, place, attempt, self._groups, self._warm, stop, self._folder, self._prefetch
                )
                self._events.put(Finished(slot, bundle, attempt, outcomes))
            except BaseException as error:  # told to the main thread, which raises it
                self._events.put(error)

        self._running = [thread for thread in self._running if thread.is_alive()]
        thread = threading.Thread(target=carried(run), daemon=True)
        self._running.append(thread)
        thread.start()

    def expect(self, job: Job, tasks: Sequence[Task]) -> None:
        """Fetch the inputs of the tasks that come next."""
        self._prefetch.expect(job, tasks)

    def wait(self, seconds: float) -> list[Event]:
        """The next thing that happened, if any."""
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return []
        if isinstance(event, BaseException):
            raise event
        return [event]

    def stop(self) -> None:
        """Kill the running commands."""
        self._stopping.set()
        self._groups.kill_all()
        for thread in self._running:
            thread.join()

    def close(self) -> None:
        """Stop, and end the reaper."""
        self._watch.close()
        self.stop()
        self._prefetch.close()
        self._warm.close()
        self._groups.close()
