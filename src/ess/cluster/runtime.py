"""The runtime on a cluster: an adapter to Dask distributed. Loaded only when there is a cluster.

Dask carries tasks and results; which bundle runs where is decided by :mod:`ess.cluster.dispatch`.
Peers exchange pickled objects, over connections on which both sides have shown a certificate of
this cluster: a stranger gets no object in. Nothing that a stranger wrote (file names, contents) is
ever unpickled; it travels as plain values inside of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path

from distributed import Client, Future

from ess.cluster import node, state
from ess.cluster.asking import ask_versions, check_versions
from ess.cluster.daemon import MOST_THREADS
from ess.cluster.dispatch import Event, Finished, NodeLost, Slot
from ess.cluster.outputs import fetch
from ess.cluster.processes import ProcessId, alive
from ess.cluster.providers import replace_worker
from ess.cluster.security import security
from ess.cluster.substitution import Place
from ess.cluster.work import Job, Outcome, Task
from ess.errors import EssError, InitializationError, OptionError, SystemFailure

#: How long the scheduler may take to answer first, in seconds.
FIRST_SECONDS = 10.0

#: How often the list of workers is looked at, in seconds.
LOOK_INTERVAL = 0.5

#: How often the worker of one node is replaced during one job; a worker that keeps dying is not.
REPLACEMENTS = 3

#: How long the workers may take to connect to the scheduler, in seconds.
CONNECT_SECONDS = 30.0


@dataclass
class _Started:
    slot: Slot
    bundle: int
    attempt: int
    address: str
    future: Future[list[Outcome]]


class DaskRuntime:
    """The workers of the cluster, ``threads`` slots each.

    Args:
        workers: The number of nodes of the cluster.
        cluster_id: Which cluster it is.
        folder: Takes the output of the commands, which is fetched from the nodes.
        threads: Slots of a node.

    Raises:
        InitializationError: If the cluster cannot be reached or was made by another version.
    """

    def __init__(self, workers: int, cluster_id: str, folder: Path, threads: int) -> None:
        if threads > MOST_THREADS:
            raise OptionError(f"{threads} threads are too many", where="--threads", hint=f"at most {MOST_THREADS}")
        self._workers = workers
        self._cluster_id = cluster_id
        self._folder = folder
        self._threads = threads
        self._addresses: dict[int, str] = {}
        self._replaced = dict.fromkeys(range(workers), 0)
        self._running: dict[Slot, _Started] = {}
        self._ended: queue.SimpleQueue[_Started] = queue.SimpleQueue()
        self._looked = 0.0
        # Not the job's name: the same job may have been stopped here before, and be resumed now.
        self._run_id = f"run-{secrets.token_hex(8)}"
        self._scheduler, self._client = _connect()
        try:
            self._await_workers()
        except BaseException:
            self.close()
            raise

    def slots(self) -> Sequence[Slot]:
        """The threads of the workers that are connected."""
        return [Slot(number, thread) for number in sorted(self._addresses) for thread in range(self._threads)]

    def start(self, slot: Slot, bundle: int, attempt: int, job: Job, tasks: list[Task]) -> None:
        """Submit a bundle to the very worker; on another one its thread number would be wrong."""
        address = self._addresses[slot.node_id]
        place = Place(slot.node_id, self._workers, slot.thread_id, self._threads)
        future = self._client.submit(
            node.run,
            job,
            tasks,
            place,
            attempt,
            self._run_id,
            key=f"{self._run_id}-{bundle}-{attempt}-{slot.node_id}",
            workers=[address],
            allow_other_workers=False,
            pure=False,
        )
        started = _Started(slot, bundle, attempt, address, future)
        self._running[slot] = started
        future.add_done_callback(lambda _future: self._ended.put(started))  # type: ignore[no-untyped-call]

    def wait(self, seconds: float) -> list[Event]:
        """Bundles that ended and nodes that were lost; replaces lost workers.

        Raises:
            InitializationError: If the scheduler is gone, or no worker is left that could be replaced.
        """
        events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            event = self._collect(self._ended.get(timeout=seconds))
            if event is not None:
                events.append(event)
        if time.monotonic() - self._looked >= LOOK_INTERVAL:
            events += self._look()
        return events

    def stop(self) -> None:
        """Have all workers kill the commands of this runtime's jobs; return when they have."""
        if not self._scheduler_lives():
            return  # the workers end with it, and their commands with them
        with contextlib.suppress(Exception):  # a worker may be gone
            self._client.run(node.stop, self._run_id)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                if not sum(self._client.run(node.running, self._run_id).values()):
                    break
                time.sleep(0.05)
        self._client.cancel([started.future for started in self._running.values()], force=True)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Stop what runs, and disconnect."""
        if self._running:
            with contextlib.suppress(Exception):
                self.stop()
        with contextlib.suppress(Exception):
            self._client.close(timeout=5)  # type: ignore[no-untyped-call]

    def _collect(self, started: _Started) -> Event | None:
        if self._running.get(started.slot) is not started:
            return None  # of a node that was lost meanwhile
        try:
            outcomes = started.future.result(timeout=5)
        except TimeoutError:
            self._ended.put(started)  # the worker died with the result, and will be found lost
            return None
        except (CancelledError, asyncio.CancelledError):
            self._check_scheduler()
            return None
        except EssError:
            raise
        except Exception as error:
            if started.address in self._connected().values():
                raise SystemFailure(f"a task failed ({error})", where=f"node {started.slot.node_id}") from error
            return None
        if not self._fetch(started, outcomes):
            return None
        del self._running[started.slot]
        return Finished(started.slot, started.bundle, started.attempt, outcomes)

    def _fetch(self, started: _Started, outcomes: Sequence[Outcome]) -> bool:
        """Bring the output of a bundle here. False if that has to be tried again, or its node is lost."""
        try:
            fetch(self._client, started.address, str(started.future.key), outcomes, self._folder)
        except EssError:
            raise
        except Exception as error:  # whatever breaks in Dask when a connection does
            self._check_scheduler()
            if started.address not in self._connected().values():
                return False  # the next look finds it lost
            if not isinstance(error, OSError | TimeoutError):
                raise SystemFailure(
                    f"its output cannot be fetched ({error})", where=f"node {started.slot.node_id}"
                ) from error
            self._ended.put(started)
            return False
        return True

    def _look(self) -> list[Event]:
        self._check_scheduler()
        now = self._connected()
        lost = [number for number, address in self._addresses.items() if now.get(number) != address]
        for number in lost:
            for slot in [slot for slot in self._running if slot.node_id == number]:
                self._client.cancel([self._running.pop(slot).future], force=True)  # type: ignore[no-untyped-call]
        before, self._addresses = self._addresses, now
        self._looked = time.monotonic()
        for number in lost:
            if number not in now:
                self._replace(number, before[number])
        if not now and all(count >= REPLACEMENTS for count in self._replaced.values()):
            raise InitializationError(
                "all workers keep dying", where="cluster", hint=f"see the logs in {state.log_path('worker-0').parent}"
            )
        return [NodeLost(number) for number in lost]

    def _replace(self, number: int, address: str) -> None:
        if self._replaced[number] < REPLACEMENTS:
            self._replaced[number] += 1
            replace_worker(self._cluster_id, number, address)

    def _connected(self) -> dict[int, str]:
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:
            raise _scheduler_gone() from error
        return {int(worker["name"]): address for address, worker in workers.items()}

    def _check_scheduler(self) -> None:
        if not self._scheduler_lives():
            raise _scheduler_gone()

    def _scheduler_lives(self) -> bool:
        return alive(self._scheduler) and self._client.status == "running"

    def _await_workers(self) -> None:
        deadline = time.monotonic() + CONNECT_SECONDS
        while len(self._connected()) < self._workers:
            if time.monotonic() > deadline:
                missing = sorted(set(range(self._workers)) - set(self._connected()))
                raise InitializationError(
                    f"worker {missing[0]} does not connect", where="cluster", hint=f"see {state.log_path('worker-0')}"
                )
            time.sleep(0.05)
        self._addresses = self._connected()
        try:
            found = ask_versions([*self._addresses.values()], security("client"))
        except OSError:
            return  # one is lost since, which the next look finds
        for number, versions in zip(self._addresses, found, strict=True):
            check_versions(f"worker-{number}", versions)


def _connect() -> tuple[ProcessId, Client]:
    scheduler = state.read_daemon("scheduler")
    if scheduler is None:
        raise InitializationError("the scheduler is not running", where="cluster", hint="run: ess cluster start")
    # We report broken connections ourselves, once and in one line, so Dask need not.
    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
    deadline = time.monotonic() + FIRST_SECONDS
    while True:
        try:
            [found] = ask_versions([scheduler.address], security("client"))
            check_versions("scheduler", found)
            return scheduler.process, Client(  # type: ignore[no-untyped-call]
                scheduler.address, security=security("client"), timeout=FIRST_SECONDS, set_as_default=False
            )
        except OSError as error:
            # Somebody who floods the port can push out this connection too; then the next one may get through.
            if not alive(scheduler.process) or time.monotonic() > deadline:
                raise _scheduler_gone() from error


def _scheduler_gone() -> InitializationError:
    return InitializationError(
        "the scheduler cannot be reached", where="cluster", hint="run: ess cluster start, then repeat with --resume"
    )
