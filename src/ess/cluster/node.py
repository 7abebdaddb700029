"""The part of a job that runs inside a worker process."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from distributed import Worker, get_worker

from ess.cluster.commands import Setting
from ess.cluster.groups import Groups
from ess.cluster.inputs import NodeInputs, with_sent_files
from ess.cluster.outputs import output_folder
from ess.cluster.prefetch import Prefetch
from ess.cluster.substitution import Place
from ess.cluster.user_environment import of_another_machine
from ess.cluster.warm import WarmTools
from ess.cluster.watch import Watch
from ess.cluster.work import Job, Outcome, Task, run_bundle
from ess.errors import InitializationError
from ess.lake.content import keeping_archives
from ess.settings import make_private_folder

_groups: Groups | None = None
_warm: WarmTools | None = None
_watch: Watch | None = None
_inputs: NodeInputs | None = None
_stopped: set[str] = set()
_running: set[str] = set()
_begun = 0
_worker: Worker | None = None


def set_groups(groups: Groups, inputs: NodeInputs | None = None) -> None:
    """Say which reaper watches over the commands of this process.

    Args:
        groups: Has it.
        inputs: Takes the files of the master's disk, on a machine that does not see them.
    """
    global _groups, _warm, _watch, _inputs
    _groups, _warm, _inputs = groups, WarmTools(groups), inputs
    _watch = Watch(_groups, _warm, _tell)


def topic(run_id: str) -> str:
    """The name under which the jobs of a runtime are told what does not answer."""
    return f"notices-{run_id}"


def _tell(text: str) -> None:
    """Tell all jobs that run here."""
    worker = _worker
    if worker is not None:
        for run_id in {_run_of(key) for key in list(_running)}:
            worker.log_event(topic(run_id), text)


def _run_of(key: str) -> str:
    return "-".join(key.split("-")[:2])


def run(job: Job, tasks: list[Task], place: Place, attempt: int, run_id: str) -> list[Outcome]:
    """Run a bundle in a thread of this worker; ``run_id`` is that of the runtime that sent it.

    It stops when told to (:func:`stop`), and when the scheduler has dropped the task, as it does
    when the process of ``ess stream`` is gone.
    """
    if _groups is None or _warm is None:
        raise InitializationError("this process is no worker", where="cluster")
    global _worker, _begun
    worker = _worker = get_worker()
    key = str(worker.get_current_task())

    def wanted_no_more() -> bool:
        task = worker.state.tasks.get(key)
        return run_id in _stopped or task is None or task.state not in ("executing", "long-running")

    _running.add(key)
    _begun += 1
    folder = make_private_folder(output_folder(worker, key))
    prefetch = Prefetch(1)
    inputs = _inputs
    if inputs is not None:
        setting = job.setting
        there = Setting(of_another_machine(setting.environment, os.environ), str(Path.home()), setting.umask)
        job = with_sent_files(replace(job, setting=there), inputs.of(key))
    try:
        with keeping_archives():
            return run_bundle(job, tasks, place, attempt, _groups, _warm, wanted_no_more, folder, prefetch)
    finally:
        if inputs is not None:
            inputs.end(key)  # first, as the next one may be waited for
        prefetch.close()
        _running.discard(key)
        if wanted_no_more():
            shutil.rmtree(folder, ignore_errors=True)


def stop(run_id: str) -> None:
    """Have the bundles of a runtime stop, now and in future."""
    _stopped.add(run_id)


def activity() -> int:
    """A number that is another one when something has run here since it was asked for, or runs."""
    return _begun * 2 + bool(_running)


def running(run_id: str) -> int:
    """The number of bundles of a runtime that run in this process."""
    return sum(1 for key in list(_running) if key.startswith(run_id))
