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
import threading
import time
import warnings
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client, Future
from distributed.versions import VersionMismatchWarning

from ess import settings
from ess.cluster import node, state
from ess.cluster.asking import ask_versions, check_versions
from ess.cluster.daemon import MOST_THREADS
from ess.cluster.daemons import SCHEDULER, Daemons, worker_name
from ess.cluster.dispatch import Event, Finished, NodeLost, Notice, Slot
from ess.cluster.inputs import files_to_send, send
from ess.cluster.outputs import fetch
from ess.cluster.processes import ProcessId
from ess.cluster.providers import daemons, replace_worker
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

#: How long the scheduler may take to answer one question; the machine may be busy.
_REPLY_SECONDS = 60.0

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
        self._ended: queue.SimpleQueue[_Started | Notice] = queue.SimpleQueue()
        self._stopped: dict[str, float] = {}  # since when daemons are, by their names
        self._heard: dict[
            str, tuple[float, float]
        ] = {}  # when workers were last heard of: by the scheduler's clock, ours
        self._given_up: set[str] = set()  # the addresses of workers that were not heard of any more
        self._replacing: dict[int, threading.Thread] = {}
        self._closing = threading.Event()
        self._answer_seconds = settings.answer_timeout()
        self._looked = 0.0
        # Not the job's name: the same job may have been stopped here before, and be resumed now.
        self._run_id = f"run-{secrets.token_hex(8)}"
        self._daemons = daemons()
        self._far = {number for number in range(workers) if not self._daemons.shares_files(number)}
        self._scheduler, self._client = _connect(self._daemons)
        try:
            self._await_workers()
            self._client.subscribe_topic(node.topic(self._run_id), self._hear)  # type: ignore[no-untyped-call]
        except BaseException:
            self.close()
            raise

    def _hear(self, event: tuple[float, object]) -> None:
        """Take what a worker says of what does not answer there."""
        self._ended.put(Notice(str(event[1])))

    def slots(self) -> Sequence[Slot]:
        """The threads of the workers that are connected."""
        return [Slot(number, thread) for number in sorted(self._addresses) for thread in range(self._threads)]

    @property
    def at_a_time(self) -> int:
        """One in each slot."""
        return len(self.slots())

    def start(self, slot: Slot, bundle: int, attempt: int, job: Job, tasks: list[Task]) -> None:
        """Submit a bundle to the very worker; on another one its thread number would be wrong."""
        address = self._addresses[slot.node_id]
        place = Place(slot.node_id, self._workers, slot.thread_id, self._threads)
        try:
            future = self._submit(job, tasks, place, bundle, attempt, address)
        except EssError:
            raise
        except Exception as error:  # the connection breaks while it is sent
            raise _scheduler_gone() from error
        started = _Started(slot, bundle, attempt, address, future)
        self._running[slot] = started
        if slot.node_id in self._far and (files := files_to_send(job, tasks)):
            self._in_the_background(
                send(self._client, address, str(future.key), files, lambda: self._running.get(slot) is started)
            )
        future.add_done_callback(lambda _future: self._ended.put(started))  # type: ignore[no-untyped-call]

    def _in_the_background(self, work: Coroutine[None, None, None]) -> None:
        loop = self._client.loop
        assert loop is not None
        asyncio.run_coroutine_threadsafe(work, loop.asyncio_loop)  # type: ignore[attr-defined]

    def _submit(
        self, job: Job, tasks: list[Task], place: Place, bundle: int, attempt: int, address: str
    ) -> Future[list[Outcome]]:
        return self._client.submit(
            node.run,
            job,
            tasks,
            place,
            attempt,
            self._run_id,
            key=f"{self._run_id}-{bundle}-{attempt}-{place.node_id}",
            workers=[address],
            allow_other_workers=False,
            pure=False,
        )

    def wait(self, seconds: float) -> list[Event]:
        """Bundles that ended and nodes that were lost; replaces lost workers.

        Raises:
            InitializationError: If the scheduler is gone, or no worker is left that could be replaced.
        """
        events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            ended = self._ended.get(timeout=seconds)
            event = ended if isinstance(ended, Notice) else self._collect(ended)
            if event is not None:
                events.append(event)
        if time.monotonic() - self._looked >= LOOK_INTERVAL:
            events += self._look()
        return events

    def stop(self) -> None:
        """Have all workers kill the commands of this runtime's jobs; return when they have."""
        if not self._scheduler_lives():
            return  # the workers end with it, and their commands with them
        if self._daemons.is_stopped(SCHEDULER, self._scheduler):
            return  # they end when it goes on, or when it is ended
        with contextlib.suppress(Exception):  # a worker may be gone
            self._client.run(node.stop, self._run_id)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                if not sum(self._client.run(node.running, self._run_id).values()):
                    break
                time.sleep(0.05)
        with contextlib.suppress(Exception):
            self._client.cancel([started.future for started in self._running.values()], force=True)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Stop what runs, and disconnect."""
        self._closing.set()
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
        self._looked = time.monotonic()
        notices, asleep = self._look_for_stopped()
        if asleep:
            return notices  # a request to it would wait
        now = self._connected()
        lost = [number for number, address in self._addresses.items() if now.get(number) != address]
        for number in lost:
            for slot in [slot for slot in self._running if slot.node_id == number]:
                with contextlib.suppress(Exception):  # the scheduler is gone, too, which the next look tells
                    self._client.cancel([self._running.pop(slot).future], force=True)  # type: ignore[no-untyped-call]
        before, self._addresses = self._addresses, now
        for number in lost:
            if number not in now:
                self._replace(number, before[number])
        if not now and all(count >= REPLACEMENTS for count in self._replaced.values()):
            raise InitializationError(
                "all workers keep dying", where="cluster", hint=f"see the logs in {state.log_path('worker-0').parent}"
            )
        return [*notices, *(NodeLost(number) for number in lost)]

    def _look_for_stopped(self) -> tuple[list[Event], bool]:
        """Do without daemons that have been stopped for too long; whether the scheduler is stopped.

        Raises:
            InitializationError: If it has been stopped for too long.
        """
        notices: list[Event] = []
        if self._is_overdue("scheduler", self._scheduler):
            raise _scheduler_stopped(self._scheduler)
        for number in self._addresses.keys() - self._far:
            daemon = self._daemons.ask(worker_name(number))
            if daemon is not None and self._is_overdue(f"worker-{number}", daemon.process):
                text = f"worker-{number} (process {daemon.process.pid}) is stopped and does not answer; it is ended"
                notices.append(Notice(f"{text}, and others take its files"))
                # The scheduler sees that, and then it is a lost node.
                self._daemons.kill(worker_name(number), daemon.process)
        return notices, "scheduler" in self._stopped

    def _is_overdue(self, name: str, process: ProcessId) -> bool:
        if not self._daemons.is_stopped(name, process):
            self._stopped.pop(name, None)
            return False
        return time.monotonic() - self._stopped.setdefault(name, time.monotonic()) >= self._answer_seconds

    def _replace(self, number: int, address: str) -> None:
        if number in self._far:
            if number not in self._replacing:  # its host may take its time, or not answer
                thread = threading.Thread(target=self._replace_far, args=(number, address), daemon=True)
                self._replacing[number] = thread
                thread.start()
        elif self._replaced[number] < REPLACEMENTS:
            self._replaced[number] += 1
            replace_worker(self._cluster_id, number, address)

    def _replace_far(self, number: int, address: str) -> None:
        """Replace the worker of a host; what is wrong with a host that cannot be reached is told once."""
        try:
            while self._replaced[number] < REPLACEMENTS:
                self._replaced[number] += 1
                try:
                    replace_worker(self._cluster_id, number, address)
                    return
                except EssError as error:
                    if self._replaced[number] == REPLACEMENTS:
                        self._ended.put(Notice(f"the worker of node {number} cannot be replaced: {error}"))
                self._closing.wait(LOOK_INTERVAL)
        finally:
            self._replacing.pop(number, None)

    def _connected(self) -> dict[int, str]:
        try:
            scheduler = self._client.scheduler
            assert scheduler is not None
            # Not `scheduler_info`, which waits for ever for a scheduler that is stopped.
            found = self._client.sync(scheduler.identity, n_workers=-1, callback_timeout=_REPLY_SECONDS)  # type: ignore[no-untyped-call]
            workers = found["workers"]
        except TimeoutError as error:
            raise InitializationError(
                f"the scheduler (process {self._scheduler.pid}) has not answered for {_REPLY_SECONDS:.0f} seconds",
                where="cluster",
                hint="run: ess cluster stop, ess cluster start; then repeat with --resume",
            ) from error
        except Exception as error:
            raise _scheduler_gone() from error
        silent = self._silent(workers)
        return {int(worker["name"]): address for address, worker in workers.items() if address not in silent}

    def _silent(self, workers: Mapping[str, Mapping[str, object]]) -> set[str]:
        """The workers on other machines that the scheduler has not heard of for too long: those may be cut off.

        A connection to a machine that is cut off stays for minutes. The scheduler tells when it has heard of a worker
        by its clock, which may be set: only that it tells something else each time counts.
        """
        now = time.monotonic()
        for address, worker in workers.items():
            if int(str(worker["name"])) not in self._far or address in self._given_up:
                continue
            seen = float(str(worker["last_seen"]))
            before = self._heard.get(address)
            if before is None or before[0] != seen:
                self._heard[address] = (seen, now)
            elif now - before[1] >= self._answer_seconds:
                self._given_up.add(address)
                name = worker["name"]
                self._ended.put(Notice(f"node {name} is not heard of any more; others take its files"))
                scheduler = self._client.scheduler
                assert scheduler is not None
                self._in_the_background(_forget(scheduler, address))
        return self._given_up

    def _check_scheduler(self) -> None:
        if not self._scheduler_lives():
            raise _scheduler_gone()

    def _scheduler_lives(self) -> bool:
        return self._daemons.is_alive(SCHEDULER, self._scheduler) and self._client.status == "running"

    def _await_workers(self) -> None:
        deadline = time.monotonic() + CONNECT_SECONDS
        while len(self._connected()) < self._workers:
            if time.monotonic() > deadline:
                missing = sorted(set(range(self._workers)) - set(self._connected()))
                raise InitializationError(
                    f"worker {missing[0]} does not connect", where="cluster", hint=f"see {state.log_path('worker-0')}"
                )
            for number in set(range(self._workers)) - set(self._connected()):
                daemon = self._daemons.ask(worker_name(number))
                if daemon is not None and not self._daemons.is_alive(worker_name(number), daemon.process):
                    self._replace(number, daemon.address)  # it has ended since it was looked at
            time.sleep(0.05)
        self._addresses = self._connected()
        try:
            found = ask_versions([*self._addresses.values()], security("client"))
        except OSError:
            return  # one is lost since, which the next look finds
        for number, versions in zip(self._addresses, found, strict=True):
            check_versions(f"worker-{number}", versions)


def _connect(known: Daemons) -> tuple[ProcessId, Client]:
    scheduler = known.ask(SCHEDULER)
    if scheduler is None:
        if state.read_cluster().desired is None:
            raise _scheduler_gone()
        raise InitializationError("the scheduler is not running", where="cluster", hint="run: ess cluster start")
    _silence()
    deadline = time.monotonic() + FIRST_SECONDS
    while True:
        try:
            [found] = ask_versions([scheduler.address], security("client"))
            check_versions("scheduler", found)
            client = Client(  # type: ignore[no-untyped-call]
                scheduler.address, security=security("client"), timeout=FIRST_SECONDS, set_as_default=False
            )
        except EssError:
            raise
        except Exception as error:
            # Somebody who floods the port can push out this connection too; then the next one may get through.
            if known.is_stopped(SCHEDULER, scheduler.process):
                raise _scheduler_stopped(scheduler.process) from error
            if (
                not isinstance(error, OSError)
                or not known.is_alive(SCHEDULER, scheduler.process)
                or time.monotonic() > deadline
            ):
                raise _scheduler_gone() from error
            continue
        # Tasks of Dask's own that nobody waits for end with the connection, too.
        loop = client.loop
        assert loop is not None
        loop.asyncio_loop.set_exception_handler(lambda _loop, _context: None)  # type: ignore[attr-defined]
        return scheduler.process, client


def _silence() -> None:
    """We report broken connections ourselves, once and in one line, so Dask need not."""
    for name in list(logging.root.manager.loggerDict):
        if name == "distributed" or name.startswith("distributed."):  # some have levels of their own
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    # check_versions() refuses what matters.
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)


def _scheduler_gone() -> InitializationError:
    """The error about a scheduler that was there, and what to do by what has become of the cluster."""
    with contextlib.suppress(EssError), settings.lock(state.cluster_folder()):
        pass  # a command that ends the cluster writes last that it is ended
    desired = state.read_cluster().desired
    if desired is None:
        what, hint = "it was ended while the job ran", "repeat with --resume, which runs on this machine"
    elif not desired.running:
        what, hint = "it was stopped while the job ran", "run: ess cluster start, then repeat with --resume"
    else:
        what, hint = "the scheduler cannot be reached", "run: ess cluster start, then repeat with --resume"
    return InitializationError(what, where="cluster", hint=hint)


def _scheduler_stopped(process: ProcessId) -> InitializationError:
    return InitializationError(
        f"the scheduler (process {process.pid}) is stopped and does not answer",
        where="cluster",
        hint=f"run: kill -CONT {process.pid}, or ess cluster stop and start; then repeat with --resume",
    )


async def _forget(scheduler: Any, address: str) -> None:
    """Have the scheduler forget a worker; one that comes back is told to end."""
    with contextlib.suppress(Exception):
        await scheduler.unregister(address=address, stimulus_id=f"silent-{secrets.token_hex(4)}")
